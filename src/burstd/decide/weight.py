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
from burstd.model.gateway import GatewayView, ServerRow, ServerStatus
from burstd.model.load import Reading, Sample
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

_LARGEST = 256
"""HAProxy's own limit of a server's weight."""
_TRIM_SECONDS = 120.0
"""The learned capacity moves by the load's whole relative error in this time: slower than load1 itself, or it would hunt."""
_TRIM_RANGE = (0.5, 1.5)
"""A correction beyond this means that the learning is wrong, and the threshold policy must answer, not the weights."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """The wanted weight of every burst server and what it rests on.

    Attributes:
        weight: 1..256; None: leave the weights as they are.
        core_capacity: requests/s of one core server at its target load; None while unknown.
        core_rate: requests/s to the cores now; None while unknown.
        burst_rate: requests/s to the burst servers now; None while unknown.
        memory: with the learned parts brought up to this cycle.
    """

    weight: int | None
    reason: str
    core_capacity: float | None
    core_rate: float | None
    burst_rate: float | None
    memory: Memory


def weigh(snapshot: Snapshot, policy: Policy, memory: Memory) -> Weighing:
    """Solve the weight for this cycle; `memory` already holds this cycle's traffic."""
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        return Weighing(None, "HAProxy cannot be read: the weights stay", None, None, None, memory)
    servers = {core.server for core in policy.cores}
    cores = [row for row in view.servers if row.name in servers and row.status in {ServerStatus.UP, ServerStatus.NO_CHECK}]
    bursts = [each for each in snapshot.fleet if each.phase is Phase.IN_SERVICE]
    joining = sum(each.phase is Phase.JOINING for each in snapshot.fleet)
    core_rate = _total(rate(memory.traffic.get(row.name, ())) for row in cores)
    burst_rate = _total(rate(memory.traffic.get(each.name, ())) for each in bursts) if bursts else 0.0
    memory = replace(memory, work=_learn(memory))
    known = Weighing(memory.weight, "", None, core_rate, burst_rate, memory)
    if policy.routing.burst_weight is not None:
        return replace(known, weight=policy.routing.burst_weight, reason="fixed by haproxy.burst_weight")
    capacity = _core_capacity(snapshot, policy, memory, cores)
    if capacity is None or core_rate is None:
        weight = memory.weight or _fallback(cores)
        return replace(known, weight=weight, reason="the cores' capacity is not learned yet", memory=replace(memory, weight=weight))
    memory = _trim(memory, policy, snapshot, cores, active=bool(bursts))
    capacity *= memory.trim
    per_core = capacity / len(cores)
    heads = max(1, len(bursts) + joining)
    carried = _burst_capacity(snapshot, policy, memory, bursts, per_core, heads)
    total = core_rate + (burst_rate or 0.0)
    share = _share(total, capacity, carried)
    solved = share / (1 - share) * sum(row.weight for row in cores) / heads
    weight = _settle(solved, memory.weight, policy.routing.tolerance)
    reason = f"the cores carry {capacity:.0f} of {total:.0f} requests/s at load {policy.routing.target_load:g}: {share:.0%} to {heads} burst"
    return replace(known, weight=weight, reason=reason, core_capacity=per_core, memory=replace(memory, weight=weight))


def _share(total: float, capacity: float, carried: float) -> float:
    """The burst servers' share of the requests, 0..1 (see the module's formula)."""
    if total <= capacity:
        return 0.0
    return min(1 - capacity / total, carried / (carried + capacity))


def _settle(solved: float, last: int | None, tolerance: float) -> int:
    """The solved weight as HAProxy takes it; a change within the tolerance is left alone."""
    weight = max(1, min(_LARGEST, round(solved)))
    if last is not None and abs(weight - last) <= tolerance * last:
        return last
    return weight


def _fallback(cores: Sequence[ServerRow]) -> int:
    """Before anything is learned a burst server counts like a core server."""
    weights = [row.weight for row in cores]
    return max(1, min(_LARGEST, round(fmean(weights)))) if weights else 100


def _total(rates: Iterable[float | None]) -> float | None:
    known = [each for each in rates if each is not None]
    return sum(known) if known else None


def _learn(memory: Memory) -> Mapping[str, float]:
    """CPU seconds per request by server, where this minute shows it; else what was learned before."""
    fresh = {name: work(history) for name, history in memory.traffic.items()}
    return {**memory.work, **{name: value for name, value in fresh.items() if value is not None}}


def _target(policy: Policy, cpus: int) -> float:
    """The target load of a server with that many CPUs, load units."""
    return policy.routing.target_load * (cpus if policy.load.per_cpu else 1)


def _cpus(reading: Reading | None) -> int | None:
    return reading.cpus if isinstance(reading, Sample) else None


def _core_capacity(snapshot: Snapshot, policy: Policy, memory: Memory, cores: Sequence[ServerRow]) -> float | None:
    """Requests/s that the cores carry together at their target load; None until every one's work per request is known."""
    by_server = {core.server: core.name for core in policy.cores}
    total = 0.0
    for row in cores:
        name = by_server[row.name]
        sample = memory.samples.get(name)
        cpus = _cpus(snapshot.cores.get(name)) or (sample.cpus if sample else None)
        cost = memory.work.get(row.name)
        if not cpus or not cost:
            return None
        total += rate_at(_target(policy, cpus), cpus, cost)
    return total or None


def _burst_capacity(
    snapshot: Snapshot, policy: Policy, memory: Memory, bursts: Sequence[Instance], per_core: float, heads: int
) -> float:
    """Requests/s that the burst servers carry together at the cores' target load per CPU; an unknown one counts like a core."""
    core_cpus = fmean([sample.cpus or 1 for sample in memory.samples.values()])
    total = per_core * (heads - len(bursts))
    for each in bursts:
        cpus, cost = _cpus(snapshot.bursts.get(each.name)), memory.work.get(each.name)
        warm = each.joined_at is not None and snapshot.now - each.joined_at >= policy.load.warm_up
        known = warm and cpus and cost
        total += rate_at(_target(policy, round(core_cpus)) * cpus / core_cpus, cpus, cost) if known and cpus and cost else per_core
    return total


def _trim(memory: Memory, policy: Policy, snapshot: Snapshot, cores: Sequence[ServerRow], *, active: bool) -> Memory:
    """Move the correction of the learned capacity towards what the undamped load shows, while the weights have a hold on it."""
    seen = [load for row in cores if (load := undamped(memory.traffic.get(row.name, ()))) is not None]
    last = memory.trimmed_at
    if not active or not seen or last is None or memory.weight in {None, 1}:
        return replace(memory, trimmed_at=snapshot.now)
    target = fmean([_target(policy, sample.cpus or 1) for sample in memory.samples.values()] or [policy.routing.target_load])
    error = max(-1.0, min(1.0, (target - fmean(seen)) / target))
    trim = memory.trim * (1 + error * min(1.0, (snapshot.now - last) / _TRIM_SECONDS))
    return replace(memory, trim=max(_TRIM_RANGE[0], min(_TRIM_RANGE[1], trim)), trimmed_at=snapshot.now)


