"""Plan: what to do now, as an ordered list of actions. Pure: a snapshot and a decision in, a plan out.

One module a step of an instance's life. Records come first, then HAProxy, then the clouds: every intent is durable before any
effect, whatever the steps wrote in between. Applied to a world in which everything succeeds, a plan leaves an empty plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from burstd.model.content import HostKey
from burstd.model.decision import Decision
from burstd.model.plans import Note, Plan, RecordLearned, RecordOrders
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.plan.content import expel_stale, steer_mirror
from burstd.plan.database import keep_database
from burstd.plan.draft import Draft
from burstd.plan.drill import follow, rehearse
from burstd.plan.idleness import tell_idle
from burstd.plan.invariants import enforce
from burstd.plan.joining import boot, join, recognize, sync
from burstd.plan.leaving import destroy, leave
from burstd.plan.outcomes import absorb_outcomes
from burstd.plan.ownership import compare_listings, resolve_unknown
from burstd.plan.scaling import scale, send_intended
from burstd.plan.takeover import take_over

__all__ = ["plan"]


def plan(snapshot: Snapshot, decision: Decision, policy: Policy, operations: Iterable[str], host_keys: Iterable[HostKey] = ()) -> Plan:
    """The plan of this cycle, checked against the invariants.

    Args:
        snapshot: the world as it was read.
        decision: what is wanted.
        policy: the settings in force.
        operations: fresh operation ids (lower-case hexadecimal, at least 10 digits); as many are drawn as launches are planned.
        host_keys: fresh ssh host keys, drawn likewise where the content is mirrored; where they end nothing is launched.
    """
    draft = Draft(snapshot, decision, policy, host_keys)
    take_over(draft)
    absorb_outcomes(draft)
    recognize(draft)
    compare_listings(draft)
    resolve_unknown(draft)
    expel_stale(draft)
    fresh = iter(operations)
    scale(draft, fresh)
    rehearse(draft, fresh)
    send_intended(draft)
    boot(draft)
    sync(draft)
    join(draft)
    tell_idle(draft)
    leave(draft)
    destroy(draft)
    follow(draft)
    steer_mirror(draft)
    keep_database(draft)
    _settle_orders(draft)
    draft.records.extend(RecordLearned(name, text) for name, text in decision.learned.items())
    draft.notes.extend(map(Note, decision.notes))
    draft.notes.extend(Note(each, "budget") for each in decision.warnings)
    if decision.database is not None:
        draft.notes.extend(Note(each, "database") for each in decision.database.notes)
    actions = (*draft.records, *draft.edits, *draft.pushes, *draft.calls, *draft.guards, *draft.notes)
    return enforce(Plan(actions, waiting=tuple(draft.waiting)), snapshot, decision, policy)


def _settle_orders(draft: Draft) -> None:
    """Take back what has ended by itself: an override when it said, a drain when its instance is gone, a drill that has begun."""
    orders = draft.snapshot.orders
    if orders.override is None and orders.drill is None and not orders.drains:
        return
    override = orders.override_at(draft.now)
    left = replace(orders, override=override, drill=None, drains=orders.drains & {each.name for each in draft.fleet.values()})
    if orders.override is not None and override is None:
        draft.note(f"the override of {orders.override.owner} has ended: the policies decide")
    if left != orders:
        draft.records.append(RecordOrders(left))
