"""What must always hold (design, section 8, and the budget), checked on every plan before it is carried out.

An action that would break an invariant is a bug of burstd: it is taken out, said loudly and counted; the rest of the plan stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from burstd.model.cloud import CreateCall, DestroyCall
from burstd.model.decision import Decision
from burstd.model.faults import Fault
from burstd.model.fleet import ENDED, Instance, Phase
from burstd.model.gateway import GatewayView
from burstd.model.naming import is_server_name
from burstd.model.plans import Action, CallCloud, EditGateway, Plan, Record, RecordCooldowns, Violation
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.plan.residency import outside


class _Check:
    """One plan against the world it was made for."""

    def __init__(self, plan: Plan, snapshot: Snapshot, decision: Decision, policy: Policy) -> None:
        self.snapshot = snapshot
        self.decision = decision
        self.policy = policy
        self.before = {each.operation: each for each in snapshot.fleet}
        self.after = dict(self.before)
        for action in plan.actions:
            if isinstance(action, Record):
                self.after[action.instance.operation] = action.instance
        self.creates = self.destroys = 0

    @property
    def billed(self) -> int:
        return sum(each.phase not in ENDED for each in self.after.values())

    def max_exceeded(self, action: Action) -> str | None:
        match action:
            case CallCloud(CreateCall(operation=operation)) if self.billed > self.policy.fleet.maximum:
                known = self.before.get(operation)
                if known is None or known.phase is Phase.INTENDED:
                    return f"a launch beyond fleet.max: {self.billed} of {self.policy.fleet.maximum}"
        return None

    def budget_exceeded(self, action: Action) -> str | None:
        match action:
            case CallCloud(CreateCall(operation=operation)) if self.decision.purse is not None:
                billed = {each.operation for each in self.decision.memory.ledger.bills}
                over = {*ENDED, Phase.DESTROYING}
                promised = [each for each in self.after.values() if each.operation not in billed and each.phase not in over]
                pools = [self.policy.pool(each.pool) for each in promised]
                first = sum(each.first_unit for each in pools if each is not None)
                why = replace(self.decision.purse, promised=first).refusal()
                return f"a create of {operation} past the hard limit: {why}" if why else None
        return None

    def strangers_touched(self, action: Action) -> str | None:
        match action:
            case CallCloud(DestroyCall(operation=operation, node_id=node_id)):
                record = self.after.get(operation)
                bound = record is not None and record.node_id == node_id
                if not bound and not self._listed_as_ours(operation, node_id):
                    return f"a destroy of {node_id}, which is not known as ours"
            case EditGateway(edit):
                if not is_server_name(self.policy.fleet.name, self.policy.owner, edit.name):
                    return f"an edit of {edit.name}, which is not ours"
        return None

    def _listed_as_ours(self, operation: str, node_id: str) -> bool:
        nodes = (node for each in self.snapshot.cloud.listings if not isinstance(each.nodes, Fault) for node in each.nodes)
        return any(each.id == node_id and each.owner == self.policy.owner and each.operation == operation for each in nodes)

    def destroyed_in_haproxy(self, action: Action) -> str | None:
        match action:
            case CallCloud(DestroyCall(operation=operation, node_id=node_id)):
                record = self.after.get(operation)
                view = self.snapshot.gateway
                if record is None or record.node_id != node_id:
                    return None
                if isinstance(view, GatewayView) and view.lines_of(record.name):
                    return f"a destroy of {record.name}, which HAProxy still lists"
        return None

    def shrunk_blind(self, action: Action) -> str | None:
        # A takeover dates a cooldown of the future back to now: only one that moves on is a scale-in.
        moves_on = (self.snapshot.cooldowns.scale_in or 0.0) < self.snapshot.now
        if isinstance(action, RecordCooldowns) and action.cooldowns.scale_in == self.snapshot.now and moves_on:
            return None if self.decision.scale_in_allowed else "a scale-in that the data does not allow"
        return None

    def effect_before_intent(self, action: Action) -> str | None:
        match action:
            case CallCloud(CreateCall(operation=operation)) if self._phase(operation) is not Phase.REQUESTED:
                return f"a create of {operation} without its record"
            case CallCloud(DestroyCall(operation=operation, node_id=node_id)):
                record = self.after.get(operation)
                if record is not None and record.node_id == node_id and record.phase is not Phase.DESTROYING:
                    return f"a destroy of {record.name} without its record"
        return None

    def _phase(self, operation: str) -> Phase | None:
        record = self.after.get(operation)
        return None if record is None else record.phase

    def removed_on_a_fault(self, action: Action) -> str | None:
        match action:
            case Record(Instance(phase=Phase.GONE | Phase.ABANDONED) as instance):
                listing = self.snapshot.cloud.listing(instance.pool)
                answered = any(each.operation == instance.operation for each in self.snapshot.cloud.outcomes)
                if not answered and (listing is None or isinstance(listing.nodes, Fault)):
                    return f"{instance.name} called {instance.phase} on a failed listing"
        return None

    def too_many_steps(self, action: Action) -> str | None:
        match action:
            case CallCloud(CreateCall()):
                self.creates += 1
                return f"launch {self.creates} of one cycle" if self.creates > self.policy.fleet.max_step else None
            case CallCloud(DestroyCall()):
                self.destroys += 1
                return f"destroy {self.destroys} of one cycle" if self.destroys > self.policy.fleet.max_step else None
        return None

    def provisioned_abroad(self, action: Action) -> str | None:
        match action:
            case CallCloud(CreateCall(pool=pool)) if why := outside(self.policy, pool):
                return f"a create where none may be: {why}"
        return None


INVARIANTS: dict[str, Callable[[_Check, Action], str | None]] = {
    "max": _Check.max_exceeded,
    "budget": _Check.budget_exceeded,
    "ownership": _Check.strangers_touched,
    "drained": _Check.destroyed_in_haproxy,
    "scale_in_data": _Check.shrunk_blind,
    "intent": _Check.effect_before_intent,
    "listing": _Check.removed_on_a_fault,
    "max_step": _Check.too_many_steps,
    "residency": _Check.provisioned_abroad,
}
"""By the name that /metrics counts them under. Overrides end in `plan()`, an empty second plan is a property test."""


def enforce(plan: Plan, snapshot: Snapshot, decision: Decision, policy: Policy) -> Plan:
    """The plan without the actions that would break an invariant, and what was taken out."""
    if not plan.actions:
        return plan
    check = _Check(plan, snapshot, decision, policy)
    kept: list[Action] = []
    violations: list[Violation] = list(plan.violations)
    for action in plan.actions:
        broken = list(_broken(check, action))
        violations.extend(broken)
        if not broken:
            kept.append(action)
    return Plan(tuple(kept), tuple(violations), plan.waiting)


def _broken(check: _Check, action: Action) -> Iterable[Violation]:
    for name, holds in INVARIANTS.items():
        if (text := holds(check, action)) is not None:
            yield Violation(name, text)
