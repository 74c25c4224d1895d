"""What an instance says its content token is, and what is none."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from burstd.adapters.http_check import HttpContent
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase
from burstd.model.policy import PoolPolicy
from tests.turns import instance
from tests.web import own_address

PATH = "/.burstd/token"


@contextmanager
def serving(body: bytes) -> Iterator[tuple[PoolPolicy, list[tuple[str, str | None]]]]:
    """A web server that answers so, and what it was asked for."""
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Cache-Control"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer((own_address(), 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield PoolPolicy("p", "i", "s", port=server.server_port), asked
        server.shutdown()


def read(pool: PoolPolicy, content: HttpContent) -> str | Fault:
    one = replace(instance(1, Phase.SYNCING), address=own_address())
    return content.tokens([(one, pool)], PATH)[one.operation]


def test_every_request_asks_for_a_page_that_no_cache_can_have() -> None:
    content = HttpContent(5.0)
    with serving(b"token-1\n") as (pool, asked):
        assert [read(pool, content) for _ in range(3)] == ["token-1"] * 3
        content.close()
    assert all(path.startswith(f"{PATH}?burstd=") for path, _ in asked)
    assert len({path for path, _ in asked}) == 3
    assert {header for _, header in asked} == {"no-cache"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FaultKind.GARBLED),
        (b"two words", FaultKind.GARBLED),
        (b"<html>", FaultKind.GARBLED),
        (b"x" * 101, FaultKind.GARBLED),
        (b"x" * 300, FaultKind.TOO_LARGE),
        (b"\xff\xfe", FaultKind.GARBLED),
    ],
)
def test_what_is_no_short_word_is_no_token(body: bytes, kind: FaultKind) -> None:
    content = HttpContent(5.0)
    with serving(body) as (pool, _):
        fault = read(pool, content)
        content.close()
    assert isinstance(fault, Fault)
    assert fault.kind is kind
