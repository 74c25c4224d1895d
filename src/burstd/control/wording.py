"""The actions of a plan in words. Pure; it shows neither user data nor tags."""

from __future__ import annotations

from typing import assert_never

from burstd.decide.ledger import LEDGER
from burstd.model.cloud import CloudCall, CreateCall, DestroyCall
from burstd.model.gateway import AddServer, CutSessions, EnableHealth, GatewayEdit, RemoveServer, SetMaxconn, SetState, SetWeight
from burstd.model.plans import (
    Action,
    CallCloud,
    EditGateway,
    EditListener,
    ForgetPromotion,
    Note,
    Record,
    RecordCooldowns,
    RecordLearned,
    RecordOrders,
    RecordPool,
    SetTargets,
    WorkDatabase,
)
from burstd.plan.narrative import guard


def describe(action: Action) -> tuple[str, str]:  # noqa: C901, PLR0911 - one answer for each kind of action
    """What the action is about (a name, or empty) and one line that says what it does."""
    match action:
        case Record(instance):
            return instance.name, f"record {instance.name} as {instance.phase}: {instance.reason}"
        case RecordPool(state):
            return state.pool, f"record {state.failures} failures in a row of pool {state.pool}"
        case RecordCooldowns():
            return "", "record when the fleet last grew and shrank"
        case RecordOrders():
            return "", "record the orders that are left"
        case RecordLearned(policy) if policy == LEDGER:
            return policy, "record what instances have cost"
        case RecordLearned(policy):
            return policy, f"record what {policy} has learned"
        case CallCloud(call):
            return _cloud(call)
        case EditGateway(edit):
            return edit.name, _gateway(edit)
        case SetTargets(targets):
            return "", f"have the core push its content to {', '.join(each.address for each in targets) or 'nobody'}"
        case EditListener() | WorkDatabase() | ForgetPromotion():
            return "database", guard(action)
        case Note(text):
            return "", text
        case _:
            assert_never(action)


def _cloud(call: CloudCall) -> tuple[str, str]:
    match call:
        case CreateCall(request=request):
            return request.name, f"create {request.name} in pool {request.pool} (size {request.size}, image {request.image})"
        case DestroyCall(pool=pool, node_id=node_id):
            return node_id, f"destroy machine {node_id} in pool {pool}"
        case _:
            assert_never(call)


def _gateway(edit: GatewayEdit) -> str:
    match edit:
        case AddServer():
            role = ", as backup" if edit.backup else ""
            text = f"add {edit.name} to HAProxy at {edit.address}:{edit.port} with weight {edit.weight}{role}, without traffic yet"
        case SetState():
            text = f"set {edit.name} to {edit.state} in HAProxy"
        case SetWeight():
            text = f"give {edit.name} the weight {edit.weight}"
        case SetMaxconn():
            text = f"{'lift the connection limit' if edit.maxconn is None else f'set the connection limit {edit.maxconn}'} of {edit.name}"
        case EnableHealth():
            text = f"start the health check of {edit.name}"
        case CutSessions():
            text = f"close the sessions that {edit.name} still has"
        case RemoveServer():
            text = f"remove {edit.name} from HAProxy"
        case _:
            assert_never(edit)
    return text
