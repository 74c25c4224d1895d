"""What always holds of the share that the solver gives the burst servers, whatever the site; and which clauses it tells it with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burstd.decide.skew import SKEW_RANGE, learn_skew
from burstd.decide.weight import LARGEST
from burstd.model.decision import Decision, Memory, Traffic
from burstd.model.gateway import BackendView, GatewayView, ServerRow, ServerStatus
from burstd.model.load import Sample
from burstd.model.policy import BackendPolicy, RoutingPolicy
from burstd.model.snapshot import Snapshot
from tests.given import CORES, decided, member, policy, world
from tests.turns import NOW

AUTO = policy(routing={"burst_weight": None})
WORK = 0.04
CAPACITY = 67.4
"""Requests/s at which a core with 4 CPUs stands at load 3.5 when a request costs 40 ms."""


@dataclass(frozen=True)
class Given:
    """A site in a steady state: requests/s to each core and to each burst server, all else equal."""

    core: float = 60.0
    burst: float = 10.0
    bursts: int = 1
    weights: tuple[int, int] = (100, 100)
    cpus: int = 4
    work: float = WORK
    load: float = 3.0
    memory: Memory = field(default_factory=Memory)
    balance: str = "roundrobin"
    burst_weight: int = 100
    joined: float = NOW - 600
    burst_cpus: int | None = None

    def snapshot(self, seconds: float) -> Snapshot:
        fleet = [member(number + 1, joined_at=self.joined) for number in range(self.bursts)]
        rates = {**dict.fromkeys(CORES, self.core), **{each.name: self.burst for each in fleet}}
        set_weights = {**dict(zip(CORES, self.weights, strict=True)), **{each.name: self.burst_weight for each in fleet}}
        samples = {
            name: Sample(NOW + seconds, self.load, self.cpus if name in CORES else self.burst_cpus or self.cpus, seconds * rate * self.work)
            for name, rate in rates.items()
        }
        servers = tuple(
            ServerRow(
                name=name,
                address="192.0.2.1:80",
                status=ServerStatus.UP,
                passing=True,
                weight=set_weights[name],
                backup=False,
                sessions=0,
                queued=0,
                requests=int(seconds * rate),
            )
            for name, rate in rates.items()
        )
        view = GatewayView((2, 6, 12), 4711, NOW - 3600, (BackendView("app_cluster", servers, 0, balance=self.balance),))
        cores = {name: samples[name] for name in CORES}
        return world(fleet=fleet, now=NOW + seconds, cores=cores, bursts=samples, gateway=view)

    def after(self, *moments: float) -> Decision:
        """The last decision of cycles at these seconds."""
        memory, made = self.memory, None
        for seconds in moments:
            made = decided(replace(self.snapshot(seconds), memory=memory), AUTO)
            memory = made.memory
        assert made is not None
        return made


LEARNED = Memory(work=dict.fromkeys(CORES, WORK), share=0.0, weighed_at=NOW)


def sites(**fixed: st.SearchStrategy[object]) -> st.SearchStrategy[Given]:
    return st.builds(
        Given,
        **{
            "core": st.floats(0, 1e5),
            "burst": st.floats(0, 1e5),
            "bursts": st.integers(0, 5),
            "weights": st.tuples(st.integers(0, 256), st.integers(0, 256)),
            "cpus": st.integers(1, 64),
            "work": st.floats(1e-5, 10),
            "load": st.floats(0, 500),
            "balance": st.sampled_from(["roundrobin", "leastconn", "random", "uri", ""]),
            "burst_weight": st.integers(1, 256),
            "joined": st.sampled_from([NOW - 600, NOW, NOW + 10]),
            "memory": st.builds(Memory, share=st.floats(0, 0.99), weighed_at=st.just(NOW), trim=st.floats(0.5, 1.5)),
            **fixed,
        },
    )


@given(site=sites())
def test_a_weight_is_always_one_that_haproxy_takes_and_a_share_always_a_share(site: Given) -> None:
    made = site.after(0, 5, 10, 40)
    assert made.weight is not None
    assert 1 <= made.weight <= LARGEST
    assert 0 <= made.memory.share < 1
    assert math.isfinite(made.core_capacity or 0.0)


@given(less=st.floats(0, 1000), more=st.floats(0, 1000), bursts=st.integers(1, 5), cpus=st.integers(1, 32))
def test_more_requests_never_mean_a_smaller_share(less: float, more: float, bursts: int, cpus: int) -> None:
    site = Given(core=less, bursts=bursts, cpus=cpus, memory=LEARNED)
    assert replace(site, core=less + more).after(0, 15).memory.share >= site.after(0, 15).memory.share - 0.005  # whole requests are counted


@given(site=sites(bursts=st.integers(1, 5), weights=st.just((100, 100))))
def test_the_core_is_never_given_less_than_half_of_what_it_carries_while_there_is_more(site: Given) -> None:
    made = site.after(0, 5, 10, 15)
    if made.core_capacity is not None and made.core_rate is not None:
        total = made.core_rate + (made.burst_rate or 0.0)
        carried = len(CORES) * made.core_capacity
        assert (1 - made.memory.share) * total >= min(0.95 * total, 0.48 * carried)  # rates are taken over windows of their own


@settings(max_examples=20)  # each is five minutes of cycles
@given(site=sites(bursts=st.integers(1, 3), weights=st.tuples(st.integers(1, 256), st.integers(1, 256)), balance=st.just("roundrobin")))
def test_where_nothing_changes_the_weight_comes_to_rest(site: Given) -> None:
    rested = replace(site, memory=Memory()).after(*range(0, 305, 5))
    later = replace(site, memory=rested.memory).after(305, 310)
    assert abs((later.weight or 0) - (rested.weight or 0)) <= max(1, 0.1 * (rested.weight or 0))


@given(odds=st.floats(0, 1e6), core=st.integers(-10, 10**6), burst=st.integers(-10, 10**6), known=st.floats(*SKEW_RANGE))
def test_what_is_learned_of_an_algorithm_stays_within_bounds(odds: float, core: int, burst: int, known: float) -> None:
    found = learn_skew("app", [history(core)], [history(burst)], odds, {"app": known})
    assert SKEW_RANGE[0] <= found <= SKEW_RANGE[1]


def history(arrived: int) -> tuple[Traffic, ...]:
    return Traffic(0, 0, None, None, {"app": 0}), Traffic(5, 0, None, None, {"app": arrived})


def test_a_server_with_one_point_tells_nothing_of_the_algorithm() -> None:
    assert learn_skew("app", [history(100)], [history(10)[:1]], 1.0, {}) == 1.0


def test_an_algorithm_that_gives_the_burst_servers_half_of_their_weight_gets_them_twice_the_weight() -> None:
    site = Given(core=90, burst=20, burst_weight=44, balance="leastconn", memory=replace(LEARNED, share=0.25))
    fair = replace(site, balance="roundrobin").after(*range(0, 60, 5))
    made = site.after(*range(0, 60, 5))
    assert made.memory.skew == {"app_cluster": pytest.approx(20 / 180 / 0.22, rel=0.1)}
    assert made.weight == pytest.approx(2 * (fair.weight or 0), rel=0.15)
    assert made.weight_reason.endswith("under leastconn a weight brings 0.51 times its part")


def test_where_the_algorithm_looks_at_no_weight_they_are_left_alone_and_it_is_said() -> None:
    made = Given(balance="first", memory=LEARNED).after(0, 5)
    assert (made.weights, made.weight_reason) == ({}, "balance first in app_cluster looks at no weight: they stay as they are")


def test_core_weights_that_leave_no_room_below_are_told_of() -> None:
    made = Given(weights=(1, 1), memory=LEARNED).after(0, 5)
    assert made.weight == 1
    assert made.weight_reason.endswith("0% to the burst servers; app_cluster: weight 1 beside the cores' 2 gives them 33%")


def test_core_weights_that_leave_no_room_above_are_told_of() -> None:
    made = Given(core=140, burst=140, weights=(256, 256), burst_cpus=8, memory=LEARNED).after(0, 60)
    assert made.weight == LARGEST
    assert made.weight_reason.endswith("53% to the burst servers; app_cluster: weight 256 beside the cores' 512 gives them 33%")


def test_a_cold_server_gets_its_share_over_the_warm_up() -> None:
    cold = Given(core=110, burst=0, joined=NOW, memory=LEARNED)
    assert [cold.after(0, seconds).memory.share for seconds in (3, 6)] == [pytest.approx(0.1), pytest.approx(0.2)]


def test_but_at_once_while_a_core_is_above_the_threshold() -> None:
    assert Given(core=110, burst=0, joined=NOW, load=4.5, memory=LEARNED).after(0, 6).memory.share == pytest.approx(0.33, abs=0.01)


def test_with_loads_per_cpu_the_threshold_is_too() -> None:
    per_cpu = policy(load={"per_cpu": True}, routing={"burst_weight": None, "target_load": 0.9})
    cold = Given(core=110, burst=0, joined=NOW, load=4.5, memory=LEARNED)
    first = decided(replace(cold.snapshot(0), memory=cold.memory), per_cpu)
    assert decided(replace(cold.snapshot(3), memory=first.memory), per_cpu).memory.share == pytest.approx(0.1)


def test_a_share_is_given_back_over_a_minute_or_two() -> None:
    calm = Given(core=40, burst=20, memory=replace(LEARNED, share=0.4))
    assert [calm.after(0, seconds).memory.share for seconds in (12, 24, 60)] == [pytest.approx(0.3), pytest.approx(0.2), 0.0]


def test_without_a_request_there_is_nothing_to_share() -> None:
    assert Given(core=0, burst=0, memory=replace(LEARNED, share=0.4)).after(0, 5).memory.share == 0.0


def test_what_has_piled_up_on_the_cores_is_worked_off() -> None:
    busy = Given(core=80, burst=60, memory=LEARNED)
    full = replace(busy, load=30.0)
    assert full.after(0, 30).memory.share > busy.after(0, 30).memory.share + 0.001


# Several backends.

BOTH = replace(
    AUTO, routing=RoutingPolicy(backends=(BackendPolicy(), BackendPolicy(name="static_cluster", joined="static_cluster", port=8081)))
)


def two_backends(seconds: float, site: Given, static: tuple[float, float], *, cores_in_both: bool = True) -> Snapshot:
    """The site, and another backend with so many requests/s to each core and each burst server."""
    snapshot = site.snapshot(seconds)
    assert isinstance(snapshot.gateway, GatewayView)
    main = snapshot.gateway.backends[0]
    rows = tuple(
        replace(row, requests=int(seconds * static[row.name not in CORES]))
        for row in main.servers
        if cores_in_both or row.name not in CORES
    )
    static_cluster = BackendView("static_cluster", rows, 0, balance="roundrobin")
    return replace(snapshot, gateway=replace(snapshot.gateway, backends=(main, static_cluster)))


def decided_twice(site: Given, static: tuple[float, float], *, cores_in_both: bool = True) -> Decision:
    first = decided(replace(two_backends(0, site, static, cores_in_both=cores_in_both), memory=site.memory), BOTH)
    return decided(replace(two_backends(20, site, static, cores_in_both=cores_in_both), memory=first.memory), BOTH)


BUSY = Given(core=90, burst=20, memory=replace(LEARNED, share=0.2))


def test_backends_that_have_the_cores_get_the_same_share_whichever_has_the_traffic() -> None:
    alone = BUSY.after(0, 20)
    idle = decided_twice(BUSY, (0, 0))
    assert idle.weights == {"app_cluster": alone.weight, "static_cluster": alone.weight}
    split = decided_twice(replace(BUSY, core=45, burst=10, work=2 * WORK), (45, 10))
    assert split.weights == {"app_cluster": alone.weight, "static_cluster": alone.weight}


def test_requests_of_a_backend_without_a_core_are_not_the_cores_and_take_of_the_burst_servers() -> None:
    elsewhere = decided_twice(BUSY, (0, 30), cores_in_both=False)
    assert elsewhere.weights == {"app_cluster": BUSY.after(0, 20).weight, "static_cluster": LARGEST}
    overload = replace(BUSY, core=140, burst=100)
    assert (decided_twice(overload, (0, 30), cores_in_both=False).memory.share) < overload.after(0, 20).memory.share - 0.02


def test_requests_of_a_backend_with_a_fixed_weight_count_as_the_cores_too() -> None:
    main, static = BOTH.routing.backends
    fixed = replace(BOTH, routing=replace(BOTH.routing, backends=(main, replace(static, weight=10))))
    site = replace(BUSY, core=70, work=WORK * 9 / 7)  # CPU seconds for both
    first = decided(replace(two_backends(0, site, (20, 2)), memory=site.memory), fixed)
    made = decided(replace(two_backends(20, site, (20, 2)), memory=first.memory), fixed)
    assert made.weights["static_cluster"] == 10
    carried = 2 * (made.core_capacity or 0) - 2 * 20
    assert made.memory.share == pytest.approx(1 - carried / (2 * 70 + 20), abs=0.01)


def test_without_any_core_in_an_automatic_backend_nothing_is_solved() -> None:
    main, static = BOTH.routing.backends
    only = replace(BOTH, routing=replace(BOTH.routing, backends=(replace(main, weight=10), static)))
    first = decided(replace(two_backends(0, BUSY, (0, 9), cores_in_both=False), memory=BUSY.memory), only)
    assert (first.weights, first.weight_reason) == (
        {"app_cluster": 10, "static_cluster": LARGEST},
        "no core server serves in static_cluster",
    )


# Unequal cores.


@pytest.mark.parametrize(("weights", "carried"), [((100, 100), 2 * CAPACITY), ((200, 100), 1.5 * CAPACITY)])
def test_the_cores_carry_what_the_fullest_of_them_carries(weights: tuple[int, int], carried: float) -> None:
    made = Given(core=90, burst=20, weights=weights, memory=LEARNED).after(0, 20)
    assert 2 * (made.core_capacity or 0) == pytest.approx(carried, rel=0.02)
