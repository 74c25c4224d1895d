"""Past a hard limit no plan creates anything, whatever for, and nobody leaves because of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.errors import Retry
from burstd.model.cloud import CloudView, CreateCall
from burstd.model.cost import Allowance, Bill, Billing, Ledger, Purse
from burstd.model.decision import Decision, Memory
from burstd.model.fleet import DrillOrder, Orders, Phase, PoolState
from burstd.model.plans import CallCloud, Note, Plan, Record
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.plan.drill import obstacle
from burstd.plan.invariants import enforce
from tests.given import calls, decision, member, phases, planned, policy, world
from tests.turns import NOW

USED_UP = "the budget of the day is used up: 12.40 of 12.00 EUR today"


def hourly(standby: int = 0, maximum: int = 4) -> Policy:
    """The house's policy; in "dublin" an hour costs 0.36, in "oslo" a second of it."""
    under = policy(fleet={"standby": standby, "maximum": maximum})
    dublin, oslo = (replace(each, price=0.36, currency="EUR") for each in under.pools)
    return replace(under, pools=(replace(dublin, billing=Billing.HOUR), oslo))


def poor(count: int, spent: float = 12.4, promised: float = 0.0, current: int = 0) -> Decision:
    """A decision for that many instances, with a budget of 12 a day."""
    purse = Purse("EUR", (Allowance("day", "2023-11-14", spent, hard=12.0), Allowance("month", "2023-11", spent)), promised)
    return replace(decision(count, current=current), purse=purse)


def test_past_the_hard_limit_nothing_is_launched_and_the_reason_is_told_once() -> None:
    made = planned(world(), poor(2), hourly())
    assert (made.actions, made.waiting) == ((), (USED_UP,))


def test_no_standby_is_launched_and_the_one_that_is_there_goes_into_service() -> None:
    assert planned(world(), poor(0), hourly(standby=1)).waiting == (USED_UP,)
    standing = member(1, Phase.STANDBY)
    made = planned(world(fleet=[standing]), poor(1), hourly(standby=1))
    assert (phases(made), calls(made)) == ({standing.name: Phase.IN_SERVICE}, [])


def test_who_serves_stays() -> None:
    assert planned(world(fleet=[member(1), member(2)]), poor(2, current=2), hourly()).actions == ()


def test_where_the_first_hour_does_not_fit_a_pool_is_tried_that_costs_less_at_once() -> None:
    made = planned(world(), poor(1, spent=11.9), hourly())
    (call,) = calls(made)
    assert isinstance(call, CreateCall)
    assert call.pool == "oslo"
    assert made.waiting == ("the budget of the day has no room: 11.90 of 12.00 EUR today, and another instance costs 0.36 at once",)


def test_two_creates_of_one_cycle_do_not_pass_the_limit_together() -> None:
    under = replace(hourly(), pools=hourly().pools[:1])
    made = planned(world(), poor(2, spent=11.5), under)
    assert len(calls(made)) == 1
    (why,) = made.waiting
    assert why.startswith("the budget of the day has no room: 11.50 of 12.00 EUR today, 0.36 more for creates under way")


def test_what_was_meant_and_not_sent_is_dropped_once_the_budget_no_longer_bears_it() -> None:
    meant = member(1, Phase.INTENDED, attempts=0, attempted_at=None)
    made = planned(world(fleet=[meant]), poor(1, promised=0.36, current=1), hourly())
    assert (phases(made), calls(made)) == ({meant.name: Phase.FAILED}, [])
    fits = planned(world(fleet=[meant]), poor(1, spent=11.6, promised=0.36, current=1), hourly())
    assert len(calls(fits)) == 1


def test_an_unknown_create_is_not_sent_again_past_the_limit() -> None:
    unknown = member(1, Phase.UNKNOWN, attempted_at=NOW - 600)
    cloud = CloudView(resends=frozenset({"dublin"}))
    again = world(fleet=[unknown], cloud=cloud)
    assert calls(planned(again, poor(1, promised=0.36, current=1), hourly())) == []
    assert len(calls(planned(again, poor(1, spent=11.6, promised=0.36, current=1), hourly()))) == 1


@pytest.mark.parametrize("pool", [None, "dublin"])
def test_no_drill_begins_and_that_is_said(pool: str | None) -> None:
    made = planned(world(orders=Orders(drill=DrillOrder(NOW, "anna", pool))), poor(0), hourly())
    assert calls(made) == []
    assert Note(f"the drill of anna does not begin: {USED_UP}") in made.actions


def test_a_drill_is_refused_with_the_reason_of_each_pool_and_begins_where_one_can_be_paid() -> None:
    purse = poor(0, spent=11.9).purse
    barred = {"oslo": PoolState("oslo", 1, NOW + 60, "out of stock")}
    why = obstacle(world(pools=barred), hourly(), None, purse)
    assert isinstance(why, Retry)
    assert str(why).startswith("drill: the budget of the day has no room")
    assert str(why).endswith("pool oslo is barred for 60 s: out of stock")
    assert obstacle(world(), hourly(), None, purse) is None
    assert obstacle(world(), hourly(), "dublin", purse) is not None
    assert obstacle(world(), hourly(), None) is None


def broken(snapshot: Snapshot, number: int, made: Decision) -> list[str]:
    """The invariants that a launch of that number would break."""
    launched = member(number, Phase.REQUESTED)
    plan = Plan((Record(launched), CallCloud(CreateCall(launched.operation, launched.request))))
    return [each.invariant for each in enforce(plan, snapshot, made, hourly()).violations]


def test_a_create_past_the_limit_breaks_an_invariant() -> None:
    assert broken(world(), 1, poor(1)) == ["budget"]
    assert broken(world(), 1, poor(1, spent=11.7)) == ["budget"]
    assert broken(world(), 1, poor(1, spent=11.64)) == []
    assert broken(world(), 1, decision(1)) == []


def test_the_invariant_counts_what_has_no_bill_yet_and_nothing_twice() -> None:
    asked, bound = member(2, Phase.UNKNOWN), member(3)
    fleet = world(fleet=[asked, bound, member(4, Phase.DESTROYING)])
    billed = Memory(ledger=Ledger((Bill(bound.operation, "dublin", NOW - 60, 3600.0, 0.36, "EUR"),)))
    assert broken(fleet, 1, replace(poor(1, spent=11.28), memory=billed)) == []
    assert broken(fleet, 1, replace(poor(1, spent=11.29), memory=billed)) == ["budget"]
    strange = replace(asked, request=replace(asked.request, pool="gone"))
    assert broken(world(fleet=[strange]), 1, replace(poor(1, spent=11.64), memory=billed)) == []


def test_a_warning_is_kept_as_an_event_of_its_own_kind() -> None:
    made = planned(world(), replace(decision(0), warnings=("8.50 EUR are spent today",)))
    assert made.actions == (Note("8.50 EUR are spent today", "budget"),)
