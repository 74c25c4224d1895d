"""A forwarding HTTP proxy for tests: real HTTP on a loopback port, each request kept, then passed on to one peer whatever its host."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.web import own_address

_HOP: frozenset[str] = frozenset(
    {"connection", "keep-alive", "proxy-authorization", "proxy-connection", "transfer-encoding", "content-length"}
)


@dataclass(frozen=True)
class Passed:
    """A request as the proxy got it.

    Attributes:
        target: the URL, or HOST:PORT of a CONNECT.
        login: the Proxy-Authorization header.
    """

    method: str
    target: str
    login: str | None


class HttpProxy:
    """What `http_proxy` yields.

    Attributes:
        passed: every request, those that were refused included.
        mute: pass requests on, and close without an answer.
        tunnel: the status with which a CONNECT is refused.
    """

    def __init__(self, peer: tuple[str, int] | None) -> None:
        self.peer = peer
        self.host = own_address()
        self.port = 0
        self.passed: list[Passed] = []
        self.mute = False
        self.tunnel = 502

    def url(self, login: str = "") -> str:
        """Its own URL, for a client with that login."""
        return f"http://{login}{'@' if login else ''}{self.host}:{self.port}"


@contextmanager
def http_proxy(peer: tuple[str, int] | None = None) -> Iterator[HttpProxy]:
    """A proxy on a free port; without a peer nothing is passed on."""
    proxy = HttpProxy(peer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def keep(self) -> None:
            proxy.passed.append(Passed(self.command, self.path, self.headers["Proxy-Authorization"]))

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.keep()
            assert proxy.peer is not None
            onward = http.client.HTTPConnection(*proxy.peer, timeout=10)
            path = "/" + self.path.split("//", 1)[1].partition("/")[2]
            onward.request(
                self.command, path, body or None, {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            )
            answer = onward.getresponse()
            text = answer.read()
            onward.close()
            if proxy.mute:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815 - http.server's names

        def do_CONNECT(self) -> None:
            self.keep()
            self.send_error(proxy.tunnel)

        def log_message(self, *args: object) -> None:
            """Nothing: the requests are kept."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server((proxy.host, 0), Handler) as server:
        proxy.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()
