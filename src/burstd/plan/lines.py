"""An instance's lines in HAProxy: which it should have, and how one comes and goes. HAProxy's truth is compared in every cycle.

A reload or restart forgets dynamic servers; they come back the way they came. A line is never taken away while it may hold requests.
"""

from __future__ import annotations

from burstd.model.fleet import Instance
from burstd.model.gateway import AddServer, AdminState, CutSessions, GatewayView, Line, RemoveServer, ServerStatus, SetState
from burstd.model.naming import standby_name
from burstd.plan.draft import Draft


def wanted_lines(draft: Draft, instance: Instance) -> tuple[AddServer, ...]:
    """The lines that the instance should have, each as it would be added; none where its pool or its address is not known."""
    pool = draft.policy.pool(instance.pool)
    if pool is None or instance.address is None:
        draft.waiting.append(f"{instance.name}: its pool {instance.pool} is no longer in the settings")
        return ()
    standby = instance.stands_by
    # A line of weight 0 gets no request in any state and under any algorithm, and does not count in `nbsrv`, on which spillover rests.
    return tuple(
        AddServer(
            backend=backend.joined,
            name=standby_name(instance.name) if standby else instance.name,
            address=instance.address,
            port=backend.port or pool.port,
            weight=0 if instance.drill else draft.decision.weights.get(backend.joined, 1),
            maxconn=backend.maxconn,
            backup=standby,
        )
        for backend in draft.policy.routing.backends
    )


def retire(draft: Draft, instance: Instance, line: Line, view: GatewayView, *, late: bool = False) -> None:
    """Take a line away, step by step: drain, maintenance, the grace that this HAProxy's version needs, removal.

    Args:
        draft: the plan.
        instance: whose line it is; its record keeps since when its lines have been in maintenance.
        line: the line as HAProxy shows it.
        view: HAProxy.
        late: what is still in flight has had its time: cut it.
    """
    backend, row = line
    busy = row.sessions + row.queued
    if row.status is ServerStatus.MAINT and instance.maint_at is not None:
        if busy:
            draft.waiting.append(f"{row.name} still has {busy} requests")
            if late:
                draft.edit(CutSessions(backend, row.name))
        elif draft.now - instance.maint_at >= view.removal_grace:
            draft.edit(RemoveServer(backend, row.name))
        else:
            draft.waiting.append(f"{row.name} rests before it is removed")
    elif late or (not busy and row.status is not ServerStatus.UP):
        if late:
            draft.edit(CutSessions(backend, row.name))
        draft.change(draft.fleet[instance.operation], maint_at=draft.now, up_in=None)
        draft.edit(SetState(backend, row.name, AdminState.MAINT))
    else:
        draft.waiting.append(f"{row.name} drains ({busy} requests in flight)")
        if row.status is not ServerStatus.DRAIN:
            draft.change(draft.fleet[instance.operation], up_in=None)
            draft.edit(SetState(backend, row.name, AdminState.DRAIN))
