"""The books: a bill for each machine from its create to its end, and what they come to now, today, this month and in all.

A bill is opened when a machine is known to be there, and dated back to when its create was sent; what has no machine yet is a promise
(`burstd.decide.budget`). While its destroy is under way it stands still, and follows the destroy when that is sent again. It is closed when
no live record stands for it any more, whoever ended that and however long ago: so nothing is lost to a kill, since what is needed of a
machine is stored while it lives. Each unit counts on the day on which it begins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from burstd.decide.ledger import sealed
from burstd.model.cost import UNPRICED, Bill, Day, Ledger, Outlay, Sums
from burstd.model.fleet import Instance, Phase
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

_DAYS_KEPT: Final = 93
"""Days whose sums are kept: three months, so that a clock that was wrong for a while costs none of the two that are looked at."""


def keep_books(ledger: Ledger, snapshot: Snapshot, policy: Policy) -> Ledger:
    """The books with the fleet as it stands; the same object where nothing has changed."""
    now = snapshot.now
    open_ = {each.operation: each for each in ledger.bills}
    live = {each.operation: each for each in snapshot.fleet if each.node_id is not None}
    bills = {name: _kept(open_.get(name), each, policy, now) for name, each in live.items()}
    gone = [_closed(bill, snapshot) for name, bill in open_.items() if name not in bills]
    if bills == open_ and not gone:
        return ledger
    total = dict(ledger.total)
    days = {date: dict(sums) for date, sums in ledger.days.items()}
    for bill in gone:
        _add(total, bill.key, bill.paid(now) * bill.unit_price)
        for date, units in _by_day(bill, snapshot.days, now):
            _add(days.setdefault(date, {}), bill.key, units * bill.unit_price)
    kept = {date: days[date] for date in sorted(days)[-_DAYS_KEPT:]}
    return sealed(replace(ledger, bills=tuple(bills.values()), days=kept, total=total))


def reckon(ledger: Ledger, snapshot: Snapshot) -> Outlay:
    """What the books come to at the snapshot's time."""
    now, days = snapshot.now, snapshot.days
    today = days[-1] if days else None
    first = next((each for each in days if today and each.month == today.month), None)
    per_hour: dict[tuple[str, str], float] = {}
    total = dict(ledger.total)
    spent_today = dict(ledger.days.get(today.date, {})) if today else {}
    spent_month: dict[tuple[str, str], float] = {}
    for date, sums in ledger.days.items():
        if today and date[:7] == today.month:
            for key, amount in sums.items():
                _add(spent_month, key, amount)
    for bill in ledger.bills:
        units, price = bill.paid(now), bill.unit_price
        if bill.ended is None:
            _add(per_hour, bill.key, 1.0 if bill.price is None else bill.price)
        _add(total, bill.key, units * price)
        if today and first:
            _add(spent_today, bill.key, (units - min(units, bill.units(today.starts_at))) * price)
            _add(spent_month, bill.key, (units - min(units, bill.units(first.starts_at))) * price)
    return Outlay(per_hour, spent_today, spent_month, total)


def _kept(bill: Bill | None, instance: Instance, policy: Policy, now: float) -> Bill:
    """The instance's bill: opened where there is none, priced as soon as the settings know a price, still once it is being destroyed."""
    pool = policy.pool(instance.pool)
    if bill is None:
        bill = Bill(instance.operation, instance.pool, instance.bought_at, pool.billing.seconds if pool else 1.0)
    if bill.price is None and pool is not None and pool.price is not None:
        bill = replace(bill, price=pool.price, currency=pool.currency or UNPRICED, unit=pool.billing.seconds)
    if bill.began > now:  # it was dated by a wall clock that has been set back since
        bill = replace(bill, began=now)
    ended = instance.attempted_at if instance.phase is Phase.DESTROYING else None
    return bill if ended == bill.ended else replace(bill, ended=ended)


def _closed(bill: Bill, snapshot: Snapshot) -> Bill:
    """The bill of a machine that is no more: until its destroy, or until its end was seen where nobody of us has destroyed it."""
    seen = snapshot.ended.get(bill.operation, snapshot.now)
    return replace(bill, ended=min(snapshot.now, seen if bill.ended is None else bill.ended))


def _by_day(bill: Bill, days: Sequence[Day], now: float) -> Iterable[tuple[str, int]]:
    """How many units of a closed bill begin on each day; what is older than the oldest day is told of none."""
    paid = bill.paid(now)
    since = max(0, bisect_right(days, bill.began, key=lambda each: each.starts_at) - 1)
    counted = [(day.date, min(paid, bill.units(day.starts_at))) for day in days[since:]]
    for (date, before), (_, after) in pairwise([*counted, ("", paid)]):
        if after > before:
            yield date, after - before


def _add(sums: dict[tuple[str, str], float], key: tuple[str, str], amount: float) -> None:
    if amount:
        sums[key] = sums.get(key, 0.0) + amount


def in_currency(sums: Sums) -> Mapping[str, float]:
    """The sums over all pools, by currency; hours without a price left out."""
    found: dict[str, float] = {}
    for (_, currency), amount in sums.items():
        if currency != UNPRICED:
            found[currency] = found.get(currency, 0.0) + amount
    return found


def unpriced(outlay: Outlay) -> Sequence[str]:
    """Pools that have cost something this month of which nobody knows the price."""
    return sorted({pool for sums in (outlay.per_hour, outlay.month) for pool, currency in sums if currency == UNPRICED})
