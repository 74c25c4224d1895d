"""Where the demand is going: how it has moved in the last half minute. Pure.

What rises for half a minute mostly rises on: a forecast that is two minutes ahead sees by it what an average shows a minute later.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from burstd.model.demand import Readings

OVER: Final = 30.0
"""Seconds over which it is taken: shorter ones show the scatter of single requests, longer ones the bend before the last."""
_ABOUT: Final = 25.0
"""Seconds that are as good: polls are not on time to the second."""
_OLDEST: Final = 90.0
"""Seconds after which an earlier reading says nothing of now; a poll interval of a minute still has its last one."""
_SPACING: Final = 4.0
"""Seconds between two readings that are kept: bounds them at about ten however short the poll interval is."""


class Earlier(NamedTuple):
    """The demand half a minute ago.

    Attributes:
        demand: in servers.
        pace: by this the difference to it is multiplied to be that of half a minute; 0 where no earlier demand is known.
    """

    demand: float = 0.0
    pace: float = 0.0

    def change(self, demand: float) -> float:
        """Servers by which the demand has risen in half a minute; negative where it has fallen."""
        return (demand - self.demand) * self.pace


def earlier(recent: Readings, now: float) -> Earlier:
    """The newest of these readings that is about half a minute old."""
    for at, demand in reversed(recent):
        if now - at >= _ABOUT:
            return Earlier(demand, OVER / (now - at)) if now - at <= _OLDEST else Earlier()
    return Earlier()


def remembered(recent: Readings, now: float, demand: float) -> Readings:
    """With the reading of now, without those that nobody will look at any more."""
    if len(recent) > 1 and recent[-1][0] - recent[-2][0] < _SPACING:
        recent = recent[:-1]
    first = next((place for place in range(len(recent) - 1, 0, -1) if now - recent[place][0] >= _ABOUT), 0)
    return (*recent[first:], (now, demand))
