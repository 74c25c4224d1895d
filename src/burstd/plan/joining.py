"""From a booting machine to a server in service, and keeping it there: each cycle HAProxy's truth is compared and mended.

Join: add in DRAIN, wait until HAProxy's own check passes, then ready. A reload or restart of HAProxy forgets dynamic servers; they
come back the same way. An instance that HAProxy has long called DOWN leaves and is replaced.
"""

from __future__ import annotations

from burstd.lifecycle import overdue
from burstd.model.cloud import Node, NodeState
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import (
    AddServer,
    AdminState,
    EnableHealth,
    GatewayView,
    RemoveServer,
    ServerRow,
    ServerStatus,
    SetState,
    SetWeight,
)
from burstd.model.naming import is_instance_name
from burstd.plan.draft import Draft

_NOT_ASKED = Fault("check path", FaultKind.MISSING, "its check path has not been asked yet")


def recognize(draft: Draft) -> None:
    """An instance that HAProxy lists already needs no boot and no gate: it was adopted while it served, and leaves like one that joined."""
    for instance in draft.phase(Phase.BOOTING, Phase.SYNCING):
        row = draft.gateway.server(instance.name) if draft.gateway else None
        if row is not None:
            address = instance.address or row.address.rpartition(":")[0] or None
            if instance.phase is Phase.BOOTING:
                instance = draft.move(instance, Phase.SYNCING, "HAProxy lists it already", address=address)  # noqa: PLW2901 - as it is from here on
            draft.move(instance, Phase.JOINING, "HAProxy lists it already", address=address)


def boot(draft: Draft) -> None:
    """Booting machines that run and have an address go on; those past their deadline go away."""
    for instance in draft.phase(Phase.BOOTING):
        node = _node(draft, instance)
        address = (node.addresses[0] if node and node.addresses else None) or instance.address
        if node is not None and node.state is NodeState.RUNNING and address is not None:
            draft.move(instance, Phase.SYNCING, f"it runs at {address}", address=address)
        elif overdue(instance, draft.policy.fleet, draft.now):
            _fail(draft, instance, "it did not boot in time")
        else:
            draft.waiting.append(f"{instance.name} boots")


def _node(draft: Draft, instance: Instance) -> Node | None:
    listing = draft.snapshot.cloud.listing(instance.pool)
    if listing is None or isinstance(listing.nodes, Fault):
        return None
    return next((node for node in listing.nodes if node.id == instance.node_id), None)


def _fail(draft: Draft, instance: Instance, why: str) -> None:
    if draft.gateway is None:
        # It may have been adopted while it served: first HAProxy must say that it does not list it.
        draft.waiting.append(f"{instance.name} waits for HAProxy before it is given up: {why}")
        return
    draft.punish(instance.pool, f"{instance.name}: {why}", unhealthy=True)
    draft.move(instance, Phase.DESTROYING, why, attempts=0, attempted_at=None)


def sync(draft: Draft) -> None:
    """The gate: an instance joins only when its check path has answered."""
    for instance in draft.phase(Phase.SYNCING):
        fault = draft.snapshot.checks.get(instance.operation, _NOT_ASKED)
        if fault is None:
            draft.move(instance, Phase.JOINING, "its check path answers")
        elif overdue(instance, draft.policy.fleet, draft.now):
            _fail(draft, instance, f"its check path never answered: {fault.text}")
        else:
            draft.waiting.append(f"{instance.name} is not ready: {fault.text}")


def join(draft: Draft) -> None:
    """Bring joining instances into service, and keep those in service as HAProxy should have them."""
    view = draft.gateway
    if view is None:
        return
    for instance in draft.phase(Phase.JOINING):
        _join(draft, instance, view.server(instance.name))
    for instance in draft.phase(Phase.IN_SERVICE):
        _keep(draft, instance, view.server(instance.name))
    _retire_ghosts(draft, view)


def _add(draft: Draft, instance: Instance) -> None:
    pool = draft.policy.pool(instance.pool)
    if pool is None or instance.address is None:
        draft.waiting.append(f"{instance.name}: its pool {instance.pool} is no longer in the settings")
        return
    weight = draft.decision.weight
    draft.edit(AddServer(instance.name, instance.address, pool.port, 1 if weight is None else weight, draft.policy.routing.maxconn))


def _join(draft: Draft, instance: Instance, row: ServerRow | None) -> None:
    if row is not None and row.passing and row.status in {ServerStatus.DRAIN, ServerStatus.UP}:
        draft.move(instance, Phase.IN_SERVICE, "HAProxy's check passes", joined_at=draft.now, down_since=None)
        draft.forgive(instance.pool)
    elif overdue(instance, draft.policy.fleet, draft.now):
        if instance.joined_at is None:  # else it was healthy once
            draft.punish(instance.pool, f"{instance.name}: HAProxy's check never passed", unhealthy=True)
        draft.expel(instance, "HAProxy's check did not pass in time")
    else:
        draft.waiting.append(f"{instance.name} joins")
        _prepare(draft, instance, row)


def _prepare(draft: Draft, instance: Instance, row: ServerRow | None) -> None:
    """Mend what an interrupted join has left: a server missing, without checks, or still in maintenance."""
    if row is None:
        _add(draft, instance)
    elif row.status is ServerStatus.NO_CHECK:
        draft.edit(EnableHealth(instance.name))
    elif row.status is ServerStatus.MAINT:
        draft.edit(EnableHealth(instance.name))
        draft.edit(SetState(instance.name, AdminState.DRAIN))


def _keep(draft: Draft, instance: Instance, row: ServerRow | None) -> None:
    weight = draft.decision.weight
    if row is None or row.status is ServerStatus.NO_CHECK:
        _prepare(draft, instance, row)
        return
    if weight is not None and row.weight != weight:
        draft.edit(SetWeight(instance.name, weight))
    if row.status is ServerStatus.MAINT:
        draft.waiting.append(f"{instance.name} is in maintenance by somebody's hand")
    elif row.status is ServerStatus.DRAIN and row.passing:
        draft.edit(SetState(instance.name, AdminState.READY))
    _watch_health(draft, instance, row)


def _watch_health(draft: Draft, instance: Instance, row: ServerRow) -> None:
    down = row.status is ServerStatus.DOWN
    if down and instance.down_since is None:
        draft.change(instance, down_since=draft.now)
    elif not down and instance.down_since is not None:
        draft.change(instance, down_since=None)
    elif down and instance.down_since is not None and draft.now - instance.down_since > draft.policy.fleet.unhealthy_after:
        draft.expel(instance, f"HAProxy has called it DOWN for {draft.now - instance.down_since:.0f} s")


def _retire_ghosts(draft: Draft, view: GatewayView) -> None:
    """Servers that bear our name and belong to no live record get no traffic; where it is safe at once they are removed."""
    alive = {each.name for each in draft.fleet.values()} | {each.name for each in draft.snapshot.fleet}
    for row in view.servers:
        if not is_instance_name(draft.policy.fleet.name, draft.policy.owner, row.name) or row.name in alive:
            continue
        if row.status is not ServerStatus.MAINT:
            draft.edit(SetState(row.name, AdminState.MAINT))
        elif view.removal_grace == 0 and row.sessions == 0:
            draft.edit(RemoveServer(row.name))
        else:
            draft.waiting.append(f"{row.name} stays in maintenance: no instance stands for it")
