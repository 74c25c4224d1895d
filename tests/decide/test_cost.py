"""The books: what machines cost, by the unit, by the day, and over kills and restarts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burstd.adapters.memory import MemoryCalendar
from burstd.decide.cost import in_currency, keep_books, reckon, unpriced
from burstd.decide.ledger import LEDGER, opened, sealed
from burstd.model.cost import HOUR, UNPRICED, Bill, Billing, Ledger, Outlay, money
from burstd.model.decision import Memory
from burstd.model.fleet import Instance, Phase
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from tests.given import decided, member, policy, world
from tests.turns import NOW

DAY = 86_400.0
MIDNIGHT = NOW - NOW % DAY
CALENDAR = MemoryCalendar()
EUR = ("dublin", "EUR")


def priced(price: float | None = 0.36, billing: Billing = Billing.SECOND, currency: str | None = "EUR") -> Policy:
    """The house's policy with one pool that costs that much."""
    under = policy()
    return replace(under, pools=(replace(under.pools[0], price=price, currency=currency if price else None, billing=billing),))


def bought(number: int, at: float, phase: Phase = Phase.IN_SERVICE, **changes: Any) -> Instance:
    """The numbered instance, whose create was sent then."""
    return member(number, phase, created_at=at - 1, entered=((Phase.REQUESTED, at),), **changes)


def seen(now: float, *fleet: Instance, **changes: Any) -> Snapshot:
    """The world at that time, with a calendar of UTC."""
    return world(fleet=fleet, now=now, days=CALENDAR.days(now), **changes)


def spent(ledger: Ledger, now: float) -> Outlay:
    return reckon(ledger, seen(now))


@pytest.mark.parametrize(
    ("billing", "seconds", "units"),
    [
        (Billing.SECOND, 0.0, 1),
        (Billing.SECOND, 90.5, 91),
        (Billing.MINUTE, 1.0, 1),
        (Billing.MINUTE, 59.9, 1),
        (Billing.MINUTE, 60.0, 2),
        (Billing.HOUR, 1.0, 1),
        (Billing.HOUR, 3599.0, 1),
        (Billing.HOUR, 3601.0, 2),
    ],
)
def test_each_unit_that_has_begun_is_paid_whole(billing: Billing, seconds: float, units: int) -> None:
    began = MIDNIGHT + 100
    ledger = keep_books(Ledger(), seen(began, bought(1, began)), priced(billing=billing))
    assert spent(ledger, began + seconds).today == {EUR: pytest.approx(0.36 * units * billing.seconds / HOUR)}


def test_a_machine_is_billed_from_when_its_create_was_sent_and_a_create_without_a_machine_is_no_bill() -> None:
    asked, booting = bought(1, NOW - 30, Phase.REQUESTED), bought(2, NOW - 50, Phase.BOOTING)
    ledger = keep_books(Ledger(), seen(NOW, asked, booting), priced())
    assert [(each.operation, each.began) for each in ledger.bills] == [(booting.operation, NOW - 50)]


def test_one_that_was_adopted_is_billed_from_when_it_was_found() -> None:
    adopted = member(1, Phase.BOOTING, created_at=NOW - 7, entered=())
    assert keep_books(Ledger(), seen(NOW, adopted), priced()).bills[0].began == NOW - 7


def test_what_has_ended_stays_on_the_books_of_its_days() -> None:
    began, end = MIDNIGHT - HOUR, MIDNIGHT + 2 * HOUR
    open_ = keep_books(Ledger(), seen(began, bought(1, began)), priced())
    ledger = keep_books(open_, seen(end), priced())
    assert ledger.bills == ()
    assert [round(sums[EUR], 3) for sums in ledger.days.values()] == [0.36, 0.72]
    later = spent(ledger, end + HOUR)
    assert (round(later.today[EUR], 3), round(later.month[EUR], 3), later.per_hour) == (0.72, 1.08, {})


def test_the_last_month_is_not_this_one() -> None:
    november, december = 1_796_000_000.0 - 1_796_000_000.0 % DAY, 1_796_083_200.0  # 2026-11-30 and the day after
    ledger = keep_books(keep_books(Ledger(), seen(november, bought(1, november)), priced()), seen(november + HOUR), priced())
    assert spent(ledger, december - 1).month == spent(ledger, december - 1).today != {}
    assert (spent(ledger, december).month, spent(ledger, december).today) == ({}, {})
    assert spent(ledger, december).total == ledger.total


def test_a_destroy_under_way_stops_the_bill_and_one_that_is_sent_again_moves_it() -> None:
    began = NOW - HOUR
    leaving = bought(1, began, Phase.DESTROYING, attempted_at=NOW)
    ledger = keep_books(Ledger(), seen(NOW, leaving), priced())
    assert ledger.bills[0].ended == NOW
    stopped = spent(ledger, NOW + 25)
    assert (stopped.per_hour, stopped.total) == ({}, spent(ledger, NOW).total)
    again = keep_books(ledger, seen(NOW + 30, replace(leaving, attempted_at=NOW + 30)), priced())
    assert spent(again, NOW + 30).total[EUR] - stopped.total[EUR] == pytest.approx(0.36 * 30 / HOUR)


