"""The closed loop: the real cycle steers a simulated site by its weights, and the site's queues and load averages answer.

The figures of a site whose lots are drawn are its scatter too: a core that stands at 3.5 on average shows more than 4.0 for a
tenth of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from burstd.adapters.memory import Strength
from burstd.model.fleet import Phase
from tests.given import CORES
from tests.plant import CAPACITY, FULL, TARGET, Plant, auto

CARRIED = 2 * CAPACITY
STEP_AT = 300.0


def step(before: float, after: float) -> Callable[[float], float]:
    """A step of the demand at 300 s, in parts of what the cores carry at their target."""
    return lambda seconds: CARRIED * (before if seconds < STEP_AT else after)


def rested(plant: Plant) -> float:
    """Mean load of the cores over the last five minutes."""
    recent = plant.loads[-60:]
    return sum(sum(each) / len(each) for each in recent) / len(recent)


def test_a_step_to_one_and_a_half_times_is_relieved_and_held_just_under_the_target() -> None:
    plant = Plant(step(0.6, 1.6), auto(2))
    plant.run(STEP_AT + 1800)
    assert plant.above(since=STEP_AT) <= 60
    assert TARGET - 0.5 <= rested(plant) <= TARGET + 0.1
    assert plant.turnings(since=STEP_AT) <= 2
    assert len(set(plant.weights[-200:])) == 1  # at rest


def test_the_articles_weight_would_have_left_the_core_overloaded_for_all_that_time() -> None:
    plant = Plant(step(0.6, 1.6), auto(2, burst_weight=10))
    plant.run(STEP_AT + 600)
    assert plant.above(since=STEP_AT + 10) == 590


def test_with_one_burst_server_too_few_the_overload_is_shared_evenly() -> None:
    plant = Plant(step(0.6, 1.6), auto(1))
    plant.run(STEP_AT + 600)
    loads = [each.load1 for each in plant.traffic.stations.values()]
    assert max(loads) - min(loads) < 0.2
    assert len(loads) == 3


def test_where_requests_scatter_the_core_is_held_all_the_same_and_the_weight_does_not_hunt() -> None:
    plant = Plant(step(0.6, 1.6), auto(2), seed=1)
    plant.run(STEP_AT + 1800)
    assert plant.above(since=STEP_AT) <= 300
    assert TARGET - 0.6 <= rested(plant) <= TARGET + 0.4
    changes = [(before, after) for before, after in zip(plant.weights[60:], plant.weights[61:], strict=False) if before != after]
    assert len(changes) <= 40  # of 360 cycles


@pytest.mark.parametrize(
    "strength",
    [
        pytest.param(Strength(variability=0.5), id="all requests cost the same"),
        pytest.param(Strength(variability=2.0), id="requests come in bursts"),
        pytest.param(Strength(background=0.5), id="half a CPU has something else to do"),
    ],
)
def test_servers_that_do_not_follow_the_curve_are_held_at_the_target_too(strength: Strength) -> None:
    plant = Plant(step(0.6, 1.3), auto(2), cores=dict.fromkeys(CORES, strength), burst=strength)
    plant.run(STEP_AT + 900)
    assert plant.above(since=STEP_AT + 120) == 0
    assert rested(plant) == pytest.approx(TARGET, abs=0.5)


def test_a_cold_boot_is_relieved_as_soon_as_it_serves_and_what_has_piled_up_is_worked_off() -> None:
    plant = Plant(step(0.6, 1.6), auto(2, least=0), boot=90)
    plant.run(STEP_AT + 900)
    joined = next(number for number, turn in enumerate(plant.turns) if any(each.phase is Phase.IN_SERVICE for each in turn.snapshot.fleet))
    backlogs = plant.backlogs[joined:]
    assert min(backlogs[:20]) < 10  # within 100 s; the load average itself needs minutes to forget it
    assert plant.above(since=STEP_AT + 600) == 0


def test_a_slow_swing_of_the_demand_is_followed_without_overload_or_starvation() -> None:
    plant = Plant(lambda seconds: CARRIED * (1 + 0.5 * math.sin(2 * math.pi * seconds / 900)), auto(2))
    plant.run(1800)
    assert plant.above(since=300) == 0
    assert plant.turnings() <= 12  # twice in each swing, and a few on the way


def test_the_weights_are_given_back_as_the_load_falls() -> None:
    def ramp(seconds: float) -> float:
        return CARRIED * (0.5 + max(0.0, min(1.1, (seconds - 300) / 300, (1500 - seconds) / 300)))

    plant = Plant(ramp, auto(2))
    plant.run(1800)
    assert max(plant.weights) > 40
    assert plant.weights[-1] == 1
    assert plant.above() <= 60
    assert min(min(each) for each in plant.loads[60:]) > 1.0  # what half of the target's rate brings: never starved


def test_spikes_leave_the_cores_no_longer_overloaded_than_the_spikes_last() -> None:
    plant = Plant(lambda seconds: CARRIED * (2.0 if seconds % 300 < 20 and seconds > 60 else 0.7), auto(2))
    plant.run(900)
    assert sum(backlog > 10 for backlog in plant.backlogs) <= 2 * 3  # cycles that began with a queue


def test_slow_burst_servers_are_not_buried() -> None:
    plant = Plant(step(0.6, 1.1), auto(1), burst=Strength(cpus=2, work=0.08))
    plant.run(STEP_AT + 900)
    burst = next(each for name, each in plant.traffic.stations.items() if name not in CORES)
    assert burst.load1 < FULL / 2  # per CPU as the cores
    assert rested(plant) < FULL


def test_the_weaker_of_two_unequal_cores_is_held_at_the_target() -> None:
    plant = Plant(step(0.6, 1.1), auto(2), cores={CORES[0]: Strength(), CORES[1]: Strength(cpus=2)})
    plant.run(STEP_AT + 900)
    assert max(max(each) for each in plant.loads[-60:]) == pytest.approx(TARGET, abs=0.6)


def test_a_burst_server_that_dies_leaves_the_others_its_share_at_once() -> None:
    plant = Plant(step(0.6, 1.2), auto(2))
    plant.run(STEP_AT + 300)
    before = plant.weights[-1]
    plant.world.machines[0].healthy = False
    plant.run(30)
    assert plant.weights[-1] == pytest.approx(2 * before, rel=0.15)
    plant.run(600)
    assert plant.weights[-1] == pytest.approx(before, rel=0.15)  # the new one has its half
    assert plant.above(since=STEP_AT + 60) == 0


def test_a_core_server_that_dies_leaves_the_burst_servers_what_the_other_cannot_carry() -> None:
    plant = Plant(step(0.6, 0.9), auto(2))
    plant.run(STEP_AT + 300)
    assert plant.weights[-1] == 1
    plant.gateway.servers[CORES[1]].healthy = False
    plant.run(300)
    assert plant.turns[-1].decision.memory.share == pytest.approx(1 - 1 / 1.8, abs=0.05)
    assert plant.traffic.stations[CORES[0]].load1 == pytest.approx(TARGET, abs=0.6)


def test_under_leastconn_the_share_comes_out_the_same_with_slower_burst_servers() -> None:
    shares = []
    for balance in ("roundrobin", "leastconn"):
        plant = Plant(step(0.6, 1.4), auto(2), burst=Strength(cpus=8, work=0.08))
        plant.gateway.balance = balance
        plant.run(STEP_AT + 600)
        assert plant.above(since=STEP_AT + 120) == 0
        assert rested(plant) == pytest.approx(TARGET, abs=0.5)
        shares.append(plant.turns[-1].decision)
    assert shares[1].weight != shares[0].weight
    assert shares[1].memory.share == pytest.approx(shares[0].memory.share, abs=0.05)


def test_a_reload_of_haproxy_in_the_middle_takes_nothing_from_what_is_held() -> None:
    plant = Plant(step(0.6, 1.4), auto(2))
    plant.run(STEP_AT + 300)
    weight = plant.weights[-1]
    plant.gateway.reload()
    plant.run(300)
    assert plant.weights[-1] == pytest.approx(weight, rel=0.1)
    assert plant.above(since=STEP_AT + 120) <= 60  # while HAProxy knew no burst server
