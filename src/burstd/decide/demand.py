"""The default policy: as many instances as the demand will need when one launched now can serve, and a margin for the error of that.

demand now (`burstd.decide.workload`) -> demand a boot ahead (`burstd.decide.forecast`) -> with a margin (`burstd.decide.margin`) -> whole
instances. What is short of that is launched at once, all of it; what is too much is given back only when nothing of the last
quarter of an hour speaks for keeping it. It only wishes; bounds, orders and pauses come after it (`burstd.decide.merge`). Where the
demand is not known it wishes for nothing, and the threshold policy answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from burstd.decide.boot_times import boot_time
from burstd.decide.forecast import LEADS, MINUTE, averaged, expected, learn, outlook
from burstd.decide.margin import margin, scatter
from burstd.decide.signal import Signal
from burstd.decide.situation import Situation, window
from burstd.decide.workload import Workload
from burstd.model.decision import Direction, Memory, Proposal
from burstd.model.demand import DemandMemory
from burstd.model.fleet import Phase
from burstd.model.policy import LoadPolicy, Policy
from burstd.model.snapshot import Snapshot

SOURCE: Final = "demand"

FLAP: Final = 900.0
"""Seconds after a scale-out, by whomever, in which nothing is given back: who buys and sells within a quarter of an hour has changed
its mind, and a boot's time, its bill and its cold caches are paid for nothing."""
_USUAL_BOOT: Final = 150.0
"""Seconds that a boot is taken to last before enough were seen."""
_TELLING: Final = 5
"""Boots of a pool that are enough."""
_HESITATE: Final = 0.4
"""What is there is kept while it is needed once in `overload_price` minutes; one more is launched only where it is needed once in this
part of that. What is launched stays for a quarter of an hour and holds all others there so long, so it must be worth more than what is
kept; and when something is launched it is as much as would be kept, so that the next launch is not a minute later."""
_CARRY_OUT: Final = 60.0
"""Seconds for which a launch that was decided is carried through: a cycle launches `fleet.max_step` and no more, and the next one
shall not haggle."""
_LASTS: Final = 2
"""Minutes that a jump must have lasted to be taken for a change, whatever the forecast has learned of jumps: a site whose small ones
pass by themselves must not wait for a large one to do so."""
_BEYOND: Final = 3.0
"""Mean errors by which a jump must stand out of the average."""
TELL: Final = 10
"""Minutes between two writes of what was learned: a restart loses no more than that, and the disk is left alone."""
_GAP: Final = 3
"""Minutes unseen after which the averages begin anew: what is as old says nothing of now."""
_SLACK: Final = 1e-9
"""Servers: a demand of just two servers is no more than two, whatever the last bit says."""


@dataclass(frozen=True, slots=True)
class Need:
    """What is needed, and how it was reckoned.

    Attributes:
        ahead: demand after the lead, in servers.
        seconds: the lead.
        margin: part of it that is added.
        wanted: instances.
        urgent: so many of them that it is worth to launch one.
    """

    ahead: float
    seconds: float
    margin: float
    wanted: int
    urgent: int


def follow(
    workload: Workload | str, signal: Signal, situation: Situation, snapshot: Snapshot, policy: Policy
) -> tuple[Proposal | None, DemandMemory]:
    """The wish, None where there is none, and the policy's memory for the next cycle."""
    memory, now, current = snapshot.memory.demand, snapshot.now, situation.current
    if isinstance(workload, str):
        lately = memory.known_at is not None and now - memory.known_at <= FLAP
        return (Proposal(SOURCE, Direction.HOLD, current, f"the demand is not known: {workload}") if lately else None), memory
    memory = observe(memory, workload, now, lead(snapshot.memory, policy))
    need = reckon(memory, workload, now, policy)
    wishes = window(memory.wishes, now, need.wanted, policy.load.stabilization)
    memory = replace(memory, wishes=wishes, known_at=now)
    told = _told(workload, need, situation)
    begun = memory.aim if now - memory.aimed_at <= _CARRY_OUT else 0
    if need.urgent > current or begun > current:
        aim = max(need.wanted, begun)
        aimed_at = now if need.wanted >= begun else memory.aimed_at
        memory = replace(memory, aim=aim, aimed_at=aimed_at)
        return Proposal(SOURCE, Direction.OUT, aim, f"{told}: launch {aim - current}"), memory
    if need.wanted >= current:
        spare = f", but {need.urgent} {'is' if need.urgent == 1 else 'are'} urgent" if need.wanted > current else ""
        return Proposal(SOURCE, Direction.HOLD, current, told + spare), memory
    if why := _kept(workload, signal, situation, snapshot, policy.load):
        return Proposal(SOURCE, Direction.HOLD, current, f"{told}, but {why}"), memory
    if (highest := wishes[0][1]) >= current:
        return Proposal(SOURCE, Direction.HOLD, current, f"{told}, but the last {policy.load.stabilization:g} s wanted {highest}"), memory
    left = max(highest, current - policy.fleet.max_step)  # one batch at a time, and the next one is decided anew
    return Proposal(SOURCE, Direction.IN, left, f"{told}: give back {current - left}"), memory


