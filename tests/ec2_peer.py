"""EC2 for tests, over its real wire protocol: moto in a process of the test's own, mended where it answers otherwise than Amazon does.

Amended: the XML namespace (answers carry it with a closing slash, errors carry none), ClientToken (the same token is the same instance),
and stock. Instances live in a subnet of 127.0.0.0/8, and one small web server listens on the address of each that is alive.
`python -m tests.ec2_peer HOST NETWORK PORT` is the process; `ec2_peer` starts one.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl
from urllib.request import urlopen

from burstd.adapters.libcloud import CloudPool
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.model.cloud import OWNER_TAG
from tests.web import own_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ROOT: Final = Path(__file__).parents[1]
REGION: Final = "eu-west-1"
ACCOUNT: Final = "123456789012"
KEYS: Final = {"key": "AKIAABCDEFGHIJKLMNOP", "secret": "not-a-secret", "region": REGION}
UNBOUNDED: Final = 1_000_000

_numbers = itertools.count(os.getpid())


# ------------------------------------------------------------------------------------------------------------------ the process


class Mended:
    """The WSGI application around moto's EC2."""

    def __init__(self, network: str, doors: Doors) -> None:
        self._network = network
        self._doors = doors
        self._one_at_a_time = threading.Lock()
        self._tokens: dict[str, tuple[frozenset[tuple[str, str]], str]] = {}
        self._capacity = UNBOUNDED
        self._most: dict[str, int] = {}
        self._ready = True

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """One request: the test's own under /peer/, everything else EC2's."""
        asked = dict(parse_qsl(environ["QUERY_STRING"]))
        with self._one_at_a_time:
            if environ["PATH_INFO"].startswith("/peer/"):
                command = getattr(self, f"_{environ['PATH_INFO'].removeprefix('/peer/')}")
                status, body = 200, json.dumps(command(**asked))
            else:
                status, body = self._ec2(environ, asked)
                self._count()
        start(f"{status} {'OK' if status == 200 else 'No'}", [("Content-Type", "text/xml"), ("Content-Length", str(len(body.encode())))])
        return [body.encode()]

    def _ec2(self, environ: WSGIEnvironment, asked: dict[str, str]) -> tuple[int, str]:
        create, token = asked.get("Action") == "RunInstances", asked.get("ClientToken")
        if create and token in self._tokens:
            before, body = self._tokens[token]
            return (200, body) if before == frozenset(asked.items()) else _error(400, "IdempotentParameterMismatch")
        if create and len(self._alive()) >= self._capacity:
            return _error(500, "InsufficientInstanceCapacity")
        status, body = self._moto(environ)
        if create and token and status == 200:
            self._tokens[token] = (frozenset(asked.items()), body)
        return status, body

    def _moto(self, environ: WSGIEnvironment) -> tuple[int, str]:
        from moto.core.request import Request
        from moto.ec2.responses import EC2Response

        request = Request(environ)
        status, _, body = EC2Response.dispatch(request, request.url, request.headers)
        text = body.decode() if isinstance(body, bytes) else str(body)
        return int(status), re.sub(r' xmlns="([^"]*[^/"])/?"', r' xmlns="\1/"' if int(status) == 200 else "", text, count=1)

    def _alive(self) -> list[Any]:
        return [each for group in self._backend.reservations.values() for each in group.instances if each.state in {"pending", "running"}]

    @property
    def _backend(self) -> Any:  # noqa: ANN401 - moto's own
        from moto.ec2.models import ec2_backends

        return ec2_backends[ACCOUNT][REGION]

    def _count(self) -> None:
        alive = self._alive()
        self._doors.keep({each.private_ip for each in alive}, "200 OK" if self._ready else "503 Not Yet")
        owners = Counter(tag["value"] for each in alive for tag in each.get_tags() if tag["key"] == OWNER_TAG)
        for owner, number in owners.items():
            self._most[owner] = max(number, self._most.get(owner, 0))

    def _reset(self, capacity: str) -> str:
        """Forget everything and begin with an empty subnet; its id."""
        self._backend.reset()
        self._tokens.clear()
        self._most.clear()
        self._capacity = int(capacity)
        self._ready = True
        self._count()
        vpc = self._backend.create_vpc(self._network)
        return str(self._backend.create_subnet(vpc.id, self._network, availability_zone=f"{REGION}a").id)

    def _boot(self, ready: str) -> None:
        """What the web servers of instances started from now on answer for ever."""
        self._ready = ready == "True"

    def _peak(self, owner: str) -> int:
        """The most instances with that owner tag that were ever alive at the same time."""
        return self._most.get(owner, 0)


