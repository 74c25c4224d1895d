"""Where the demand is going, by the readings of the last half minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.decide.trend import Earlier, earlier, remembered
from burstd.model.demand import Readings


def readings(interval: float, count: int, demand: float = 1.0) -> Readings:
    """What is kept of so many readings, each a tenth of a server above the last."""
    recent: Readings = ()
    for number in range(count):
        recent = remembered(recent, number * interval, demand + number / 10)
    return recent


@pytest.mark.parametrize("interval", [1.0, 5.0, 15.0, 30.0, 60.0])
def test_a_steady_rise_is_the_same_at_any_poll_interval_but_for_its_pace(interval: float) -> None:
    recent = readings(interval, 100)
    now, demand = recent[-1]
    assert earlier(recent, now).change(demand) == pytest.approx(0.1 * 30 / interval)


def test_without_an_earlier_reading_or_with_one_that_is_too_old_there_is_no_trend() -> None:
    assert earlier((), 0.0) == Earlier()
    assert earlier(readings(5.0, 3), 10.0) == Earlier()
    assert earlier(((0.0, 1.0),), 90.0).pace > 0
    assert earlier(((0.0, 1.0),), 91.0) == Earlier()
    assert Earlier().change(5.0) == 0.0


@given(st.floats(0.1, 600), st.integers(1, 300))
def test_little_is_kept_and_always_the_last_one(interval: float, count: int) -> None:
    recent = readings(interval, count)
    assert len(recent) <= 12
    assert recent[-1][0] == pytest.approx((count - 1) * interval)
