"""The budget: what a soft limit and a hard one do, and what they never do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burstd.decide import decide
from burstd.decide.budget import EAGER, affordable, purse_of, thrifty
from burstd.decide.ledger import sealed
from burstd.model.cost import Allowance, Billing, BudgetPolicy, Ledger, Outlay, Purse
from burstd.model.decision import Decision, Direction, Memory
from burstd.model.fleet import Instance, Orders, Override, Phase
from burstd.model.policy import Policy, PoolPolicy
from burstd.model.snapshot import Snapshot
from tests.decide.test_cost import EUR, MIDNIGHT, bought, priced, seen
from tests.given import member, policy, world
from tests.turns import NOW

TODAY = seen(NOW).days[-1].date


def limited(under: Policy | None = None, **limits: float) -> Policy:
    """The policy of one pool at 0.36 EUR for each hour that has begun, with these limits."""
    return replace(under or priced(billing=Billing.HOUR), budget=BudgetPolicy("EUR", **limits))


def books(amount: float, day: str = TODAY) -> Memory:
    """The memory of a process that has spent that much on the day."""
    return Memory(ledger=sealed(Ledger(days={day: {EUR: amount}}, total={EUR: amount})))


def decided(amount: float, under: Policy, *fleet: Instance, load: float = 9.0, **changes: Any) -> Decision:
    changes.setdefault("memory", books(amount))
    snapshot: Snapshot = replace(seen(NOW, *fleet, **changes), cores=world(load, now=NOW).cores)
    return decide(snapshot, under)


def test_without_limits_nothing_is_clamped() -> None:
    made = decided(1000.0, priced())
    assert (made.count, made.purse) == (1, None)
    soft = decided(1.0, limited(month_soft=5.0))
    assert (soft.count, soft.reasons[0]) == (1, "load 9.00 is above 4")


def test_past_the_hard_limit_of_the_day_nothing_more_is_wanted_and_that_is_said() -> None:
    made = decided(12.4, limited(day_hard=12.0))
    assert (made.count, made.direction) == (0, Direction.HOLD)
    assert made.reasons == ("the budget of the day is used up: 12.40 of 12.00 EUR today (1 wanted)", "load 9.00 is above 4")


def test_past_the_hard_limit_of_the_month_too() -> None:
    made = decided(12.4, limited(month_hard=12.0), memory=books(12.4, f"{TODAY[:7]}-01"))
    assert (made.count, made.reasons[0]) == (0, "the budget of the month is used up: 12.40 of 12.00 EUR this month (1 wanted)")
    assert decided(12.4, limited(day_hard=12.0), memory=books(12.4, f"{TODAY[:7]}-01")).count == 1


def test_a_create_whose_first_hour_would_cross_the_limit_is_not_made() -> None:
    made = decided(11.7, limited(day_hard=12.0))
    assert made.count == 0
    assert (
        made.reasons[0] == "the budget of the day has no room: 11.70 of 12.00 EUR today, and another instance costs 0.36 at once (1 wanted)"
    )
    assert decided(11.64, limited(day_hard=12.0)).count == 1


def test_by_the_second_a_create_fits_until_the_limit_is_reached() -> None:
    assert decided(11.99, limited(priced(), day_hard=12.0)).count == 1
    assert decided(12.0, limited(priced(), day_hard=12.0)).count == 0


def test_creates_under_way_are_as_good_as_spent() -> None:
    asked = bought(1, NOW - 5, Phase.REQUESTED)
    steps = replace(limited(day_hard=12.0), load=policy(load={"cooldown_out": 0.0}).load)
    made = decided(11.2, steps, asked, orders=ordered(2))
    assert made.purse is not None
    assert made.purse.promised == pytest.approx(0.36)
    assert made.count == 2
    assert decided(11.3, steps, asked, orders=ordered(2)).count == 1
    assert (
        "11.30 of 12.00 EUR today, 0.36 more for creates under way, and another"
        in decided(11.3, steps, asked, orders=ordered(2)).reasons[0]
    )


def ordered(count: int) -> Orders:
    return Orders(override=Override(count, "anna", "the sale", since=NOW - 60))


def test_an_operators_number_is_clamped_to_what_can_be_paid() -> None:
    made = decided(11.0, limited(day_hard=12.0), orders=ordered(4))
    assert (made.count, made.direction) == (2, Direction.OUT)
    assert made.reasons[0].endswith("(4 wanted)")
    assert made.reasons[1].startswith("anna ordered 4")


def test_even_the_minimum_is_clamped() -> None:
    under = replace(limited(day_hard=12.0), fleet=policy(fleet={"minimum": 2}).fleet)
    assert decided(12.0, under, load=1.0).count == 0


def test_the_hard_limit_drains_nobody() -> None:
    serving = [bought(number, NOW - 9000) for number in (1, 2)]
    made = decided(100.0, limited(day_hard=12.0), *serving, load=3.0)
    assert (made.count, made.direction) == (2, Direction.HOLD)


@pytest.mark.parametrize(
    "spare",
    [
        bought(2, NOW - 900, Phase.STANDBY),
        bought(2, NOW - 90, Phase.BOOTING, reserve=True),
        bought(2, NOW - 90, Phase.BOOTING, drill=True),
        bought(2, NOW - 900, Phase.DRAINING),
    ],
)
def test_who_is_paid_already_may_serve_past_the_limit(spare: Instance) -> None:
    made = decided(12.4, limited(day_hard=12.0), bought(1, NOW - 900), spare, orders=ordered(4))
    assert made.count == 2
    drained = decided(12.4, limited(day_hard=12.0), bought(1, NOW - 900), spare, orders=replace(ordered(4), drains=frozenset({spare.name})))
    assert drained.count == 1


def test_the_cheapest_pool_says_how_many_can_be_paid() -> None:
    purse = Purse("EUR", (Allowance("day", TODAY, 10.0, hard=12.0), Allowance("month", TODAY[:7], 90.0, hard=91.0)))
    pools = [PoolPolicy("a", "i", "s", price=0.5, currency="EUR", billing=Billing.HOUR), replace(priced(0.25, Billing.HOUR).pools[0])]
    count, why = affordable(purse, pools)
    assert count == 4
    room = "the budget of the month has no room: 90.00 of 91.00 EUR this month"
    assert why == f"{room}, 1.00 more for creates under way, and another instance costs 0.25 at once"
    assert affordable(None, pools) == (math.inf, "")
    assert affordable(purse, [PoolPolicy("a", "i", "s")]) == (math.inf, "")
    assert affordable(purse, []) == (math.inf, "")


def test_without_a_calendar_there_is_no_budget_to_keep() -> None:
    assert purse_of(Outlay(), world(), limited(day_hard=12.0)) is None


def test_what_was_spent_in_another_currency_counts_towards_no_limit() -> None:
    memory = Memory(ledger=Ledger(days={TODAY: {("dublin", "NOK"): 100.0, ("dublin", ""): 50.0}}))
    assert decided(0.0, limited(day_hard=12.0), memory=memory).count == 1


def test_past_a_soft_limit_scale_in_waits_no_longer_than_is_safe() -> None:
    under = replace(limited(day_soft=5.0), load=policy(load={"scale_in_after": 300.0, "stabilization": 30.0, "cooldown_in": 600.0}).load)
    serving = bought(1, NOW - 9000)
    memory = Memory(below_since=NOW - 61, watched_since=NOW - 61)  # the instance has cost 1.08 today
    assert decided(0, limited(under, day_soft=1.09), serving, load=1.0, memory=memory).count == 1
    assert decided(0, limited(under, day_soft=1.08), serving, load=1.0, memory=memory).count == 0
    purse = Purse("EUR", (Allowance("day", TODAY, 5.0, soft=5.0),))
    load = thrifty(under, purse).load
    assert (load.scale_in_after, load.stabilization, load.cooldown_in) == (EAGER, 30.0, EAGER)


def test_past_a_soft_limit_nothing_is_given_back_on_missing_data_or_during_overload() -> None:
    under = limited(priced(), day_soft=5.0)
    low = replace(books(6.0), below_since=NOW - 900, watched_since=NOW - 900)
    assert decided(0, under, bought(1, NOW - 900), load=5.0, memory=low).count >= 1
    blind = decide(replace(seen(NOW, bought(1, NOW - 900), memory=low), cores={}), under)
    assert (blind.count, blind.scale_in_allowed) == (1, False)


def told(amount: float, memory: Memory, **limits: float) -> Decision:
    return decided(amount, limited(priced(), **limits), load=1.0, memory=memory)


def test_each_crossing_is_told_once_in_its_period_over_restarts_too() -> None:
    first = told(0, books(8.5), day_soft=8.0)
    assert first.warnings == ("8.50 EUR are spent today, budget.day_soft is 8: instances are given back sooner",)
    assert told(0, first.memory, day_soft=8.0).warnings == ()
    restarted = told(0, Memory(new=True, stored=None), day_soft=8.0)
    assert restarted.warnings == ()
    snapshot = seen(NOW, memory=Memory(new=True, stored=None), learned=first.learned)
    assert decide(snapshot, limited(priced(), day_soft=8.0)).warnings == ()
    assert told(0, first.memory, day_soft=8.25).warnings != ()
    both = told(0, first.memory, day_soft=8.0, month_soft=8.0, month_hard=8.5)
    assert both.warnings == (
        "8.50 EUR are spent this month, budget.month_soft is 8: instances are given back sooner",
        "8.50 EUR are spent this month, budget.month_hard is 8.5: nothing is created any more, and nobody is drained for it",
    )


def test_on_the_next_day_it_is_told_anew() -> None:
    memory = told(0, books(8.5), day_soft=8.0).memory
    tomorrow = seen(MIDNIGHT + 86_400 + 60, memory=replace(memory, ledger=replace(memory.ledger, days={})))
    spent = replace(tomorrow, memory=replace(memory, ledger=replace(memory.ledger, days={tomorrow.days[-1].date: {EUR: 9.0}})))
    assert decide(tomorrow, limited(priced(), day_soft=8.0)).warnings == ()
    assert len(decide(spent, limited(priced(), day_soft=8.0)).warnings) == 1


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 20), st.integers(0, 4), st.floats(0, 20), st.sampled_from([*Billing]), st.integers(0, 3))
def test_no_wish_goes_past_what_can_be_paid_and_none_below_what_is_there(
    amount: float, wanted: int, hard: float, billing: Billing, there: int
) -> None:
    fleet = [member(number) for number in range(1, there + 1)]
    made = decided(amount, limited(priced(billing=billing), day_hard=hard or 1.0), *fleet, orders=ordered(wanted))
    assert made.purse is not None
    if made.count > there:
        first = priced(billing=billing).pools[0].first_unit
        assert made.purse.allowances[0].spent + (made.count - there) * first <= (hard or 1.0) + 1e-6
    assert made.count >= min(wanted, there)
