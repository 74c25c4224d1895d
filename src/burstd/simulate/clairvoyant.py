"""Who knows the future and is never overloaded: the least that instances with this boot time can cost. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from burstd.simulate.timeline import Moment
from burstd.simulate.world import WorldSpec

_SLACK = 1e-9
"""Servers: a demand of just so many servers is no more than that, whatever the last bit says."""


def needed(demand: float, world: WorldSpec) -> int:
    """Instances without which the demand (in servers) would be more than the capacity, as far as the maximum goes."""
    return max(0, min(world.maximum, math.ceil(demand - world.cores - _SLACK)))


def clairvoyant_hours(moments: Sequence[Moment], world: WorldSpec) -> float:
    """Instance-hours of the clairvoyant on the demand of these moments.

    What is needed at t + boot must be paid for from t on, and what is needed soon again is cheaper kept than booted anew: so it pays at t
    the most that is needed from t to t + boot, with the mean boot time. No real autoscaler can cost less without an overload.
    """
    wants = [needed(each.demand, world) for each in moments]
    hours, ahead = 0.0, 0
    highest: deque[int] = deque()  # places of the wants in the window; those that a later and higher one hides are left out
    for number, moment in enumerate(moments):
        while ahead < len(moments) and moments[ahead].at <= moment.at + world.mean_boot:
            while highest and wants[highest[-1]] <= wants[ahead]:
                highest.pop()
            highest.append(ahead)
            ahead += 1
        while highest[0] < number:
            highest.popleft()
        hours += wants[highest[0]] * moment.seconds / 3600
    return hours
