"""What a simulated fleet did over time, moment by moment; of burstd or of whoever else scales. Pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from burstd.simulate.trace import Trace
from burstd.simulate.world import WorldSpec

_PIECE = 5.0
"""Seconds in which a demand is taken for constant: as long as a daemon would not look at it either."""
COLUMNS = ("t", "demand", "in_service", "booting", "desired", "load1", "reason")
"""Of the CSV file."""


class Moment(NamedTuple):
    """From one decision to the next, in which nothing changes but the demand.

    Attributes:
        at: seconds since the trace began.
        seconds: how long it lasts.
        demand: in servers: the request rate over what one server carries at the threshold.
        in_service: instances that take traffic.
        booting: instances on their way into service.
        desired: instances that are wanted in service.
        billed: instances that somebody pays for.
        launched: creates in this moment.
        load1: the mean load average of the core servers; None where nobody reckons it.
        reason: why so many are wanted.
    """

    at: float
    seconds: float
    demand: float
    in_service: int
    booting: int
    desired: int
    billed: int
    launched: int = 0
    load1: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on one trace.

    Attributes:
        policy: its name.
        moments: without a gap, in their order.
        given_up: requests whose clients gave up in an overload.
        requests: all of them.
    """

    policy: str
    trace: Trace
    world: WorldSpec
    seed: int
    moments: Sequence[Moment]
    given_up: float = 0.0
    requests: float = 0.0


def finely(moments: Sequence[Moment], trace: Trace, world: WorldSpec) -> list[Moment]:
    """The same in pieces of a few seconds, each with the demand of its middle: from one decision to the next the demand moves on."""
    pieces = []
    for each in moments:
        count = max(1, math.ceil(each.seconds / _PIECE))
        length = each.seconds / count
        for number in range(count):
            at = each.at + number * length
            demand = trace.at(trace.begin + at + length / 2) / world.capacity
            pieces.append(each._replace(at=at, seconds=length, demand=demand, launched=0 if number else each.launched))
    return pieces


def as_csv(run: Run) -> str:
    """The timeline with a head line, a line for each moment."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in run.moments:
        load = "" if each.load1 is None else f"{each.load1:.3f}"
        writer.writerow((f"{each.at:g}", f"{each.demand:.4f}", each.in_service, each.booting, each.desired, load, each.reason))
    return out.getvalue()
