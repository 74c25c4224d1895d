"""Whether more servers would help: each of the three ways in which they would not, and every reading that speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.decide.queueing import mean_load
from burstd.decide.signal import read_signal
from burstd.decide.usefulness import doubt, full_since, restrain
from burstd.model.decision import Direction, Doubt, Futility, Memory, Proposal, Traffic
from burstd.model.fleet import Phase
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.policy import Policy
from tests.given import AWAY, CORES, decided, member, policy, row, rows, world
from tests.turns import NOW

STEP, POINTS = 5.0, 16
BURST = member(1)


def history(  # noqa: PLR0913 - each is a property of the server
    *,
    busy: float = 0.15,
    before: float | None = None,
    io: float | None = 0.6,
    rate: float = 10.0,
    growth: float = 1.0,
    open_: float = 0.5,
    errors: float = 0.0,
    cpus: int | None = 4,
    points: int = POINTS,
) -> tuple[Traffic, ...]:
    """A server over the last 75 s: how busy its CPUs are (until 10 s ago: `before`), how much they wait for disks, and what it serves."""
    made: list[Traffic] = []
    spent = requests = failed = 0.0
    for number in range(points):
        late = number >= points - 3
        share = busy if late or before is None else before
        spent += share * (cpus or 1) * STEP
        requests += rate * STEP * (growth if number >= points // 2 else 1.0)
        failed += rate * STEP * errors
        at = NOW - STEP * (points - 1 - number)
        made.append(
            Traffic(
                at=at,
                requests=round(requests),
                busy_seconds=spent,
                load1=9.0,
                arrived={"app_cluster": round(requests)},
                idle_seconds=(number + 1) * STEP * (cpus or 1) - spent,
                cpus=cpus,
                iowait_seconds=None if io is None else (number + 1) * STEP * (cpus or 1) * io,
                open=round(open_ * 2) if number % 2 else 0,
                errors=round(failed),
            )
        )
    return tuple(made)


def memory(changed: Mapping[str, Any] | None = None, *, one: Mapping[str, Any] | None = None, burst: Any = None, **more: Any) -> Memory:  # noqa: ANN401 - a history's properties
    """Both cores so, the first one changed further, and a burst server where one is told of."""
    traffic = {name: history(**(changed or {})) for name in CORES}
    if one is not None:
        traffic[CORES[0]] = history(**{**(changed or {}), **one})
    if burst is not None:
        traffic[BURST.name] = history(**burst)
    return Memory(traffic=traffic, **more)


def doubted(
    known: Memory,
    load: float | tuple[float, float] = 9.0,
    under: Policy | None = None,
    view: GatewayView | None = None,
    cpus: int | None = 4,
) -> Doubt | None:
    """What is doubted in a world with that load and that memory."""
    under = under or policy()
    seen = world(load=load, fleet=[BURST] if BURST.name in known.traffic else [])
    seen = replace(seen, cores={name: replace(each, cpus=cpus) for name, each in seen.cores.items()}, memory=known)  # type: ignore[arg-type]  # all are samples
    seen = replace(seen, gateway=view or seen.gateway)
    return doubt(read_signal(seen, under), seen, under, known)


def cause(*arguments: Any, **more: Any) -> Futility | None:
    found = doubted(*arguments, **more)
    return found.cause if found else None


# ------------------------------------------------------------------------------------------------ a load that is not the requests'


def test_a_backups_load_is_told_from_the_requests_with_figures() -> None:
    found = doubted(memory(), load=(9.0, 1.0))
    assert found == Doubt(
        Futility.NOT_REQUESTS,
        "of load 9.00 on core-oslo-01 its CPUs (15% busy, 60% waiting for disks) explain 1.0 at most, and the requests 2.0",
    )


def test_where_the_exporter_tells_nothing_of_disks_the_rest_is_enough() -> None:
    found = doubted(memory({"io": None}), load=(9.0, 1.0))
    assert found is not None
    assert "(15% busy) explain" in found.text


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"busy": 0.9}, id="the CPUs are full"),
        pytest.param({"busy": 0.7}, id="the CPUs are nearly full"),
        pytest.param({"busy": 1.0, "before": 0.1}, id="the CPUs have become full just now"),
        pytest.param({"open_": 2.0}, id="as many requests are open as tasks are there"),
        pytest.param({"open_": 1.0}, id="each open request may keep two tasks busy"),
        pytest.param({"growth": 3.0}, id="more requests come than a minute ago"),
        pytest.param({"cpus": None}, id="nobody knows the CPUs in time"),
        pytest.param({"points": 3}, id="too little is known yet"),
        pytest.param({"points": 1}, id="next to nothing is known yet"),
    ],
)
def test_what_may_be_the_requests_is_never_doubted(changed: dict[str, Any]) -> None:
    assert doubted(memory(changed), cpus=changed.get("cpus", 4)) is None


def test_requests_that_wait_in_haproxy_are_never_doubted() -> None:
    waiting = rows()
    queued = replace(waiting, backends=tuple(replace(each, queued=1) for each in waiting.backends))
    assert doubted(memory()) is not None
    assert doubted(memory(), view=queued) is None
    at_a_server = replace(waiting, backends=(replace(waiting.backends[0], servers=(replace(waiting.backends[0].servers[0], queued=1),)),))
    assert doubted(memory(), view=at_a_server) is None


def test_of_two_cores_above_the_threshold_one_that_is_loaded_by_requests_is_enough_to_buy() -> None:
    assert doubted(memory(one={"busy": 0.9}), load=9.0) is None
    assert cause(memory(one={"busy": 0.9}), load=(1.0, 9.0)) is Futility.NOT_REQUESTS


@pytest.mark.parametrize("changes", [{"status": ServerStatus.DOWN, "passing": False}, {"throttle": 20}], ids=["given up", "coming back"])
def test_a_core_server_that_haproxy_has_given_up_under_its_load_is_never_doubted(changes: dict[str, Any]) -> None:
    view = rows()
    first, second = view.backends[0].servers
    backend = replace(view.backends[0], servers=(replace(first, **changes), second))
    assert doubted(memory({"open_": 0.0}), load=(40.0, 1.0), view=replace(view, backends=(backend,))) is None


def test_below_the_threshold_there_is_nothing_to_doubt() -> None:
    assert doubted(memory(), load=3.9) is None


def test_thresholds_that_count_per_cpu_are_compared_per_cpu() -> None:
    under = policy(load={"per_cpu": True, "scale_out_above": 1.0, "scale_in_below": 0.5})
    assert cause(memory(), load=9.0, under=under) is Futility.NOT_REQUESTS
    assert doubted(memory({"busy": 0.9}), load=9.0, under=under) is None


def test_without_haproxy_or_without_a_history_nothing_is_doubted() -> None:
    seen = replace(world(load=9.0), gateway=AWAY)
    known = memory(gateway_full_since=NOW - 99)
    assert doubt(read_signal(seen, policy()), seen, policy(), known) is None
    assert full_since(seen, known) == NOW - 99
    assert doubted(Memory()) is None


def test_a_few_requests_more_at_night_are_no_growth() -> None:
    assert cause(memory({"rate": 0.2, "growth": 2.0, "open_": 0.0})) is Futility.NOT_REQUESTS


def test_an_operator_can_have_it_buy_anyway() -> None:
    assert doubted(memory(), under=policy(load={"hold_useless": False})) is None


@given(
    busy=st.floats(0, 1),
    rate=st.floats(0.1, 500),
    own=st.floats(0, 3),
    tasks=st.floats(0, 3),
    cpus=st.sampled_from([1, 2, 4, 8, 32]),
)
def test_no_load_that_the_requests_explain_is_ever_held(busy: float, rate: float, own: float, tasks: float, cpus: int) -> None:
    """Whatever the machine: requests that alone bring it above the threshold, on its CPUs or at its disks, get their servers."""
    open_ = round(own + tasks)
    by_requests = max(mean_load(cpus, min(busy, 0.96)), float(open_))
    known = memory({"busy": busy, "rate": rate, "open_": float(open_) if open_ else 0.0, "cpus": cpus})
    if by_requests >= 4.0:
        assert cause(known, load=max(by_requests, 4.1), cpus=cpus) is None


# ------------------------------------------------------------------------------------------------------- a gateway at its limit


def full(**changes: Any) -> GatewayView:
    return replace(rows(), **{"idle": 0.5, "connections": 10, "most_connections": 1000, **changes})


BUSY_GATEWAY = memory({"busy": 0.6, "open_": 1.0}, gateway_full_since=NOW - 15)


def test_a_busy_haproxy_is_told_once_it_has_been_so_for_a_while() -> None:
    found = doubted(BUSY_GATEWAY, view=full(idle=0.02))
    assert found == Doubt(Futility.GATEWAY, "HAProxy itself is at its limit, 2% idle, and no core server's CPUs are")
    assert doubted(replace(BUSY_GATEWAY, gateway_full_since=NOW - 14.5), view=full(idle=0.02)) is None
    assert doubted(replace(BUSY_GATEWAY, gateway_full_since=None), view=full(idle=0.02)) is None


def test_a_full_haproxy_is_told_with_its_connections() -> None:
    found = doubted(BUSY_GATEWAY, view=full(connections=990))
    assert found == Doubt(Futility.GATEWAY, "HAProxy itself is at its limit, with 990 of 1000 connections, and no core server's CPUs are")


@pytest.mark.parametrize(
    ("known", "changes"),
    [
        pytest.param(BUSY_GATEWAY, {}, id="HAProxy has room"),
        pytest.param(BUSY_GATEWAY, {"idle": None, "most_connections": None, "connections": 990}, id="it does not say"),
        pytest.param(memory({"busy": 0.8, "open_": 1.0}, gateway_full_since=NOW - 60), {"idle": 0.0}, id="the core is full too"),
        pytest.param(memory({"open_": 1.0, "cpus": None}, gateway_full_since=NOW - 60), {"idle": 0.0}, id="nobody knows the core's CPUs"),
        pytest.param(memory({"busy": 0.6, "points": 2}, gateway_full_since=NOW - 60), {"idle": 0.0}, id="nobody knows them yet"),
        pytest.param(Memory(gateway_full_since=NOW - 60), {"idle": 0.0}, id="nothing is known"),
    ],
)
def test_anything_else_is_no_limit_of_the_gateway(known: Memory, changes: dict[str, Any]) -> None:
    assert doubted(known, view=full(**changes)) is None


def test_connections_that_wait_for_the_servers_are_the_servers_business() -> None:
    view = full(connections=990)
    servers = tuple(replace(each, sessions=250) for each in view.backends[0].servers)
    stuck = replace(view, backends=(replace(view.backends[0], servers=servers),))
    assert doubted(BUSY_GATEWAY, view=stuck) is None
    queued = replace(full(idle=0.0), backends=tuple(replace(each, queued=3) for each in rows().backends))
    assert doubted(BUSY_GATEWAY, view=queued) is None


def test_since_when_the_gateway_is_at_its_limit_is_remembered_and_forgotten() -> None:
    under = policy(load={"hold_useless": False})
    begun = decided(replace(world(), gateway=full(idle=0.0)), under).memory
    assert begun.gateway_full_since == NOW
    later = decided(replace(world(now=NOW + 5), gateway=full(idle=0.0), memory=begun), under).memory
    assert later.gateway_full_since == NOW
    over = decided(replace(world(now=NOW + 10), gateway=full(), memory=later), under).memory
    assert over.gateway_full_since is None


# ------------------------------------------------------------------------------------------------------- burst servers that err

WELL = {"busy": 0.9, "rate": 20.0}
SICK = {"busy": 0.2, "rate": 10.0, "errors": 0.4}


def test_burst_servers_that_err_far_more_than_the_core_are_not_multiplied() -> None:
    assert doubted(memory(WELL, burst=SICK)) == Doubt(
        Futility.BURST_ERRORS, "40% of the burst servers' requests end in errors, 0.0% of the core's"
    )


@pytest.mark.parametrize(
    ("well", "sick"),
    [
        pytest.param(WELL, {**SICK, "errors": 0.04}, id="a few errors are normal"),
        pytest.param({**WELL, "errors": 0.1}, SICK, id="the core errs as well"),
        pytest.param(WELL, {**SICK, "busy": 0.9}, id="they err because they are too few"),
        pytest.param(WELL, {**SICK, "busy": 0.9, "before": 0.1}, id="they have become too few just now"),
        pytest.param(WELL, {**SICK, "cpus": None}, id="nobody knows how busy they are"),
        pytest.param(WELL, {**SICK, "points": 2}, id="nobody knows it yet"),
        pytest.param(WELL, {**SICK, "rate": 1.0}, id="they have had too few requests"),
        pytest.param({**WELL, "rate": 0.5}, SICK, id="the core has had too few requests"),
    ],
)
def test_anything_else_is_no_fault_of_the_burst_servers(well: dict[str, Any], sick: dict[str, Any]) -> None:
    assert doubted(memory(well, burst=sick)) is None


def test_counters_that_went_back_are_no_errors() -> None:
    known = memory(WELL, burst=SICK)
    turned = tuple(replace(point, errors=600 - point.errors) for point in known.traffic[BURST.name])
    assert doubted(replace(known, traffic={**known.traffic, BURST.name: turned})) is None


def test_only_those_in_service_count() -> None:
    seen = world(load=9.0, fleet=[replace(BURST, phase=Phase.DRAINING)])
    known = memory(WELL, burst=SICK)
    assert doubt(read_signal(seen, policy()), seen, policy(), known) is None


# ------------------------------------------------------------------------------------------------------------- what is held


WISHES = [Proposal("threshold", Direction.OUT, 3, "load 9.00 is above 4"), Proposal("demand", Direction.OUT, 4, "demand 5.3 servers")]
WHY = Doubt(Futility.GATEWAY, "HAProxy itself is at its limit, 0% idle")


def test_every_wish_for_more_is_held_with_its_reason_and_the_doubt_whatever_its_source() -> None:
    held, why = restrain(WISHES, lambda: WHY, 2)
    assert [(each.source, each.direction, each.count) for each in held] == [("threshold", Direction.HOLD, 2), ("demand", Direction.HOLD, 2)]
    assert held[1].reason == "demand 5.3 servers, but more servers would not help: HAProxy itself is at its limit, 0% idle"
    assert why is WHY


def test_a_wish_beside_it_that_is_none_for_more_is_left_as_it_is() -> None:
    calm = Proposal("demand", Direction.IN, 1, "demand 0.3 servers")
    assert restrain([WISHES[0], calm], lambda: WHY, 2)[0][1] is calm


@pytest.mark.parametrize("direction", [Direction.HOLD, Direction.IN])
def test_where_nobody_wishes_for_more_nothing_is_asked(direction: Direction) -> None:
    def never() -> Doubt:
        pytest.fail("it was asked")

    wish = Proposal("threshold", direction, 1, "load 1.00 is below 2")
    assert restrain([wish], never, 2) == ((wish,), None)


def test_without_a_doubt_all_stands() -> None:
    assert restrain(WISHES, lambda: None, 2) == (tuple(WISHES), None)


def test_an_instances_line_and_a_cores_are_read_with_all_that_is_open_and_failed() -> None:
    seen = world(fleet=[BURST], gateway=rows(row(BURST, sessions=3, queued=2, errors=4, refusals=5)))
    point = decided(seen).memory.traffic[BURST.name][-1]
    assert (point.open, point.errors) == (5, 9)
