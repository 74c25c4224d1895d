"""What the demand policy remembers, of a bounded size: the minute that runs, averages, a forecast and how far off it has been."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

Features = tuple[float, ...]
"""`TERMS` of them, in servers: the demand now, its moving averages from the quickest to the slowest, and by how much it has risen, or (then
negative) fallen, in the last half minute."""

TERMS = 6
"""Features of a forecast."""

Readings = tuple[tuple[float, float], ...]
"""(time, demand), oldest first."""


class Awaited(NamedTuple):
    """A forecast that waits for the minute that it speaks of.

    Attributes:
        minute: the one at whose end it was made.
        features: what it was made of.
        expected: the demand that it expects, in servers.
        scatter: what its error was measured by when it was made.
    """

    minute: int
    features: Features
    expected: float
    scatter: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """A forecast over a fixed lead, and its record.

    Attributes:
        lead: minutes.
        terms: what each feature counts.
        spread: how uncertain these are: the matrix of recursive least squares, row by row.
        awaited: forecasts whose minute has not come, oldest first; at most as many as the lead has minutes.
        fresh: mean size of the relative errors (logarithms) over the last two hours.
        lasting: the same over a day.
        errors: how often an error was so large, measured by the scatter of its time: bins of equal width, the last day counts most.
    """

    lead: int
    terms: Features
    spread: tuple[Features, ...]
    awaited: tuple[Awaited, ...]
    fresh: float
    lasting: float
    errors: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DemandMemory:
    """The demand policy's part of the memory.

    Attributes:
        minute: which minute runs, counted from the epoch of the daemon's timeline; None: nothing was seen yet.
        total: sum of the demand's readings in it, in servers.
        readings: how many these are.
        recent: the last readings, as far back as the trend looks.
        averages: moving averages at the end of the last minute, from the quickest to the slowest; None before the first.
        outlook: None before the first minute has ended.
        wishes: (time, count) of what was wanted within the stabilization window, as falling maxima, oldest first.
        aim: instances that were last decided to be launched up to.
        aimed_at: when that was.
        known_at: when the demand was last known.
        told: the minute whose end was last worth a write to the roster; None: none yet.
    """

    minute: int | None = None
    total: float = 0.0
    readings: int = 0
    recent: Readings = ()
    averages: tuple[float, float, float] | None = None
    outlook: Outlook | None = None
    wishes: tuple[tuple[float, int], ...] = field(default=())
    aim: int = 0
    aimed_at: float = -math.inf
    known_at: float | None = None
    told: int | None = None
