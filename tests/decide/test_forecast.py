"""The demand a few minutes ahead, and by how much that may be wrong."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burstd.decide.forecast import LEAST, WINDOWS, averaged, expected, learn, outlook, steepness
from burstd.decide.margin import BINS, exceeded, margin, scatter
from burstd.decide.trend import Earlier
from burstd.model.demand import TERMS, Outlook

Averages = tuple[float, float, float]


def lived(demands: Iterable[float], lead: int = 2) -> tuple[Outlook, Averages]:
    """The forecast after these minutes, and the averages."""
    learned, averages = outlook(lead), None
    for minute, demand in enumerate(demands):
        averages = (demand,) * 3 if averages is None else averaged(averages, demand, 60.0)
        learned = learn(learned, minute, demand, averages)
    assert averages is not None
    return learned, averages


def off(shape: Callable[[float], float], minutes: int, lead: int, last: int) -> float:
    """Mean relative error over so many last minutes."""
    learned, averages = outlook(lead), (shape(0),) * 3
    errors = []
    for minute in range(minutes + last):
        demand, before = shape(minute), Earlier(shape(minute - 0.5), 1.0)
        averages = averaged(averages, demand, 60.0)
        learned = learn(learned, minute, demand, averages, before)
        if minute >= minutes:
            errors.append(abs(expected(learned, averages, demand, 0.0, before) / shape(minute + lead) - 1))
    return sum(errors) / len(errors)


def test_an_average_follows_by_its_time_constant_whatever_the_step() -> None:
    once = averaged((0.0, 0.0, 0.0), 1.0, 600.0)
    assert once == pytest.approx([1 - math.exp(-600 / window) for window in WINDOWS])
    steps = (0.0, 0.0, 0.0)
    for _ in range(60):
        steps = averaged(steps, 1.0, 10.0)
    assert steps == pytest.approx(once)


def test_a_steady_demand_is_expected_to_stay() -> None:
    learned, averages = lived([3.0] * 300)
    assert expected(learned, averages, 3.0, 0.0) == pytest.approx(3.0, rel=0.001)


def test_a_slow_wave_is_foreseen_better_than_by_its_last_value() -> None:
    def wave(minute: float) -> float:
        return 3 + math.sin(minute / 60)

    period = 377
    last = sum(abs(wave(minute) / wave(minute + 5) - 1) for minute in range(2700, 2700 + period)) / period
    assert off(wave, 2700, 5, period) < 0.7 * last


def test_what_only_scatters_is_expected_near_its_mean() -> None:
    lots = random.Random(2)
    learned, averages = lived([lots.uniform(1, 3) for _ in range(1000)])
    assert 1.8 < expected(learned, averages, 1.0, 0.0) < 2.2
    assert 1.8 < expected(learned, averages, 3.0, 0.0) < 2.2


def test_where_rises_last_a_rise_is_foreseen_and_where_they_do_not_it_is_not() -> None:
    def after(length: int) -> float:
        """What is expected half way up from 2 to 3, where every rise and every fall lasts for so many minutes."""
        learned, averages, demand = outlook(2), (2.0,) * 3, 2.0
        for minute in range(2000):
            step = 0.5 if minute // length % 2 else -0.5
            before, demand = Earlier(demand, 0.5), max(0.5, demand + step)
            averages = averaged(averages, demand, 60.0)
            learned = learn(learned, minute, demand, averages, before)
        return expected(learned, (2.0,) * 3, 2.5, 0.0, Earlier(2.25, 1.0))

    assert after(10) > after(2) + 0.3


def test_a_rise_makes_the_forecast_rougher_and_a_fall_does_not() -> None:
    assert steepness(3.0, Earlier(2.0, 1.0)) == pytest.approx(1 / 3)
    assert steepness(3.0, Earlier(4.0, 1.0)) == steepness(3.0, Earlier()) == 0.0
    assert scatter(outlook(2), 0.5) == pytest.approx(scatter(outlook(2)) + 0.25)


def test_how_probable_more_is_falls_from_certain_to_nothing_and_agrees_with_the_margin() -> None:
    lots = random.Random(3)
    learned, _ = lived([math.exp(lots.gauss(0, 0.2)) for _ in range(2000)])
    size = scatter(learned)
    found = [exceeded(learned, ratio / 100, size) for ratio in range(2001)]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (1.0, 0.0)
    for part in (0.7, 0.8, 0.9):
        assert exceeded(learned, 1 + margin(learned, part, size), size) == pytest.approx(1 - part)
    assert exceeded(replace(learned, errors=(0.0,) * BINS), 1.0, size) == 0.0
    assert exceeded(replace(learned, errors=(0.0,) * (BINS - 1) + (1.0,)), math.exp(3), 9.0) == 0.0


@given(
    st.lists(st.floats(-9, 9), min_size=TERMS, max_size=TERMS),
    st.floats(0, 9),
    st.floats(0, 2),
    st.floats(0, 60),
    st.lists(st.floats(0, 9)),
)
def test_whatever_was_learned_more_load_is_never_expected_to_become_less(
    terms: list[float], before: float, pace: float, later: float, demands: list[float]
) -> None:
    learned = replace(outlook(2), terms=tuple(terms))
    found = [expected(learned, (2.0,) * 3, each, later, Earlier(before, pace)) for each in sorted(demands)]
    assert all(low <= high + 1e-9 for low, high in pairwise(found))


def test_no_forecast_leaves_what_was_seen_of_late_far_behind() -> None:
    wild = replace(outlook(2), terms=(9.0,) * TERMS)
    assert expected(wild, (1.0, 1.0, 1.0), 1.5, 0.0) == 3.0
    assert expected(replace(wild, terms=(-9.0, *[0.0] * 5)), (1.0, 1.0, 1.0), 1.5, 0.0) == pytest.approx(0.15)
    assert expected(outlook(2), (0.0, 0.0, 0.0), 0.0, 0.0) == LEAST


def test_a_forecast_whose_minute_was_not_seen_teaches_nothing() -> None:
    learned, averages = lived([1.0] * 10)
    later = learn(learned, 30, 5.0, averages)
    assert (later.terms, later.errors, later.fresh) == (learned.terms, learned.errors, learned.fresh)
    assert [each.minute for each in later.awaited] == [30]


def test_a_quiet_week_leaves_the_forecast_able_to_learn_and_sane() -> None:
    learned, _ = lived([0.0] * 10_000)
    assert all(math.isfinite(each) for row in learned.spread for each in row)
    assert sum(row[place] for place, row in enumerate(learned.spread)) <= 1000.0


@pytest.mark.parametrize("part", [0.7, 0.8, 0.9])
def test_the_margin_covers_the_part_of_the_errors_that_it_is_asked_for(part: float) -> None:
    lots = random.Random(3)
    demands = [math.exp(lots.gauss(0, 0.2)) for _ in range(3000)]
    learned, averages = lived(demands[:2000])
    covered = 0
    for minute in range(2000, 2990):
        averages = averaged(averages, demands[minute], 60.0)
        learned = learn(learned, minute, demands[minute], averages)
        covered += demands[minute + 2] <= expected(learned, averages, demands[minute], 0.0) * (1 + margin(learned, part, scatter(learned)))
    assert covered / 990 == pytest.approx(part, abs=0.05)


def test_the_margin_is_wider_in_a_storm_and_narrow_again_after_it() -> None:
    lots = random.Random(4)
    calm = [2.0 + lots.uniform(-0.02, 0.02) for _ in range(800)]
    storm = [lots.uniform(1, 4) for _ in range(60)]
    outlooks = (lived(demands)[0] for demands in (calm, calm + storm, calm + storm + calm[:600]))
    before, during, after = (margin(each, 0.9, scatter(each)) for each in outlooks)
    assert before < 0.1
    assert during > 2 * before
    assert after < during / 2


def test_the_margin_is_never_negative_and_never_beyond_reason() -> None:
    learned = outlook(2)
    assert margin(learned, 0.0, 0.1) == 0.0
    wild = replace(learned, errors=(0.0,) * (BINS - 1) + (5.0,), fresh=0.5, lasting=0.5)
    assert margin(wild, 0.99, scatter(wild)) == pytest.approx(math.expm1(3))
    assert margin(replace(learned, errors=(1.0,) + (0.0,) * (BINS - 1)), 1.0, 0.1) == 0.0
    assert margin(replace(learned, errors=(0.0,) * BINS), 0.9, 0.1) == 0.0
    assert scatter(replace(learned, fresh=0.0, lasting=0.0)) == 0.01


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80), st.integers(1, 10), st.floats(0, 1))
@settings(deadline=None, max_examples=80)
def test_whatever_came_the_forecast_and_its_margin_are_finite(demands: list[float], lead: int, part: float) -> None:
    learned, averages = lived(demands, lead)
    ahead = expected(learned, averages, demands[-1], 30.0)
    assert LEAST <= ahead < math.inf
    assert 0 <= margin(learned, part, scatter(learned)) < math.inf
    assert len(learned.awaited) <= lead
