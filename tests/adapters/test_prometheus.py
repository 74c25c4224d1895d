"""Prometheus' API: what is asked, what is made of the answers, and what every failure says."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from burstd.adapters import prometheus
from burstd.adapters.prometheus import read_range
from burstd.errors import AskOperator, BadCredentials, BurstdError, Garbled, Unreachable
from tests.canned_peer import canned_peer, http, raw
from tests.haproxy_process import free_port
from tests.json_peer import Answered, JsonPeer, json_peer
from tests.web import own_address

PATH = ("GET", "/api/v1/query_range")


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as made:
        yield made


def url(peer: JsonPeer) -> str:
    return f"http://{peer.host}:{peer.port}"


def series(*values: tuple[float, str]) -> dict[str, Any]:
    return {"metric": {}, "values": [list(each) for each in values]}


def answer(peer: JsonPeer, *found: Any) -> None:
    peer.answers[PATH] = Answered(body={"status": "success", "data": {"resultType": "matrix", "result": list(found)}})


def test_the_values_of_the_one_series_are_read_and_what_is_no_number_is_left_out(peer: JsonPeer) -> None:
    answer(peer, series((1000, "1.5"), (1060, "NaN"), (1120, "2")))
    assert read_range(url(peer) + "/", "up", 1000, 1120, 60) == [(1000, 1.5), (1120, 2.0)]
    assert peer.asked[0].query == {"query": "up", "start": "1000", "end": "1120", "step": "60"}


def test_a_long_range_is_asked_for_in_pieces_that_prometheus_takes(peer: JsonPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_POINTS", 3)
    answer(peer, series((0, "1")))
    read_range(url(peer), "up", 0, 400, 60)
    assert [(each.query["start"], each.query["end"]) for each in peer.asked] == [("0", "120"), ("180", "300"), ("360", "400")]


def test_a_query_that_gives_nothing_gives_no_point(peer: JsonPeer) -> None:
    answer(peer)
    assert read_range(url(peer), "up", 0, 60, 60) == []


def failure(base: str) -> BurstdError:
    with pytest.raises(BurstdError) as caught:
        read_range(base, "up{", 0, 60, 60)
    return caught.value


def test_several_series_are_refused_with_the_mend(peer: JsonPeer) -> None:
    answer(peer, series((0, "1")), series((0, "2")))
    told = failure(url(peer))
    assert isinstance(told, AskOperator)
    assert str(told) == "--query up{: expected one series, found 2; put sum(…) or avg(…) around it"


def test_what_prometheus_says_of_a_bad_query_is_told(peer: JsonPeer) -> None:
    peer.answers[PATH] = Answered(400, {"status": "error", "errorType": "bad_data", "error": "parse error:\nunexpected end"})
    assert str(failure(url(peer))) == "--query up{: expected a query that Prometheus takes; it says: parse error: unexpected end"


def test_who_wants_a_login_is_told_without_the_password(peer: JsonPeer) -> None:
    peer.answers[PATH] = Answered(401, {})
    told = failure(f"http://somebody:secret@{peer.host}:{peer.port}")
    assert isinstance(told, BadCredentials)
    assert str(told).startswith(f"--prometheus {url(peer)}: answered 401; expected to be let in")
    assert "secret" not in str(told)


@pytest.mark.parametrize("body", [{"status": "success"}, {"hello": 1}, [1], "x", {"status": "success", "data": {"result": [{}]}}])
def test_an_answer_that_is_not_prometheus_is_told(peer: JsonPeer, body: Any) -> None:  # noqa: ANN401 - JSON of every kind
    peer.answers[PATH] = Answered(200, body)
    assert isinstance(failure(url(peer)), Garbled)


def test_html_is_not_prometheus_either() -> None:
    with canned_peer(http("200 OK", "<html>", "Content-Type: text/html\r\n")) as peer:
        assert "not as Prometheus' API does; is the URL right?" in str(failure(f"http://{peer.host}:{peer.port}"))


def test_a_port_where_nobody_listens_is_told() -> None:
    told = failure(f"http://{own_address()}:{free_port(own_address())}")
    assert isinstance(told, Unreachable)
    assert "nothing answers there; does Prometheus run, and is the port right (often 9090)?" in str(told)


def test_a_connection_that_ends_early_is_told() -> None:
    with canned_peer(raw(b"")) as peer:
        assert isinstance(failure(f"http://{peer.host}:{peer.port}"), Unreachable)


def test_one_that_never_answers_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "DEADLINE", 0.2)

    def silent(_request: str, _connection: socket.socket, over: threading.Event) -> None:
        over.wait(15)

    with canned_peer(silent) as peer:
        assert re.search(r"no answer within 0\.2 s; ask for fewer --days", str(failure(f"http://{peer.host}:{peer.port}")))


@pytest.mark.parametrize("wrong", ["prometheus:9090", "ftp://prometheus", "http://", "http://host:port"])
def test_a_url_that_is_none_is_told(wrong: str) -> None:
    told = failure(wrong)
    assert isinstance(told, AskOperator)
    assert "expected a URL such as http://127.0.0.1:9090" in str(told)
