"""Where the load alone does not say how full it is: requests that wait in HAProxy, and what spills over."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from burstd.decide.fullness import Fullness, read_fullness
from burstd.model.decision import Decision, Direction, Memory
from burstd.model.fleet import Cooldowns, Instance, Phase
from burstd.model.gateway import BackendView, GatewayView
from burstd.model.load import Sample
from burstd.model.policy import BackendPolicy, Mode, Policy, Step
from burstd.model.snapshot import Snapshot
from tests.given import AWAY, CORES, DARK, decided, member, policy, row, rows, world
from tests.turns import NOW, server

APP = BackendPolicy("app_cluster", "app_cloud", maxconn=8)
STATIC = BackendPolicy("static_cluster", "static_cloud", maxconn=8)


def spilling(*backends: BackendPolicy, **load: Any) -> Policy:
    """The house's policy with overflow backends."""
    return policy(load=load, routing={"mode": Mode.SPILLOVER, "backends": backends or (APP,)})


def overflowing(fleet: Iterable[Instance] = (), *, busy: int = 0, queued: int = 0, overflow: int = 0) -> GatewayView:
    """HAProxy with the cores, `queued` requests that wait for them, and each instance in the overflow backend, `busy` requests at each."""
    core, cloud = rows().backends[0], tuple(row(each, sessions=busy) for each in fleet)
    return replace(rows(), backends=(replace(core, queued=queued), BackendView("app_cloud", cloud, requests=0, queued=overflow)))


def spill(load: float = 3.0, fleet: Iterable[Instance] = (), **state: int) -> Snapshot:
    """A world in spillover mode in which all is well."""
    members = tuple(fleet)
    return world(load=load, fleet=members, gateway=overflowing(members, **state))


def lasting(snapshot: Snapshot, seconds: float, under: Policy, step: float = 5.0) -> Decision:
    """The decision after the same world has been watched for that long."""
    now, made = snapshot.now, decided(snapshot, under)
    while now < snapshot.now + seconds:
        now += step
        cores = {name: replace(reading, at=now) if isinstance(reading, Sample) else reading for name, reading in snapshot.cores.items()}
        made = decided(replace(snapshot, now=now, cores=cores, memory=made.memory), under)
    return made


def waiting(queued: int, load: float = 3.0) -> Snapshot:
    """A world in weighted mode in which so many requests wait."""
    view = rows()
    return world(load=load, gateway=replace(view, backends=(replace(view.backends[0], queued=queued),)))


def test_requests_that_keep_waiting_ask_for_one_more_however_low_the_load() -> None:
    made = lasting(waiting(7), 10, policy())
    assert (made.count, made.direction) == (1, Direction.OUT)
    assert made.reasons[0] == "7 requests wait in HAProxy"


def test_a_queue_of_a_moment_is_no_overload() -> None:
    assert lasting(waiting(7), 5, policy()).reasons[0] == "7 requests wait in HAProxy, for 5 s of 10 s"
    before = lasting(waiting(7), 5, policy())
    gone = decided(replace(waiting(0), now=before.memory.samples[CORES[0]].at, memory=before.memory))
    assert gone.memory.above_since is None


def test_a_longer_sustain_holds_for_the_queue_too() -> None:
    patient = policy(load={"sustain": 20.0})
    assert lasting(waiting(7), 15, patient).count == 0
    assert lasting(waiting(7), 20, patient).count == 1


def test_a_queue_at_a_server_counts_like_one_before_them_all() -> None:
    queue = world(gateway=rows(replace(server("other", 10), queued=3)))
    assert read_fullness(queue, policy()) == Fullness(3)


def test_a_load_above_the_threshold_need_not_wait_for_the_queue() -> None:
    assert decided(waiting(7, load=4.5)).count == 1


def test_a_queue_asks_for_the_step_of_a_load_just_at_the_threshold() -> None:
    tiers = policy(load={"steps": (Step(1.0, 2), Step(2.0, 4))})
    assert lasting(waiting(7), 10, tiers).count == 2


def test_nothing_is_given_back_while_requests_wait() -> None:
    queue = replace(waiting(1, load=0.5), fleet=(member(1),))
    made = lasting(queue, 5, policy())
    assert made.memory.below_since is None
    assert made.count == 1


def test_with_spillover_the_first_instance_comes_by_the_load_or_by_the_queue() -> None:
    assert decided(spill(load=4.5), spilling()).count == 1
    assert lasting(spill(queued=5), 10, spilling()).count == 1
    assert lasting(spill(), 300, spilling()).count == 0


def test_another_one_is_not_bought_while_those_that_are_there_have_room() -> None:
    made = decided(spill(load=4.5, fleet=[member(1)], busy=6), spilling())
    assert made.count == 1
    assert made.reasons[0] == "load 4.50 is above 4, but the instances have room: 6 requests are with the instances"


def test_another_one_comes_when_those_that_are_there_are_full() -> None:
    made = decided(spill(load=4.5, fleet=[member(1)], busy=7), spilling())
    assert (made.count, made.reasons[0]) == (2, "load 4.50 is above 4")
    assert decided(spill(load=4.5, fleet=[member(1)], busy=6, overflow=1), spilling()).count == 2


def test_an_idle_instance_is_given_back_though_the_core_is_well_used() -> None:
    made = lasting(spill(load=3.9, fleet=[member(1)]), 120, spilling())
    assert (made.count, made.direction) == (0, Direction.IN)
    assert made.reasons[0] == "load 3.90 is not above 4 and nothing spills over, for 120 s"


