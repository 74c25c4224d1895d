"""Act: carry a plan out, in its order. It chooses nothing.

The records are stored first; where that fails, nothing after them is done, since an effect without its intent could be lost. A
failed edit or call is reported and stops nothing else: the next cycle sees what is left and plans again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from burstd.errors import AlreadyRunning, Bug, BurstdError
from burstd.model.faults import GATEWAY_PEER, Fault
from burstd.model.gateway import GatewayView
from burstd.model.plans import (
    Action,
    CallCloud,
    Done,
    EditGateway,
    EditListener,
    ForgetPromotion,
    Note,
    Plan,
    Record,
    RecordCooldowns,
    RecordLearned,
    RecordOrders,
    RecordPool,
    Report,
    SetTargets,
    WorkDatabase,
)
from burstd.model.snapshot import Snapshot
from burstd.ports import Ports
from burstd.promotion import do

ROSTER_PEER = "roster"


def act(plan: Plan, snapshot: Snapshot, ports: Ports) -> Report:
    """Carry the plan out and report every action of it.

    Args:
        plan: records first, then edits, then calls, as `burstd.plan.plan` orders them.
        snapshot: the world that it was made for: HAProxy must still be the process that was read.
        ports: the doors.
    """
    done: list[Done] = []
    for kind, group in groupby(plan.actions, key=type):
        actions = list(group)
        try:
            done.extend(_carry_out(kind, actions, snapshot, ports))
        except _RecordLostError as lost:
            done.append(Done(actions[0], lost.fault))
            return Report(tuple(done), skipped=plan.actions[len(done) :])
    return Report(tuple(done))


class _RecordLostError(Exception):
    """The roster did not take an intent: nothing that rests on it may happen."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def _carry_out(kind: type[Action], actions: Sequence[Action], snapshot: Snapshot, ports: Ports) -> Iterator[Done]:
    if kind is EditGateway:
        yield from _edit([each for each in actions if isinstance(each, EditGateway)], snapshot, ports)
    elif kind is CallCloud:
        yield from (_call(each, ports) for each in actions if isinstance(each, CallCloud))
    elif kind is SetTargets:
        yield from (_tell_mirror(each, ports) for each in actions if isinstance(each, SetTargets))
    elif kind in {EditListener, WorkDatabase, ForgetPromotion}:
        yield from (_guard(each, ports) for each in actions)
    elif kind is Note:
        yield from map(Done, actions)
    else:
        _store(actions, ports)
        yield from map(Done, actions)


def _store(actions: Sequence[Action], ports: Ports) -> None:
    roster = ports.roster
    try:
        roster.save(*(each.instance for each in actions if isinstance(each, Record)))
        for action in actions:
            match action:
                case RecordPool(state):
                    roster.save_pool(state)
                case RecordCooldowns(cooldowns):
                    roster.save_cooldowns(cooldowns)
                case RecordOrders(orders):
                    roster.save_orders(orders)
                case RecordLearned(policy, text):
                    roster.save_learned(policy, text)
                case _:
                    pass
    except BurstdError as error:
        raise _RecordLostError(Fault.of(ROSTER_PEER, error)) from error


def _edit(actions: Sequence[EditGateway], snapshot: Snapshot, ports: Ports) -> Iterator[Done]:
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        yield from (Done(each, view) for each in actions)
        return
    try:
        answers = ports.gateway.apply([each.edit for each in actions], (view.pid, view.started))
    except BurstdError as error:
        answers = [Fault.of(GATEWAY_PEER, error)] * len(actions)
    yield from (Done(action, fault) for action, fault in zip(actions, answers, strict=True))


def _tell_mirror(action: SetTargets, ports: Ports) -> Done:
    if ports.mirror is not None:
        ports.mirror.want(action.targets)
    return Done(action)


def _guard(action: Action, ports: Ports) -> Done:
    """One action at the database. A verb that is at it at the same time does it itself, in its own order."""
    doors = ports.database
    try:
        match action:
            case WorkDatabase(work) if ports.promoter is not None:
                ports.promoter.submit(work)
            case EditListener(verb, promotion) if doors is not None:
                with doors.record.hold():
                    if doors.record.promotion() == promotion:
                        do(doors, verb)
            case ForgetPromotion(promotion) if doors is not None:
                with doors.record.hold():
                    if doors.record.promotion() == promotion:
                        doors.record.keep(None)
            case _:
                raise Bug("an action at the database where none is watched")
    except AlreadyRunning:
        return Done(action)
    except BurstdError as error:
        return Done(action, Fault.of("database", error))
    return Done(action)


def _call(action: CallCloud, ports: Ports) -> Done:
    try:
        ports.cloud.submit(action.call)
    except BurstdError as error:
        return Done(action, Fault.of(f"pool {action.call.pool}", error))
    return Done(action)
