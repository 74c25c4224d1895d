"""Rates from counters: requests/s, CPU seconds per request, and the load behind the damped average.

HAProxy counts a request when it is answered, so a queue that grows would hide what comes: what is open counts too. Its counters start
at zero with every new process and every server added anew, so a history is valid only within one process and while its counter grows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from burstd.model.decision import Traffic
from burstd.model.fleet import Phase
from burstd.model.gateway import GatewayView, Line
from burstd.model.load import Reading, Sample
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

History = tuple[Traffic, ...]

_KEEP = 75.0
"""Seconds of history: the load average's own minute, and a poll or two."""
_SPACING = 0.9
"""Seconds between two kept points: bounds the history at about 80 however short the poll interval is."""
_RATE_WINDOW = 10.0
"""Seconds over which a request rate is taken: long enough to be calm, short enough to follow a burst."""
_CALM_WINDOW = 20.0
"""Seconds over which demand is taken while it is steady: less scatter than over the window above, and late by ten seconds only."""
_STEADY = 3.0
"""Standard deviations of a Poisson count: further away is no scatter any more."""
_SURGE = 0.05
"""A relative change of the demand below this moves a load by less than the average's own scatter."""
_NEWEST = 4.0
"""Seconds; a poll or so: a step of the demand is followed within the cycle that sees it."""
_ENOUGH_REQUESTS = 30
"""Fewer than this say too little about the work per request."""
_MANY_REQUESTS = 500
"""As many show a rate within a twentieth."""
_DAMPING = 60.0
"""Time constant of the kernel's load1, seconds (include/linux/sched/loadavg.h)."""
_UNDAMP_FROM = 20.0
"""A shorter history cannot be undamped: the kernel moves load1 every 5 s only."""
_FULL = 0.95
"""The busy part from which CPUs count as full: a queue of any size stands before it."""
_FULL_FOR = 10.0
"""Seconds over which they must be: in a shorter time a site that is half busy is full by chance."""
_TOLD = frozenset({Phase.JOINING, Phase.IN_SERVICE, Phase.DRAINING})
"""What takes requests in these phases, will soon, or did so a moment ago."""
_UNDAMP_OVER = 40.0
"""A longer one says more of what was than of what is."""


def remember(snapshot: Snapshot, policy: Policy) -> tuple[Mapping[str, History], tuple[int, float] | None]:
    """The histories by server name, over all backends, with this cycle's point added, and the HAProxy process that they belong to.

    An instance has one from before it takes traffic until a while after its line is gone: else the requests that it served would be missing
    in the sum of all, and a demand that dips and comes again looks like one that rises. While HAProxy cannot be read the histories stand
    still.
    """
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        return snapshot.memory.traffic, snapshot.memory.process
    process = (view.pid, view.started)
    known = snapshot.memory.traffic if process == snapshot.memory.process else {}
    readings: dict[str, Reading | None] = {core.server: snapshot.cores.get(core.name) for core in policy.cores}
    readings |= {each.name: snapshot.bursts.get(each.name) for each in snapshot.fleet if each.phase in _TOLD}
    histories = {name: history for name, history in known.items() if snapshot.now - history[-1].at <= _CALM_WINDOW}
    for name, reading in readings.items():
        if lines := view.lines_of(name):
            histories[name] = _append(known.get(name, ()), _point(snapshot.now, lines, reading))
    return histories, process


def _point(now: float, lines: Sequence[Line], reading: Reading | None) -> Traffic:
    """What a server's lines count by now, over all backends, with what its exporter shows."""
    sample = reading if isinstance(reading, Sample) else None
    requests = waiting = errors = 0
    arrived: dict[str, int] = {}
    for backend, row in lines:
        requests += row.requests
        waiting += row.sessions + row.queued
        errors += row.errors + row.refusals
        arrived[backend] = arrived.get(backend, 0) + row.requests + row.sessions + row.queued
    return Traffic(
        at=now,
        requests=requests,
        busy_seconds=sample.busy_seconds if sample else None,
        load1=sample.load1 if sample else None,
        arrived=arrived,
        idle_seconds=sample.idle_seconds if sample else None,
        cpus=sample.cpus if sample else None,
        iowait_seconds=sample.iowait_seconds if sample else None,
        open=waiting,
        errors=errors,
    )


def _append(history: History, point: Traffic) -> History:
    if history and point.requests < history[-1].requests:
        return (point,)
    oldest = point.at - _KEEP
    recent = [each for each in history if each.at >= oldest]
    if len(recent) > 1 and recent[-1].at - recent[-2].at < _SPACING:
        del recent[-1]
    return (*recent, point)


def rate(history: History) -> float | None:
    """Requests/s over the last few seconds; None until there are two points."""
    if not history:
        return None
    first, last = _before(history, _RATE_WINDOW), history[-1]
    span = last.at - first.at
    return (last.requests - first.requests) / span if span > 0 else None


def _before(history: History, window: float) -> Traffic:
    """The newest point from before the window that ends with the last one, or the first of all.

    One before the window keeps a rate where the poll interval is as long as the window itself.
    """
    now = history[-1].at
    for point in reversed(history):
        if now - point.at >= window:
            return point
    return history[0]


