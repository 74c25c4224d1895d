"""A span of time for which a schedule wants instances. Pure; it knows neither calendar nor time zone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """One opening of a schedule: open from `opens_at` on, and no longer at `closes_at`.

    Attributes:
        name: the schedule's.
        minimum: instances wanted at least.
        opens_at: seconds on the daemon's timeline.
        closes_at: the same.
    """

    name: str
    minimum: int
    opens_at: float
    closes_at: float
