"""Windows by cron in a zone with daylight saving: Oslo in 2026, where the 29 March has 23 hours and the 25 October has 25."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from burstd.adapters.cronsim import CronCalendar, Schedule
from burstd.model.window import Window

OSLO = ZoneInfo("Europe/Oslo")
SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=OSLO), datetime(2026, 10, 25, tzinfo=OSLO)


def seen(cron: str | None, around: datetime, duration: float = 1800, lead: float = 0, at: tuple[str, ...] = ()) -> list[Window]:
    """Every window that somebody sees who looks every five minutes, from the day before to the day after."""
    calendar = CronCalendar([Schedule("sale", cron, "Europe/Oslo", 2, duration, lead, at)])
    start = (around - timedelta(days=1)).timestamp()
    end = (around + timedelta(days=2)).timestamp()
    looks = range(int(start), int(end), 300)
    return sorted({each for now in looks for each in calendar.windows(now) if start <= each.opens_at < end}, key=lambda each: each.opens_at)


def local(windows: list[Window]) -> list[str]:
    return [datetime.fromtimestamp(each.opens_at, OSLO).strftime("%d %H:%M %Z") for each in windows]


@pytest.mark.parametrize(("duration", "lead"), [(600, 0), (7200, 600), (86_400, 7200)])
@pytest.mark.parametrize(
    ("cron", "around", "opened"),
    [
        ("30 2 * * *", SPRING, ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]),
        ("30 2 * * *", AUTUMN, ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]),
        ("0,30 2 * * *", SPRING, ["28 02:00 CET", "28 02:30 CET", "29 03:00 CEST", "30 02:00 CEST", "30 02:30 CEST"]),
        ("0 2-4/2 * * *", AUTUMN, ["24 02:00 CEST", "24 04:00 CEST", "25 02:00 CEST", "25 04:00 CET", "26 02:00 CET", "26 04:00 CET"]),
        ("0 8 * * *", SPRING, ["28 08:00 CET", "29 08:00 CEST", "30 08:00 CEST"]),
        ("0 8 * * *", AUTUMN, ["24 08:00 CEST", "25 08:00 CET", "26 08:00 CET"]),
    ],
)
def test_each_window_opens_exactly_once_over_daylight_saving(
    cron: str, around: datetime, opened: list[str], duration: float, lead: float
) -> None:
    windows = seen(cron, around, duration, lead)
    assert local(windows) == opened
    assert {each.closes_at - each.opens_at for each in windows} == {duration}


@pytest.mark.parametrize(("duration", "lead"), [(600, 0), (7200, 600), (86_400, 7200)])
@pytest.mark.parametrize(
    ("dates", "around", "opened"),
    [
        (("2026-03-29 01:59", "2026-03-29 03:00"), SPRING, ["29 01:59 CET", "29 03:00 CEST"]),
        (("2026-03-29 02:30",), SPRING, ["29 03:00 CEST"]),
        (("2026-03-29 02:00", "2026-03-29 02:30", "2026-03-29 03:00"), SPRING, ["29 03:00 CEST"]),
        (("2026-10-25 02:00",), AUTUMN, ["25 02:00 CEST"]),
        (("2026-10-25 03:00", "2026-10-25 02:59"), AUTUMN, ["25 02:59 CEST", "25 03:00 CET"]),
    ],
)
def test_a_date_opens_exactly_once_over_daylight_saving(
    dates: tuple[str, ...], around: datetime, opened: list[str], duration: float, lead: float
) -> None:
    windows = seen(None, around, duration, lead, dates)
    assert local(windows) == opened
    assert {each.closes_at - each.opens_at for each in windows} == {duration}


@pytest.mark.parametrize("around", [SPRING, AUTUMN])
def test_a_date_at_an_hour_of_cron_is_one_window_with_it(around: datetime) -> None:
    day = around.strftime("%Y-%m-%d")
    windows = seen("30 2 * * *", around, at=(f"{day} 02:30", f"{day} 12:00"))
    assert len(windows) == 4
    assert len({each.opens_at for each in windows}) == 4


def test_a_date_that_is_over_is_never_shown_again() -> None:
    calendar = CronCalendar([Schedule("launch", None, "Europe/Oslo", 2, 3600, at=("2026-12-24 08:00",))])
    eight = datetime(2026, 12, 24, 8, tzinfo=OSLO).timestamp()
    assert [len(calendar.windows(eight + after)) for after in (-3600, 0, 3599, 3600, 365 * 86_400)] == [1, 1, 1, 0, 0]


def test_a_schedule_is_over_once_its_last_date_has_closed_and_one_with_a_cron_never_is() -> None:
    dates = ("2026-12-24 08:00", "2026-12-31 08:00")
    schedules = [
        Schedule("launch", None, "Europe/Oslo", 2, 3600, at=dates),
        Schedule("sale", "0 8 * * *", "Europe/Oslo", 2, 3600, at=dates),
    ]
    last = datetime(2026, 12, 31, 8, tzinfo=OSLO).timestamp()
    assert [list(CronCalendar(schedules).over(last + after)) for after in (-1, 3599, 3600)] == [[], [], ["launch"]]


@pytest.mark.parametrize(("around", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_an_hourly_window_opens_once_in_every_real_hour(around: datetime, hours: int) -> None:
    windows = seen("0 * * * *", around, duration=3600)
    first = (around - timedelta(days=1)).timestamp()
    assert [each.opens_at for each in windows] == [first + 3600 * number for number in range(24 + hours + 24)]
    assert {each.closes_at - each.opens_at for each in windows} == {3600}


def test_a_window_stays_open_through_the_hour_that_comes_twice() -> None:
    calendar = CronCalendar([Schedule("sale", "30 2 * * *", "Europe/Oslo", 2, 3600, 0)])
    opens = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    shown = [[each.opens_at for each in calendar.windows(opens + after)] for after in (-3601, 0, 1800, 2400, 3599, 3600, 4200, 7200)]
    assert shown == [[], [opens], [opens], [opens], [opens], [], [], []]


def test_a_window_that_overlaps_the_next_one_is_followed_without_a_gap() -> None:
    calendar = CronCalendar([Schedule("sale", "0 8 * * *", "Europe/Oslo", 2, 86_400 + 7200, 0)])
    start = SPRING.timestamp()
    assert all(calendar.windows(start + 600 * number) for number in range(600))


def test_each_schedule_has_a_zone_of_its_own() -> None:
    schedules = [Schedule(zone, "0 8 * * *", zone, 1, 60, 0) for zone in ("Asia/Tokyo", "Europe/Oslo")]
    eight_in_oslo = datetime(2026, 7, 1, 8, tzinfo=OSLO).timestamp()
    assert [each.name for each in CronCalendar(schedules).windows(eight_in_oslo)] == ["Europe/Oslo"]


def test_a_day_that_comes_every_fourth_year_is_found_and_openings_in_every_minute_are_two_at_most() -> None:
    leap = CronCalendar([Schedule("leap", "0 0 29 2 *", "UTC", 1, 86_400, 0)])
    assert len(leap.windows(datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp())) == 1
    assert list(leap.windows(datetime(2027, 3, 1, tzinfo=UTC).timestamp())) == []
    dense = CronCalendar([Schedule("dense", "* * * * *", "UTC", 1, 366 * 86_400, 86_400)])
    assert len(dense.windows(AUTUMN.timestamp())) == 2


@pytest.mark.parametrize(
    ("zone", "at", "hours"),
    [
        ("Europe/Oslo", datetime(2026, 3, 29, 12, tzinfo=OSLO), 23),
        ("Europe/Oslo", datetime(2026, 10, 25, 12, tzinfo=OSLO), 25),
        ("America/Santiago", datetime(2026, 9, 6, 12, tzinfo=ZoneInfo("America/Santiago")), 23),  # where midnight itself is skipped
    ],
)
def test_a_day_begins_at_midnight_of_its_zone_and_lasts_as_long_as_it_lasts(zone: str, at: datetime, hours: int) -> None:
    calendar = CronCalendar([], zone=zone)
    *_, day = calendar.days(at.timestamp())
    *_, same, next_day = calendar.days(at.timestamp() + 86_400)
    assert day == same
    assert day.date == at.date().isoformat()
    assert next_day.starts_at - day.starts_at == hours * 3600


def test_a_clock_that_is_set_back_over_midnight_is_followed() -> None:
    calendar = CronCalendar([])
    noon = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
    dates = [calendar.days(noon + hours * 3600)[-1].date for hours in (0, 11, 12, 11, 13)]
    assert dates == ["2026-11-30", "2026-11-30", "2026-12-01", "2026-11-30", "2026-12-01"]
