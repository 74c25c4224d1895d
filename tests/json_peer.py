"""An API's stand-in for tests of the drivers: real HTTP on a loopback port, each request kept whole, each answer as a test has set it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.web import own_address


@dataclass(frozen=True)
class Asked:
    """A request, its body read as JSON."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def route(self) -> tuple[str, str]:
        """What is asked for."""
        return self.method, self.path


@dataclass(frozen=True)
class Answered:
    """An answer; a body that is no string is sent as JSON, None as nothing."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class JsonPeer:
    """What `json_peer` yields.

    Attributes:
        answers: by method and path; anything else is answered with 418, which no driver takes for anything.
        asked: every request so far.
    """

    def __init__(self) -> None:
        self.host = own_address()
        self.port = 0
        self.answers: dict[tuple[str, str], Answered] = {}
        self.asked: list[Asked] = []

    def answer(self, asked: Asked) -> Answered:
        """What to say to this request."""
        return self.answers.get(asked.route, Answered(418, {"message": f"no answer was set for {asked.route}"}))

    def bodies(self, method: str) -> list[Any]:
        """The bodies of all requests by that method."""
        return [each.body for each in self.asked if each.method == method]


@contextmanager
def json_peer() -> Iterator[JsonPeer]:
    """A peer on a free port."""
    peer = JsonPeer()
    with serving(peer):
        yield peer


@contextmanager
def serving(peer: JsonPeer) -> Iterator[None]:
    """Serve such a peer, whatever class it is of, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), dict(self.headers), json.loads(body) if body else None)
            peer.asked.append(asked)
            answered = peer.answer(asked)
            text = answered.body if isinstance(answered.body, str) else "" if answered.body is None else json.dumps(answered.body)
            self.send_response(answered.status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text.encode())), **answered.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *args: object) -> None:
            """Nothing: the requests are kept."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server((peer.host, 0), Handler) as server:
        peer.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
