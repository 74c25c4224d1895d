"""How much of the traffic the burst servers get: a fixed weight, or one solved each cycle so that the cores stand at their target.

The request rate of the whole backend is conserved when traffic is shifted, the load is not: so the share is solved in requests.
With R requests/s in all, C what the cores carry at their target load and B what the burst servers carry at theirs, the burst share is

    s = min(1 - C/R, B/(B + C)), never below 0

(the second bound shares an overload that both together cannot carry), and b servers of weight w beside cores of weight W in
sum have the share s when w = s/(1-s) W/b.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from burstd.decide.queueing import rate_at
from burstd.decide.traffic import rate, undamped, work
from burstd.model.decision import Memory
from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.load import Sample
from burstd.model.policy import Mode, Policy
from burstd.model.snapshot import Snapshot

LARGEST = 256
"""HAProxy's own limit of a server's weight."""
_EQUAL = 100
"""Where HAProxy spills over, the burst servers share what comes to them evenly: the core's own usual weight."""
_TRIM_SECONDS = 120.0
"""The learned capacity moves by the load's whole relative error in this time: slower than load1 itself, or it would hunt."""
TRIM_RANGE = (0.5, 1.5)
"""A correction beyond this means that the learning is wrong, and the threshold policy must answer, not the weights."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """The wanted weight of every burst server and what it rests on.

    Attributes:
        weights: by the backend that they join, 1..256; a missing one: leave the weights as they are.
        core_capacity: requests/s of one core server at its target load; None while unknown.
        core_rate: requests/s to the cores now; None while unknown.
        burst_rate: requests/s to the burst servers now; None while unknown.
        memory: with the learned parts brought up to this cycle.
    """

    weights: Mapping[str, int]
    reason: str
    core_capacity: float | None
    core_rate: float | None
    burst_rate: float | None
    memory: Memory


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the solver looks at.

    Attributes:
        cores: names of the core servers that serve.
        standing: the weights of those, by backend.
        bursts: the instances in service.
        heads: how many servers will share the burst weight.
    """

    snapshot: Snapshot
    policy: Policy
    memory: Memory
    cores: Sequence[str]
    standing: Mapping[str, Sequence[int]]
    bursts: Sequence[Instance]
    heads: int


def weigh(snapshot: Snapshot, policy: Policy, memory: Memory) -> Weighing:
    """Solve the weights for this cycle; `memory` already holds this cycle's traffic."""
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        return Weighing({}, "HAProxy cannot be read: the weights stay", None, None, None, memory)
    memory = replace(memory, work=_learn(memory))
    scene = _scene(view, snapshot, policy, memory)
    core_rate = _total(rate(memory.traffic.get(name, ())) for name in scene.cores)
    burst_rate = _total(rate(memory.traffic.get(each.name, ())) for each in scene.bursts) if scene.bursts else 0.0
    routing = policy.routing
    fixed = {each.joined: each.weight for each in routing.backends if each.weight is not None}
    if routing.mode is Mode.SPILLOVER:
        equal = {each.joined: each.weight or _EQUAL for each in routing.backends}
        return Weighing(equal, "HAProxy spills over request by request", None, core_rate, burst_rate, memory)
    if len(fixed) == len(routing.backends):
        return Weighing(fixed, "fixed by haproxy.burst_weight", None, core_rate, burst_rate, memory)
    fallback = {**_fallback(scene), **fixed}
    known = Weighing(fallback, "the cores' capacity is not learned yet", None, core_rate, burst_rate, memory)
    learned = _core_capacity(scene)
    if learned is None:
        return known
    if core_rate is None:
        return replace(known, weights={**fallback, **memory.weights, **fixed}, reason="the request rate is not known yet")
    return _solve(_trim(scene), known, learned, core_rate + (burst_rate or 0.0))


def _scene(view: GatewayView, snapshot: Snapshot, policy: Policy, memory: Memory) -> _Scene:
    servers = {core.server for core in policy.cores}
    standing: dict[str, list[int]] = {each.name: [] for each in policy.routing.backends}
    cores: dict[str, None] = {}
    for backend, row in view.lines:
        if row.name in servers and row.status in {ServerStatus.UP, ServerStatus.NO_CHECK} and backend in standing:
            standing[backend].append(row.weight)
            cores[row.name] = None
    bursts = [each for each in snapshot.fleet if each.phase is Phase.IN_SERVICE]
    joining = sum(each.phase is Phase.JOINING and not each.stands_by for each in snapshot.fleet)
    return _Scene(snapshot, policy, memory, list(cores), standing, bursts, max(1, len(bursts) + joining))


