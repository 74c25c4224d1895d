"""A span of time for which a schedule wants instances. Pure; it knows neither calendar nor time zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HORIZON: Final = 3600.0
"""Seconds ahead that a calendar shows at least: longer than any boot that somebody would plan with, and no more than one opening of most
schedules. Which of the windows shown are acted on is decided elsewhere."""


@dataclass(frozen=True, slots=True)
class Window:
    """One opening of a schedule: open from `opens_at` on, and no longer at `closes_at`.

    Attributes:
        name: the schedule's.
        minimum: instances wanted at least.
        opens_at: seconds on the daemon's timeline.
        closes_at: the same.
        lead: for how long before it opens its instances are wanted, seconds; None: for as long as a boot takes.
    """

    name: str
    minimum: int
    opens_at: float
    closes_at: float
    lead: float | None = None
