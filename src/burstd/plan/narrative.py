"""A cycle in words: one sentence that says what is done and why, and the events that are kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache

from burstd.model.cloud import CreateCall, DestroyCall
from burstd.model.decision import Decision
from burstd.model.event import Event
from burstd.model.faults import Fault
from burstd.model.fleet import ENDED, Phase
from burstd.model.gateway import AddServer, AdminState, CutSessions, EnableHealth, RemoveServer, SetMaxconn, SetState, SetWeight
from burstd.model.naming import instance_of
from burstd.model.plans import (
    Action,
    CallCloud,
    EditGateway,
    EditListener,
    ForgetPromotion,
    Note,
    Plan,
    Record,
    Report,
    SetTargets,
    WorkDatabase,
)
from burstd.model.snapshot import Snapshot
from burstd.model.steps import Errand, Verb

_FIGURE = re.compile(r"\d+(\.\d+)?")
_MOST_WAITING = 3
"""More than these waits make a sentence that nobody reads; status has them all."""


def sentence(snapshot: Snapshot, decision: Decision, plan: Plan) -> str:
    """What this cycle does and why, "nothing to do, because …" included; what could not be read is never left out."""
    told = f"{_deeds(snapshot, plan) or 'nothing to do'}, because {decision.reasons[0]}"
    if plan.waiting:
        more = len(plan.waiting) - _MOST_WAITING
        told += f"; waiting: {', '.join(plan.waiting[:_MOST_WAITING])}" + (f" and {more} more" if more > 0 else "")
    if isinstance(snapshot.gateway, Fault):
        told += f"; HAProxy cannot be read: {snapshot.gateway.text}"
    dark = [f"{name} ({reading.text})" for name, reading in snapshot.cores.items() if isinstance(reading, Fault)]
    told += f"; no load of {', '.join(dark)}" if dark else ""
    return told + "".join(f"; {name} is {status} in HAProxy" for name, status in decision.cores_out.items())


def _deeds(snapshot: Snapshot, plan: Plan) -> str:
    """What is done; empty where nothing is."""
    if not plan.actions:
        return ""
    done = Counter(_done(snapshot, plan))
    return ", ".join(text if times == 1 else f"{text} ({times} times)" for text, times in done.items())


_EDITS = {
    AddServer: "join {0.name}",
    SetWeight: "set the burst weight to {0.weight}",
    SetMaxconn: "set the connection limit of {0.name} right",
    EnableHealth: "enable the checks of {0.name}",
    CutSessions: "cut the sessions of {0.name}",
    RemoveServer: "remove {0.name} from HAProxy",
}
_STATES = {
    AdminState.READY: "put {0.name} in service",
    AdminState.DRAIN: "drain {0.name}",
    AdminState.MAINT: "take {0.name} out of service",
}


_SWITCHES: dict[tuple[Phase | None, Phase], str] = {
    (Phase.STANDBY, Phase.IN_SERVICE): "put {} from standby into service",
    (Phase.IN_SERVICE, Phase.STANDBY): "keep {} as the standby",
}
"""What is said of an instance that changes its part, instead of the edits that make it so."""


def _done(snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    """What each action does, the parts of a switch told as one."""
    phases = {each.operation: each.phase for each in snapshot.fleet}
    records = [each.instance for each in plan.actions if isinstance(each, Record)]
    switches = {each.name: words for each in records if (words := _SWITCHES.get((phases.get(each.operation), each.phase)))}
    parts = {each.operation: " for a drill" if each.drill else " as the standby" for each in records if each.drill or each.stands_by}
    yield from (words.format(name) for name, words in switches.items())
    for action in plan.actions:
        match action:
            case EditGateway(AddServer(name=name) | SetState(name=name, state=AdminState.READY)) if instance_of(name) in switches:
                continue
        if (text := _words(action, parts)) is not None:
            yield text


def _words(action: Action, parts: Mapping[str, str]) -> str | None:  # noqa: PLR0911 - one answer for each kind of action
    match action:
        case CallCloud(CreateCall(operation=operation, request=request)):
            return f"launch {request.name} in {request.pool}" + parts.get(operation, "")
        case CallCloud(DestroyCall(node_id=node_id, pool=pool)):
            return f"destroy {node_id} in {pool}"
        case EditGateway(edit):
            if isinstance(edit, SetState) and edit.state is AdminState.READY and edit.name != instance_of(edit.name):
                return f"put {instance_of(edit.name)} on standby"
            return (_STATES[edit.state] if isinstance(edit, SetState) else _EDITS[type(edit)]).format(edit)
        case SetTargets(targets):
            return f"have the content pushed to {len(targets)} {'instance' if len(targets) == 1 else 'instances'}"
        case Record(instance) if instance.phase in ENDED:
            return f"call {instance.name} {instance.phase}"
        case WorkDatabase() | EditListener() | ForgetPromotion():
            return guard(action)
        case _:
            return None


def guard(action: EditListener | WorkDatabase | ForgetPromotion) -> str:
    """What is done at the database."""
    match action:
        case EditListener(Verb.FENCE_LISTENER, promotion):
            return f"keep {promotion.primary} out of the database's listener"
        case EditListener(_, promotion):
            return f"let the database's listener serve {promotion.replica}"
        case WorkDatabase(Errand.RESTRICT):
            return "make the old primary read-only"
        case WorkDatabase(Errand.TAKE_BACK):
            return "take the promotion back, since the primary answers"
        case ForgetPromotion(promotion):
            return f"forget the promotion of {promotion.replica}, which the settings name as the primary"
    return "promote the replica"


def narrate(snapshot: Snapshot, decision: Decision, plan: Plan, report: Report, told_before: str) -> tuple[str, tuple[Event, ...]]:
    """The cycle's sentence, and what is kept of the cycle, oldest first.

    The sentence is kept as an event where it says something new: with its figures left out it differs from the last one.
    """
    told, at = sentence(snapshot, decision, plan), snapshot.now
    kept = [Event(at, "fault", "invariant", f"{each.invariant}: {each.text}") for each in plan.violations]
    if _shape(told) != _shape(told_before):
        kept.append(Event(at, "cycle", "", f"{told} [{'; '.join((*decision.reasons, decision.weight_reason))}]"))
    phases = {each.operation: each.phase for each in snapshot.fleet}
    for action in plan.actions:
        match action:
            case Record(instance) if phases.get(instance.operation) is not instance.phase:
                phases[instance.operation] = instance.phase
                kept.append(Event(at, "instance", instance.name, f"{instance.phase}: {instance.reason}"))
            case Note(text, about):
                kept.append(Event(at, about, "", text))
            case WorkDatabase() | EditListener() | ForgetPromotion():
                kept.append(Event(at, "database", "", guard(action)))
            case _:
                pass
    kept.extend(Event(at, "fault", each.peer, each.text) for each in report.faults)
    return told, tuple(kept)


@lru_cache(maxsize=4)  # each is asked for twice: as what is told, and a cycle later as what was told before
def _shape(told: str) -> str:
    return _FIGURE.sub("#", told)
