"""From a booting machine to a server in service: its address, the gate of its check path and its content, and then HAProxy's own check.

Join: add in DRAIN, wait until HAProxy's own check passes, then ready (`burstd.plan.keeping` orders that, as for all that serve).
"""

from __future__ import annotations

from burstd.lifecycle import overdue
from burstd.model.cloud import Node, NodeState
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import AdminState, GatewayView, RemoveServer, ServerStatus, SetState
from burstd.model.naming import instance_of, is_server_name
from burstd.plan.content import missing_content
from burstd.plan.draft import Draft
from burstd.plan.keeping import keep, prepare
from burstd.plan.lines import wanted_lines
from burstd.plan.residency import outside, too_far

_NOT_ASKED = Fault("check path", FaultKind.MISSING, "its check path has not been asked yet")


def recognize(draft: Draft) -> None:
    """An instance that HAProxy lists already needs no boot and no gate: it was adopted while it served, and leaves like one that joined."""
    for instance in draft.phase(Phase.BOOTING, Phase.SYNCING):
        lines = draft.gateway.lines_of(instance.name) if draft.gateway else ()
        if lines:
            address = instance.address or lines[0].row.address.rpartition(":")[0] or None
            if instance.phase is Phase.BOOTING:
                instance = draft.move(instance, Phase.SYNCING, "HAProxy lists it already", address=address)  # noqa: PLW2901 - as it is from here on
            reserve = all(line.row.backup for line in lines)
            draft.move(instance, Phase.JOINING, "HAProxy lists it already", address=address, reserve=reserve)


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
    """The gate: an instance joins only where it may be, when its check path has answered, from near enough, and with all of the content."""
    for instance in draft.phase(Phase.SYNCING):
        lacking, failed = _lacking(draft, instance)
        if not lacking:
            draft.move(instance, Phase.JOINING, "its check path answers" + (" and its content is whole" if draft.policy.content else ""))
        elif overdue(instance, draft.policy.fleet, draft.now):
            _fail(draft, instance, f"{failed}: {lacking}")
        else:
            draft.waiting.append(f"{instance.name} is not ready: {lacking}")


def _lacking(draft: Draft, instance: Instance) -> tuple[str, str]:
    """What keeps an instance at the gate, by name (empty: nothing), and what is said of it where it has been so for too long."""
    if why := outside(draft.policy, instance.pool):
        return why, "it may not serve"
    if fault := draft.snapshot.checks.get(instance.operation, _NOT_ASKED):
        return fault.text, "its check path never answered"
    if far := too_far(draft.snapshot, draft.policy, instance):
        return far, "it is too far away"
    return missing_content(draft, instance), "its content did not come in time"


def join(draft: Draft) -> None:
    """Bring joining instances into service, and keep those in service, and the standby, as HAProxy should have them."""
    view = draft.gateway
    if view is None:
        return
    for instance in draft.phase(Phase.JOINING):
        _join(draft, instance, view)
    keep(draft, view)
    _retire_ghosts(draft, view)


def _join(draft: Draft, instance: Instance, view: GatewayView) -> None:
    wanted = wanted_lines(draft, instance)
    rows = [view.line(line.backend, line.name) for line in wanted]
    if rows and all(row is not None and row.passing and row.status in {ServerStatus.DRAIN, ServerStatus.UP} for row in rows):
        if instance.drill:
            draft.move(instance, Phase.DRAINING, "HAProxy's check passes, and its drill is over", joined_at=draft.now, maint_at=None)
        else:
            phase = Phase.STANDBY if wanted[0].backup else Phase.IN_SERVICE
            draft.move(instance, phase, "HAProxy's check passes", joined_at=draft.now, down_since=None)
        draft.forgive(instance.pool)
    elif overdue(instance, draft.policy.fleet, draft.now):
        if instance.joined_at is None:  # else it was healthy once
            draft.punish(instance.pool, f"{instance.name}: HAProxy's check never passed", unhealthy=True)
        draft.expel(instance, "HAProxy's check did not pass in time")
    else:
        draft.waiting.append(f"{instance.name} joins")
        for line, row in zip(wanted, rows, strict=True):
            prepare(draft, line, row)


def _retire_ghosts(draft: Draft, view: GatewayView) -> None:
    """Lines that bear our name and belong to no live record get no traffic; where it is safe at once they are removed."""
    alive = {each.name for each in draft.fleet.values()} | {each.name for each in draft.snapshot.fleet}
    for backend, row in view.lines:
        if instance_of(row.name) in alive or not is_server_name(draft.policy.fleet.name, draft.policy.owner, row.name):
            continue
        if row.status is not ServerStatus.MAINT:
            draft.edit(SetState(backend, row.name, AdminState.MAINT))
        elif view.removal_grace == 0 and row.sessions == 0:
            draft.edit(RemoveServer(backend, row.name))
        else:
            draft.waiting.append(f"{row.name} stays in maintenance: no instance stands for it")