def test_what_spills_over_must_fit_without_the_one_that_goes() -> None:
    two = [member(1), member(2)]
    assert lasting(spill(fleet=two, busy=3), 120, spilling()).count == 1
    kept = lasting(spill(load=0.5, fleet=two, busy=4), 120, spilling())
    assert kept.count == 2
    assert kept.reasons[0] == "load 0.50 is not above 4 and 8 requests are with the instances, but one instance less would not carry it"
    last = lasting(spill(load=0.5, fleet=[member(1)], busy=1), 120, spilling())
    assert last.count == 1
    assert "1 request is with the instances" in last.reasons[0]


def test_the_window_remembers_what_has_spilt_over_within_it() -> None:
    two = [member(1), member(2)]
    under = spilling(scale_in_after=5.0, cooldown_in=0.0, stabilization=60.0)
    before = decided(spill(fleet=two, busy=5), under)
    later = replace(spill(fleet=two), now=before.memory.proposals[-1][0] + 30, memory=replace(before.memory, watched_since=0.0))
    made = lasting(replace(later, cores={name: Sample(later.now, 1.0, 4) for name in CORES}), 10, under)
    assert made.count == 2
    assert made.reasons[0].endswith("but the last 60 s wanted 2")


def test_without_a_limit_of_the_instances_only_idleness_tells_that_there_is_room() -> None:
    unlimited = spilling(replace(APP, maxconn=None))
    assert decided(spill(load=4.5, fleet=[member(1)], busy=1), unlimited).count == 2
    assert decided(spill(load=4.5, fleet=[member(1)]), unlimited).count == 1


def test_there_is_room_only_where_every_backend_has_it() -> None:
    fleet = [member(1)]
    view = overflowing(fleet, busy=1)
    static = BackendView("static_cloud", (row(fleet[0], sessions=7),), requests=0)
    busy = world(load=4.5, fleet=fleet, gateway=replace(view, backends=(*view.backends, static)))
    assert decided(busy, spilling(APP, STATIC)).count == 2
    assert decided(busy, spilling(APP)).count == 1


def test_an_instance_that_does_not_serve_yet_has_no_room() -> None:
    made = decided(spill(load=4.5, fleet=[member(1, Phase.BOOTING)]), spilling())
    assert made.reasons[0] == "load 4.50 is above 4, and 1 on the way"


def test_nothing_is_given_back_while_haproxy_cannot_be_read_or_a_core_is_dark() -> None:
    for unknown, why in (
        (world(load=1.0, fleet=[member(1)], gateway=AWAY), "but HAProxy cannot be read"),
        (world(load=(1.0, DARK), fleet=[member(1)], gateway=overflowing([member(1)])), "but not every core answered"),
        (world(load=(1.0, 4.5), fleet=[member(1)], gateway=overflowing([member(1)])), "but one core is above the threshold"),
    ):
        made = lasting(unknown, 120, spilling())
        assert made.count == 1
        assert why in made.reasons[0]


@pytest.mark.parametrize("view", [rows(), AWAY])
def test_an_overflow_backend_that_is_not_there_is_not_known_to_be_idle(view: Any) -> None:  # noqa: ANN401 - a view or a fault
    fullness = read_fullness(world(gateway=view), spilling())
    assert fullness.busy == 0
    assert fullness.carried_by(1) is False


SLOTS = 8
"""Requests at once for the core in all, and for each instance."""


def counts(demand: Callable[[], int], seconds: float) -> list[tuple[int, int]]:
    """The instances in service and the requests that wait, every 5 s, where so many requests are always open and instances come at once."""
    under = spilling(scale_in_after=30.0, cooldown_out=15.0, cooldown_in=15.0, warm_up=5.0)
    count, found = 0, list[tuple[int, int]]()
    now, memory, cooldowns = NOW, Memory(), Cooldowns()
    while now < NOW + seconds:
        now += 5
        much = demand()
        at_core, beyond = min(much, SLOTS), max(0, much - SLOTS)
        spilt = min(beyond, SLOTS * count)
        fleet = [member(number, joined_at=now - 600) for number in range(1, count + 1)]
        view = overflowing(fleet, queued=0 if count else beyond, overflow=beyond - spilt if count else 0)
        rows = tuple(replace(each, sessions=(spilt + index) // count) for index, each in enumerate(view.backends[1].servers))
        view = replace(view, backends=(view.backends[0], replace(view.backends[1], servers=rows)))
        cores = {name: Sample(now, at_core / 2, 4) for name in CORES}
        made = decided(world(fleet=fleet, now=now, gateway=view, cores=cores, memory=memory, cooldowns=cooldowns), under)
        if made.count != count:
            cooldowns = replace(cooldowns, **{"scale_out" if made.count > count else "scale_in": now})
        count, memory = made.count, made.memory
        found.append((count, beyond - spilt))
    return found


@pytest.mark.parametrize("demand", range(0, 41, 3))
def test_under_a_steady_demand_the_number_comes_to_rest_and_nothing_waits(demand: int) -> None:
    rest = counts(lambda: demand, 600)[-60:]
    assert len(set(rest)) == 1
    (count, waiting) = rest[0]
    assert waiting == 0
    assert count >= -(-max(0, demand - SLOTS) // SLOTS)
    assert count <= -(-max(0, demand - SLOTS) // (0.75 * SLOTS))


@pytest.mark.parametrize("seed", range(3))
def test_under_a_demand_that_scatters_the_number_moves_seldom(seed: int) -> None:
    chance = random.Random(seed)
    rest = [count for count, _ in counts(lambda: max(0, round(chance.gauss(20, 4))), 1800)[60:]]
    assert sum(one != other for one, other in pairwise(rest)) <= 4
