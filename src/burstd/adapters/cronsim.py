"""The `Calendar` port by cron and by dates: when each schedule opens in its own time zone, and when days begin. It reads no clock.

Over daylight saving the rules are cronsim's, which are Debian cron's: an opening at an hour of the day comes once on every day, at
the end of the gap where its hour is skipped, and the first time where its hour comes twice. Where the minute or the hour starts with
`*` it follows the clock as it goes: an hour that is skipped has no opening, one that comes twice has two. A window lasts its duration
in real seconds. A date with its hour opens by the first of these rules too: at the end of the gap, and the first time of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from math import floor
from zoneinfo import ZoneInfo

from cronsim import CronSim

from burstd.model.cost import Day
from burstd.model.window import HORIZON, Window

_FOLD = timedelta(hours=3)
"""Looking back starts this much later: in an hour that comes twice cronsim takes the second for the first, and would miss what has
opened in between. No zone's clock goes back further at once."""


_DAYS = 62
"""Days that are told: this month and the whole one before it."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When how many instances are wanted.

    Attributes:
        cron: five fields, known to be right; None: it has none.
        at: dates with an hour, local ("2026-12-24 08:00"), known to be right.
        zone: IANA name, known to be there.
        minimum: instances.
        duration: seconds that a window stays open.
        lead: seconds before it opens for which its instances are wanted; None: for as long as a boot takes.
    """

    name: str
    cron: str | None
    zone: str
    minimum: int
    duration: float
    lead: float | None = None
    at: tuple[str, ...] = ()


class CronCalendar:
    """The windows of these schedules, the hours of the drills, and the days of a zone."""

    def __init__(self, schedules: Sequence[Schedule], drill: tuple[str, str] | None = None, zone: str = "UTC") -> None:
        """Look the zones up; `drill` is the cron of the drills and its zone, `zone` that of the days, all known to be right."""
        zones = [(each, ZoneInfo(each.zone)) for each in schedules]
        self._schedules = [(each, place, sorted(_moment(date, place) for date in each.at)) for each, place in zones]
        self._drill = None if drill is None else (drill[0], ZoneInfo(drill[1]))
        self._zone = ZoneInfo(zone)
        self._days: tuple[Day, ...] = ()
        self._days_until = 0.0

    def windows(self, now: float) -> Sequence[Window]:
        """Of each schedule the last opening while its window is open, and the next one where it is soon."""
        return [
            Window(schedule.name, schedule.minimum, opens_at, opens_at + schedule.duration, schedule.lead)
            for schedule, zone, dates in self._schedules
            for opens_at in _around(schedule.cron, dates, now, zone)
            if opens_at - max(HORIZON, schedule.lead or 0.0) <= now < opens_at + schedule.duration
        ]

    def over(self, now: float) -> Sequence[str]:
        """The schedules that never open again: they have dates alone, and the last window of these has closed."""
        return [
            schedule.name
            for schedule, _, dates in self._schedules
            if schedule.cron is None and dates and max(dates) + schedule.duration <= now
        ]

    def drill_due(self, now: float) -> float | None:
        """When the drills' schedule last opened, at `now` or before."""
        if self._drill is None:
            return None
        cron, zone = self._drill
        return next(_back(cron, now, zone), None)

    def days(self, now: float) -> tuple[Day, ...]:
        """Reckoned once a day: a day begins at midnight of the zone, or at the end of the gap where midnight is skipped."""
        if not self._days or not self._days[-1].starts_at <= now < self._days_until:
            tomorrow = datetime.fromtimestamp(floor(now), self._zone).date() + timedelta(days=1)
            dates = [tomorrow - timedelta(days=back) for back in range(_DAYS + 1, -1, -1)]
            every = [Day(each.isoformat(), datetime.combine(each, time.min, self._zone).timestamp()) for each in dates]
            begun = [each for each in every if each.starts_at <= now]
            self._days = tuple(begun[-_DAYS:])
            self._days_until = every[len(begun)].starts_at
        return self._days


def _back(cron: str, now: float, zone: ZoneInfo) -> Iterator[float]:
    """The openings at or before `now`, the last one first."""
    at = datetime.fromtimestamp(floor(now), zone)
    return (each for opening in CronSim(cron, at + _FOLD, reverse=True) if (each := opening.timestamp()) <= now)


def _around(cron: str | None, dates: Sequence[float], now: float, zone: ZoneInfo) -> list[float]:
    """The last opening at or before `now`, and the first one after it, where there are such: two lookups, however dense the openings."""
    last, coming = [each for each in dates if each <= now], [each for each in dates if each > now]
    if cron is not None:
        ahead = (each.timestamp() for each in CronSim(cron, datetime.fromtimestamp(floor(now), zone)))
        last += [each for each in (next(_back(cron, now, zone), None),) if each is not None]
        coming += [each for each in (next((each for each in ahead if each > now), None),) if each is not None]
    return [*([max(last)] if last else []), *([min(coming)] if coming else [])]


def _moment(date: str, zone: ZoneInfo) -> float:
    """When the clocks of the zone show that for the first time, seconds since the epoch; where they skip it, when they go on."""
    local = datetime.fromisoformat(date).replace(tzinfo=zone)
    first, second = local.timestamp(), local.replace(fold=1).timestamp()
    if first <= second:
        return first
    # In a gap the two readings lie on either side of it, and the clocks go on at the first minute with the new offset.
    offset = datetime.fromtimestamp(first, zone).utcoffset()
    minutes = (second + 60 * number for number in range(round((first - second) / 60) + 1))
    return next(each for each in minutes if datetime.fromtimestamp(each, zone).utcoffset() == offset)
