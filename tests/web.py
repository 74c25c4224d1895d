"""A small web server for tests: real HTTP on a loopback address of this test process, requests counted, slow or failing on demand."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHECK_PATH = "/health"
"""Answered at once and never counted: what HAProxy's health checks ask for."""

_numbers = itertools.count(1)


def own_address() -> str:
    """A loopback address that no other running test process uses, so that its ports are free: the process id in its last 22 bits."""
    return f"127.{64 + (os.getpid() >> 16 & 63)}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"


class WebServer:
    """What `web` yields.

    Attributes:
        name: the body of its answers and their X-Served-By, so that a client sees who answered.
        host: its address.
        port: its port.
        served: requests answered, health checks left out.
        delay: seconds that each of these takes.
        status: the status of every answer, health checks included.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = own_address()
        self.served = 0
        self.delay = 0.0
        self.status = 200
        self._closing = threading.Event()
        self._counting = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before where there was one."""
        self._closing.clear()
        self._server = _Server((self.host, self.port), self._handler())
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name=self.name, daemon=True).start()

    def stop(self) -> None:
        """Stop listening: connections are refused from now on, and those that are open end."""
        if self._server is not None:
            self._closing.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                if self.path != CHECK_PATH:
                    web._closing.wait(web.delay)
                    with web._counting:
                        web.served += 1
                body = web.name.encode()
                self.send_response(web.status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Served-By", web.name)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the base class names it so

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle of an answer is what the tests are about."""


@contextmanager
def web(name: str = "") -> Iterator[WebServer]:
    """A web server on a free port of this process's own loopback address."""
    server = WebServer(name or f"web-{next(_numbers)}")
    try:
        yield server
    finally:
        server.stop()
