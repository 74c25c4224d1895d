"""From service to gone: drain, maintenance, the grace that this HAProxy's version needs, removal, and only then the destroy."""

from __future__ import annotations

from burstd.lifecycle import overdue
from burstd.model.cloud import DestroyCall
from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import AdminState, CutSessions, GatewayView, RemoveServer, ServerRow, ServerStatus, SetState
from burstd.plan.draft import Draft


def leave(draft: Draft) -> None:
    """Take draining instances out of HAProxy, step by step; while HAProxy cannot be read they wait."""
    view = draft.gateway
    for instance in draft.phase(Phase.DRAINING):
        if view is None:
            draft.waiting.append(f"{instance.name} waits for HAProxy before it leaves")
            continue
        row = view.server(instance.name)
        if row is None:
            draft.move(instance, Phase.DESTROYING, instance.reason, attempts=0, attempted_at=None)
        elif row.status is ServerStatus.MAINT and instance.maint_at is not None:
            _remove(draft, instance, row, view)
        else:
            _drain(draft, instance, row)


def _drain(draft: Draft, instance: Instance, row: ServerRow) -> None:
    late = overdue(instance, draft.policy.fleet, draft.now)
    if row.sessions == 0 and row.queued == 0 and row.status is not ServerStatus.UP:
        _put_to_maintenance(draft, instance)
    elif late:
        draft.edit(CutSessions(instance.name))
        _put_to_maintenance(draft, instance)
    else:
        draft.waiting.append(f"{instance.name} drains ({row.sessions + row.queued} requests in flight)")
        if row.status is not ServerStatus.DRAIN:
            draft.edit(SetState(instance.name, AdminState.DRAIN))


def _put_to_maintenance(draft: Draft, instance: Instance) -> None:
    draft.change(instance, maint_at=draft.now)
    draft.edit(SetState(instance.name, AdminState.MAINT))


def _remove(draft: Draft, instance: Instance, row: ServerRow, view: GatewayView) -> None:
    rested = draft.now - (instance.maint_at or draft.now) >= view.removal_grace
    if row.sessions or row.queued:
        draft.waiting.append(f"{instance.name} still has {row.sessions + row.queued} requests")
        if overdue(instance, draft.policy.fleet, draft.now):
            draft.edit(CutSessions(instance.name))
    elif rested:
        draft.edit(RemoveServer(instance.name))
    else:
        draft.waiting.append(f"{instance.name} rests before it is removed")


def destroy(draft: Draft) -> None:
    """Give machines back that have left HAProxy, and again until the cloud no longer shows them."""
    for instance in draft.phase(Phase.DESTROYING):
        if instance.operation in draft.snapshot.cloud.in_flight:
            draft.waiting.append(f"{instance.name} is being destroyed")
            continue
        due = instance.attempted_at is None or draft.now - instance.attempted_at >= draft.policy.fleet.destroy_retry or _unseen(instance)
        if instance.node_id is not None and due and draft.room(DestroyCall) > 0:
            draft.change(instance, attempts=instance.attempts + 1, attempted_at=draft.now)
            draft.call(DestroyCall(instance.operation, instance.pool, instance.node_id))
        else:
            draft.waiting.append(f"{instance.name} is gone when no listing shows it any more")


def _unseen(instance: Instance) -> bool:
    """A listing has just missed it for the first time since it was last asked for: one listing proves nothing, the cloud's answer does."""
    return instance.missed == 1 and (instance.missed_since or 0.0) > (instance.attempted_at or 0.0)
