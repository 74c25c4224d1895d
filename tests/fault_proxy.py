"""A proxy in front of an EC2 peer that spoils chosen calls on the wire, or stops at an exact point of one: what no mocked driver can do."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from tests.web import own_address


class Call(StrEnum):
    """The requests of burstd's three cloud calls.

    A destroy first finds its machine, to see once more that it is ours. After every listing and every find libcloud asks for the
    elastic addresses.
    """

    CREATE = "create"
    LIST = "list"
    ADDRESSES = "addresses"
    FIND = "find"
    DESTROY = "destroy"


class Fault(StrEnum):
    """What befalls a call. Those up to UNAVAILABLE keep it from the cloud; with the others the cloud has carried it out."""

    RESET = "reset"
    TOO_MANY = "429"
    UNAVAILABLE = "503"
    DROP = "drop"
    HALF = "half"
    STALL = "stall"
    DELAY = "delay"
    FAILED = "500"
    HTML = "html"
    EMPTY = "empty"


class Moment(StrEnum):
    """The points of a call at which a test can step in."""

    ARRIVED = "before forwarding"
    FORWARDED = "after forwarding"
    ANSWERED = "after the answer"


DELAY = 0.3
"""Seconds; less than the deadlines of the settings under test."""

PATIENCE = 30.0
"""Seconds for one exchange, and the longest that a stall holds: it ends nothing but what has hung."""

CANNED = {
    Fault.TOO_MANY: ("429 Too Many Requests", "slow down"),
    Fault.UNAVAILABLE: ("503 Service Unavailable", "<html>no server is available</html>"),
    Fault.FAILED: ("500 Internal Server Error", "<html>something broke</html>"),
    Fault.HTML: ("200 OK", "<!DOCTYPE html><html><body><p>Please log in to this network.</p></body></html>"),
    Fault.EMPTY: ("200 OK", ""),
}
ACTIONS = {"DescribeAddresses": Call.ADDRESSES, "RunInstances": Call.CREATE, "TerminateInstances": Call.DESTROY}


@dataclass
class FaultProxy:
    """What `fault_proxy` yields.

    Attributes:
        met: every call so far with the fault it met, oldest first.
        chance: the fault, if any, of a call for which none is ordered.
    """

    target: tuple[str, int]
    host: str = field(default_factory=own_address)
    port: int = 0
    met: list[tuple[Call, Fault | None]] = field(default_factory=list)
    chance: Callable[[Call], Fault | None] = lambda _call: None
    _faults: dict[Call, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    _hooks: dict[tuple[Call, Moment], Callable[[], object]] = field(default_factory=dict)
    _stepping_in: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def armed(self) -> bool:
        """Something is ordered that has not happened yet."""
        return self._stepping_in or bool(self._hooks) or any(self._faults.values())

    def strike(self, call: Call, fault: Fault) -> None:
        """Let the next call of this kind meet that fault."""
        self._faults[call].append(fault)

    def stop_at(self, call: Call, moment: Moment, hook: Callable[[], object]) -> None:
        """Run the hook at that point of the next such call, which goes on only if the hook answers with something true."""
        self._hooks[call, moment] = hook

    def serve(self, connection: socket.socket) -> None:
        """One request, and the end of its connection."""
        with connection, suppress(OSError):
            connection.settimeout(PATIENCE)
            request = _until_the_blank_line(connection)
            if request:
                self._exchange(connection, request)

    def _exchange(self, connection: socket.socket, request: bytes) -> None:
        call = _call(request)
        with self._lock:
            fault = self._faults[call].pop(0) if self._faults[call] else self.chance(call)
            self.met.append((call, fault))
        if fault is Fault.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self._stopped(call, Moment.ARRIVED) or fault is Fault.RESET:
            return
        answer = b"" if fault in {Fault.TOO_MANY, Fault.UNAVAILABLE} else self._forwarded(request)
        if self._stopped(call, Moment.FORWARDED) or fault is Fault.DROP:
            return
        if fault is Fault.STALL:
            connection.recv(1)  # until whoever asked gives up
        elif fault is Fault.DELAY:
            threading.Event().wait(DELAY)
        elif fault is Fault.HALF:
            answer = answer[: len(answer) - len(answer.partition(b"\r\n\r\n")[2]) // 2]
        elif fault is not None:
            answer = _canned(*CANNED[fault])
        connection.sendall(answer)
        self._stopped(call, Moment.ANSWERED)

    def _forwarded(self, request: bytes) -> bytes:
        with socket.create_connection(self.target, timeout=PATIENCE) as peer:
            peer.sendall(request)
            return b"".join(iter(lambda: peer.recv(65536), b""))

    def _stopped(self, call: Call, moment: Moment) -> bool:
        with self._lock:
            hook = self._hooks.pop((call, moment), None)
            self._stepping_in = self._stepping_in or hook is not None
        if hook is None:
            return False
        goes_on = hook()
        self._stepping_in = False
        return not goes_on


@contextmanager
def fault_proxy(target: tuple[str, int]) -> Iterator[FaultProxy]:
    """A proxy in front of the peer that listens there, on a free port of this process's own loopback address."""
    proxy = FaultProxy(target)
    with socket.create_server((proxy.host, 0), backlog=64) as listener:
        proxy.port = listener.getsockname()[1]
        thread = threading.Thread(target=_accept, args=(listener, proxy), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=15)


def _accept(listener: socket.socket, proxy: FaultProxy) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=proxy.serve, args=(connection,), daemon=True).start()


def _until_the_blank_line(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        received += chunk
    return received


def _call(request: bytes) -> Call:
    line = request.partition(b"\r\n")[0].decode("latin-1")
    named = re.search(r"[?&]Action=(\w+)", line)
    action = named[1] if named else ""
    if action == "DescribeInstances":
        return Call.FIND if "InstanceId.1=" in line else Call.LIST
    return ACTIONS[action]


def _canned(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
