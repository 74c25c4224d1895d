from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.control.desk import Desk
from burstd.control.server import ControlServer
from burstd.model.event import Event
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Pause, Phase
from burstd.model.orders import DrainInstance, ScaleAuto, ScaleTo, SetPause, StartDrill
from tests.served import PAGE, Served, served
from tests.turns import NOW, POLICY, instance, rich_turn
from tests.waiting import wait_until


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    history = [Event(NOW - 10 + number, "cycle", "", f"event {number}") for number in range(5)]
    with served(tmp_path, history=history, tcp=True) as running:
        yield running


@pytest.mark.parametrize("path", ["/v1/status", "/v1/explain", "/v1/plan"])
def test_a_document_is_served_with_its_age(daemon: Served, path: str) -> None:
    status, document = daemon.ask("GET", path)
    assert (status, document["sentence"]) == (200, rich_turn().sentence)
    assert document["age_seconds"] >= 0


def test_events_are_served_newest_last_as_many_as_asked_for(daemon: Served) -> None:
    (published,) = rich_turn().events
    assert [each["text"] for each in daemon.ask("GET", "/v1/events")[1]["events"]] == [
        *(f"event {number}" for number in range(5)),
        published.text,
    ]
    assert [each["text"] for each in daemon.ask("GET", "/v1/events?limit=2")[1]["events"]] == ["event 4", published.text]


def test_an_order_answers_with_the_loops_sentence_and_the_next_status_shows_it(daemon: Served) -> None:
    status, answer = daemon.ask("POST", "/v1/scale", {"count": 2, "owner": "berit", "reason": "a test", "seconds": 60})
    assert (status, answer) == (200, {"sentence": "2 instances wanted for 60 s, then the policies decide"})
    assert daemon.orders == [ScaleTo(2, "berit", "a test", 60.0)]
    assert daemon.ask("GET", "/v1/status")[1]["override"]["owner"] == "berit"


def test_every_order_reaches_the_loop_as_what_it_is(daemon: Served) -> None:
    name = instance(1, Phase.IN_SERVICE).name
    asked = [
        daemon.ask("DELETE", "/v1/scale?owner=anna"),
        daemon.ask("POST", "/v1/pause", {"direction": "out", "owner": "anna"}),
        daemon.ask("DELETE", "/v1/pause"),
        daemon.ask("POST", "/v1/drain", {"name": name}),
        daemon.ask("POST", "/v1/drill", {"pool": "dublin", "owner": "anna"}),
        daemon.ask("POST", "/v1/drill", {}),
    ]
    assert [status for status, _ in asked] == [200] * 6
    assert daemon.orders == [
        ScaleAuto("anna"),
        SetPause(Pause.OUT, "anna"),
        SetPause(Pause.NONE, "api"),
        DrainInstance(name, "api"),
        StartDrill("anna", "dublin"),
        StartDrill("api"),
    ]