def demand(histories: Sequence[History], backends: Collection[str]) -> float | None:
    """Requests/s that come to these servers in these backends, answered or not; None until there are two points.

    While it is steady it is taken over a long window; where the newer requests say otherwise, over a shorter one.
    """
    if not backends:
        return 0.0
    longest = max(histories, key=len, default=())
    if len(longest) < 2 or longest[-1].at <= longest[0].at:  # noqa: PLR2004 - a rate takes two points
        return None
    calm, quick, newest = [_came(histories, backends, longest, window) for window in (_CALM_WINDOW, _RATE_WINDOW, _NEWEST)]
    chosen = quick if abs(quick - calm) > _scatter(calm, _RATE_WINDOW) else calm
    return newest if newest > chosen + _scatter(chosen, _NEWEST) else chosen


def arrivals(histories: Sequence[History], backends: Collection[str]) -> float | None:
    """The same, as a forecast wants it: as new as the scatter allows, and always equally late, so that a trend in it is one.

    `demand` dwells on what was until it is sure of a change; read half a minute apart that looks like a rise and its end.
    """
    longest = max(histories, key=len, default=())
    if len(longest) < 2 or longest[-1].at <= longest[0].at:  # noqa: PLR2004 - a rate takes two points
        return None
    calm = _came(histories, backends, longest, _CALM_WINDOW)
    short = next((each for each in (_NEWEST, _RATE_WINDOW) if calm * each >= _MANY_REQUESTS), None)
    return calm if short is None else _came(histories, backends, longest, short)


def _scatter(rate: float, window: float) -> float:
    """By how much a rate over a window may differ from the true one, requests/s."""
    return _STEADY * math.sqrt(rate / window) + _SURGE * rate


def _came(histories: Sequence[History], backends: Collection[str], longest: History, window: float) -> float:
    """Requests/s over the last seconds, `window` of them or as many as the longest history has."""
    began, came = _before(longest, window).at, 0
    for history in filter(None, histories):
        until, since = history[-1].arrived, _last_by(history, began).arrived
        for name in backends:
            came += until.get(name, 0) - since.get(name, 0)
    return max(0.0, came / (longest[-1].at - began))


def _last_by(history: History, moment: float) -> Traffic:
    """The last point that is not later; of a server that came later the first one, since it has counted from zero since."""
    for point in reversed(history):
        if point.at <= moment:
            return point
    return history[0]


def served(history: History) -> int:
    """Requests answered over the history."""
    return history[-1].requests - history[0].requests if history else 0


def work(history: History) -> float | None:
    """CPU seconds per request over the history; None where too few requests or no CPU seconds are known."""
    points = [each for each in history if each.busy_seconds is not None]
    if len(points) < 2:  # noqa: PLR2004 - a difference takes two points
        return None
    first, last = points[0], points[-1]
    requests = last.requests - first.requests
    spent = _spent(first, last)
    return spent / requests if requests >= _ENOUGH_REQUESTS and spent > 0 else None


def saturated(history: History) -> bool:
    """The CPUs were full for a part of the history: some requests waited so long that their clients may have given up."""
    points = [each for each in history if each.busy_seconds is not None]
    start = 0
    for place, point in enumerate(points):
        span = point.at - points[start].at
        if span >= _FULL_FOR:
            if point.cpus and _spent(points[start], point) >= _FULL * point.cpus * span:
                return True
            start = place
    return False


def _spent(first: Traffic, last: Traffic) -> float:
    """CPU seconds between two points that have them, as the part of the time in which the CPUs were busy.

    Not the counter's own difference where the idle seconds are known: a machine that is held to a part of its CPUs (a container's quota, as
    lxcfs shows it) counts busy and idle seconds of that part alone, and is full when there are no idle ones.
    """
    busy = (last.busy_seconds or 0.0) - (first.busy_seconds or 0.0)
    if last.idle_seconds is None or first.idle_seconds is None or not last.cpus:
        return busy
    idle = last.idle_seconds - first.idle_seconds
    return last.cpus * (last.at - first.at) * busy / (busy + idle) if busy > 0 <= idle else busy


def undamped(history: History, since: float = -math.inf) -> float | None:
    """Mean run queue of late, load units: the exponential filter of load1 inverted; None where the history since then is short.

    load1 follows L(t) = L(t-h) e^(-h/60) + n (1 - e^(-h/60)) for a run queue n that was constant over h.
    """
    earliest = max(since, history[-1].at - _UNDAMP_OVER) if history else since
    points = [each for each in history if each.load1 is not None and each.at >= earliest]
    span = points[-1].at - points[0].at if points else 0.0
    if span < _UNDAMP_FROM:
        return None
    first, last = points[0], points[-1]
    left = math.exp(-span / _DAMPING)
    return max(0.0, ((last.load1 or 0.0) - (first.load1 or 0.0) * left) / (1 - left))


def busy(history: History, over: float = _UNDAMP_OVER) -> float | None:
    """CPUs that were busy, on average over the last so many seconds; None where less than half of that is known.

    Where nothing else is said it is the time that `undamped` looks at.
    """
    earliest = history[-1].at - over if history else 0.0
    points = [each for each in history if each.busy_seconds is not None and each.at >= earliest]
    span = points[-1].at - points[0].at if points else 0.0
    return _spent(points[0], points[-1]) / span if span >= over / 2 else None
