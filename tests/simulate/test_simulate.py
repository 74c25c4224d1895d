"""The real cycle on the simulated site."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from burstd.adapters.memory import MemoryCalendar
from burstd.model.policy import BackendPolicy, FleetPolicy, Mode
from burstd.model.window import Window
from burstd.simulate import Run, Trace, WorldSpec, measure, policy_for, policy_names, simulate
from tests.simulate.hills import WORLD, hill, trace

BURST = hill(1, 1, 4, 4, 4, 4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5)
THRESHOLD = policy_for(WORLD, "threshold")


def run(on: Trace = BURST, world: WorldSpec = WORLD, seed: int = 0) -> Run:
    return simulate(on, policy_for(world, "threshold"), world, seed=seed, name="threshold")


def test_a_burst_brings_instances_and_takes_them_away_again() -> None:
    played = run()
    highest = max(each.in_service for each in played.moments)
    assert 2 <= highest <= 4  # the load average is still high after the cure
    assert (played.moments[0].in_service, played.moments[-1].billed) == (0, 0)
    assert measure(played.moments, WORLD).launches == highest


def test_moments_follow_each_other_without_a_gap_from_the_first_second_to_the_last() -> None:
    played = run()
    assert all(after.at == pytest.approx(before.at + before.seconds) for before, after in pairwise(played.moments))
    assert sum(each.seconds for each in played.moments) == pytest.approx(BURST.length)


def test_the_same_seed_gives_the_same_timeline_and_another_one_another() -> None:
    first, second, other = (run(seed=seed).moments for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_a_boot_lasts_from_the_create_into_service() -> None:
    world = WorldSpec(boot=(100.0, 100.0))
    played = run(world=world)
    launch = next(each.at for each in played.moments if each.launched)
    serves = next(each.at for each in played.moments if each.in_service)
    assert serves - launch == pytest.approx(100, abs=THRESHOLD.fleet.poll_interval)


def test_nothing_moves_and_a_turn_comes_every_interval() -> None:
    played = simulate(hill(1, 1, 1), THRESHOLD, WORLD, interval=60.0)
    assert {each.seconds for each in played.moments} == {60.0}


def test_an_interval_shorter_than_the_poll_interval_is_that() -> None:
    played = simulate(hill(1, 1), THRESHOLD, WORLD, interval=1.0)
    assert {each.seconds for each in played.moments} == {THRESHOLD.fleet.poll_interval}


def test_the_maximum_is_never_exceeded() -> None:
    played = run(hill(1, 9, 9, 9, 9), WorldSpec(maximum=2))
    assert max(each.billed for each in played.moments) == 2
    assert played.given_up > 0


def test_launches_that_fail_are_billed_until_they_are_given_up_and_bring_nothing() -> None:
    played = run(world=WorldSpec(failures=1.0))
    figures = measure(played.moments, WORLD)
    assert figures.launches > 0
    assert max(each.in_service for each in played.moments) == 0
    assert figures.instance_hours > 0


def test_a_schedule_is_kept() -> None:
    at = 1_704_067_200.0
    calendar = MemoryCalendar(Window("sale", 2, at + 1200, at + 3000))
    played = simulate(hill(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), THRESHOLD, WORLD, calendar=calendar)
    serving = {each.in_service for each in played.moments if 1300 < each.at < 2900}
    assert serving == {2}


def test_a_trace_with_times_of_its_own_keeps_its_calendar() -> None:
    begin = 1_750_000_000.0
    calendar = MemoryCalendar(Window("sale", 1, begin + 600, begin + 1200))
    quiet = hill(1, 1, 1)
    played = simulate(replace(quiet, seconds=tuple(begin + each for each in quiet.seconds)), THRESHOLD, WORLD, calendar=calendar)
    assert played.moments[0].at == 0
    assert max(each.in_service for each in played.moments) == 1


def test_the_progress_is_told_from_the_beginning_to_the_end() -> None:
    told: list[float] = []
    simulate(hill(1, 1), THRESHOLD, WORLD, progress=told.append)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert told == sorted(told)


def test_a_load_that_stands_at_the_threshold_is_shown_as_that() -> None:
    played = run(hill(2, 2, 2))
    assert played.moments[0].load1 == pytest.approx(4.0, abs=0.02)


def test_the_first_policy_is_the_settings_default() -> None:
    assert policy_names() == ("demand", "threshold")


def test_a_policy_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="oracle"):
        policy_for(WORLD, "oracle")


def test_what_the_site_does_not_have_is_left_out_of_the_settings() -> None:
    routing = replace(
        THRESHOLD.routing, mode=Mode.SPILLOVER, backends=(BackendPolicy("app", "app_cloud", maxconn=9), BackendPolicy("static", "static"))
    )
    base = replace(THRESHOLD, routing=routing, fleet=FleetPolicy(minimum=1), pools=())
    made = policy_for(WorldSpec(cores=3, maximum=7), "threshold", base)
    assert made.routing.backends == (BackendPolicy("app", "app"),)
    assert (len(made.cores), made.fleet.minimum, made.fleet.maximum, len(made.pools)) == (3, 1, 7, 1)


def test_a_fixed_weight_is_kept() -> None:
    base = replace(THRESHOLD, routing=replace(THRESHOLD.routing, backends=(BackendPolicy("app", "app", weight=10, maxconn=9),)))
    assert policy_for(WORLD, "threshold", base).routing.backends == (BackendPolicy("app", "app", weight=10),)


def test_a_trace_of_nothing_runs_too() -> None:
    assert measure(run(trace(0, 0, 0)).moments, WORLD).instance_hours == 0