def test_a_machine_that_is_confirmed_gone_after_its_hour_is_not_billed_for_the_next() -> None:
    began = NOW - HOUR + 60
    leaving = bought(1, began, Phase.DESTROYING, attempted_at=NOW)
    ledger = keep_books(Ledger(), seen(NOW, leaving), priced(billing=Billing.HOUR))
    assert keep_books(ledger, seen(NOW + 90), priced(billing=Billing.HOUR)).total == {EUR: 0.36}


def test_one_that_somebody_else_ended_is_billed_until_that_was_seen() -> None:
    ledger = keep_books(Ledger(), seen(NOW, bought(1, NOW)), priced())
    ended = {bought(1, NOW).operation: NOW + 99.5}
    assert keep_books(ledger, seen(NOW + 900, ended=ended), priced()).total == {EUR: pytest.approx(0.36 * 100 / HOUR)}


def test_without_a_price_hours_are_counted_and_never_a_zero() -> None:
    ledger = keep_books(Ledger(), seen(NOW, bought(1, NOW)), priced(None))
    found = spent(ledger, NOW + 1800)
    assert (found.per_hour, in_currency(found.per_hour), in_currency(found.today)) == ({("dublin", UNPRICED): 1.0}, {}, {})
    assert found.today == {("dublin", UNPRICED): pytest.approx(0.5, abs=0.001)}
    assert unpriced(found) == ["dublin"]


def test_a_price_that_is_told_later_counts_from_the_beginning_and_another_one_only_for_what_is_bought_then() -> None:
    unknown = keep_books(Ledger(), seen(NOW, bought(1, NOW)), priced(None))
    told = keep_books(unknown, seen(NOW + 5, bought(1, NOW)), priced(0.36, Billing.HOUR))
    assert told.bills == (Bill(bought(1, NOW).operation, "dublin", NOW, HOUR, 0.36, "EUR"),)
    raised = keep_books(told, seen(NOW + 9, bought(1, NOW), bought(2, NOW + 9)), priced(0.72, Billing.HOUR))
    assert [each.price for each in raised.bills] == [0.36, 0.72]


def test_an_instance_of_a_pool_that_the_settings_no_longer_have_is_unpriced() -> None:
    under = replace(priced(), pools=())
    assert keep_books(Ledger(), seen(NOW, bought(1, NOW)), under).bills[0].price is None


def test_two_currencies_stand_side_by_side() -> None:
    first = keep_books(Ledger(), seen(NOW, bought(1, NOW)), priced())
    both = keep_books(first, seen(NOW, bought(1, NOW), bought(2, NOW)), priced(0.5, currency="NOK"))
    assert in_currency(spent(both, NOW).per_hour) == {"EUR": 0.36, "NOK": 0.5}


def test_what_a_clock_that_was_ahead_has_dated_into_the_future_begins_now() -> None:
    ledger = keep_books(Ledger(), seen(NOW + HOUR, bought(1, NOW + HOUR)), priced())
    assert keep_books(ledger, seen(NOW, bought(1, NOW + HOUR)), priced()).bills[0].began == NOW
    assert keep_books(ledger, seen(NOW), priced()).total == {}


def test_without_a_calendar_nothing_is_counted_by_day_and_all_is_in_the_total() -> None:
    alone = world(fleet=[bought(1, NOW - HOUR)])
    ledger = keep_books(Ledger(), alone, priced())
    assert (reckon(ledger, alone).today, reckon(ledger, alone).month) == ({}, {})
    assert reckon(ledger, alone).total[EUR] > 0.35
    closed = keep_books(ledger, world(), priced())
    assert (closed.days, closed.total) == ({}, reckon(ledger, alone).total)


def test_the_books_are_the_same_object_while_nothing_changes() -> None:
    ledger = keep_books(Ledger(), seen(NOW, bought(1, NOW)), priced())
    assert keep_books(ledger, seen(NOW + 5, bought(1, NOW)), priced()) is ledger
    empty = Ledger()
    assert keep_books(empty, seen(NOW), priced()) is empty


def test_the_days_of_three_months_are_kept() -> None:
    ledger = Ledger(days={f"2020-{month:02}-{day:02}": {EUR: 1.0} for month in (1, 2, 3, 4) for day in range(1, 29)}, total={EUR: 112.0})
    more = keep_books(keep_books(ledger, seen(NOW, bought(1, NOW)), priced()), seen(NOW + 5), priced())
    assert (len(more.days), max(more.days)) == (93, "2023-11-14")


