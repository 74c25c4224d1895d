"""The `Calendar` port without a calendar: windows as they were planned by hand, and days of UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import floor

from burstd.model.cost import Day
from burstd.model.window import HORIZON, Window

_DAY = 86_400


class MemoryCalendar:
    """The `Calendar` port over a list.

    Attributes:
        planned: every window there is; add to it as you like.
        drills: the hours of the drills.
    """

    def __init__(self, *planned: Window, drills: Sequence[float] = ()) -> None:
        """Windows are shown from the horizon, or their lead, before they open on."""
        self.planned = list(planned)
        self.drills = list(drills)

    def windows(self, now: float) -> Sequence[Window]:
        """Those that are open at `now`, or soon will be."""
        return [each for each in self.planned if each.opens_at - max(HORIZON, each.lead or 0.0) <= now < each.closes_at]

    def drill_due(self, now: float) -> float | None:
        """The last of the drills' hours at `now` or before."""
        return max((each for each in self.drills if each <= now), default=None)

    def days(self, now: float) -> tuple[Day, ...]:
        """The last 62 days of UTC."""
        return _days(floor(now / _DAY))


@lru_cache(maxsize=2)
def _days(today: int) -> tuple[Day, ...]:
    starts = [each * _DAY for each in range(today - 61, today + 1)]
    return tuple(Day(datetime.fromtimestamp(each, UTC).date().isoformat(), float(each)) for each in starts)
