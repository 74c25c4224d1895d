"""What an operator's order makes of the orders in force. Pure: the loop stores the result before it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from burstd.errors import AskOperator
from burstd.model.fleet import DrillOrder, Instance, Orders, Override, Pause
from burstd.model.orders import DrainInstance, ScaleAuto, ScaleTo, SetPause, StandingOrder, StartDrill
from burstd.model.policy import FleetPolicy


def carry_out(order: StandingOrder, orders: Orders, policy: FleetPolicy, fleet: Sequence[Instance], now: float) -> tuple[Orders, str]:
    """The orders after this one, and the sentence that says what is in force now.

    Raises:
        AskOperator: the order is outside the bounds or names nothing that is there.
    """
    match order:
        case ScaleTo():
            override = _override(order, policy, now)
            until = "until `burstd scale --auto`" if order.seconds is None else f"for {order.seconds:g} s, then the policies decide"
            return replace(orders, override=override), f"{order.count} {'instance' if order.count == 1 else 'instances'} wanted {until}"
        case ScaleAuto():
            return replace(orders, override=None), "the policies decide the number of instances"
        case SetPause(pause=Pause.NONE):
            return replace(orders, pause=Pause.NONE), "nothing is paused"
        case SetPause(pause=pause):
            pause = pause if orders.pause in {Pause.NONE, pause} else Pause.BOTH
            what = {Pause.OUT: "scale-out is", Pause.IN: "scale-in is", Pause.BOTH: "scale-out and scale-in are"}[pause]
            return replace(orders, pause=pause), f"{what} paused until `burstd resume`"
        case DrainInstance(name=name):
            return _drain(name, orders, fleet)
        case StartDrill(owner=owner, pool=pool):
            where = f"pool {pool}" if pool else "the first pool that is not barred"
            told = f"a drill of one instance in {where} begins with the next cycle"
            return replace(orders, drill=DrillOrder(now, owner, pool)), told
        case _ as never:
            assert_never(never)


def _drain(name: str, orders: Orders, fleet: Sequence[Instance]) -> tuple[Orders, str]:
    if all(each.name != name for each in fleet):
        known = ", ".join(each.name for each in fleet) or "there are none"
        raise AskOperator(f"drain: {name} is no instance of this fleet; name one of: {known}")
    return replace(orders, drains=orders.drains | {name}), f"{name} is drained and then destroyed"


def _override(order: ScaleTo, policy: FleetPolicy, now: float) -> Override:
    if not policy.minimum <= order.count <= policy.maximum:
        bounds = f"fleet.min = {policy.minimum} to fleet.max = {policy.maximum}"
        raise AskOperator(f"scale --to {order.count}: expected {bounds}; name a number within, or raise fleet.max and reload")
    if order.seconds is not None and order.seconds <= 0:
        raise AskOperator(f"scale --for {order.seconds:g}s: expected more than no time at all; say how long, as in --for 2h")
    until = None if order.seconds is None else now + order.seconds
    return Override(order.count, order.owner, order.reason, since=now, until=until)
