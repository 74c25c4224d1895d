"""A server that HAProxy shows as up and that no request reaches is said by name."""

from __future__ import annotations

from dataclasses import replace

from burstd.model.decision import Decision, Memory, Traffic
from burstd.model.gateway import ServerStatus
from tests.given import AWAY, CORES, decision, member, planned, row, rows, world
from tests.turns import NOW

IDLE = member(1)


def after(requests: dict[str, int], seconds: float = 40.0, **others: dict[str, int]) -> Decision:
    """A decision that remembers so many more requests over the last seconds, by server: in the main backend, and in the others by name."""
    places = {"app_cluster": requests, **others}

    def at(moment: float, name: str, part: int) -> Traffic:
        arrived = {backend: 100 + part * more[name] for backend, more in places.items() if name in more}
        return Traffic(moment, sum(arrived.values()), None, None, arrived)

    names = {name for more in places.values() for name in more}
    traffic = {name: (at(NOW - seconds, name, 0), at(NOW, name, 1)) for name in names}
    return replace(decision(1), memory=Memory(traffic=traffic))


def test_a_server_that_is_up_and_gets_no_request_while_the_others_do_is_said() -> None:
    made = planned(world(fleet=[IDLE]), after({CORES[0]: 600, CORES[1]: 600, IDLE.name: 0}))
    assert made.waiting == (f"{IDLE.name} is up and gets no request, where its weight promises about 57 in 30 s",)
    assert made.actions == ()


def test_a_server_that_gets_nothing_in_one_of_several_backends_is_said_with_that_backend() -> None:
    busy = {CORES[0]: 600, CORES[1]: 600}
    there = rows(row(IDLE)).backends[0]
    both = replace(rows(), backends=(there, replace(there, name="static_cluster")))
    made = planned(world(fleet=[IDLE], gateway=both), after({**busy, IDLE.name: 60}, static_cluster={**busy, IDLE.name: 0}))
    said = f"{IDLE.name} is up in static_cluster and gets no request, where its weight promises about 57 in 30 s"
    assert [each for each in made.waiting if "no request" in each] == [said]
    since = after({**busy, IDLE.name: 60})  # a backend that was named since
    assert [each for each in planned(world(fleet=[IDLE], gateway=both), since).waiting if "no request" in each] == []


def test_one_request_is_enough_to_be_no_idler() -> None:
    assert planned(world(fleet=[IDLE]), after({CORES[0]: 600, CORES[1]: 600, IDLE.name: 1})).waiting == ()


def test_where_there_is_hardly_any_traffic_nobody_is_idle() -> None:
    assert planned(world(fleet=[IDLE]), after({CORES[0]: 60, CORES[1]: 60, IDLE.name: 0})).waiting == ()


def test_before_it_was_watched_for_long_enough_nothing_is_said() -> None:
    assert planned(world(fleet=[IDLE]), after({CORES[0]: 600, CORES[1]: 600, IDLE.name: 0}, seconds=20)).waiting == ()
    assert planned(world(fleet=[IDLE]), after({CORES[0]: 600, CORES[1]: 600})).waiting == ()


def test_a_server_that_takes_no_traffic_by_order_is_not_idle() -> None:
    quiet = after({CORES[0]: 600, CORES[1]: 600, IDLE.name: 0})
    assert planned(world(fleet=[IDLE], gateway=rows(row(IDLE, ServerStatus.DOWN))), quiet).waiting == ()
    assert not any("no request" in each for each in planned(world(fleet=[IDLE], gateway=rows(row(IDLE, backup=True))), quiet).waiting)
    assert planned(world(fleet=[IDLE], gateway=AWAY), quiet).waiting == ()
