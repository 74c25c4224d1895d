"""Rates from counters: requests/s, CPU seconds per request, and the load behind the damped average.

HAProxy's counters start at zero with every new process and every server added anew, so a history is valid only within one
process and only while its counter grows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from burstd.model.decision import Traffic
from burstd.model.fleet import Phase
from burstd.model.gateway import GatewayView
from burstd.model.load import Reading, Sample
from burstd.model.naming import instance_of
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

History = tuple[Traffic, ...]

_KEEP = 75.0
"""Seconds of history: the load average's own minute, and a poll or two."""
_SPACING = 0.9
"""Seconds between two kept points: bounds the history at about 80 however short the poll interval is."""
_RATE_WINDOW = 10.0
"""Seconds over which a request rate is taken: long enough to be calm, short enough to follow a burst."""
_ENOUGH_REQUESTS = 30
"""Fewer than this say too little about the work per request."""
_DAMPING = 60.0
"""Time constant of the kernel's load1, seconds (include/linux/sched/loadavg.h)."""
_UNDAMP_FROM = 20.0
"""A shorter history cannot be undamped: the kernel moves load1 every 5 s only."""
_UNDAMP_OVER = 40.0
"""A longer one says more of what was than of what is."""


def remember(snapshot: Snapshot, policy: Policy) -> tuple[Mapping[str, History], tuple[int, float] | None]:
    """The histories by server name, over all backends, with this cycle's point added, and the HAProxy process that they belong to.

    While HAProxy cannot be read the histories stand still.
    """
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        return snapshot.memory.traffic, snapshot.memory.process
    process = (view.pid, view.started)
    known = snapshot.memory.traffic if process == snapshot.memory.process else {}
    readings: dict[str, Reading | None] = {core.server: snapshot.cores.get(core.name) for core in policy.cores}
    readings |= {each.name: snapshot.bursts.get(each.name) for each in snapshot.fleet if each.phase is Phase.IN_SERVICE}
    requests: dict[str, int] = {}
    for _, row in view.lines:
        requests[instance_of(row.name)] = requests.get(instance_of(row.name), 0) + row.requests
    histories: dict[str, History] = {}
    for name in requests.keys() & readings.keys():
        reading = readings[name]
        sample = reading if isinstance(reading, Sample) else None
        point = Traffic(
            at=snapshot.now,
            requests=requests[name],
            busy_seconds=sample.busy_seconds if sample else None,
            load1=sample.load1 if sample else None,
        )
        histories[name] = _append(known.get(name, ()), point)
    return histories, process


def _append(history: History, point: Traffic) -> History:
    if history and point.requests < history[-1].requests:
        return (point,)
    recent = tuple(each for each in history if each.at >= point.at - _KEEP)
    if len(recent) > 1 and recent[-1].at - recent[-2].at < _SPACING:
        recent = recent[:-1]
    return (*recent, point)


def rate(history: History) -> float | None:
    """Requests/s over the last few seconds; None until there are two points."""
    if not history:
        return None
    last = history[-1]
    # One point before the window keeps a rate where the poll interval is as long as the window itself.
    first = next((each for each in reversed(history[:-1]) if last.at - each.at >= _RATE_WINDOW), history[0])
    span = last.at - first.at
    return (last.requests - first.requests) / span if span > 0 else None


def work(history: History) -> float | None:
    """CPU seconds per request over the history; None where too few requests or no CPU seconds are known."""
    points = [each for each in history if each.busy_seconds is not None]
    if len(points) < 2:  # noqa: PLR2004 - a difference takes two points
        return None
    first, last = points[0], points[-1]
    requests = last.requests - first.requests
    spent = (last.busy_seconds or 0.0) - (first.busy_seconds or 0.0)
    return spent / requests if requests >= _ENOUGH_REQUESTS and spent > 0 else None


def undamped(history: History, since: float = -math.inf) -> float | None:
    """Mean run queue of late, load units: the exponential filter of load1 inverted; None where the history since then is short.

    load1 follows L(t) = L(t-h) e^(-h/60) + n (1 - e^(-h/60)) for a run queue n that was constant over h.
    """
    earliest = max(since, history[-1].at - _UNDAMP_OVER) if history else since
    points = [each for each in history if each.load1 is not None and each.at >= earliest]
    if not points:
        return None
    first, last = points[0], points[-1]
    span = last.at - first.at
    if span < _UNDAMP_FROM:
        return None
    left = math.exp(-span / _DAMPING)
    return max(0.0, ((last.load1 or 0.0) - (first.load1 or 0.0) * left) / (1 - left))