class Doors:
    """The instances' web servers: one answer, for every path."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: dict[str, asyncio.Server] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="doors", daemon=True).start()

    def keep(self, addresses: set[str], status: str) -> None:
        """Listen on exactly these; those that are new answer with that status."""
        if addresses != self._open.keys():
            asyncio.run_coroutine_threadsafe(self._keep(addresses, status), self._loop).result()

    async def _keep(self, addresses: set[str], status: str) -> None:
        for gone in self._open.keys() - addresses:
            self._open.pop(gone).close()
        for new in addresses - self._open.keys():
            self._open[new] = await asyncio.start_server(partial(_answer, status), new, self._port)


async def _answer(status: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def _error(status: int, code: str) -> tuple[int, str]:
    return status, f"<Response><Errors><Error><Code>{code}</Code><Message>told by the test's peer</Message></Error></Errors></Response>"


def main(host: str, network: str, port: int) -> None:
    """Serve until the end of standard input: with the test, this process ends too, however the test ends."""
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(host, 0, Mended(network, Doors(port)), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()


# -------------------------------------------------------------------------------------------------------------- the test's side


@dataclass(frozen=True)
class Ec2Peer:
    """What `ec2_peer` yields.

    Attributes:
        web_port: the instances' web port.
    """

    host: str
    port: int
    web_port: int

    def reset(self, capacity: int = UNBOUNDED) -> str:
        """Forget everything, and begin with an empty subnet and stock for so many; the subnet's id."""
        return str(self._ask("reset", capacity=str(capacity)))

    def boot(self, *, ready: bool) -> None:
        """Whether instances started from now on serve, or answer 503 for ever."""
        self._ask("boot", ready=str(ready))

    def peak(self, owner: str) -> int:
        """The most instances of that owner that were ever alive at the same time."""
        return int(self._ask("peak", owner=owner))

    def driver(self) -> Any:  # noqa: ANN401 - a libcloud driver, whose type says nothing
        """A driver of its own, past burstd's code and any proxy."""
        pool = CloudPool("peer", "ec2", KEYS, "ami-1", "t3.small", host=self.host, port=self.port, secure=False)
        return connect(pool, record_of(pool), 15.0).driver

    def start(self, subnet: str, name: str, tags: Mapping[str, str]) -> str:
        """An instance that burstd has not made; its id."""
        from libcloud.compute.base import NodeImage, NodeSize

        driver = self.driver()
        size, image = NodeSize("t3.small", "", 0, 0, None, 0.0, driver), NodeImage("ami-1", "", driver)
        made = driver.create_node(name=name, size=size, image=image, ex_metadata=dict(tags), ex_subnet=SimpleNamespace(id=subnet))
        return str(made.id)

    def alive(self) -> dict[str, dict[str, str]]:
        """The tags of every instance that is not terminated, by id."""
        states = {"instance-state-name": ["pending", "running", "shutting-down", "stopping", "stopped"]}
        return {node.id: {**node.extra["tags"], "Name": node.name} for node in self.driver().list_nodes(ex_filters=states)}

    def _ask(self, command: str, **asked: str) -> Any:  # noqa: ANN401 - JSON
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        with urlopen(f"http://{self.host}:{self.port}/peer/{command}?{query}", timeout=15) as answer:
            return json.load(answer)


@contextmanager
def ec2_peer() -> Iterator[Ec2Peer]:
    """A running one, on a network that no other running test process uses; `reset` it before its first use."""
    number = next(_numbers)
    network = f"127.{32 + (number >> 8) % 32}.{number & 255}"
    with socket.socket() as probe:
        probe.bind((f"{network}.1", 0))
        web_port = probe.getsockname()[1]
    host = own_address()
    command = [sys.executable, "-m", "tests.ec2_peer", host, f"{network}.0/24", str(web_port)]
    path = os.pathsep.join((str(ROOT), str(ROOT / "src")))
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "moto has not started"
        yield Ec2Peer(host, int(line), web_port)
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
