"""A load over time, as it was recorded. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from statistics import median


class Kind(StrEnum):
    """What the values of a trace are."""

    REQUESTS = "requests_per_second"
    """To the whole site."""
    LOAD = "load1"
    """The load average of one core server, or the mean over them."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Values over time, each the mean from its point to the next one, or a reading at its point.

    Attributes:
        name: for titles.
        seconds: rising; at least two.
        values: one for each; finite, not negative.
        kind: what the values are.
        held: each value lasts until the next point, in steps; else the values change in a straight line from one to the next.
    """

    name: str
    seconds: tuple[float, ...]
    values: tuple[float, ...]
    kind: Kind = Kind.REQUESTS
    held: bool = False

    @property
    def begin(self) -> float:
        """The first point's time."""
        return self.seconds[0]

    @property
    def step(self) -> float:
        """The usual distance of two points, seconds."""
        return median(after - before for before, after in pairwise(self.seconds))

    @property
    def length(self) -> float:
        """Seconds; the last point lasts as long as the others."""
        return self.seconds[-1] - self.seconds[0] + self.step

    def at(self, seconds: float) -> float:
        """The value at a time; before the first point it is that one's, after the last one that one's."""
        after = bisect_right(self.seconds, seconds)
        if after == 0:
            return self.values[0]
        if after == len(self.seconds) or self.held:
            return self.values[after - 1]
        start, end = self.seconds[after - 1], self.seconds[after]
        low, high = self.values[after - 1], self.values[after]
        return low + (high - low) * (seconds - start) / (end - start)

    def quantile(self, part: float) -> float:
        """The value below which this part of the points lies, 0..1, in a straight line between two of them."""
        ordered = sorted(self.values)
        place = part * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    def times(self, factor: float) -> Trace:
        """The same load, so many times as large."""
        return replace(self, values=tuple(each * factor for each in self.values))
