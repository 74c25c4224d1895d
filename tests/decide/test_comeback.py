"""A core server that HAProxy brings back slowly: its low load is no calm, no weight falls for it, and nothing is given back meanwhile."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from burstd.decide.weight import LARGEST
from burstd.model.decision import Decision, Direction, Memory
from burstd.model.gateway import BackendView, GatewayView, ServerStatus
from burstd.model.load import Sample
from burstd.model.policy import Aggregate, BackendPolicy, Mode, Policy
from tests.given import AWAY, CORES, decided, member, policy, row, world
from tests.plant import CAPACITY, Plant, auto
from tests.turns import NOW, gateway, server

FIRST, SECOND = CORES
AUTO = policy(routing={"burst_weight": None})
LOW = Memory(below_since=NOW - 900, watched_since=NOW - 900, proposals=((NOW - 1, 0),))


def view(*throttles: int | None, status: ServerStatus = ServerStatus.UP, bursts: int = 1, balance: str = "roundrobin") -> GatewayView:
    """HAProxy with both cores this far back, and burst servers in service."""
    cores = [replace(server(name, 100, status), throttle=part) for name, part in zip(CORES, throttles, strict=True)]
    seen = gateway(*cores, *(row(member(number + 1), weight=LARGEST) for number in range(bursts)))
    return replace(seen, backends=tuple(replace(each, balance=balance) for each in seen.backends))


def made(*throttles: int | None, load: float | tuple[float, ...] = 0.1, under: Policy = AUTO, memory: Memory = LOW) -> Decision:
    return decided(world(load=load, fleet=[member(1)], gateway=view(*throttles), memory=memory), under)


def test_the_low_load_of_a_core_that_comes_back_does_not_hide_that_the_other_one_is_overloaded() -> None:
    assert made(None, None, load=(6.0, 0.0)).signal == 3.0
    there = made(None, 5, load=(6.0, 0.0))
    assert (there.signal, there.direction) == (6.0, Direction.OUT)


def test_a_core_that_is_overloaded_while_it_comes_back_counts() -> None:
    assert made(None, 50, load=(1.0, 5.0), under=policy(load={"aggregate": Aggregate.MAX})).signal == 5.0


def test_while_a_core_comes_back_nothing_is_given_back_and_it_says_why() -> None:
    assert made(None, None).count == 0
    all_ = made(3, 3)
    assert (all_.count, all_.direction, all_.scale_in_allowed) == (1, Direction.HOLD, False)
    assert all_.reasons[0] == (
        f"no core server that takes traffic shows its load: {FIRST} comes back slowly in HAProxy (3 %), {SECOND} comes back slowly in "
        "HAProxy (3 %)"
    )
    assert made(3, 3).memory.below_since is None
    one = made(None, 40)
    assert (one.count, one.reasons[0]) == (1, f"scale-in waits (0 wanted): {SECOND} comes back slowly in HAProxy (40 %)")


def test_of_several_lines_of_a_core_the_one_that_is_furthest_behind_counts() -> None:
    both = view(50, None)
    other = BackendView("static_cluster", tuple(replace(each, throttle=20) for each in both.backends[0].servers), requests=1)
    seen = world(fleet=[member(1)], gateway=replace(both, backends=(*both.backends, other)), memory=LOW)
    assert f"{FIRST} comes back slowly in HAProxy (20 %)" in decided(seen).reasons[0]


def test_nothing_is_known_of_it_while_haproxy_is_away() -> None:
    assert "slowly" not in str(decided(world(fleet=[member(1)], gateway=AWAY)).reasons)


# ------------------------------------------------------------------------------------------------------------- the weights


def test_while_no_core_serves_the_burst_servers_have_the_largest_weight_and_remember_it() -> None:
    dead = decided(
        world(fleet=[member(1)], gateway=view(None, None, status=ServerStatus.DOWN), memory=replace(LOW, weights={"app_cluster": 7})), AUTO
    )
    assert (dead.weight, dead.memory.weights, dead.memory.share) == (LARGEST, {"app_cluster": LARGEST}, 0.99)
    alone = decided(
        world(gateway=view(None, None, status=ServerStatus.DOWN, bursts=0), memory=replace(LOW, weights={"app_cluster": 7})), AUTO
    )
    assert (alone.memory.weights, alone.memory.share) == ({"app_cluster": 7}, 0.0)


def test_while_a_core_comes_back_no_weight_falls() -> None:
    memory = replace(LOW, weights={"app_cluster": LARGEST}, share=0.99)
    back = made(3, 3, memory=memory)
    assert back.weight == LARGEST
    assert "nothing is taken back from the burst servers while a core server comes back slowly" in back.weight_reason
    assert back.memory.share == pytest.approx(LARGEST / (LARGEST + 200))
    there = made(None, None, memory=back.memory)
    assert (there.weight or 0) < LARGEST


def test_a_weight_may_rise_meanwhile() -> None:
    assert made(3, 3, memory=replace(LOW, weights={"app_cluster": 2})).weight == 100  # like a core, while nothing is learned


def test_a_fixed_weight_stays_what_it_is() -> None:
    fixed = made(3, 3, under=policy(), memory=replace(LOW, weights={"app_cluster": LARGEST}))
    assert (fixed.weight, fixed.weight_reason) == (10, "fixed by haproxy.burst_weight")


def test_with_spillover_there_is_nothing_to_hold() -> None:
    spilling = policy(routing={"mode": Mode.SPILLOVER, "backends": (BackendPolicy(joined="app_cloud"),), "burst_weight": None})
    assert made(3, 3, under=spilling, memory=replace(LOW, weights={"app_cloud": LARGEST})).weight == 100


def test_what_the_counters_show_of_the_ramp_teaches_nothing_of_the_algorithm() -> None:
    def learned(throttle: int | None) -> float:
        memory = Memory(skew={"app_cluster": 1.3})
        requests = 0
        for step in range(4):
            requests += 1000
            seen = view(throttle, throttle, balance="leastconn")
            servers = tuple(replace(each, requests=requests // (100 if each.name in CORES else 1)) for each in seen.backends[0].servers)
            snapshot = world(
                fleet=[member(1)],
                now=NOW + 5 * step,
                cores={name: Sample(NOW + 5 * step, 0.1, 4, 1.0) for name in CORES},
                gateway=replace(seen, backends=(replace(seen.backends[0], servers=servers),)),
                memory=memory,
            )
            memory = decided(snapshot, AUTO).memory
        return memory.skew["app_cluster"]

    assert learned(5) == 1.3
    assert learned(None) > 1.3


# ---------------------------------------------------------------------------------------------------------- the closed loop


def test_a_lost_core_that_comes_back_gets_its_requests_gradually_and_the_weights_do_not_fight_it() -> None:
    plant = Plant(lambda _: 1.2 * CAPACITY, auto(2))
    plant.run(300)
    cores = [plant.gateway.servers[name] for name in CORES]
    for each in cores:
        each.healthy = False
    plant.run(120)
    assert plant.weights[-1] == LARGEST
    for each in cores:
        each.healthy = True
    shares = []
    for part in range(1, 101, 10):  # as HAProxy's slowstart: by and by from 1 to 100 percent
        for each in cores:
            each.throttle = part
        before = {name: each.requests for name, each in plant.gateway.servers.items()}
        plant.run(5)
        grown = {name: each.requests - before[name] for name, each in plant.gateway.servers.items()}
        shares.append(sum(grown[name] for name in CORES) / sum(grown.values()))
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert max(later - earlier for earlier, later in pairwise(shares)) < 0.12
    assert set(plant.weights[-10:]) == {LARGEST}
    for each in cores:
        each.throttle = None
    plant.run(600)
    assert plant.weights[-1] < LARGEST
    assert max(map(max, plant.loads[-60:])) < 4.0
