"""The burst weight: fixed, or solved so that the cores stand at their target."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.decide.queueing import mean_load, utilisation_at
from burstd.decide.traffic import rate, undamped, work
from burstd.model.decision import Decision, Memory, Traffic
from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import AdminState, GatewayView, ServerStatus
from burstd.model.load import Sample
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from tests.given import AWAY, CORES, DARK, decided, member, policy, row, rows, world
from tests.turns import NOW, gateway, server

AUTO = policy(routing={"burst_weight": None})
WORK = 0.04
CPUS = 4


class Site:
    """Two cores and some burst servers with 4 CPUs each and 40 ms of CPU a request, watched over time."""

    def __init__(self, *bursts: Instance, under: Policy = AUTO, load: float = 3.5) -> None:
        self.bursts, self.under, self.load = bursts, under, load
        self.now, self.served = NOW, dict.fromkeys([*CORES, *(each.name for each in bursts)], 0.0)
        self.cost = dict.fromkeys(self.served, WORK)
        self.memory = Memory()
        self.process = 4711

    def snapshot(self) -> Snapshot:
        cores = {name: Sample(self.now, self.load, CPUS, self.served[name] * self.cost[name]) for name in CORES}
        serving = [each for each in self.bursts if each.phase is Phase.IN_SERVICE]
        view = rows(*(row(each) for each in serving))
        servers = tuple(replace(each, requests=int(self.served[each.name])) for each in view.backends[0].servers)
        return world(
            fleet=self.bursts,
            now=self.now,
            cores=cores,
            bursts={each.name: Sample(self.now, 1.0, CPUS, self.served[each.name] * self.cost[each.name]) for each in serving},
            gateway=replace(gateway(*servers), pid=self.process),
            memory=self.memory,
        )

    def watch(self, seconds: float, core: float, burst: float = 0.0) -> Decision:
        """Serve `core` requests/s on each core and `burst` on each burst server for that long, a cycle every 5 s."""
        made = decided(self.snapshot(), self.under)
        for _ in range(int(seconds / 5)):
            self.now += 5
            for name in self.served:
                self.served[name] += 5 * (core if name in CORES else burst)
            made = decided(self.snapshot(), self.under)
            self.memory = made.memory
        return made


def share(weight: int, servers: int) -> float:
    return weight * servers / (weight * servers + 100 * len(CORES))


def test_a_fixed_weight_is_the_weight() -> None:
    made = decided(world(load=9.0, fleet=[member(1)]), policy(routing={"burst_weight": 10}))
    assert (made.weight, made.weight_reason) == (10, "fixed by haproxy.burst_weight")


def test_while_haproxy_is_away_the_weights_stay() -> None:
    assert decided(world(gateway=AWAY), AUTO).weight is None


def test_before_anything_is_learned_a_burst_server_counts_like_a_core() -> None:
    made = decided(world(load=9.0, fleet=[member(1)]), AUTO)
    assert (made.weight, made.core_capacity) == (100, None)


def test_with_every_core_down_the_burst_servers_take_what_they_can() -> None:
    dead = gateway(*(server(name, 100, ServerStatus.DOWN) for name in CORES))
    assert decided(world(gateway=dead), AUTO).weight == 256


def test_once_the_cores_are_back_before_anything_is_learned_a_burst_server_counts_like_a_core_again() -> None:
    dead = gateway(*(server(name, 100, ServerStatus.DOWN) for name in CORES))
    memory = decided(world(gateway=dead), AUTO).memory
    assert decided(world(memory=memory), AUTO).weight == 100


def test_a_core_that_does_not_say_its_cpus_leaves_the_capacity_unlearned() -> None:
    site = Site(member(1))
    made = site.watch(60, core=60)
    assert made.core_capacity is not None
    blind = replace(site.snapshot(), cores=dict.fromkeys(CORES, Sample(site.now, 3.0)))
    assert decided(replace(blind, memory=replace(site.memory, samples={})), AUTO).core_capacity is None


def test_below_the_cores_capacity_the_burst_servers_get_the_least() -> None:
    assert Site(member(1)).watch(60, core=40, burst=1).weight == 1


def test_above_it_they_get_just_what_the_cores_cannot_carry() -> None:
    made = Site(member(1), member(2)).watch(20, core=90, burst=10)
    capacity = 2 * utilisation_at(3.5, CPUS) * CPUS / WORK
    assert made.weight is not None
    assert share(made.weight, 2) == pytest.approx(1 - capacity / 200, abs=0.02)
    assert made.core_capacity == pytest.approx(capacity / 2, rel=0.01)


def test_an_overload_of_both_is_shared_evenly() -> None:
    made = Site(member(1)).watch(20, core=300, burst=100)
    assert made.weight is not None
    assert share(made.weight, 1) == pytest.approx(1 / 3, abs=0.02)


def test_what_few_requests_cost_an_instance_is_no_measure_of_it() -> None:
    site = Site(member(1))
    site.cost[site.bursts[0].name] = 4 * WORK
    site.watch(20, core=70, burst=10)  # less than a quarter of a core's
    assert site.bursts[0].name not in site.memory.work


def test_slow_burst_servers_get_only_what_they_can_carry() -> None:
    site = Site(member(1))
    site.cost[site.bursts[0].name] = 4 * WORK
    made = site.watch(20, core=300, burst=100)
    assert made.weight is not None
    assert share(made.weight, 1) == pytest.approx(0.25 / 2.25, abs=0.02)


def test_what_an_instance_shows_while_it_warms_up_says_nothing_about_it() -> None:
    site = Site(member(1, joined_at=NOW), load=4.5)
    site.cost[site.bursts[0].name] = 4 * WORK
    assert share(site.watch(20, core=300, burst=100).weight or 0, 1) == pytest.approx(1 / 3, abs=0.02)


def test_a_new_instance_counts_by_its_cpus_from_its_first_reading_on() -> None:
    site = Site(member(1, joined_at=NOW), load=4.5)
    large = replace(site.snapshot(), bursts={site.bursts[0].name: Sample(site.now, 0.0, 2 * CPUS, 0.0)})
    site.watch(20, core=300, burst=100)
    made = decided(replace(large, now=site.now, cores=site.snapshot().cores, gateway=site.snapshot().gateway, memory=site.memory), AUTO)
    assert made.weight is not None
    assert share(made.weight, 1) > 0.45


def test_an_instance_that_does_not_say_its_cpus_counts_like_a_core() -> None:
    site = Site(member(1))
    site.watch(20, core=300, burst=100)
    unknown = replace(site.snapshot(), bursts={site.bursts[0].name: Sample(site.now, 0.0)})
    assert share(decided(unknown, AUTO).weight or 0, 1) == pytest.approx(1 / 3, abs=0.02)


def test_a_joining_server_shares_the_weight_from_the_cycle_on_that_makes_it_ready() -> None:
    bursts = member(1), member(2, Phase.JOINING)
    alone = Site(bursts[0])
    weight = alone.watch(20, core=90, burst=20).weight
    assert weight is not None
    not_yet = row(bursts[1], ServerStatus.DRAIN, passing=False)
    for line, heads in ((not_yet, 1), (replace(not_yet, passing=True), 2)):
        view = replace(alone.snapshot(), fleet=bursts)
        assert isinstance(view.gateway, GatewayView)
        rows_then = gateway(*view.gateway.backends[0].servers, line)
        made = decided(replace(view, gateway=replace(rows_then, pid=alone.process)), AUTO)
        assert made.weight == pytest.approx(weight / heads, rel=0.1)  # the tolerance


def test_a_server_that_is_down_shares_no_weight() -> None:
    site = Site(member(1), member(2))
    both = site.watch(20, core=90, burst=10).weight
    snapshot = site.snapshot()
    assert isinstance(snapshot.gateway, GatewayView)
    servers = snapshot.gateway.backends[0].servers
    down = gateway(*servers[:-1], replace(servers[-1], status=ServerStatus.DOWN, passing=False))
    alone = decided(replace(snapshot, gateway=replace(down, pid=site.process)), AUTO).weight
    assert both is not None
    assert alone == pytest.approx(2 * both, rel=0.1)


def test_a_server_that_somebody_drains_by_hand_shares_none_either() -> None:
    site = Site(member(1), member(2))
    both = site.watch(20, core=90, burst=10).weight
    snapshot = site.snapshot()
    assert isinstance(snapshot.gateway, GatewayView)
    servers = snapshot.gateway.backends[0].servers
    drained = gateway(*servers[:-1], replace(servers[-1], status=ServerStatus.DRAIN))
    held = (snapshot.fleet[0], replace(snapshot.fleet[1], by_hand=AdminState.DRAIN))
    assert both is not None
    for fleet, weight in ((snapshot.fleet, both), (held, 2 * both)):  # one that nobody holds is made ready in this very cycle
        made = decided(replace(snapshot, fleet=fleet, gateway=replace(drained, pid=site.process)), AUTO)
        assert made.weight == pytest.approx(weight, rel=0.1)


def test_a_small_change_of_the_weight_is_left_alone() -> None:
    site = Site(member(1))
    before = site.watch(20, core=90, burst=30).weight
    assert site.watch(60, core=90.5, burst=30).weight == before


def test_a_core_whose_load_tells_more_than_its_cpus_is_given_less_than_reckoned() -> None:
    site = Site(member(1), load=7.0)
    site.watch(120, core=75, burst=30)
    assert site.memory.trim < 0.95


def test_a_core_whose_load_tells_less_than_its_cpus_is_given_more_than_reckoned_within_bounds() -> None:
    site = Site(member(1), load=1.0)
    site.watch(1800, core=75, burst=30)
    assert site.memory.trim == 1.5
    assert (site.watch(5, core=75, burst=30).core_capacity or 0) * WORK / CPUS == pytest.approx(0.95)  # and no CPU is planned fuller


def test_the_queue_of_a_saturated_core_tells_nothing_of_its_curve() -> None:
    site = Site(member(1), load=50.0)
    site.watch(120, core=99, burst=30)
    assert site.memory.trim == 1.0


def test_the_curve_is_learned_before_there_is_any_instance() -> None:
    site = Site(load=7.0)
    site.watch(120, core=75)
    assert site.memory.trim < 0.95


def test_a_reload_of_haproxy_starts_the_counters_anew_and_keeps_what_was_learned() -> None:
    site = Site(member(1))
    site.watch(60, core=90, burst=30)
    site.process += 1
    made = decided(site.snapshot(), AUTO)
    assert [len(each) for each in made.memory.traffic.values()] == [1, 1, 1]
    assert made.weights == site.memory.weights
    assert made.memory.work == site.memory.work


def test_a_server_added_anew_counts_from_zero() -> None:
    site = Site(member(1))
    site.watch(60, core=90, burst=30)
    site.served[site.bursts[0].name] = 0
    site.now += 5
    made = decided(site.snapshot(), AUTO)
    assert len(made.memory.traffic[site.bursts[0].name]) == 1


def test_while_haproxy_is_away_the_counters_stand_still() -> None:
    site = Site(member(1))
    site.watch(60, core=90, burst=30)
    made = decided(replace(site.snapshot(), gateway=AWAY), AUTO)
    assert made.memory.traffic == site.memory.traffic


def test_a_server_that_is_nobodys_is_not_counted() -> None:
    snapshot = world(gateway=rows(server("operators-own", 100)))
    assert set(decided(snapshot, AUTO).memory.traffic) == set(CORES)


def test_a_core_without_a_sample_is_counted_by_its_requests() -> None:
    made = decided(world(load=(3.0, DARK)), AUTO)
    assert made.memory.traffic[CORES[1]][0].load1 is None


def test_many_cycles_a_second_keep_a_short_history() -> None:
    now, memory = NOW, Memory()
    for _ in range(500):
        now += 0.25
        memory = decided(world(now=now, memory=memory), AUTO).memory
    assert len(memory.traffic[CORES[0]]) < 90


def traffic(*points: tuple[float, int, float | None, float | None]) -> tuple[Traffic, ...]:
    return tuple(Traffic(*point) for point in points)


def test_rates_need_two_points() -> None:
    assert rate(()) is None
    assert rate(traffic((0, 5, None, None))) is None
    assert rate(traffic((0, 0, None, None), (5, 50, None, None))) == 10
    assert rate(traffic((0, 0, None, None), (20, 0, None, None), (25, 50, None, None), (30, 100, None, None))) == 10


def test_the_work_per_request_needs_requests_and_cpu_seconds() -> None:
    assert work(traffic((0, 0, 1.0, None))) is None
    assert work(traffic((0, 0, 1.0, None), (5, 10, 2.0, None))) is None
    assert work(traffic((0, 0, 1.0, None), (5, 100, 1.0, None))) is None
    assert work(traffic((0, 0, 1.0, None), (3, 50, None, None), (5, 100, 5.0, None))) == 0.04


@given(queue=st.floats(0, 100), start=st.floats(0, 100), span=st.floats(21, 40))
def test_undamping_finds_the_run_queue_behind_the_average(queue: float, start: float, span: float) -> None:
    end = start * math.exp(-span / 60) + queue * (1 - math.exp(-span / 60))
    found = undamped(traffic((0, 0, None, start), (span, 0, None, end)))
    assert found == pytest.approx(queue, abs=1e-6)


def test_a_short_history_cannot_be_undamped() -> None:
    assert undamped(()) is None
    assert undamped(traffic((0, 0, None, 1.0), (5, 0, None, 2.0))) is None
    assert undamped(traffic((0, 0, None, 1.0), (30, 0, None, 2.0)), since=20) is None


@given(cpus=st.integers(1, 128), load=st.floats(0.01, 500))
def test_the_utilisation_is_the_inverse_of_the_mean_load(cpus: int, load: float) -> None:
    utilisation = utilisation_at(load, cpus)
    assert 0 <= utilisation < 1
    assert mean_load(cpus, utilisation) == pytest.approx(load, rel=1e-3)


def test_one_cpu_is_the_textbook_queue() -> None:
    """M/M/1: L = r / (1 - r)."""
    assert mean_load(1, 0.5) == pytest.approx(1.0)
    assert mean_load(1, 0.8) == pytest.approx(4.0)
