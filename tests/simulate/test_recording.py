from __future__ import annotations

from collections.abc import Sequence

import pytest

from burstd.errors import AskOperator
from burstd.simulate import Kind, Trace
from burstd.simulate.recording import default_queries, record

RATE, LOAD = default_queries("app_cluster", ["10.0.0.5:9100", "[::1]:9100"], 60.0)


class Recorder:
    """A Prometheus that knows some queries."""

    def __init__(self, **known: Sequence[tuple[float, float]]) -> None:
        self.known = known
        self.asked: list[tuple[str, str, float, float, float]] = []

    def read(self, url: str, query: str, start: float, end: float, step: float) -> Sequence[tuple[float, float]]:
        self.asked.append((url, query, start, end, step))
        return next((points for name, points in self.known.items() if name in query), [])


def recorded(recorder: Recorder, *queries: str) -> Trace:
    return record(recorder.read, "http://p", queries or (RATE, LOAD), end=1_000_000.0, days=2.0, step=60.0)


def test_the_request_rate_is_asked_for_first_over_two_steps() -> None:
    assert RATE == 'sum(rate(haproxy_backend_http_requests_total{proxy="app_cluster"}[120s]))'
    recorder = Recorder(haproxy=[(0, 1), (60, 2)], node=[(0, 9), (60, 9)])
    assert recorded(recorder) == Trace(RATE, (0, 60), (1, 2), Kind.REQUESTS)
    assert recorder.asked == [("http://p", RATE, 1_000_000.0 - 2 * 86_400, 1_000_000.0, 60.0)]


def test_where_haproxy_has_told_nothing_the_load_of_the_cores_is_taken() -> None:
    assert LOAD == r'avg(node_load1{instance=~"10\\.0\\.0\\.5:9100|\\[::1\\]:9100"})'
    assert recorded(Recorder(node_load1=[(0, 1), (60, 2)])).kind is Kind.LOAD


def test_without_settings_every_exporter_counts() -> None:
    assert default_queries("app_cluster", [], 60.0)[1] == "avg(node_load1)"


def test_where_nothing_was_recorded_the_queries_are_told() -> None:
    with pytest.raises(
        AskOperator, match=r"^--prometheus: expected at least 2 points of up over the last 2 days, found fewer; name another"
    ):
        recorded(Recorder(up=[(0, 1)]), "up")


def test_a_value_below_zero_is_no_load() -> None:
    with pytest.raises(AskOperator, match=r"^--query deriv: expected no value below 0, found one; ask for a rate or a load average$"):
        recorded(Recorder(deriv=[(0, 1), (60, -1)]), "deriv")
