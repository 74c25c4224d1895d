"""What servers carry: the request rate at which the load stands at its target, from CPU seconds per request and the queue's curve.

The curve is M/M/c's (`burstd.decide.queueing`), and no real site follows it quite: requests cost more equal or more different amounts,
come in bursts, wait for disks. So the utilisation that the load average tells is compared with the one that the CPUs tell, and
their ratio, learned slowly, corrects the capacity. It is measured on the way there and steers nothing by itself, so it cannot hunt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from burstd.decide.queueing import mean_load, utilisation_at
from burstd.decide.traffic import History, busy, saturated, served, undamped, work
from burstd.model.decision import Memory
from burstd.model.policy import Policy

_TRIM_SECONDS = 120.0
"""The correction follows what it sees with this time constant: the mean of three independent looks at a load average."""
TRIM_RANGE = (0.5, 1.5)
"""A correction beyond this means that the learning is wrong, and the threshold policy must answer, not the weights."""
_TELLING = (0.4, 0.92)
"""Utilisations that tell something of the curve: below, the curve is a straight line; above, the queue is what has piled up."""
_TELLING_PART = 0.25
"""Of a core's requests, what a burst server must have served before its own cost per request counts."""
_BUSIEST = 0.95
"""No correction plans a CPU fuller than this."""
_TANGENT = 0.01
"""Utilisation on either side between which the curve's slope is taken."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A server that carries requests.

    Attributes:
        work: CPU seconds per request.
        target: the load that it should stand at, load units.
        part: of the requests of its kind, the part that comes to it, 0..1.
    """

    cpus: int
    work: float
    target: float
    part: float = 1.0

    def carried(self, trim: float) -> float:
        """Requests/s to all of its kind at which this one stands at its target."""
        return min(_BUSIEST, utilisation_at(self.target, self.cpus) * trim) * self.cpus / (self.work * self.part)


def target(policy: Policy, cpus: float) -> float:
    """The target load of a core server with that many CPUs, load units."""
    return policy.routing.target_load * (cpus if policy.load.per_cpu else 1)


def full_load(policy: Policy, cpus: int) -> float:
    """The load at which a core server with that many CPUs is full, load units."""
    return policy.load.scale_out_above * (cpus if policy.load.per_cpu else 1)


def learn_work(memory: Memory, cores: Collection[str]) -> Mapping[str, float]:
    """CPU seconds per request by server, where this minute shows it; else what was learned before.

    What few requests cost a burst server is mostly what it does beside them, so it needs a good part of a core's. And where CPUs were full
    it is at least what it seems: requests whose clients gave up are counted, and have cost nothing.
    """
    usual = fmean([served(history) for name, history in memory.traffic.items() if name in cores] or [0])
    found = dict(memory.work)
    for name, history in memory.traffic.items():
        if name in cores or served(history) >= _TELLING_PART * usual:
            seen = work(history)
            known = name in found or name in cores  # an instance that begins in an overload counts like a core server meanwhile
            if seen is not None and ((known and seen > found.get(name, 0.0)) or not saturated(history)):
                found[name] = seen
    return found


def carried(machines: Sequence[Machine], trim: float) -> float:
    """Requests/s to all of them at which the fullest stands at its target; but never less than half of the mean over them.

    So one that is busy with something else, which no weight can mend, does not take the requests away from all.
    """
    each = [machine.carried(trim) for machine in machines]
    return max(min(each), fmean(each) / 2)


def learn_trim(histories: Iterable[tuple[History, int]], trim: float, seconds: float) -> float:
    """The correction of the capacity, `seconds` after it was `trim`; the histories with each server's CPUs."""
    seen = [error for history, cpus in histories if (error := _error(history, cpus, trim)) is not None]
    if not seen:
        return trim
    moved = trim * (1 - max(-1.0, min(1.0, fmean(seen))) * min(1.0, seconds / _TRIM_SECONDS))
    return max(TRIM_RANGE[0], min(TRIM_RANGE[1], moved))


def _error(history: History, cpus: int, trim: float) -> float | None:
    """By which part the load tells more utilisation than the CPUs and the trim do; None where they tell nothing of the curve.

    Along the curve's tangent, and not by its inverse: that is flat where the queue is long, and scatter would pass for room.
    """
    load, used = undamped(history), busy(history)
    if load is None or used is None or not _TELLING[0] <= used / cpus <= _TELLING[1]:
        return None
    expected = min(_BUSIEST, used / cpus / trim)
    slope = (mean_load(cpus, expected + _TANGENT) - mean_load(cpus, expected - _TANGENT)) / (2 * _TANGENT)
    return (load - mean_load(cpus, expected)) / slope / expected
