from __future__ import annotations

import pytest

from burstd.adapters.cronsim import CronCalendar, Schedule
from burstd.adapters.memory import MemoryCalendar
from burstd.model.window import Window
from burstd.ports import Calendar

OPENS = 1_767_254_400.0  # 2026-01-01 08:00 UTC
YEAR = 365 * 86_400.0
SALE = Window("sale", 2, OPENS, OPENS + 3600)


@pytest.fixture(params=["memory", "cronsim"])
def calendar(request: pytest.FixtureRequest) -> Calendar:
    """Every implementation, with one window of an hour and a lead of 180 s."""
    if request.param == "memory":
        return MemoryCalendar(SALE, lead=180, drills=[OPENS, OPENS + YEAR])
    return CronCalendar([Schedule("sale", "0 8 1 1 *", "UTC", 2, 3600, 180)], ("0 8 1 1 *", "UTC"))


@pytest.mark.parametrize("after", [-180, -0.5, 0, 0.5, 1800, 3599.5])
def test_a_window_is_shown_from_its_lead_until_it_closes(calendar: Calendar, after: float) -> None:
    assert list(calendar.windows(OPENS + after)) == [SALE]


@pytest.mark.parametrize("after", [-86_400, -180.5, 3600, 3600.5, 86_400])
def test_a_window_is_not_shown_before_its_lead_nor_once_it_has_closed(calendar: Calendar, after: float) -> None:
    assert list(calendar.windows(OPENS + after)) == []


@pytest.mark.parametrize("after", [0, 0.5, 3600, YEAR - 0.5])
def test_a_drill_is_due_from_its_hour_until_the_next_one(calendar: Calendar, after: float) -> None:
    assert calendar.drill_due(OPENS + after) == OPENS


def test_the_next_hour_takes_its_place(calendar: Calendar) -> None:
    assert calendar.drill_due(OPENS + YEAR) == OPENS + YEAR


@pytest.mark.parametrize("without", [MemoryCalendar(SALE), CronCalendar([])], ids=["memory", "cronsim"])
def test_without_a_schedule_no_drill_is_ever_due(without: Calendar) -> None:
    assert without.drill_due(OPENS) is None
