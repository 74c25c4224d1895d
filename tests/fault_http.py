"""An HTTP peer that does what no honest one does: answers are bytes, sent as a script says, one script for each connection."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.web import own_address

Script = Callable[[socket.socket, threading.Event], None]
"""Do something to a connection whose request has been read; the event is set when the test is over."""

TLS_HELLO = b"\x16\x03"
"""What a client that wants TLS begins with; it counts as a request, too."""


class FaultServer:
    """What `fault_server` yields.

    Attributes:
        url: its root, without a trailing slash.
        requests: the first line of every request.
        connections: how many connections were opened.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self._script = script
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((own_address(), 0))
        host, port = self._listener.getsockname()
        self.url = f"http://{host}:{port}"
        self._spawn(self._accept)

    def close(self) -> None:
        """End every script and connection."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=15)
        self._listener.close()

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                connection, _ = self._listener.accept()
                self.connections += 1
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.1)
        with connection, suppress(OSError):
            while not self._over.is_set() and (request := self._request(connection)):
                self.requests.append(request)
                self._script(connection, self._over)

    def _request(self, connection: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data and not data.startswith(TLS_HELLO):
            try:
                piece = connection.recv(4096)
            except TimeoutError:
                if self._over.is_set():
                    return ""
                continue
            if not piece:
                return ""
            data += piece
        return data.partition(b"\r\n")[0].decode("latin-1")


@contextmanager
def fault_server(script: Script) -> Iterator[FaultServer]:
    """A peer on a free port that answers every request by `script`."""
    server = FaultServer(script)
    try:
        yield server
    finally:
        server.close()


def answer(body: bytes | str, status: str = "200 OK", content_type: str = "text/plain; version=0.0.4", **headers: str) -> Script:
    """A well-formed answer, connection kept."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content, keep=True)


def raw(data: bytes, *, keep: bool = False) -> Script:
    """These bytes, then the end of the connection unless it is kept."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(data)
        if not keep:
            connection.shutdown(socket.SHUT_RDWR)

    return script


def in_turn(*scripts: Script) -> Script:
    """Another script for each request."""
    rest = iter(scripts)

    def script(connection: socket.socket, over: threading.Event) -> None:
        next(rest)(connection, over)

    return script


def trickle(head: bytes, drop: bytes = b"x", every: float = 0.05) -> Script:
    """The head, and then a drop every so many seconds, for ever."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.wait(every):
            connection.sendall(drop)

    return script


def silence(connection: socket.socket, over: threading.Event) -> None:
    """Nothing at all, until the test is over."""
    over.wait()


def reset(connection: socket.socket, over: threading.Event) -> None:
    """A reset in the place of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Flood:
    """A well-formed page of so many bytes, as fast as the client takes it; `sent` of them so far."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.sent = 0

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        connection.settimeout(5)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {self.size}\r\n\r\n".encode())
        while self.sent < self.size and not over.is_set():
            self.sent += connection.send(b"node_load1 1.0\n" * 1024)
