"""From the wanted number to launches and departures: back from the drain first, then new ones; unhealthy and youngest leave first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, CreateCall, LaunchRequest
from burstd.model.fleet import ON_ITS_WAY, SERVING, Cooldowns, Instance, Phase
from burstd.model.naming import instance_name
from burstd.model.plans import RecordCooldowns
from burstd.model.policy import Policy, PoolPolicy
from burstd.plan.draft import Draft


def scale(draft: Draft, operations: Iterator[str]) -> None:
    """Bring the number of instances in service and on their way to the decided one, as far as one cycle may."""
    _drain_by_order(draft)
    capacity = (each for each in draft.fleet.values() if each.on_its_way or each.phase in SERVING)
    wanted = [each for each in capacity if each.name not in draft.snapshot.orders.drains]
    missing = draft.decision.count - len(wanted)
    if missing > 0:
        _grow(draft, missing, operations)
    elif missing < 0 and draft.decision.scale_in_allowed:
        _shrink(draft, -missing, wanted)
    _send_intended(draft)


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


def _grow(draft: Draft, missing: int, operations: Iterator[str]) -> None:
    before = missing
    for instance in sorted(draft.phase(Phase.DRAINING), key=lambda each: -each.since):
        if missing and _can_return(draft, instance):
            draft.move(instance, Phase.JOINING, "the load is back before it has left", down_since=None)
            missing -= 1
    live = len(draft.fleet)
    room = min(missing, draft.policy.fleet.max_step, max(0, draft.policy.fleet.maximum - live))
    if missing and live >= draft.policy.fleet.maximum:
        draft.waiting.append(f"fleet.max is {draft.policy.fleet.maximum} and {live} are still billed")
    for _ in range(room):
        pool = _open_pool(draft)
        if pool is None:
            break
        _intend(draft, pool, next(operations))
        missing -= 1
    if missing < before and draft.decision.direction > 0:
        cooldowns = Cooldowns(scale_out=draft.now, scale_in=draft.snapshot.cooldowns.scale_in)
        draft.records.append(RecordCooldowns(cooldowns))


def _can_return(draft: Draft, instance: Instance) -> bool:
    lines = draft.gateway.lines_of(instance.name) if draft.gateway else ()
    passing = bool(lines) and all(line.row.passing for line in lines)
    ordered = instance.name in draft.snapshot.orders.drains
    return passing and instance.maint_at is None and instance.down_since is None and not ordered


def _open_pool(draft: Draft) -> PoolPolicy | None:
    """The first pool that is not barred."""
    for pool in draft.policy.pools:
        left = draft.bar(pool.name)
        if not left:
            return pool
        state = draft.pools[pool.name]
        draft.waiting.append(f"pool {pool.name} is {'stopped' if state.stopped else 'barred'} for {left:.0f} s: {state.reason}")
    return None


def _intend(draft: Draft, pool: PoolPolicy, operation: str) -> None:
    request = request_of(draft.policy, pool, operation)
    draft.save(Instance(operation, request, Phase.INTENDED, since=draft.now, created_at=draft.now, reason=draft.decision.reasons[0]))


def request_of(policy: Policy, pool: PoolPolicy, operation: str) -> LaunchRequest:
    """The create of one instance, as the settings in force render it."""
    return LaunchRequest(
        pool=pool.name,
        name=instance_name(policy.fleet.name, policy.owner, operation),
        image=pool.image,
        size=pool.size,
        location=pool.location,
        tags=(*pool.tags, (OWNER_TAG, policy.owner), (OPERATION_TAG, operation)),
        token=operation,
        user_data=pool.user_data,
    )


def _send_intended(draft: Draft) -> None:
    """Hand over what is intended, that of an earlier cycle which could not be sent included."""
    for instance in draft.phase(Phase.INTENDED):
        if draft.room(CreateCall) > 0:
            draft.move(instance, Phase.REQUESTED, instance.reason, attempts=1, attempted_at=draft.now)
            draft.call(CreateCall(instance.operation, instance.request))


def _shrink(draft: Draft, surplus: int, wanted: list[Instance]) -> None:
    if draft.phase(Phase.DRAINING):
        draft.waiting.append("one batch leaves at a time")
        return
    reason = draft.decision.reasons[0]
    leaving = 0
    for instance in sorted(wanted, key=_rank):
        if leaving == min(surplus, draft.policy.fleet.max_step):
            break
        if _may_leave(draft, instance):
            leaving += _dismiss(draft, instance, reason)
    if leaving:
        draft.records.append(RecordCooldowns(replace(draft.snapshot.cooldowns, scale_in=draft.now)))


def _rank(instance: Instance) -> tuple[bool, bool, float]:
    """Smallest leaves first: what does not serve yet, then what is unhealthy, then the youngest."""
    return (instance.phase in SERVING, instance.down_since is None, -instance.created_at)


def _may_leave(draft: Draft, instance: Instance) -> bool:
    """An override or an unhealthy instance need not wait for the minimum lifetime, which is there against flapping.

    One that somebody holds out by hand is looked at, maybe, and leaves by an order alone.
    """
    ordered = draft.snapshot.orders.override is not None
    young = instance.joined_at is not None and draft.now - instance.joined_at < draft.policy.fleet.minimum_lifetime
    return ordered or (instance.by_hand is None and (instance.down_since is not None or not young))
