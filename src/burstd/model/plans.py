"""The plan as data: what to do now, in order, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from burstd.model.cloud import CloudCall, CreateCall, DestroyCall
from burstd.model.content import MirrorTarget
from burstd.model.faults import Fault
from burstd.model.fleet import Cooldowns, Instance, Orders, PoolState
from burstd.model.gateway import AddServer, CutSessions, EnableHealth, GatewayEdit, RemoveServer, SetMaxconn, SetState, SetWeight
from burstd.model.promotion import Promotion
from burstd.model.steps import Errand, Verb, Work


@dataclass(frozen=True, slots=True)
class Record:
    """Store an instance's new state, durable before the next action starts."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class RecordPool:
    """Store how a pool has behaved."""

    state: PoolState


@dataclass(frozen=True, slots=True)
class RecordCooldowns:
    """Store that the fleet grew or shrank by decision."""

    cooldowns: Cooldowns


@dataclass(frozen=True, slots=True)
class RecordOrders:
    """Store the orders that are left: an override has ended when it said, or a drained instance is gone."""

    orders: Orders


@dataclass(frozen=True, slots=True)
class RecordLearned:
    """Store what a policy has learned, as its own text."""

    policy: str
    text: str


@dataclass(frozen=True, slots=True)
class CallCloud:
    """Start a slow call on a worker; its outcome is a field of a later snapshot."""

    call: CloudCall


@dataclass(frozen=True, slots=True)
class EditGateway:
    """One edit in HAProxy."""

    edit: GatewayEdit


@dataclass(frozen=True, slots=True)
class SetTargets:
    """Tell the mirror to push to these instances and to no others; its answers are a field of later snapshots."""

    targets: tuple[MirrorTarget, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Say something to the operator, once: an event of that kind and a log line, with no effect."""

    text: str
    kind: str = "instance"


@dataclass(frozen=True, slots=True)
class EditListener:
    """Fence or open a server of the database's listener, as long as this promotion is on record."""

    verb: Verb
    promotion: Promotion


@dataclass(frozen=True, slots=True)
class WorkDatabase:
    """Send the worker to the database: what comes of it is a field of a later snapshot."""

    work: Work


@dataclass(frozen=True, slots=True)
class ForgetPromotion:
    """Take a promotion from the record, since the settings name the new primary."""

    promotion: Promotion


Action = (
    Record
    | RecordPool
    | RecordCooldowns
    | RecordOrders
    | RecordLearned
    | CallCloud
    | EditGateway
    | SetTargets
    | EditListener
    | WorkDatabase
    | ForgetPromotion
    | Note
)

KINDS: Final = {
    CreateCall: "create",
    DestroyCall: "destroy",
    AddServer: "add_server",
    SetState: "set_state",
    SetWeight: "set_weight",
    SetMaxconn: "set_maxconn",
    EnableHealth: "enable_health",
    CutSessions: "cut_sessions",
    RemoveServer: "remove_server",
    Record: "record",
    RecordPool: "record_pool",
    RecordCooldowns: "record_cooldowns",
    RecordOrders: "record_orders",
    RecordLearned: "record_learned",
    SetTargets: "set_targets",
    ForgetPromotion: "forget_promotion",
    Note: "note",
}
"""Every kind of action by what it carries, as logs, metrics and the API name it."""


def kind(action: Action) -> str:
    """The action's kind; a cloud call and a gateway edit are named by what they do."""
    match action:
        case CallCloud(call):
            return KINDS[type(call)]
        case EditGateway(edit):
            return KINDS[type(edit)]
        case EditListener(verb):
            return str(verb)
        case WorkDatabase(work):
            return str(work) if isinstance(work, Errand) else "promote_replica"
        case _:
            return KINDS[type(action)]


@dataclass(frozen=True, slots=True)
class Violation:
    """An action that would have broken an invariant (design, section 8) and was taken out of the plan."""

    invariant: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in this order.

    Attributes:
        actions: already checked against the invariants.
        violations: what the check took out; a bug of burstd each, counted in /metrics.
        waiting: what is under way and needs nothing but time, for people.
    """

    actions: tuple[Action, ...] = ()
    violations: tuple[Violation, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def effects(self) -> tuple[Action, ...]:
        """The actions that change the world outside: cloud calls and gateway edits."""
        return tuple(each for each in self.actions if isinstance(each, CallCloud | EditGateway))


@dataclass(frozen=True, slots=True)
class Done:
    """One action carried out (`fault` is None) or failed."""

    action: Action
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a plan, in its order; what a failure kept from being tried is in `skipped`."""

    done: tuple[Done, ...] = ()
    skipped: tuple[Action, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Every failure."""
        return tuple(each.fault for each in self.done if each.fault is not None)

    @property
    def learned(self) -> dict[str, str]:
        """What was stored of what was learned, as text by name."""
        actions = (each.action for each in self.done if each.fault is None)
        return {each.policy: each.text for each in actions if isinstance(each, RecordLearned)}
