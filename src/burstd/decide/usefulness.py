"""Whether more servers would help at all: what they would not mend is not bought, and said.

Three things look like overload and are none that a server mends: tasks on the core that are no requests, a gateway at its own limit, and
burst servers that answer with errors. A purchase held by mistake is worse than one made by mistake, so each is believed only where every
other reading agrees; what is not known is no doubt. It holds back what the load asks for, whichever policy speaks for it, and nothing
that somebody has declared: bounds, orders, schedules, a lost core, blindness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from burstd.decide.capacity import full_load
from burstd.decide.queueing import mean_load, utilisation_at
from burstd.decide.signal import Signal, level_of
from burstd.decide.traffic import History, busy, demand
from burstd.model.decision import Direction, Doubt, Futility, Memory, Proposal
from burstd.model.fleet import Phase
from burstd.model.gateway import GatewayView
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

_SPARE: Final = 0.1
"""Utilisation added to what the CPUs show: requests that come in bursts make a longer queue than the mean of it tells."""
_FULL: Final = 0.97
"""No queue is reckoned at a fuller CPU: it would be as long as one likes."""
_TASKS_A_REQUEST: Final = 2
"""Tasks that one open request may keep busy or waiting on a disk: itself, and a query that it waits for on the same machine."""
_GROWTH: Final = 1.2
"""Requests that come this many times as fast as a minute ago may be what loads the core, whatever else it does."""
_STRAY: Final = 3.0
"""Standard deviations of a Poisson count: what is further away is no scatter any more."""
_SHORT: Final = 10.0
"""Seconds of the shorter look: a surge of this moment must not hide in the mean of a longer one."""
_LOOKS: Final = 8
"""The newest readings of what is open, of which the mean counts: at the usual poll interval those of 40 s, as the CPUs' are."""
_SATURATED: Final = 0.03
"""The part of its time that HAProxy's thread has left at its limit; Idle_pct is whole percents, and the question itself costs some."""
_TAKEN: Final = 0.98
"""The part of HAProxy's connections that are in use at its limit."""
_STANDS: Final = 15.0
"""Seconds for which the gateway must be at its limit, in every reading: a flood of handshakes is over sooner."""
_ENOUGH: Final = 100
"""Requests of the burst servers that tell something of their errors."""
_ERRONEOUS: Final = 0.05
"""The part of the burst servers' requests that end in errors and that nobody would call normal."""
_BY_FAR: Final = 5.0
"""Times as many as the core's."""
_AT_EASE: Final = 0.8
"""Busier burst servers may err because they are too few."""


def full_since(snapshot: Snapshot, memory: Memory) -> float | None:
    """Since when HAProxy itself has been at its limit; None: it is not. What was known stays while it cannot be read."""
    known, view = memory.gateway_full_since, snapshot.gateway
    if not isinstance(view, GatewayView):
        return known
    return (snapshot.now if known is None else known) if _limit_of(view) else None


def doubt(signal: Signal, snapshot: Snapshot, policy: Policy, memory: Memory) -> Doubt | None:
    """Why more servers would not help; None: they may.

    Args:
        signal: the load of this cycle.
        snapshot: the world as it was read.
        policy: the settings in force.
        memory: with the traffic of this cycle, and since when the gateway has been at its limit.
    """
    view, since = snapshot.gateway, memory.gateway_full_since
    if not isinstance(view, GatewayView) or not policy.load.hold_useless:
        return None
    stands = since is not None and snapshot.now - since >= _STANDS
    gateway = _at_its_limit(_limit_of(view), view, policy, memory) if stands else None
    return _burst_errors(snapshot, policy, memory) or gateway or _no_requests(signal, view, policy, memory)


def restrain(wishes: Sequence[Proposal], why: Callable[[], Doubt | None], current: int) -> tuple[tuple[Proposal, ...], Doubt | None]:
    """The wishes that the load has, with those for more held back where more would not help; and the doubt that held one back.

    `why` is asked only where one wishes for more: most cycles do not, and it looks at a minute of everything.
    """
    doubted = why() if any(each.direction is Direction.OUT for each in wishes) else None
    if doubted is None:
        return tuple(wishes), None
    text = f"but more servers would not help: {doubted.text}"
    held = (replace(each, direction=Direction.HOLD, count=current, reason=f"{each.reason}, {text}") for each in wishes)
    return tuple(new if old.direction is Direction.OUT else old for old, new in zip(wishes, held, strict=True)), doubted


