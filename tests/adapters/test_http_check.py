from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from burstd.adapters.http_check import HttpContent
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase
from burstd.model.policy import PoolPolicy
from tests.fault_http import Flood, Script, answer, fault_server, in_turn, silence, trickle
from tests.turns import instance


@pytest.fixture
def content() -> Iterator[HttpContent]:
    checker = HttpContent(5.0)
    yield checker
    checker.close()


@pytest.fixture
def hasty() -> Iterator[HttpContent]:
    checker = HttpContent(0.5)
    yield checker
    checker.close()


def check(content: HttpContent, url: str, path: str = "/") -> Fault | None:
    """What the instance at that URL is told."""
    peer = urlsplit(url)
    one = replace(instance(1, Phase.SYNCING), address=peer.hostname)
    pool = PoolPolicy("p", "i", "s", port=peer.port or 80, check_path=path)
    return content.check([(one, pool)])[one.operation]


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (answer("made", "201 Created", Location="/made"), FaultKind.MISSING, "answered 201 Created, expected 200"),
        (answer("", "204 No Content"), FaultKind.MISSING, "answered 204 No Content, expected 200"),
        (
            answer("", "301 Moved Permanently", Location="https://shop.example/"),
            FaultKind.MISCONFIGURED,
            "redirect to https://shop.example/",
        ),
        (answer("", "403 Forbidden"), FaultKind.DENIED, "answered 403"),
        (answer("", "404 Not Found"), FaultKind.MISSING, "answered 404"),
        (answer("no replica yet", "503 Service Unavailable"), FaultKind.MISSING, "expected 200: no replica yet"),
    ],
)
def test_anything_but_200_keeps_the_gate_shut_and_is_said(content: HttpContent, script: Script, kind: FaultKind, words: str) -> None:
    with fault_server(script) as peer:
        fault = check(content, peer.url)
        assert len(peer.requests) == 1
    assert fault is not None
    assert fault.kind is kind
    assert words in fault.text


@pytest.mark.parametrize("script", [silence, trickle(b"HTTP/1.1 2")])
def test_a_head_that_does_not_come_is_given_up_at_the_deadline(hasty: HttpContent, script: Script) -> None:
    with fault_server(script) as peer:
        fault = check(hasty, peer.url)
    assert fault is not None
    assert "within 0.5 s" in fault.text


def test_a_port_on_which_nothing_listens_yet_is_said(content: HttpContent) -> None:
    with fault_server(silence) as peer:
        url = peer.url
    fault = check(content, url)
    assert fault is not None
    assert "does its web server run there?" in fault.text


def test_the_body_does_not_matter_and_is_not_read(content: HttpContent) -> None:
    flood = Flood(10_000_000)
    with fault_server(flood) as peer:
        assert check(content, peer.url) is None
    assert flood.sent < flood.size


def test_an_instance_is_asked_again_and_again_until_it_serves(content: HttpContent) -> None:
    page = answer("welcome", content_type="text/html")
    with fault_server(in_turn(answer("", "503 Service Unavailable"), page, page)) as peer:
        assert [check(content, peer.url) is None for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize(
    ("path", "line"),
    [("/", "GET / HTTP/1.1"), ("", "GET / HTTP/1.1"), ("health", "GET /health HTTP/1.1"), ("/a/b?deep=1", "GET /a/b?deep=1 HTTP/1.1")],
)
def test_the_check_path_is_asked_for_as_it_is_written(content: HttpContent, path: str, line: str) -> None:
    with fault_server(answer("")) as peer:
        assert check(content, peer.url, path) is None
        assert peer.requests == [line]


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX-Injected: 1"])
def test_a_path_that_is_none_is_refused_before_anything_is_sent(content: HttpContent, path: str) -> None:
    with fault_server(answer("")) as peer:
        fault = check(content, peer.url, path)
        assert fault is not None
        assert fault.kind is FaultKind.MISCONFIGURED
        assert peer.requests == []