def _solve(scene: _Scene, known: Weighing, learned: float, total: float) -> Weighing:
    """The weights for `total` requests/s where the cores are reckoned to carry `learned` requests/s."""
    memory, routing = scene.memory, scene.policy.routing
    capacity = learned * memory.trim
    per_core = capacity / len(scene.cores)
    share = _share(total, capacity, _burst_capacity(scene, per_core))
    weights = {}
    for backend in routing.backends:
        solved = share / (1 - share) * sum(scene.standing[backend.name]) / scene.heads
        weights[backend.joined] = backend.weight or _settle(solved, memory.weights.get(backend.joined), routing.tolerance)
    return replace(
        known,
        weights=weights,
        reason=(
            f"the cores carry {capacity:.0f} of {total:.0f} requests/s at load {routing.target_load:g}: {share:.0%} to the burst servers"
        ),
        core_capacity=per_core,
        memory=replace(memory, weights=weights),
    )


def _share(total: float, capacity: float, carried: float) -> float:
    """The burst servers' share of the requests, 0..1 (see the module's formula)."""
    return 0.0 if total <= capacity else min(1 - capacity / total, carried / (carried + capacity))


def _settle(solved: float, last: int | None, tolerance: float) -> int:
    """The solved weight as HAProxy takes it; a change within the tolerance is left alone."""
    weight = max(1, min(LARGEST, round(solved)))
    return last if last is not None and abs(weight - last) <= tolerance * last else weight


def _fallback(scene: _Scene) -> dict[str, int]:
    """Before anything is learned a burst server counts like a core server."""
    standing = {each.joined: scene.standing[each.name] for each in scene.policy.routing.backends}
    return {name: max(1, min(LARGEST, round(fmean(weights)))) if weights else LARGEST for name, weights in standing.items()}


def _total(rates: Iterable[float | None]) -> float | None:
    known = [each for each in rates if each is not None]
    return sum(known) if known else None


def _learn(memory: Memory) -> Mapping[str, float]:
    """CPU seconds per request by server, where this minute shows it; else what was learned before."""
    fresh = {name: work(history) for name, history in memory.traffic.items()}
    return {**memory.work, **{name: value for name, value in fresh.items() if value is not None}}


def _target(policy: Policy, cpus: int) -> float:
    """The target load of a core server with that many CPUs, load units."""
    return policy.routing.target_load * (cpus if policy.load.per_cpu else 1)


def _core_capacity(scene: _Scene) -> float | None:
    """Requests/s that the cores carry together at their target load; None until every one's CPUs and work per request are known."""
    names = {core.server: core.name for core in scene.policy.cores}
    total = 0.0
    for name in scene.cores:
        sample = scene.memory.samples.get(names[name])
        cost = scene.memory.work.get(name)
        if sample is None or not sample.cpus or not cost:
            return None
        total += rate_at(_target(scene.policy, sample.cpus), sample.cpus, cost)
    return total or None


def _burst_capacity(scene: _Scene, per_core: float) -> float:
    """Requests/s that the burst servers carry together at the cores' target load per CPU.

    What a request costs an instance while it warms up says nothing yet: until then it counts like a core with its number of CPUs,
    and one whose CPUs are not known like a core.
    """
    core_cost = fmean(scene.memory.work[name] for name in scene.cores)
    core_cpus = fmean(sample.cpus or 1 for sample in scene.memory.samples.values())
    per_cpu = _target(scene.policy, round(core_cpus)) / core_cpus
    total = per_core * (scene.heads - len(scene.bursts))
    for each in scene.bursts:
        reading, cost = scene.snapshot.bursts.get(each.name), scene.memory.work.get(each.name)
        cpus = reading.cpus if isinstance(reading, Sample) else None
        warm = scene.snapshot.now - (each.joined_at or scene.snapshot.now) >= scene.policy.load.warm_up
        total += rate_at(per_cpu * cpus, cpus, cost if warm and cost else core_cost) if cpus else per_core
    return total


def _trim(scene: _Scene) -> _Scene:
    """Move the correction of the learned capacity towards what the undamped load shows, while the weights have a hold on it.

    What the cores showed before the last instance came says nothing of how they stand with it.
    """
    memory, now = scene.memory, scene.snapshot.now
    since = max((each.joined_at or now for each in scene.bursts), default=now)
    seen = [load for name in scene.cores if (load := undamped(memory.traffic.get(name, ()), since)) is not None]
    trim = memory.trim
    if seen and memory.trimmed_at is not None and any(weight > 1 for weight in memory.weights.values()):
        target = fmean(_target(scene.policy, sample.cpus or 1) for sample in memory.samples.values())
        error = max(-1.0, min(1.0, (target - fmean(seen)) / target))
        trim *= 1 + error * min(1.0, (now - memory.trimmed_at) / _TRIM_SECONDS)
        trim = max(TRIM_RANGE[0], min(TRIM_RANGE[1], trim))
    return replace(scene, memory=replace(memory, trim=trim, trimmed_at=now))
