"""A TCP link between two peers that can be cut: what is in it then vanishes and nobody is told, as when a cable is dug up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Link:
    """What `tcp_link` yields.

    Attributes:
        host: where to connect to instead of to the peer.
        port: the same.
    """

    def __init__(self, target: tuple[str, int], host: str) -> None:
        self._target = target
        self._whole = threading.Event()
        self._whole.set()
        self._listener = socket.create_server((host, 0), backlog=64)
        self.host, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Nothing passes any more, and no connection ends of it."""
        self._whole.clear()

    def heal(self) -> None:
        """What waited passes."""
        self._whole.set()

    def close(self) -> None:
        self._whole.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        self._whole.wait()
        with near, suppress(OSError), socket.create_connection(self._target, timeout=30) as far:
            far.settimeout(None)
            back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
            back.start()
            self._copy(near, far)
            back.join()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._whole.wait()
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def tcp_link(target: tuple[str, int], host: str) -> Iterator[Link]:
    """A link to that peer, which listens on a free port of `host`."""
    link = Link(target, host)
    try:
        yield link
    finally:
        link.close()
