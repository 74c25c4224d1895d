"""The article's policy, sentence by sentence, through the whole of deciding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.decision import Decision, Direction, Memory
from burstd.model.fleet import Cooldowns, Orders, Phase
from burstd.model.load import Sample
from burstd.model.policy import Aggregate, Policy, Step
from burstd.model.snapshot import Snapshot
from tests.given import AWAY, CORES, DARK, decided, loads, member, policy, row, rows, world
from tests.turns import NOW, gateway


def lasting(snapshot: Snapshot, seconds: float, under: Policy | None = None, step: float = 5.0) -> Decision:
    """The decision after the same world has been watched for that long."""
    now, made = snapshot.now, decided(snapshot, under)
    while now < snapshot.now + seconds:
        now += step
        cores = {name: replace(reading, at=now) if isinstance(reading, Sample) else reading for name, reading in snapshot.cores.items()}
        made = decided(replace(snapshot, now=now, cores=cores, memory=made.memory), under)
    return made


def test_the_sample_that_crosses_the_threshold_asks_for_one_more_in_the_same_cycle() -> None:
    made = decided(world(load=4.01))
    assert (made.count, made.direction) == (1, Direction.OUT)
    assert "load 4.01 is above 4" in made.reasons[0]


def test_a_load_at_the_threshold_is_not_above_it() -> None:
    assert decided(world(load=4.0)).count == 0


def test_with_sustain_the_load_must_stay_above_for_that_long() -> None:
    patient = policy(load={"sustain": 20.0})
    assert lasting(world(load=5.0), 15, patient).count == 0
    assert lasting(world(load=5.0), 20, patient).count == 1


def test_a_dip_below_the_threshold_starts_the_sustain_anew() -> None:
    patient = policy(load={"sustain": 20.0})
    before = lasting(world(load=5.0), 15, patient)
    dip = decided(world(load=3.0, now=NOW + 20, memory=before.memory), patient)
    assert dip.memory.above_since is None


def test_what_is_on_the_way_counts_as_capacity() -> None:
    made = decided(world(load=9.0, fleet=[member(1, Phase.BOOTING)]))
    assert made.count == 1
    assert "1 on the way" in made.reasons[0]


def test_a_create_of_unknown_outcome_counts_as_capacity() -> None:
    assert decided(world(load=9.0, fleet=[member(1, Phase.UNKNOWN)])).count == 1


def test_a_draining_instance_is_no_capacity_and_is_not_replaced() -> None:
    made = decided(world(load=3.0, fleet=[member(1), member(2, Phase.DRAINING)]))
    assert (made.count, made.current) == (1, 1)


def test_while_the_last_one_to_join_warms_up_nothing_more_is_wanted() -> None:
    made = decided(world(load=5.0, fleet=[member(1, joined_at=NOW - 10)]))
    assert made.count == 1
    assert "warms up for 20 s" in made.reasons[0]


def test_the_scale_out_cooldown_holds_the_next_launch_back() -> None:
    made = decided(world(load=5.0, fleet=[member(1)], cooldowns=Cooldowns(scale_out=NOW - 20)))
    assert made.count == 1
    assert "cooldown lasts 40 s" in made.reasons[0]


def test_the_scale_in_cooldown_does_not_hold_a_launch_back() -> None:
    assert decided(world(load=5.0, fleet=[member(1)], cooldowns=Cooldowns(scale_in=NOW - 1))).count == 2


@pytest.mark.parametrize(("load", "wanted"), [(4.5, 1), (6.0, 2), (8.0, 3)])
def test_step_tiers_launch_more_at_once_the_higher_the_load(load: float, wanted: int) -> None:
    tiers = policy(load={"steps": (Step(1.5, 2), Step(2.0, 3))})
    assert decided(world(load=load), tiers).count == wanted


def test_a_higher_tier_tops_up_what_is_already_on_the_way() -> None:
    tiers = policy(load={"steps": (Step(2.0, 3),)})
    assert decided(world(load=8.0, fleet=[member(1, Phase.BOOTING)]), tiers).count == 3


@pytest.mark.parametrize(("aggregate", "count"), [(Aggregate.MEAN, 1), (Aggregate.MAX, 1), (Aggregate.MIN, 0)])
def test_several_cores_become_one_signal_as_configured(aggregate: Aggregate, count: int) -> None:
    assert decided(world(load=(6.0, 3.0)), policy(load={"aggregate": aggregate})).count == count


def test_per_cpu_the_load_is_divided_by_the_number_of_cpus() -> None:
    per_cpu = policy(load={"per_cpu": True, "scale_out_above": 1.0, "scale_in_below": 0.5}, routing={"target_load": 0.9})
    made = decided(world(load=6.0), per_cpu)
    assert made.signal == 1.5
    assert made.count == 1


def test_per_cpu_a_core_that_does_not_say_its_cpus_is_unknown() -> None:
    per_cpu = policy(load={"per_cpu": True, "scale_out_above": 1.0, "scale_in_below": 0.5})
    made = decided(world(cores=loads(6.0, cpus=None)), per_cpu)
    assert (made.signal, made.count) == (None, 0)


def test_without_any_load_the_fleet_is_held_and_never_counted_as_idle() -> None:
    made = lasting(world(load=(DARK, DARK), fleet=[member(1)]), 600)
    assert (made.count, made.signal, made.scale_in_allowed) == (1, None, False)
    assert "no answer within 2 s" in made.reasons[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e9])
def test_an_impossible_load_is_no_load(value: float) -> None:
    assert decided(world(load=value)).signal is None


def test_a_core_that_was_not_read_is_missing() -> None:
    made = decided(world(cores={CORES[0]: Sample(NOW, 5.0)}))
    assert (made.count, made.scale_in_allowed) == (1, False)


def test_with_one_core_dark_the_others_may_still_ask_for_more() -> None:
    assert decided(world(load=(9.0, DARK))).count == 1


def test_with_one_core_dark_nothing_is_given_back() -> None:
    made = lasting(world(load=(0.1, DARK), fleet=[member(1)]), 600)
    assert made.count == 1
    assert "not every core answered: core-oslo-02 (no answer within 2 s)" in made.reasons[0]


def test_the_last_good_sample_stands_in_for_a_failed_one_until_it_is_stale() -> None:
    memory = decided(world(load=5.0)).memory
    dark = world(load=(DARK, DARK), now=NOW + 10, memory=memory)
    assert decided(dark).signal == 5.0
    assert decided(replace(dark, now=NOW + 60)).signal is None


def test_a_sample_that_arrived_too_long_ago_is_stale() -> None:
    made = decided(world(now=NOW + 60, cores=loads(5.0, now=NOW)))
    assert (made.signal, made.scale_in_allowed) == (None, False)


def test_a_low_load_gives_one_back_after_a_full_low_period() -> None:
    low = world(load=0.5, fleet=[member(1), member(2)])
    assert lasting(low, 55).count == 2
    made = lasting(low, 60)
    assert (made.count, made.direction) == (1, Direction.IN)


def test_one_spike_in_the_low_period_starts_it_anew() -> None:
    before = lasting(world(load=0.5, fleet=[member(1)]), 55)
    spike = decided(world(load=3.0, fleet=[member(1)], now=NOW + 60, memory=before.memory))
    after = decided(world(load=0.5, fleet=[member(1)], now=NOW + 65, memory=spike.memory))
    assert after.count == 1


def test_one_gap_in_the_data_starts_the_low_period_anew() -> None:
    before = lasting(world(load=0.5, fleet=[member(1)]), 55)
    gap = decided(world(load=(0.5, DARK), fleet=[member(1)], now=NOW + 60, memory=before.memory))
    after = decided(world(load=0.5, fleet=[member(1)], now=NOW + 65, memory=gap.memory))
    assert (after.count, "for 0 s of 60 s" in after.reasons[0]) == (1, True)


def test_a_mean_that_is_low_gives_nothing_back_while_one_core_is_full() -> None:
    made = lasting(world(load=(4.5, 0.1), fleet=[member(1)]), 600, policy(load={"scale_in_below": 3.0}))
    assert made.count == 1
    assert "one core is above the threshold" in made.reasons[0]


@pytest.mark.parametrize("cooldowns", [Cooldowns(scale_in=NOW + 50), Cooldowns(scale_out=NOW + 50)])
def test_the_scale_in_cooldown_runs_from_either_direction(cooldowns: Cooldowns) -> None:
    made = lasting(world(load=0.5, fleet=[member(1)], cooldowns=cooldowns), 70)
    assert made.count == 1
    assert "scale-in cooldown" in made.reasons[0]


def test_after_a_start_a_full_window_is_watched_before_anything_is_given_back() -> None:
    made = lasting(world(load=0.5, fleet=[member(1)]), 100, policy(load={"stabilization": 300.0}))
    assert made.count == 1
    assert "first full window after the start" in made.reasons[0]


def test_scale_in_takes_the_highest_wish_of_the_window() -> None:
    under = policy(load={"stabilization": 100.0, "scale_in_after": 20.0})
    calm = lasting(world(load=0.5, fleet=[member(1)]), 200, under)
    busy = decided(world(load=3.0, fleet=[member(1)], now=NOW + 205, memory=calm.memory), under)
    low = lasting(world(load=0.5, fleet=[member(1)], now=NOW + 210, memory=busy.memory), 40, under)
    assert low.count == 1
    assert "the last 100 s wanted 1" in low.reasons[0]


def test_a_removal_that_would_bring_the_load_back_is_not_wished() -> None:
    """At load 1.9 with nine tenths of the traffic on the burst servers the cores could never take it back."""
    memory = Memory(watched_since=NOW - 900, below_since=NOW - 900, process=(4711, NOW - 3600))
    first = member(1)
    start = world(load=1.9, fleet=[first], memory=memory)
    carried = {CORES[0]: 5, CORES[1]: 5, first.name: 90}
    view, now, made = rows(row(first)), NOW, decided(start)
    for turn in range(1, 20):
        now = NOW + 5 * turn
        servers = tuple(replace(each, requests=100 + turn * carried[each.name]) for each in view.backends[0].servers)
        busy = gateway(*servers)
        made = decided(world(load=1.9, fleet=[first], now=now, gateway=busy, memory=made.memory))
    assert made.count == 1
    assert "the last 60 s wanted 1" in made.reasons[0]


def test_while_haproxy_is_away_nothing_is_given_back() -> None:
    made = lasting(world(load=0.1, fleet=[member(1)], gateway=AWAY), 600)
    assert made.count == 1
    assert "HAProxy cannot be read" in made.reasons[0]


def test_with_nothing_rented_a_low_load_wants_nothing() -> None:
    assert "nothing to give back" in lasting(world(load=0.1), 600).reasons[0]


def test_an_instance_that_an_operator_drains_is_not_counted() -> None:
    leaving = member(1)
    made = decided(world(load=3.0, fleet=[leaving], orders=Orders(drains=frozenset({leaving.name}))))
    assert made.current == 0