def lead(memory: Memory, policy: Policy) -> float:
    """Seconds until what is launched now can serve: what four of five boots in the first pool with a record do not exceed, and a cycle."""
    seen = (boot_time(memory.boots, pool.name) for pool in policy.pools if len(memory.boots.get(pool.name, ())) >= _TELLING)
    return next((each for each in seen if each is not None), _USUAL_BOOT) + policy.fleet.poll_interval


def observe(memory: DemandMemory, workload: Workload, now: float, seconds: float) -> DemandMemory:
    """The memory with this reading; where a minute has ended, with what it teaches.

    Args:
        memory: before it.
        workload: of this cycle.
        now: seconds on the daemon's timeline.
        seconds: the lead of the forecast.
    """
    minute = math.floor(now / MINUTE)
    ahead = max(LEADS[0], min(LEADS[1], int(seconds / MINUTE)))
    outlook_ = memory.outlook or outlook(ahead)
    if outlook_.lead != ahead:
        outlook_ = replace(outlook_, lead=ahead, awaited=())
    if memory.minute is None or memory.averages is None or minute - memory.minute > _GAP or minute < memory.minute:
        averages = (workload.demand,) * 3
        begun = replace(outlook_, awaited=())
        return replace(memory, minute=minute, total=workload.demand, readings=1, latest=(), averages=averages, outlook=begun, told=None)
    if minute == memory.minute:
        return replace(memory, total=memory.total + workload.demand, readings=memory.readings + 1, outlook=outlook_)
    mean, passed = memory.total / memory.readings, minute - memory.minute
    averages = averaged(memory.averages, mean, passed * MINUTE)
    return replace(
        memory,
        minute=minute,
        total=workload.demand,
        readings=1,
        latest=(*memory.latest, mean)[-_LASTS:],
        averages=averages,
        outlook=learn(outlook_, minute - 1, (mean, *averages)),
        told=minute if memory.told is None or minute - memory.told >= TELL else memory.told,
    )


def reckon(memory: DemandMemory, workload: Workload, now: float, policy: Policy) -> Need:
    """How many instances are needed, by an observed memory; within 0 and `fleet.maximum`, never fewer for a higher demand."""
    outlook_, averages, price = memory.outlook, memory.averages, policy.load.overload_price
    if outlook_ is None or averages is None:  # nothing was observed: what is needed now is all that can be said
        wanted = _whole(workload.demand, workload, policy)
        return Need(workload.demand, 0.0, 0.0, wanted, wanted)
    ahead = expected(outlook_, averages, workload.demand, now - math.floor(now / MINUTE) * MINUTE)
    lasting = min(workload.demand, *memory.latest) if len(memory.latest) == _LASTS else 0.0
    if lasting > averages[0] * (1 + _BEYOND * scatter(outlook_)):
        ahead = max(ahead, lasting)
    added, urgent = (margin(outlook_, covered(each)) for each in (price, _HESITATE * price))
    wanted, urgently = (_whole(ahead * (1 + each), workload, policy) for each in (added, urgent))
    return Need(ahead, outlook_.lead * MINUTE, added, wanted, urgently)


def covered(price: float) -> float:
    """The part of the errors that a margin covers, 0..1, where a minute of overload costs as much as `price` minutes of an instance.

    The instance at the edge is needed in the other part of the minutes: it is worth its price as long as that is one in `price`.
    """
    return 1 - 1 / max(1.0, price)


def _whole(demand: float, workload: Workload, policy: Policy) -> int:
    needed = (demand - workload.cores) / workload.worth
    return math.ceil(max(0.0, min(needed - _SLACK, float(policy.fleet.maximum))))


def _kept(workload: Workload, signal: Signal, situation: Situation, snapshot: Snapshot, load: LoadPolicy) -> str:
    """Why nothing is given back though fewer would do; empty where nothing speaks against it."""
    now, out, watched = snapshot.now, snapshot.cooldowns.scale_out, snapshot.memory.watched_since
    if situation.on_the_way:
        return f"{situation.on_the_way} on the way"
    if watched is None or now - watched < load.stabilization:
        return f"the first full window of {load.stabilization:g} s after the start is not over"
    if out is not None and now - out <= FLAP:
        return f"the last scale-out was {now - out:.0f} s ago, and nothing is given back for {FLAP:.0f} s"
    against = (
        ("one batch leaves at a time", any(each.phase is Phase.DRAINING and not each.drill for each in snapshot.fleet)),
        ("the demand is above what is there", workload.demand > workload.cores + situation.in_service * workload.worth),
        ("a core server is above the threshold", signal.highest is not None and signal.highest > load.scale_out_above),
        ("requests wait in HAProxy", situation.fullness.waiting > 0),
    )
    return next((why for why, holds in against if holds), "")


def _told(workload: Workload, need: Need, situation: Situation) -> str:
    booting = f", {situation.on_the_way} booting" if situation.on_the_way else ""
    there = f"{situation.in_service} there{booting}"
    ahead = f"demand {workload.demand:.1f} servers now, {need.ahead:.1f} in {need.seconds:.0f} s, margin {need.margin:.0%}"
    return f"{ahead}: {need.wanted} wanted, {there}"
