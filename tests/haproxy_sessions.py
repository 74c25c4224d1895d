"""Sessions between the gateway and real HAProxys, recorded to the byte, and a peer that replays them, spoilt or not.

.venv/bin/python -m tests.haproxy_sessions      records them anew from every version found, into tests/recorded
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from burstd.adapters.haproxy import HAProxyGateway
from burstd.adapters.haproxy.runtime import PROMPT
from burstd.model.faults import Fault
from burstd.model.gateway import AddServer, AdminState, GatewayEdit, GatewayView, RemoveServer, SetState, SetWeight
from burstd.ports import Gateway
from tests.haproxy_process import BACKEND, HAProxy, haproxy, is_ours
from tests.haproxy_versions import found
from tests.scripted_socket import Script, scripted_socket
from tests.web import web

T = TypeVar("T")
FOLDER = Path(__file__).parent / "recorded"

EDITS: tuple[GatewayEdit, ...] = (
    AddServer(BACKEND, "burst-1", "127.0.0.9", 80, 10, maxconn=7),
    SetState(BACKEND, "burst-1", AdminState.READY),
    SetWeight(BACKEND, "burst-1", 25),
    SetWeight(BACKEND, "burst-9", 5),  # there is none
    RemoveServer(BACKEND, "burst-1"),  # not in maintenance
    SetState(BACKEND, "burst-1", AdminState.MAINT),
    RemoveServer(BACKEND, "burst-9"),
    RemoveServer(BACKEND, "burst-1"),
)
"""One of each kind of answer: what is done, what is done already, what is refused."""


@dataclass(frozen=True)
class Exchange:
    """One connection: each line that the client sent, and the bytes that it got for it."""

    lines: tuple[str, ...]
    replies: tuple[bytes, ...]

    @property
    def answers(self) -> list[bytes]:
        """The replies without their prompts."""
        return parted(self.replies)


@dataclass(frozen=True)
class Recording:
    """What one version said.

    Attributes:
        process: its pid and start.
        read: a reading.
        apply: `EDITS` applied.
    """

    version: str
    process: tuple[int, float]
    read: Exchange
    apply: Exchange


def parted(replies: Sequence[bytes]) -> list[bytes]:
    """What was said, in order, as prompts part it."""
    return b"".join(replies).split(PROMPT)[:-1]


def gateway(path: Path, deadline: float = 5.0) -> HAProxyGateway:
    """The client of a recorded session."""
    return HAProxyGateway(path, BACKEND, is_ours=is_ours, deadline=deadline)


def recorded() -> list[Recording]:
    """The stored recordings."""
    return [_loaded(json.loads(path.read_text())) for path in sorted(FOLDER.glob("haproxy-*.json"))]


def record(version: str, binary: str) -> tuple[Recording, GatewayView, Sequence[Fault | None]]:
    """A reading of a real HAProxy and `EDITS` applied to it: what was said, and what the client made of it."""
    with web("core-1") as core, haproxy([core], binary=binary) as proxy:
        proxy.config.write_text(proxy.config.read_text().replace("global\n", "global\n    node gateway\n"))  # not this machine's name
        proxy.reload()
        view, read = _overheard(proxy, lambda client: client.read())
        process = view.pid, view.started
        faults, apply = _overheard(proxy, lambda client: client.apply(EDITS, process))
    return Recording(version, process, read, apply), view, faults


def _overheard(proxy: HAProxy, use: Callable[[Gateway], T]) -> tuple[T, Exchange]:
    heard: list[tuple[str, bytes]] = []
    with socket.socket(socket.AF_UNIX) as upstream:
        upstream.settimeout(15)
        upstream.connect(str(proxy.socket))

        def relay(line: str, connection: socket.socket, _over: threading.Event) -> bool:
            upstream.sendall(f"{line}\n".encode())
            reply = b""
            while not reply.endswith(PROMPT):
                reply += upstream.recv(65536)
            heard.append((line, reply))
            connection.sendall(reply)
            return True

        with scripted_socket(relay) as path:
            result = use(gateway(path))
    lines, replies = zip(*heard, strict=True)
    return result, Exchange(lines, replies)


def replaying(replies: Sequence[bytes], end: Script) -> Script:
    """Give the replies one by one, whatever is asked, from the first on in each connection; then `end`."""
    position = 0

    def script(line: str, connection: socket.socket, over: threading.Event) -> bool:
        nonlocal position
        position = 0 if line == "prompt" else position + 1
        if position < len(replies):
            connection.sendall(replies[position])
        return position < len(replies) - 1 or end(line, connection, over)

    return script


def _loaded(document: dict[str, object]) -> Recording:
    def exchange(name: str) -> Exchange:
        pairs = document[name]
        assert isinstance(pairs, list)
        return Exchange(tuple(line for line, _ in pairs), tuple(reply.encode() for _, reply in pairs))

    process = document["process"]
    assert isinstance(process, list)
    return Recording(str(document["version"]), (process[0], process[1]), exchange("read"), exchange("apply"))


def _stored(recording: Recording) -> str:
    document = {
        "version": recording.version,
        "process": recording.process,
        **{
            name: [(line, reply.decode()) for line, reply in zip(each.lines, each.replies, strict=True)]
            for name, each in (("read", recording.read), ("apply", recording.apply))
        },
    }
    return json.dumps(document, indent=1) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for version, binary in found().items():
        path = FOLDER / f"haproxy-{version}.json"
        path.write_text(_stored(record(version, binary)[0]))
        sys.stdout.write(f"{path.name}: written\n")