@pytest.mark.parametrize(
    ("request_line", "body", "status", "error"),
    [
        ("POST /v1/scale", {"count": 999}, 400, "fleet.max"),
        ("POST /v1/scale", {"count": -1}, 400, "count: -1: expected"),
        ("POST /v1/scale", b"", 400, "body: expected one JSON object"),
        ("POST /v1/scale", b" " * 9000, 400, "body: expected at most 8192 bytes"),
        ("POST /v1/scale?count=3", {"count": 3}, 400, "unknown parameter"),
        ("POST /v1/drain", {"name": "core-oslo-01"}, 400, "core-oslo-01 is no instance"),
        ("DELETE /v1/scale?owner=a%0Ab", None, 400, "owner: "),
        ("GET /v1/events?limit=0", None, 400, "limit: '0'"),
        ("GET /v1/events?limit=1e3", None, 400, "limit: '1e3'"),
        ("GET /v1/events?limit=" + "9" * 5000, None, 400, "limit: '999"),
        ("GET /v1/status?watch=1", None, 400, "'watch': unknown parameter"),
        ("GET /v1/nodes", None, 404, "'/v1/nodes': no such path"),
        ("GET /v1/%1b[2J", None, 404, "no such path"),
        ("GET /v1/drain", None, 405, "not with GET"),
        ("PUT /v1/scale", {"count": 3}, 405, "not with PUT"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_done_is_one_line_that_says_why(daemon: Served, request_line: str, body: object, status: int, error: str) -> None:
    method, _, path = request_line.partition(" ")
    answered, document = daemon.ask(method, path, body)
    assert answered == status
    assert list(document) == ["error"]
    assert error in document["error"]
    assert document["error"].isprintable()
    assert len(document["error"]) < 300
    assert daemon.turn.number == rich_turn().number, "nothing was changed"


def test_a_loop_that_does_not_answer_costs_a_503_and_keeps_nobody_from_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk.submit, "__defaults__", (0.05,))
    with served(tmp_path, answering=False) as daemon:
        status, headers, content = daemon.raw("POST", "/v1/scale", {"count": 1})
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"nothing was changed" in content
        assert daemon.ask("GET", "/v1/status")[0] == 200


def test_before_the_first_cycle_there_is_nothing_to_show_yet(tmp_path: Path) -> None:
    desk = Desk()
    server = ControlServer(desk, bytes, socket=tmp_path / "c", mode=0o600, group=None, listen=None, stale_cycle=30.0)
    server.start()
    daemon = Served(desk, server, tmp_path / "c", rich_turn())
    try:
        assert daemon.ask("GET", "/v1/status") == (503, {"error": "no cycle has finished yet: try again in a few seconds"})
        assert daemon.ask("GET", "/readyz") == (503, {"status": "not ready", "error": "no cycle has finished yet"})
        assert daemon.ask("GET", "/healthz")[0] == 200
    finally:
        server.stop()


def test_a_bug_is_a_500_in_one_line_and_its_traceback_is_logged(
    daemon: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desk, "events", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR):
        status, document = daemon.ask("GET", "/v1/events")
    assert (status, list(document)) == (500, ["error"])
    wait_until(lambda: "division by zero" in caplog.text, "the traceback is logged")


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
def test_metrics_and_probes_answer_on_both_addresses(daemon: Served, *, tcp: bool) -> None:
    status, headers, page = daemon.raw("GET", "/metrics", tcp=tcp)
    assert (status, headers["content-type"], page) == (200, "text/plain; version=0.0.4; charset=utf-8", PAGE)
    assert daemon.ask("GET", "/healthz", tcp=tcp)[0] == 200
    assert daemon.ask("GET", "/readyz", tcp=tcp) == (200, {"status": "ready"})


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/status"), ("POST", "/v1/scale"), ("DELETE", "/v1/pause"), ("POST", "/metrics")])
def test_over_tcp_nothing_can_be_ordered_and_no_name_is_told(daemon: Served, method: str, path: str) -> None:
    status, document = daemon.ask(method, path, b'{"count": 1}' if method == "POST" else None, tcp=True)
    assert status == (405 if path == "/metrics" else 404)
    assert list(document) == ["error"]
    assert daemon.orders == []


def test_healthz_turns_when_the_last_cycle_is_too_old(tmp_path: Path) -> None:
    now = 0.0
    desk = Desk(clock=lambda: now)
    server = ControlServer(desk, bytes, socket=tmp_path / "c", mode=0o600, group=None, listen=None, stale_cycle=30.0)
    server.start()
    daemon = Served(desk, server, tmp_path / "c", rich_turn())
    try:
        now = 30.0
        assert daemon.ask("GET", "/healthz") == (200, {"status": "ok", "age_seconds": 30.0, "stale_after_seconds": 30.0})
        now = 31.5
        status, answer = daemon.ask("GET", "/healthz")
        assert (status, answer["status"], answer["error"]) == (
            503,
            "stale",
            "no cycle has ever finished: 31 s, more than fleet.stale_cycle = 30 s",
        )
        desk.publish(rich_turn(), POLICY)
        assert daemon.ask("GET", "/healthz")[0] == 200
        now = 100.0
        status, answer = daemon.ask("GET", "/healthz")
        assert (status, answer["age_seconds"]) == (503, 68.5)
        assert answer["error"].startswith("the last cycle is too old")
    finally:
        server.stop()


def test_readyz_names_what_was_not_heard(tmp_path: Path) -> None:
    turn = rich_turn()
    blind = replace(turn, snapshot=replace(turn.snapshot, gateway=Fault("haproxy", FaultKind.UNREACHABLE, "refused")))
    with served(tmp_path, turn=blind) as daemon:
        assert daemon.ask("GET", "/readyz") == (503, {"status": "not ready", "error": "haproxy: refused"})
        daemon.desk.publish(turn, POLICY)
        assert daemon.ask("GET", "/readyz")[0] == 200