def _no_requests(signal: Signal, view: GatewayView, policy: Policy, memory: Memory) -> Doubt | None:
    """Every core server above the threshold stands there by something else than requests.

    A task of the load average runs, waits for a CPU, or waits for a disk. Of the first two there are as many as the CPUs' utilisation
    explains, and of all three no more are requests' than requests are open. Where both stay below the threshold, neither is why it is
    crossed.
    """
    backends = {each.name for each in policy.routing.backends} | {each.joined for each in policy.routing.backends}
    histories = list(memory.traffic.values())
    if _waiting(view) or _grows(histories, backends):
        return None
    requests = _TASKS_A_REQUEST * sum(_mean_open(history[-_LOOKS:]) for history in histories if history)
    told = []
    for core in policy.cores:
        sample, history = signal.samples.get(core.name), memory.traffic.get(core.server, ())
        level = level_of(sample, policy.load) if sample else None
        if sample is None or level is None or level <= policy.load.scale_out_above:
            continue
        used, cpus = _used(history), sample.cpus
        # One that HAProxy has given up, or brings back, may be down because of its load: the requests have left it, and the load has not.
        if used is None or not cpus or core.name in signal.out or core.name in signal.slow:
            return None
        explained = mean_load(cpus, min(_FULL, used / cpus + _SPARE))
        if max(explained, requests) >= full_load(policy, cpus):
            return None
        told.append(
            f"of load {sample.load1:.2f} on {core.name} its CPUs ({used / cpus:.0%} busy{_io(history)}) explain {explained:.1f} at most, "
            f"and the requests {requests:.1f}"
        )
    return Doubt(Futility.NOT_REQUESTS, "; ".join(told)) if told else None


def _mean_open(points: History) -> float:
    return sum(each.open for each in points) / len(points)


def _used(history: History) -> float | None:
    """CPUs that are busy, by the longer look or the shorter one, whichever shows more; None where unknown."""
    longer, shorter = busy(history), busy(history, _SHORT)
    return longer if longer is None or shorter is None else max(longer, shorter)


def _waiting(view: GatewayView) -> bool:
    """Requests wait for a server: another one takes them."""
    return any(backend.queued for backend in view.backends) or any(row.queued for _, row in view.lines)


def _grows(histories: Sequence[History], backends: set[str]) -> bool:
    """More requests come than a minute ago, or nobody knows."""
    before = [each[: max(2, len(each) // 2)] for each in histories if len(each) > 1]
    now, then = demand(histories, backends), demand(before, backends)
    return now is None or then is None or now > _GROWTH * then + _STRAY * math.sqrt(max(now, then) / _SHORT)


def _io(history: History) -> str:
    """What the disks had to do with it, in words; empty where nothing is known of it."""
    points = [each for each in history if each.iowait_seconds is not None]
    span = points[-1].at - points[0].at if points else 0.0
    cpus = points[-1].cpus if points else None
    if span <= 0 or not cpus:
        return ""
    waited = (points[-1].iowait_seconds or 0.0) - (points[0].iowait_seconds or 0.0)
    return f", {max(0.0, waited) / span / cpus:.0%} waiting for disks"


def _limit_of(view: GatewayView) -> str:
    """What HAProxy itself is short of, in words; empty where nothing, or where the requests inside wait for the servers rather."""
    if view.idle is not None and view.idle <= _SATURATED:
        return f"HAProxy itself is at its limit, {view.idle:.0%} idle"
    full = view.most_connections is not None and view.connections >= _TAKEN * view.most_connections
    if full and sum(row.sessions for _, row in view.lines) <= view.connections / 2:
        return f"HAProxy itself is at its limit, with {view.connections} of {view.most_connections} connections"
    return ""


def _at_its_limit(limit: str, view: GatewayView, policy: Policy, memory: Memory) -> Doubt | None:
    """The gateway is what is short, and not the servers: no request waits for one, and no core server's CPUs are full."""
    if not limit or _waiting(view):
        return None
    for history in (memory.traffic.get(core.server, ()) for core in policy.cores):
        used, cpus = _used(history), history[-1].cpus if history else None
        if used is None or not cpus or used / cpus >= utilisation_at(full_load(policy, cpus), cpus):
            return None
    return Doubt(Futility.GATEWAY, f"{limit}, and no core server's CPUs are")


def _burst_errors(snapshot: Snapshot, policy: Policy, memory: Memory) -> Doubt | None:
    """The burst servers err far more than the core does, and not because they are too few."""
    serving = [each.name for each in snapshot.fleet if each.phase is Phase.IN_SERVICE]
    bursts = [history for name in serving if (history := memory.traffic.get(name))]
    cores = [history for core in policy.cores if (history := memory.traffic.get(core.server))]
    burst, core = _error_ratio(bursts), _error_ratio(cores)
    if burst is None or core is None or burst < _ERRONEOUS or burst < _BY_FAR * core:
        return None
    for history in bursts:
        used, cpus = _used(history), history[-1].cpus
        if used is None or not cpus or used / cpus > _AT_EASE:
            return None
    return Doubt(Futility.BURST_ERRORS, f"{burst:.0%} of the burst servers' requests end in errors, {core:.1%} of the core's")


def _error_ratio(histories: Iterable[History]) -> float | None:
    """The part of the requests of the last minute that ended in errors, 0..1; None where they are too few to say."""
    ends = [(each[0], each[-1]) for each in histories]
    requests = sum(last.requests - first.requests for first, last in ends)
    errors = sum(max(0, last.errors - first.errors) for first, last in ends)
    return min(1.0, errors / requests) if requests >= _ENOUGH else None
