"""Drills: one real instance from its create to its end, without traffic.

It goes the ordinary way through all the other steps, and they know of it only what keeps the traffic away: its lines have weight 0
from their first moment, it counts as no capacity, and when HAProxy's check has passed it leaves. Within the maximum it counts like any
other. Where more is wanted while it is there it is taken into service: half a boot is quicker than a whole one, and needs no further room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from burstd.errors import AskOperator, BurstdError, Retry
from burstd.model.cost import Purse
from burstd.model.drill import STEPS, Drill, DrillOutcome, DrillStep, StepState
from burstd.model.faults import Fault
from burstd.model.fleet import ENDED, DrillOrder, Instance, Pause, Phase
from burstd.model.plans import Record, RecordLearned
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.plan.draft import NO_KEY, Draft
from burstd.plan.rehearsals import REHEARSALS, write
from burstd.plan.residency import outside
from burstd.plan.scaling import barred, intend, open_pool

SCHEDULE: Final = "schedule"
"""The owner of a drill whose hour has come."""
_LATE: Final = 60.0
"""Seconds, and at least three polls, after which a drill's hour has been missed: long cycles are no reason, a stopped daemon is."""


def obstacle(  # noqa: PLR0911 - one answer for each
    snapshot: Snapshot, policy: Policy, pool: str | None, purse: Purse | None = None
) -> BurstdError | None:
    """Why no drill can begin now in that pool (None: in any), and be paid from that purse; None where one can."""
    fleet, maximum = snapshot.fleet, policy.fleet.maximum
    if pool is not None and policy.pool(pool) is None:
        known = ", ".join(each.name for each in policy.pools)
        return AskOperator(f"drill --pool {pool}: expected a pool of the settings; name one of: {known}")
    if running := next((each for each in fleet if each.drill), None):
        return Retry(f"drill: one runs already, and {running.name} is {running.phase}; wait until it is over (burstd status)")
    if snapshot.orders.drill is not None:
        return Retry("drill: one is ordered already and begins with the next cycle")
    if snapshot.orders.pause in {Pause.OUT, Pause.BOTH}:
        return AskOperator("drill: scale-out is paused, and a drill buys an instance; `burstd resume` first")
    if len(fleet) >= maximum:
        room = f"fleet.max is {maximum} and {len(fleet)} are billed"
        return AskOperator(f"drill: no room for one more: {room}; wait until one has gone, or raise fleet.max and reload")
    if isinstance(snapshot.gateway, Fault):
        return Retry(f"drill: HAProxy cannot be read ({snapshot.gateway.text}); try again when it answers")
    if pool is not None and (why := outside(policy, pool)):
        return AskOperator(f"drill --pool {pool}: {why}; name another pool, or add its country to fleet.countries")
    pools = [each for each in policy.pools if pool in {None, each.name}]
    dear = [purse.refusal(each.first_unit) if purse else "" for each in pools]
    bars = [
        outside(policy, each.name) or barred(snapshot.pools.get(each.name), snapshot.now) or why
        for each, why in zip(pools, dear, strict=True)
    ]
    return Retry(f"drill: {'; '.join(dict.fromkeys(bars))}") if all(bars) else None


def rehearse(draft: Draft, operations: Iterator[str]) -> None:
    """Begin the drill that was ordered, or whose hour has come; what is in the way by now is said."""
    if _found_again(draft):
        return
    order = draft.snapshot.orders.drill or _scheduled(draft)
    if order is None:
        return
    orders = replace(draft.snapshot.orders, drill=None)
    seen = replace(draft.snapshot, fleet=tuple(draft.fleet.values()), pools=draft.pools, orders=orders)
    why = obstacle(seen, draft.policy, order.pool, draft.purse)
    if why is None and not draft.key_ready():
        why = Retry(f"drill: {NO_KEY}")
    pool = draft.policy.pool(order.pool) if order.pool else open_pool(draft)
    drill = Drill(order.at, order.owner, order.pool or "")
    if why is not None or pool is None:
        said = str(why).removeprefix("drill: ")
        draft.note(f"the drill of {order.owner} does not begin: {said}")
        running = draft.rehearsals.last
        if running is None or running.outcome is not DrillOutcome.RUNNING:
            failed = replace(drill, outcome=DrillOutcome.FAILED, failure=f"it did not begin: {said}", ended_at=draft.now)
            draft.rehearsals = replace(draft.rehearsals, last=failed)
        return
    instance = intend(draft, pool, next(operations), f"a drill, ordered by {order.owner}", drill=True)
    begun = replace(drill, pool=pool.name, instance=instance.name, operation=instance.operation)
    draft.rehearsals = replace(draft.rehearsals, last=begun)


def _found_again(draft: Draft) -> bool:
    """A drill lives of which nothing is remembered: burstd was killed just when it had begun, or the roster's text was damaged."""
    last = draft.rehearsals.last
    lost = next((each for each in draft.fleet.values() if each.drill and (last is None or each.operation != last.operation)), None)
    if lost is None:
        return False
    order = draft.snapshot.orders.drill or DrillOrder(lost.created_at, "")
    drill = Drill(order.at, order.owner, lost.pool, lost.name, lost.operation)
    draft.rehearsals = replace(draft.rehearsals, last=drill, opening=draft.snapshot.drill_due or draft.rehearsals.opening)
    return True


