from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from burstd.adapters.cronsim import CronCalendar, Schedule
from burstd.adapters.memory import MemoryCalendar
from burstd.model.window import HORIZON, Window
from burstd.ports import Calendar

OPENS = 1_767_254_400.0  # 2026-01-01 08:00 UTC
YEAR = 365 * 86_400.0
SALE = Window("sale", 2, OPENS, OPENS + 3600)
EARLY = Window("early", 3, OPENS, OPENS + 600, lead=7200.0)


@pytest.fixture(params=["memory", "cronsim"])
def calendar(request: pytest.FixtureRequest) -> Calendar:
    """Every implementation, with one window of an hour, and another one of ten minutes with a lead of two hours."""
    if request.param == "memory":
        return MemoryCalendar(SALE, EARLY, drills=[OPENS, OPENS + YEAR])
    schedules = [Schedule("sale", "0 8 1 1 *", "UTC", 2, 3600), Schedule("early", None, "UTC", 3, 600, 7200.0, ("2026-01-01 08:00",))]
    return CronCalendar(schedules, ("0 8 1 1 *", "UTC"))


@pytest.mark.parametrize("after", [-HORIZON, -0.5, 0, 0.5, 599.5])
def test_a_window_is_shown_from_the_horizon_until_it_closes(calendar: Calendar, after: float) -> None:
    assert list(calendar.windows(OPENS + after)) == [SALE, EARLY]


@pytest.mark.parametrize("after", [600, 1800, 3599.5])
def test_each_window_closes_by_itself(calendar: Calendar, after: float) -> None:
    assert list(calendar.windows(OPENS + after)) == [SALE]


@pytest.mark.parametrize("after", [-7200, -HORIZON - 0.5])
def test_one_with_a_longer_lead_is_shown_from_then_on(calendar: Calendar, after: float) -> None:
    assert list(calendar.windows(OPENS + after)) == [EARLY]


@pytest.mark.parametrize("after", [-86_400, -7200.5, 3600, 3600.5, 86_400])
def test_a_window_is_not_shown_before_that_nor_once_it_has_closed(calendar: Calendar, after: float) -> None:
    assert list(calendar.windows(OPENS + after)) == []


@pytest.mark.parametrize("after", [0, 0.5, 3600, YEAR - 0.5])
def test_a_drill_is_due_from_its_hour_until_the_next_one(calendar: Calendar, after: float) -> None:
    assert calendar.drill_due(OPENS + after) == OPENS


def test_the_next_hour_takes_its_place(calendar: Calendar) -> None:
    assert calendar.drill_due(OPENS + YEAR) == OPENS + YEAR


@pytest.mark.parametrize("at", [OPENS, OPENS - 8 * 3600, OPENS + 16 * 3600 - 0.5, OPENS + YEAR])
def test_two_months_of_days_are_told_and_the_last_one_is_today(calendar: Calendar, at: float) -> None:
    days = calendar.days(at)
    assert len(days) == 62
    assert [later.starts_at - earlier.starts_at for earlier, later in pairwise(days)] == [86_400.0] * 61
    assert days[-1].starts_at <= at < days[-1].starts_at + 86_400
    assert days[-1].date == datetime.fromtimestamp(at, UTC).date().isoformat()
    assert days[-1].month == days[-1].date[:7]


@pytest.mark.parametrize("without", [MemoryCalendar(SALE), CronCalendar([])], ids=["memory", "cronsim"])
def test_without_a_schedule_no_drill_is_ever_due(without: Calendar) -> None:
    assert without.drill_due(OPENS) is None
