"""From service to gone: drain, maintenance, the grace that this HAProxy's version needs, removal, and only then the destroy."""

from __future__ import annotations

from burstd.lifecycle import overdue
from burstd.model.cloud import DestroyCall
from burstd.model.fleet import Instance, Phase
from burstd.plan.draft import Draft
from burstd.plan.lines import retire


def leave(draft: Draft) -> None:
    """Take draining instances out of HAProxy, step by step; while HAProxy cannot be read they wait."""
    view = draft.gateway
    for instance in draft.phase(Phase.DRAINING):
        if view is None:
            draft.waiting.append(f"{instance.name} waits for HAProxy before it leaves")
            continue
        lines = view.lines_of(instance.name)
        if not lines:
            draft.move(instance, Phase.DESTROYING, instance.reason, attempts=0, attempted_at=None)
        for line in lines:
            retire(draft, instance, line, view, late=overdue(instance, draft.policy.fleet, draft.now))


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