def _scheduled(draft: Draft) -> DrillOrder | None:
    """The drill whose hour has come since the last look; one that was missed is said and skipped."""
    opening, known = draft.snapshot.drill_due, draft.rehearsals.opening
    if known is not None and known > draft.now:  # it was stored on a wall clock that has been set back since
        known = None
    if opening is None or (known is not None and opening <= known):
        return None
    draft.rehearsals = replace(draft.rehearsals, opening=opening)
    late = draft.now - opening
    if late <= max(_LATE, 3 * draft.policy.fleet.poll_interval):
        return DrillOrder(draft.now, SCHEDULE)
    if known is not None:  # else there was no schedule before
        draft.note(f"the drill that was due {late:.0f} s ago is skipped: burstd did not run then")
    return None


def follow(draft: Draft) -> None:
    """Bring what is remembered of the drill up to this plan, and say how it has ended."""
    last = draft.rehearsals.last
    if last is not None and last.outcome is DrillOutcome.RUNNING:
        drill = _brought_up(draft, last)
        draft.rehearsals = replace(draft.rehearsals, last=drill)
        if drill.outcome is DrillOutcome.DONE:
            draft.rehearsals = replace(draft.rehearsals, succeeded_at=drill.ended_at)
        if drill.outcome is not DrillOutcome.RUNNING:
            draft.note(_told(drill))
    if draft.rehearsals != draft.remembered:
        draft.records.append(RecordLearned(REHEARSALS, write(draft.rehearsals)))


def _brought_up(draft: Draft, drill: Drill) -> Drill:
    planned = (each.instance for each in draft.records if isinstance(each, Record) and each.instance.operation == drill.operation)
    instance = draft.fleet.get(drill.operation) or next((each for each in planned if each.phase in ENDED), None)
    if instance is None:  # its end was stored, and burstd was killed before this was
        ended = draft.snapshot.ended.get(drill.operation, draft.now)
        steps = tuple(_ended(each, ended, done=each.name == "destroy") for each in drill.steps)
        return _judged(replace(drill, steps=steps), "burstd did not see how it went on", ended)
    steps = _steps(instance)
    if not instance.drill:
        open_ = {StepState.RUNNING, StepState.FAILED}
        left = tuple(replace(each, state=StepState.LEFT, seconds=None) if each.state in open_ else each for each in steps)
        return replace(drill, outcome=DrillOutcome.TAKEN, steps=left, ended_at=draft.now)
    drill = replace(drill, steps=steps)
    broken = next((each.name for each in steps if each.state is StepState.FAILED), None)
    if broken and not drill.failure:
        drill = replace(drill, failure=f"{broken}: {instance.reason}")
    return _judged(drill, instance.reason, draft.now) if instance.phase in ENDED else drill


def _judged(drill: Drill, reason: str, ended_at: float) -> Drill:
    """The drill at its end: done where every step is."""
    if [each.name for each in drill.steps if each.state is StepState.DONE] == [name for name, _ in STEPS.values()]:
        return replace(drill, outcome=DrillOutcome.DONE, ended_at=ended_at)
    return replace(drill, outcome=DrillOutcome.FAILED, failure=drill.failure or reason, ended_at=ended_at)


def _steps(instance: Instance) -> tuple[DrillStep, ...]:
    """The steps that have begun: each lasts until the next phase, and is done where that is the one which its success leads to."""
    marks = [(phase, at) for phase, at in instance.entered if phase is not Phase.UNKNOWN]
    found = []
    for (phase, at), after in zip(marks, [*marks[1:], None], strict=False):
        if phase in STEPS:
            name, goal = STEPS[phase]
            passed = phase is not Phase.JOINING or instance.joined_at is not None
            step = DrillStep(name, at)
            found.append(_ended(step, after[1], done=passed and after[0] is goal) if after else step)
    return tuple(found)


def _ended(step: DrillStep, at: float, *, done: bool) -> DrillStep:
    """The step as it ended then, where it was still under way."""
    if step.state is not StepState.RUNNING:
        return step
    return replace(step, state=StepState.DONE if done else StepState.FAILED, seconds=max(0.0, at - step.at))


def _told(drill: Drill) -> str:
    times = ", ".join(f"{each.name} {each.seconds:.0f} s" for each in drill.steps if each.seconds is not None)
    match drill.outcome:
        case DrillOutcome.DONE:
            return f"the drill of {drill.instance} in {drill.pool} is done in {drill.seconds:.0f} s: {times}"
        case DrillOutcome.TAKEN:
            return f"the drill of {drill.instance} in {drill.pool} ends early: the load asks for the instance, which is taken into service"
        case _:
            return f"the drill of {drill.instance} in {drill.pool} has failed: {drill.failure}" + (f" ({times})" if times else "")
