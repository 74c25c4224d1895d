"""How well a fleet followed its demand, and what it cost. Pure: any timeline can be measured, burstd's or another autoscaler's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from burstd.simulate.clairvoyant import clairvoyant_hours
from burstd.simulate.timeline import Moment
from burstd.simulate.world import WorldSpec

FLAP = 900.0
"""Seconds: who buys and gives back within a quarter of an hour has changed its mind."""
_SLACK = 1e-9
"""Servers: rounding of the last bit is no overload."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures of one run.

    Attributes:
        seconds: length of the timeline.
        overloaded: percent of the time in which the demand was above what cores and instances in service carry.
        under: server-time that was missing then, percent of the demand's server-time.
        over: instance-time in service that the demand did not need, in whole servers, percent of the demand's server-time.
        instance_hours: from the create to the destroy.
        clairvoyant_hours: what knowing the future would have cost.
        ratio: the one over the other; None where the clairvoyant needs no instance.
        launches: creates.
        flaps: scale-outs that a scale-in follows within 15 minutes.
        flaps_a_day: the same for each day.
        cost: instance-hours at the price; None without a price.
        currency: of the cost.
    """

    seconds: float
    overloaded: float
    under: float
    over: float
    instance_hours: float
    clairvoyant_hours: float
    ratio: float | None
    launches: int
    flaps: int
    flaps_a_day: float
    cost: float | None
    currency: str | None

    def document(self) -> dict[str, Any]:
        """As JSON can carry it."""
        return asdict(self)


def measure(moments: Sequence[Moment], world: WorldSpec) -> Measures:
    """The figures of these moments, at least one."""
    seconds = math.fsum(each.seconds for each in moments)
    demand = math.fsum(each.demand * each.seconds for each in moments)
    missing = [max(0.0, each.demand - world.cores - each.in_service) for each in moments]
    overloaded = math.fsum(each.seconds for each, short in zip(moments, missing, strict=True) if short > _SLACK)
    under = math.fsum(each.seconds * short for each, short in zip(moments, missing, strict=True))
    over = math.fsum(each.seconds * _idle(each, world) for each in moments)
    hours = math.fsum(each.billed * each.seconds for each in moments) / 3600
    least = clairvoyant_hours(moments, world)
    flaps = count_flaps(moments)
    return Measures(
        seconds=seconds,
        overloaded=100 * overloaded / seconds,
        under=100 * under / demand if demand else 0.0,
        over=100 * over / demand if demand else 0.0,
        instance_hours=hours,
        clairvoyant_hours=least,
        ratio=hours / least if least else None,
        launches=sum(each.launched for each in moments),
        flaps=flaps,
        flaps_a_day=flaps * 86_400 / seconds,
        cost=None if world.price is None else hours * world.price,
        currency=world.currency,
    )


def count_flaps(moments: Sequence[Moment]) -> int:
    """Scale-outs (more are wanted than before) that a scale-in follows within 15 minutes."""
    changes = [(after.at, after.desired - before.desired) for before, after in pairwise(moments) if after.desired != before.desired]
    flaps = 0
    for number, (at, change) in enumerate(changes):
        if change > 0:
            last = next((then for then, later in changes[number + 1 :] if later < 0), math.inf)
            flaps += last - at <= FLAP
    return flaps


def _idle(moment: Moment, world: WorldSpec) -> int:
    """Instances in service beyond the whole servers that the demand needs."""
    return max(0, moment.in_service - max(0, math.ceil(moment.demand - _SLACK) - world.cores))