LIVES = st.lists(
    st.tuples(st.floats(0, 5 * DAY), st.floats(1, 3 * DAY), st.sampled_from([*Billing]), st.sampled_from([0.0228, 0.36])),
    min_size=1,
    max_size=5,
)


@settings(max_examples=50, deadline=None)
@given(LIVES, st.lists(st.floats(60, DAY), min_size=1, max_size=30), st.data())
def test_a_day_never_costs_less_than_it_did_and_the_days_are_the_whole(
    lives: list[tuple[float, float, Billing, float]], waits: list[float], data: st.DataObject
) -> None:
    """Whoever looks, however often, and restarts burstd between two looks."""
    ledger, last, now, before = Ledger(), MIDNIGHT, MIDNIGHT, Outlay()
    for wait in waits:
        fleet = []
        for number, (start, length, billing, price) in enumerate(lives):
            if MIDNIGHT + start <= now < MIDNIGHT + start + length:
                fleet.append(bought(number, MIDNIGHT + start))
                ledger = keep_books(ledger, seen(now, *fleet, *_others(ledger, fleet)), priced(price, billing))
        ledger = keep_books(ledger, seen(now, *fleet), priced(None))
        if data.draw(st.booleans()):
            again = opened(ledger.text) if ledger.text else Ledger()
            assert again == ledger
            ledger = again
        outlay = spent(ledger, now)
        for key in before.total:
            assert outlay.total[key] >= before.total[key] - 1e-9
        if CALENDAR.days(now)[-1] == CALENDAR.days(last)[-1]:
            assert all(outlay.today[key] >= amount - 1e-9 for key, amount in before.today.items())
        before, last, now = outlay, now, now + wait
    closed = keep_books(ledger, seen(now), priced())
    for key, amount in closed.total.items():
        assert sum(sums.get(key, 0.0) for sums in closed.days.values()) == pytest.approx(amount)


def _others(ledger: Ledger, fleet: list[Instance]) -> list[Instance]:
    """Instances that live and whose turn it is not yet: nobody closes their bills."""
    here = {each.operation for each in fleet}
    return [bought(int(each.operation, 16), each.began) for each in ledger.bills if each.operation not in here]


def test_what_was_spent_goes_over_a_restart() -> None:
    under = priced(billing=Billing.HOUR)
    first = decided(seen(NOW, bought(1, NOW - 60)), under)
    text = first.learned[LEDGER]
    later = decided(seen(NOW + 60, memory=Memory(new=True, stored=None), learned={LEDGER: text}), under)
    assert (later.outlay.today, later.notes) == ({EUR: 0.36}, ())
    assert opened(later.learned[LEDGER]) == later.memory.ledger


def test_the_books_are_written_until_the_roster_has_them() -> None:
    first = decided(seen(NOW, bought(1, NOW)), priced())
    again = decided(seen(NOW + 5, bought(1, NOW), memory=first.memory), priced())
    assert again.learned[LEDGER] == first.learned[LEDGER]
    stored = replace(first.memory, stored=first.learned)
    assert decided(seen(NOW + 5, bought(1, NOW), memory=stored), priced()).learned == {}


GOOD = sealed(
    Ledger((Bill("a1", "dublin", NOW, 1.0, 0.36, "EUR"), Bill("a2", "oslo", NOW, 60.0, ended=NOW + 9)), {"2023-11-14": {EUR: 1.5}},
           {EUR: 2.5}, {"day_soft": "2023-11-14 8"})
)  # fmt: skip


def test_the_text_of_the_books_comes_back_as_it_was() -> None:
    found = opened(GOOD.text)
    assert found == GOOD
    assert found is not None
    assert found.text == GOOD.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[]",
        "7",
        "{}",
        "[" * 9999,
        GOOD.text.replace('"version": 1', '"version": 2'),
        GOOD.text.replace("0.36", "NaN"),
        GOOD.text.replace("0.36", "-1"),
        GOOD.text.replace("0.36", '"x"'),
        GOOD.text.replace("2.5", "1" + "0" * 400),
        GOOD.text.replace("60.0", "0"),
        json.dumps({**json.loads(GOOD.text), "bills": [["a1"]]}),
        json.dumps({**json.loads(GOOD.text), "days": []}),
    ],
)
def test_books_that_are_damaged_are_not_read_and_their_loss_is_said(text: str) -> None:
    assert opened(text) is None
    first = decided(seen(NOW, memory=Memory(stored=None), learned={LEDGER: text}), priced())
    assert first.memory.ledger == Ledger()
    assert first.notes == (
        "the books that the roster holds cannot be read: what ended instances have cost is forgotten, and no budget counts it",
    )


@pytest.mark.parametrize(("amount", "text"), [(0.0, "0.00"), (12.4, "12.40"), (0.1, "0.10"), (0.0228, "0.023"), (0.0000063, "6.3e-06")])
def test_an_amount_is_told_to_the_cent_and_finer_where_it_is_small(amount: float, text: str) -> None:
    assert money(amount) == text
