"""How many servers the demand of this moment needs: the requests that come, over what one core server carries when it is full.

A core server is full where its load average stands at `scale_out_above` (`burstd.decide.queueing`). What a request costs is learned from
the CPU seconds while it is served, so demand = request rate x work per request: below saturation just the busy share of the CPUs, without
the minute by which a load average is late, and still right in an overload, where CPUs and load say no more than "full".

What cannot be known is not guessed: without the CPU seconds of every core server, or without HAProxy's counters, there is no figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from burstd.decide.capacity import Machine, full_load
from burstd.decide.signal import Signal
from burstd.decide.traffic import arrivals
from burstd.model.decision import Memory
from burstd.model.faults import Fault
from burstd.model.fleet import Instance, Phase
from burstd.model.load import Sample
from burstd.model.policy import CoreServer, Mode, Policy
from burstd.model.snapshot import Snapshot

_ALIKE = 0.25
"""An instance that carries as much as a core server within this part counts as one: what a minute shows of either differs as much."""
_WORTH = (0.25, 4.0)
"""Beyond these an instance's figures are mistaken: nobody serves one site from machines that differ so much."""
_LEAST = 1e-6
"""Requests/s that a full core server carries at least, so that no quotient is infinite."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The demand now and what meets it, in core servers.

    Attributes:
        demand: finite, not negative.
        cores: core servers that take traffic, at least one.
        worth: of one instance, in core servers.
    """

    demand: float
    cores: int
    worth: float = 1.0


def read_workload(snapshot: Snapshot, policy: Policy, memory: Memory, signal: Signal) -> Workload | str:
    """The workload of this cycle, `memory` holding its traffic and what was learned; or why it is not known, one clause."""
    serving = [core for core in policy.cores if core.name not in signal.out]
    if why := _hidden(snapshot, policy, signal, serving):
        return why
    machines = {core.name: _machine(signal.samples[core.name], memory.work.get(core.server), policy) for core in serving}
    if unknown := [name for name, machine in machines.items() if machine is None]:
        return f"the work per request of {', '.join(unknown)} is not learned yet"
    usual = max(_LEAST, fmean(machine.carried(memory.trim) for machine in machines.values() if machine))
    rate = arrivals(list(memory.traffic.values()), [each.name for each in policy.routing.backends])
    if rate is None or not math.isfinite(rate / usual):
        return "the request rate is not known yet"
    return Workload(rate / usual, len(serving), _worth(snapshot, policy, memory, usual))


def _hidden(snapshot: Snapshot, policy: Policy, signal: Signal, serving: Sequence[CoreServer]) -> str:
    """Why the demand cannot be seen; empty where it can."""
    if policy.routing.mode is Mode.SPILLOVER:
        return "with spillover HAProxy itself decides what the core carries"
    if isinstance(snapshot.gateway, Fault):
        return "HAProxy cannot be read"
    if signal.missing:
        return f"not every core answered: {', '.join(signal.missing)}"
    return "" if serving else "no core server takes traffic in HAProxy"


def _machine(sample: Sample, work: float | None, policy: Policy) -> Machine | None:
    """A core server at the load at which it is full; None until its CPUs and its work per request are known."""
    return Machine(sample.cpus, work, full_load(policy, sample.cpus)) if sample.cpus and work else None


def _worth(snapshot: Snapshot, policy: Policy, memory: Memory, usual: float) -> float:
    """What an instance in service carries beside a core server's `usual` requests/s; 1.0 where it is about as much, or not known."""
    serving = (each for each in snapshot.fleet if each.phase is Phase.IN_SERVICE)
    known = [carried for each in serving if (carried := _carried(each, snapshot, policy, memory)) is not None]
    worth = fmean(known) / usual if known else 1.0
    return 1.0 if abs(worth - 1) <= _ALIKE else max(_WORTH[0], min(_WORTH[1], worth))


def _carried(instance: Instance, snapshot: Snapshot, policy: Policy, memory: Memory) -> float | None:
    """Requests/s of an instance that is warm, at the same load for each CPU as a full core server."""
    reading, work = snapshot.bursts.get(instance.name), memory.work.get(instance.name)
    warm = instance.joined_at is not None and snapshot.now - instance.joined_at >= policy.load.warm_up
    if not warm or not work or not isinstance(reading, Sample) or not reading.cpus:
        return None
    cpus = fmean(sample.cpus for sample in memory.samples.values() if sample.cpus)
    per_cpu = policy.load.scale_out_above / (1 if policy.load.per_cpu else cpus)
    return Machine(reading.cpus, work, per_cpu * reading.cpus).carried(memory.trim)
