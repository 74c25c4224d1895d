"""Decide: how many instances, which weight, and why. Pure: a snapshot and a policy in, a decision out.

It reads no clock and no peer, and keeps nothing: what the next cycle must know leaves in the decision's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from burstd.decide.boot_times import learn_boots
from burstd.decide.budget import purse_of, thrifty, warn, within
from burstd.decide.comeback import in_words
from burstd.decide.core_loss import lost_since, stand_in, told
from burstd.decide.cost import keep_books, reckon
from burstd.decide.demand import follow
from burstd.decide.fallback import fall_back
from burstd.decide.fullness import read_fullness
from burstd.decide.lessons import lessons, recall, work_of_the_living
from burstd.decide.merge import merge
from burstd.decide.promotion import consider
from burstd.decide.schedule import due, keep_windows
from burstd.decide.signal import Signal, read_signal
from burstd.decide.situation import Situation
from burstd.decide.threshold import floor, propose
from burstd.decide.traffic import remember
from burstd.decide.usefulness import doubt, full_since, restrain
from burstd.decide.weight import weigh
from burstd.decide.workload import read_workload
from burstd.model.database import DatabaseDecision
from burstd.model.decision import Decision, Proposal
from burstd.model.faults import Fault
from burstd.model.fleet import Instance, Phase
from burstd.model.policy import Deciding, Policy
from burstd.model.snapshot import Snapshot


def decide(snapshot: Snapshot, policy: Policy) -> Decision:
    """The merged, clamped wish of all policies for this cycle, with every reason."""
    recalled, notes = recall(snapshot)
    ledger = keep_books(recalled.ledger, snapshot, policy)
    outlay = reckon(ledger, snapshot)
    purse = purse_of(outlay, snapshot, policy)
    ledger, warnings = warn(ledger, purse)
    policy = thrifty(policy, purse)
    if recalled is not snapshot.memory:
        snapshot = replace(snapshot, memory=recalled)
    signal = read_signal(snapshot, policy)
    traffic, process = remember(snapshot, policy)
    # A replacement copies every field, so each part is learned first: a replacement for each would be a tenth of the cycle.
    memory = replace(
        recalled,
        ledger=ledger,
        samples=signal.samples,
        traffic=traffic,
        process=process,
        work=work_of_the_living(snapshot, policy),
        boots=learn_boots(recalled.boots, snapshot, policy),
        gateway_full_since=full_since(snapshot, recalled),
    )
    weighing = weigh(snapshot, policy, memory)
    wanted = [each for each in snapshot.fleet if not each.stands_by and not each.drill and each.name not in snapshot.orders.drains]
    situation = Situation(
        in_service=sum(each.phase is Phase.IN_SERVICE for each in wanted),
        on_the_way=sum(each.on_its_way for each in wanted),
        last_join=max((each.joined_at for each in wanted if each.joined_at is not None), default=None),
        core_rate=weighing.core_rate,
        burst_rate=weighing.burst_rate,
        fullness=read_fullness(snapshot, policy),
    )
    proposal, timers = propose(signal, situation, snapshot, policy.load)
    demanded: Proposal | None = None
    by_load: Proposal | None = proposal
    demand = memory.demand
    if policy.load.policy is Deciding.DEMAND:
        workload = read_workload(snapshot, policy, weighing.memory, signal)
        demanded, demand = follow(workload, signal, situation, snapshot, policy)
        by_load = proposal if isinstance(workload, str) else floor(proposal, timers, situation, snapshot.now)
    fallback, blind_since = fall_back(signal, snapshot, policy.fleet, situation.current)
    windows = due(snapshot, policy, memory)
    scheduled = keep_windows(windows, snapshot.now, situation.current)
    asked = tuple(each for each in (demanded, by_load) if each is not None)
    restrained, held = restrain(asked, lambda: doubt(signal, snapshot, policy, memory), situation.current)
    wishes = (stand_in(signal, policy, situation.current), *restrained, fallback, scheduled)
    proposals = tuple(each for each in wishes if each is not None)
    merged = merge(proposals, snapshot, policy.fleet, situation.current, _missing_for_scale_in(snapshot, signal))
    merged = within(merged, purse, snapshot, policy, situation.current)
    short = merged.count - situation.in_service
    if short > 0 and (relief := snapshot.relief[:short]):
        weighing = weigh(_relieved(snapshot, relief), policy, memory)
    database = _database(snapshot, policy, signal)
    memory = replace(
        weighing.memory,
        above_since=timers.above_since,
        below_since=timers.below_since,
        blind_since=blind_since,
        watched_since=timers.watched_since,
        proposals=timers.proposals,
        cores_out=recalled.cores_out if isinstance(snapshot.gateway, Fault) else signal.out,
        windows=frozenset((each.name, each.opens_at) for each in windows),
        core_lost_since=lost_since(signal, snapshot, policy),
        mirror=snapshot.mirror,
        database=recalled.database if database is None else database.memory,
        demand=demand,
        new=False,
    )
    return Decision(
        count=merged.count,
        current=situation.current,
        direction=merged.direction,
        reasons=merged.reasons,
        proposals=proposals,
        signal=signal.value,
        scale_in_allowed=merged.scale_in_allowed,
        weights=weighing.weights,
        weight_reason=weighing.reason,
        core_capacity=weighing.core_capacity,
        memory=memory,
        core_rate=weighing.core_rate,
        burst_rate=weighing.burst_rate,
        learned=lessons(memory),
        notes=(*notes, *told(recalled, memory, snapshot)),
        cores_out=signal.out,
        database=database,
        held=held,
        outlay=outlay,
        purse=purse,
        warnings=warnings,
    )


def _database(snapshot: Snapshot, policy: Policy, signal: Signal) -> DatabaseDecision | None:
    """What is to be done with the database, where one is watched."""
    if snapshot.database is None or policy.database is None:
        return None
    cores = {each.name: None if isinstance(snapshot.gateway, Fault) else signal.out.get(each.name) for each in policy.cores}
    return consider(snapshot.database, policy.database, cores, snapshot.memory.database, snapshot.now)


def _relieved(snapshot: Snapshot, relief: Sequence[Instance]) -> Snapshot:
    """The snapshot as it is once these standbys serve: the weight must be theirs too in the very cycle in which they go into service."""
    serving = {each.operation: replace(each, phase=Phase.IN_SERVICE, joined_at=snapshot.now) for each in relief}
    return replace(snapshot, fleet=tuple(serving.get(each.operation, each) for each in snapshot.fleet))


def _missing_for_scale_in(snapshot: Snapshot, signal: Signal) -> tuple[str, ...]:
    """What must be mended before anything may shrink: every core read in this cycle, and HAProxy too."""
    blockers = [*(f"no fresh load of {name}" for name in signal.missing), *in_words(signal.slow)]
    if isinstance(snapshot.gateway, Fault):
        blockers.append("HAProxy cannot be read")
    return tuple(blockers)
