"""From the wanted numbers to launches and departures.

To grow: a standby first, which serves in this very cycle; then who is back from the drain; then new ones, as far as the budget bears them.
To shrink: what is unhealthy, whose paid hour is nearly over, and the youngest leave first, and who leaves service becomes the standby where
that is short. The standbys count within the maximum: at its edge the last of them goes into service, and none stands behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, CreateCall, LaunchRequest
from burstd.model.content import HostKey
from burstd.model.fleet import ON_ITS_WAY, SERVING, Instance, Pause, Phase, PoolState
from burstd.model.naming import instance_name
from burstd.model.plans import RecordCooldowns
from burstd.model.policy import Policy, PoolPolicy
from burstd.plan.content import missing_content
from burstd.plan.draft import NO_KEY, Draft
from burstd.plan.renewal import is_hourly, until_release
from burstd.plan.residency import outside


def scale(draft: Draft, operations: Iterator[str]) -> None:
    """Bring the instances in service and on their way there to the decided number, and the standbys to theirs, as far as one cycle may."""
    _drain_by_order(draft)
    before = len(_for_service(draft))
    _relieve(draft)
    _cast(draft)
    _grow(draft, operations)
    left = draft.decision.scale_in_allowed and _shrink(draft)
    after, cooldowns = len(_for_service(draft)), draft.snapshot.cooldowns
    if after > before and draft.decision.direction > 0:
        cooldowns = replace(cooldowns, scale_out=draft.now)
    if left or (after < before and draft.decision.scale_in_allowed):  # else one has turned up that nobody had counted on
        cooldowns = replace(cooldowns, scale_in=draft.now)
    if cooldowns != draft.snapshot.cooldowns:
        draft.records.append(RecordCooldowns(cooldowns))


def _capacity(draft: Draft) -> list[Instance]:
    """What serves, stands by or is on its way to either, and nobody drains; oldest first."""
    drains = draft.snapshot.orders.drains
    return [each for each in draft.fleet.values() if (each.phase in SERVING or each.on_its_way) and each.name not in drains]


def _for_service(draft: Draft) -> list[Instance]:
    return [each for each in _capacity(draft) if not each.stands_by]


def _reserve(draft: Draft) -> list[Instance]:
    return [each for each in _capacity(draft) if each.stands_by]


def _relieve(draft: Draft) -> None:
    """Put standbys that are ready into service where more are wanted there, be others on their way or not: these still have to boot."""
    short = draft.decision.count - len(draft.phase(Phase.IN_SERVICE))
    if short <= 0:
        return
    ready = [each for each in draft.snapshot.relief if draft.fleet.get(each.operation) == each and each.name not in draft.stale]
    for instance in ready[:short]:
        draft.move(instance, Phase.IN_SERVICE, f"from standby: {draft.decision.reasons[0]}", joined_at=draft.now, down_since=None)


def _cast(draft: Draft) -> None:
    """Say of those on their way which go into service, and which will stand by: the core first, then the reserve, else as they were."""
    places = max(0, draft.decision.count - len(draft.phase(Phase.IN_SERVICE)))
    short = max(0, draft.policy.fleet.standby - len(draft.phase(Phase.STANDBY)))
    if not places + short:
        return
    coming = sorted((each for each in _capacity(draft) if each.on_its_way), key=lambda each: each.reserve)
    for number, instance in enumerate(coming[: places + short]):
        if instance.reserve != (number >= places):
            draft.change(instance, reserve=number >= places)


def _drain_by_order(draft: Draft) -> None:
    for instance in draft.phase(*ON_ITS_WAY, *SERVING):
        if instance.name in draft.snapshot.orders.drains:
            _dismiss(draft, instance, "an operator drains it")


def _dismiss(draft: Draft, instance: Instance, reason: str) -> bool:
    """Send one instance away by the way that its phase allows; an unresolved create must become known first."""
    match instance.phase:
        case Phase.INTENDED:
            draft.move(instance, Phase.FAILED, reason)
        case Phase.BOOTING | Phase.SYNCING if draft.gateway is not None:  # an adopted one may serve already
            draft.move(instance, Phase.DESTROYING, reason, attempts=0, attempted_at=None)
        case Phase.JOINING | Phase.IN_SERVICE | Phase.STANDBY:
            draft.move(instance, Phase.DRAINING, reason, maint_at=None)
        case _:
            return False
    return True


def _grow(draft: Draft, operations: Iterator[str]) -> None:
    fleet, count = draft.policy.fleet, draft.decision.count
    places = count - len(_for_service(draft))
    short = min(fleet.standby, fleet.maximum - count) - len(_reserve(draft)) + min(0, places)  # what is too much in service stands by
    places, short = max(0, places), max(0, short)
    if not places + short:
        return
    for instance in sorted(draft.phase(Phase.DRAINING), key=lambda each: -each.since):
        if places + short and _can_return(draft, instance):
            why = "the load is back before it has left" if places else "it shall stand by"
            draft.move(instance, Phase.JOINING, why, down_since=None, reserve=not places, drill=False)
            places, short = (places - 1, short) if places else (0, short - 1)
    if short and draft.snapshot.orders.pause in {Pause.OUT, Pause.BOTH}:
        draft.waiting.append("no standby is launched while scale-out is paused")
        short = 0
    for instance in draft.phase(*ON_ITS_WAY):  # what boots for a drill is there before what is still to be bought
        spared = instance.refused or instance.name in draft.snapshot.orders.drains
        if places + short and instance.drill and not spared:
            draft.change(instance, drill=False, reserve=not places)
            places, short = (places - 1, short) if places else (0, short - 1)
    missing, live = places + short, len(draft.fleet)
    if missing and live >= fleet.maximum:
        draft.waiting.append(f"fleet.max is {fleet.maximum} and {live} are still billed")
    for number in range(min(missing, fleet.max_step, max(0, fleet.maximum - live))):
        pool = open_pool(draft)
        if pool is None:
            break
        reserve = number >= places
        intend(
            draft, pool, next(operations), f"fleet.standby is {fleet.standby}" if reserve else draft.decision.reasons[0], reserve=reserve
        )


def _can_return(draft: Draft, instance: Instance) -> bool:
    lines = draft.gateway.lines_of(instance.name) if draft.gateway else ()
    passing = bool(lines) and all(line.row.passing for line in lines)
    ordered = instance.name in draft.snapshot.orders.drains
    able = passing and instance.maint_at is None and instance.down_since is None and not ordered
    return able and not missing_content(draft, instance)


def open_pool(draft: Draft) -> PoolPolicy | None:
    """The first pool that may be bought from, is not barred and can be paid; what is in the way of the others is said."""
    if not draft.key_ready():
        draft.waiting.append(NO_KEY)
        return None
    for pool in draft.policy.pools:
        why = outside(draft.policy, pool.name) or barred(draft.pools.get(pool.name), draft.now) or draft.too_dear(pool)
        if not why:
            return pool
        if why not in draft.waiting:  # a budget is the same one for all pools
            draft.waiting.append(why)
    return None


def barred(state: PoolState | None, now: float) -> str:
    """Why nothing is bought in a pool, in words; empty where it is free."""
    if state is None or state.barred_until <= now:
        return ""
    return f"pool {state.pool} is {'stopped' if state.stopped else 'barred'} for {state.barred_until - now:.0f} s: {state.reason}"


def intend(  # noqa: PLR0913 - where, why, and what for
    draft: Draft, pool: PoolPolicy, operation: str, why: str, *, reserve: bool = False, drill: bool = False
) -> Instance:
    """Record that an instance is to be created: for service, for the reserve, or for a drill."""
    draft.promise(pool)
    key, now = draft.take_key(), draft.now
    request, public = request_of(draft.policy, pool, operation, key), key.public if key else None
    made = Instance(operation, request, Phase.INTENDED, now, created_at=now, reason=why, reserve=reserve, drill=drill, host_key=public)
    return draft.save(made)


def request_of(policy: Policy, pool: PoolPolicy, operation: str, key: HostKey | None = None) -> LaunchRequest:
    """The create of one instance, as the settings in force render it, with its host key where it gets one."""
    return LaunchRequest(
        pool=pool.name,
        name=instance_name(policy.fleet.name, policy.owner, operation),
        image=pool.image,
        size=pool.size,
        location=pool.location,
        tags=(*pool.tags, (OWNER_TAG, policy.owner), (OPERATION_TAG, operation)),
        token=operation,
        user_data=key.put_into(pool.user_data) if key else pool.user_data,
    )


def send_intended(draft: Draft) -> None:
    """Hand over what is intended, that of an earlier cycle which could not be sent included; what the budget no longer bears is dropped."""
    for instance in draft.phase(Phase.INTENDED):
        if why := outside(draft.policy, instance.pool) or (draft.purse.refusal() if draft.purse is not None else ""):
            draft.move(instance, Phase.FAILED, why)
        elif draft.room(CreateCall) > 0:
            draft.move(instance, Phase.REQUESTED, instance.reason, attempts=1, attempted_at=draft.now)
            draft.call(CreateCall(instance.operation, instance.request))


def _shrink(draft: Draft) -> int:
    """Let go of what is too much: out of service first, into the reserve where that is short, and then of the reserve; how many."""
    serving, kept = _for_service(draft), draft.policy.fleet.standby
    if len(serving) <= draft.decision.count and len(_reserve(draft)) <= kept:
        return 0
    if any(not each.drill for each in draft.phase(Phase.DRAINING)):
        draft.waiting.append("one batch leaves at a time")
        return 0
    most = draft.policy.fleet.max_step
    left = _let_go(draft, serving, min(len(serving) - draft.decision.count, most), draft.decision.reasons[0])
    reserve = _reserve(draft)
    return left + _let_go(draft, reserve, min(len(reserve) - kept, most - left), f"fleet.standby is {kept}")


def _let_go(draft: Draft, among: list[Instance], surplus: int, reason: str) -> int:
    """Send so many of them away, or into the reserve; how many could go. Whose hour is paid stays until shortly before it ends."""
    left, paid = 0, []
    for instance in sorted(among, key=lambda each: _rank(draft, each)):
        if left >= surplus or not _may_leave(draft, instance):
            continue
        if _stand_by(draft, instance, reason):
            left += 1
        elif wait := _paid_for(draft, instance):
            paid.append(f"{instance.name} is paid for, and leaves in {wait:.0f} s, shortly before its next hour begins")
        else:
            left += _dismiss(draft, instance, reason)
    draft.waiting.extend(paid[: max(0, surplus - left)])
    return left


def _paid_for(draft: Draft, instance: Instance) -> float:
    """Seconds that it stays because they are paid. An order is followed at once, and what is unhealthy is no use however well paid."""
    if draft.snapshot.orders.override is not None or instance.down_since is not None:
        return 0.0
    return until_release(instance, draft.policy, draft.now)


def _stand_by(draft: Draft, instance: Instance, reason: str) -> bool:
    """Keep one that leaves service as the standby, where one is missing and it is fit for it."""
    missing = len(draft.phase(Phase.STANDBY)) < draft.policy.fleet.standby
    fit = instance.phase is Phase.IN_SERVICE and instance.down_since is None and instance.by_hand is None
    if not fit or not missing:
        return False
    draft.move(instance, Phase.STANDBY, f"it stands by: {reason}")
    return True


def _rank(draft: Draft, instance: Instance) -> tuple[bool, bool, float, bool, float]:
    """Smallest leaves first: what does not serve yet, then what is unhealthy, then whose hour is nearly over, then the youngest."""
    wait, hourly = until_release(instance, draft.policy, draft.now), is_hourly(instance, draft.policy)
    return (instance.phase in SERVING, instance.down_since is None, wait, not hourly, -instance.created_at)


def _may_leave(draft: Draft, instance: Instance) -> bool:
    """An override or an unhealthy instance need not wait for the minimum lifetime, which is there against flapping.

    One that somebody holds out by hand is looked at, maybe, and leaves by an order alone.
    """
    ordered = draft.snapshot.orders.override is not None
    young = instance.joined_at is not None and draft.now - instance.joined_at < draft.policy.fleet.minimum_lifetime
    return ordered or (instance.by_hand is None and (instance.down_since is not None or not young))
