"""The default policy: as many instances as the demand will need when one launched now can serve, and a margin for the error of that.

demand now (`burstd.decide.workload`) -> demand a boot ahead (`burstd.decide.forecast`) -> with its errors (`burstd.decide.margin`) -> whole
instances. What is short of that is launched at once, all of it; what is too much is given back only when nothing of the last
quarter of an hour speaks for keeping it. It only wishes; bounds, orders and pauses come after it (`burstd.decide.merge`). Where the
demand is not known it wishes for nothing, and the threshold policy answers.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from burstd.decide.boot_times import boot_time
from burstd.decide.forecast import LEADS, MINUTE, averaged, expected, learn, outlook, steepness
from burstd.decide.margin import exceeded, margin, scatter
from burstd.decide.signal import Signal
from burstd.decide.situation import Situation, window
from burstd.decide.trend import earlier, remembered
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
_HESITATE: Final = 0.5
"""What is there is kept while it is needed once in `overload_price` minutes; one more is launched only where it is needed once in this
part of that. What is launched stays for a quarter of an hour and holds all others there so long, so it must be worth more than what is
kept; and when something is launched it is as much as would be kept, so that the next launch is not a minute later."""
_CARRY_OUT: Final = 60.0
"""Seconds for which a launch that was decided is carried through: a cycle launches `fleet.max_step` and no more, and the next one
shall not haggle."""
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
    if need.urgent > max(current, begun):
        begun, memory = need.wanted, replace(memory, aim=need.wanted, aimed_at=now)
    if begun > current:
        return Proposal(SOURCE, Direction.OUT, begun, f"{told}: launch {begun - current}"), memory
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
    passed = -1 if memory.minute is None else minute - memory.minute
    known = memory.averages if 0 <= passed <= _GAP else None
    if known is None or not memory.recent:  # after a restart what was learned is there, and the minute that ran is not
        return replace(
            memory,
            minute=minute,
            total=workload.demand,
            readings=1,
            recent=((now, workload.demand),),
            averages=known or (workload.demand,) * 3,
            outlook=replace(outlook_, awaited=()),
            told=None,
        )
    recent = remembered(memory.recent, now, workload.demand)
    if not passed:
        return replace(memory, total=memory.total + workload.demand, readings=memory.readings + 1, recent=recent, outlook=outlook_)
    averages = averaged(known, memory.total / memory.readings, passed * MINUTE)
    at, last = memory.recent[-1]
    return replace(
        memory,
        minute=minute,
        total=workload.demand,
        readings=1,
        recent=recent,
        averages=averages,
        outlook=learn(outlook_, minute - 1, last, averages, earlier(memory.recent, at)),
        told=minute if memory.told is None or minute - memory.told >= TELL else memory.told,
    )


def reckon(memory: DemandMemory, workload: Workload, now: float, policy: Policy) -> Need:
    """How many instances are needed, by an observed memory; within 0 and `fleet.maximum`, never fewer for a higher demand."""
    outlook_, averages, price = memory.outlook, memory.averages, policy.load.overload_price
    if outlook_ is None or averages is None:  # nothing was observed: what is needed now is all that can be said
        wanted = _enough(workload, policy, lambda carried: carried >= workload.demand)
        return Need(workload.demand, 0.0, 0.0, wanted, wanted)
    before = earlier(memory.recent, now)
    ahead = expected(outlook_, averages, workload.demand, now - math.floor(now / MINUTE) * MINUTE, before)
    size = scatter(outlook_, steepness(workload.demand, before))

    def enough(price: float) -> int:
        """Instances with which an overload is rarer than it is worth."""
        return _enough(
            workload, policy, lambda carried: carried >= ahead and exceeded(outlook_, carried / ahead, size) <= bearable(price, carried)
        )

    wanted = enough(price)
    added = margin(outlook_, 1 - bearable(price, workload.cores + wanted * workload.worth), size)
    return Need(ahead, outlook_.lead * MINUTE, added, wanted, enough(_HESITATE * price))


def bearable(price: float, servers: float) -> float:
    """The part of the time, 0..1, in which so many servers may be too few, where a minute of overload costs `price` minutes of an instance.

    The last one is needed in that part of the minutes: it is worth its price as long as it is one in `price`. That is said of a site of one
    server. Among n servers the one that is missing is missed less: what has to stand by for the scatter grows with the square root of n
    only (the square-root rule of staffing; Halfin and Whitt, Operations Research, 1981), and so does what can be borne.
    """
    return min(1.0, math.sqrt(servers) / price)


def _enough(workload: Workload, policy: Policy, holds: Callable[[float], bool]) -> int:
    """The fewest instances with which it holds of the servers that there are then, in core servers; it holds for all that are more."""
    maximum = policy.fleet.maximum
    return bisect_left(range(maximum), True, key=lambda count: holds(workload.cores + count * workload.worth + _SLACK))  # noqa: FBT003 - what is looked for


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
