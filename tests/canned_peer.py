"""A peer on a loopback port that answers HTTP as no library would: by a function that gets the request and the bare socket."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.web import own_address

Answer = Callable[[str, socket.socket, threading.Event], None]
"""Answer one request (its head as text) on its connection, which is closed afterwards. The event is set when the test is over."""


class CannedPeer:
    """What `canned_peer` yields.

    Attributes:
        name: as a server's line of HAProxy needs one.
        requests: the heads of all requests so far.
        answer: assign another one to change it.
    """

    def __init__(self, answer: Answer) -> None:
        self.requests: list[str] = []
        self.answer = answer
        self.name = "canned"
        self.host = own_address()
        self.port = 0


@contextmanager
def canned_peer(answer: Answer) -> Iterator[CannedPeer]:
    """A peer that answers one request for each connection."""
    peer = CannedPeer(answer)
    over = threading.Event()
    with socket.create_server((peer.host, 0)) as listener:
        peer.port = listener.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(listener, peer, over), daemon=True)
        thread.start()
        try:
            yield peer
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=15)


def http(status: str, body: str = "", headers: str = "") -> Answer:
    """A whole and honest answer."""
    payload = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(payload)}\r\nConnection: close\r\n{headers}\r\n".encode()
    return lambda _request, connection, _over: connection.sendall(head + payload)


def raw(payload: bytes) -> Answer:
    """These bytes, and the end of the connection."""
    return lambda _request, connection, _over: connection.sendall(payload)


def reset(_request: str, connection: socket.socket, _over: threading.Event) -> None:
    """Read the request and answer with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stall(_request: str, _connection: socket.socket, over: threading.Event) -> None:
    """Read the request and say nothing."""
    over.wait(60)


def _serve(listener: socket.socket, peer: CannedPeer, over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            head = _head(connection)
            if head:
                peer.requests.append(head)
                peer.answer(head, connection, over)


def _head(connection: socket.socket) -> str:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return ""
        received += chunk
    return received.decode("latin-1")
