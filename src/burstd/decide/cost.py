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
from burstd.model.cost import UNPRICED, Bill, Day, Key, Ledger, Outlay, Sums
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
    """What the books come to at the snapshot's time. It is asked in every cycle, and takes some microseconds for each bill."""
    now, days = snapshot.now, snapshot.days
    per_hour: dict[Key, float] = {}
    total = dict(ledger.total)
    spent_today = dict(ledger.days.get(days[-1].date, {})) if days else {}
    spent_month = _month(ledger, days[-1].month) if days else {}
    month_began = _first_of_month(days).starts_at if days else 0.0
    for bill in ledger.bills:
        key, units, price = bill.key, bill.paid(now), bill.unit_price
        if bill.ended is None:
            _add(per_hour, key, 1.0 if bill.price is None else bill.price)
        _add(total, key, units * price)
        if days:
            _add(spent_today, key, _since(days[-1].starts_at, bill, units) * price)
            _add(spent_month, key, _since(month_began, bill, units) * price)
    return Outlay(per_hour, spent_today, spent_month, total)


def _first_of_month(days: Sequence[Day]) -> Day:
    return days[-min(len(days), int(days[-1].date[8:]))]


def _month(ledger: Ledger, month: str) -> dict[Key, float]:
    """What has ended cost in that month; the newest days stand last."""
    found: dict[Key, float] = {}
    for date in reversed(tuple(ledger.days)):
        if date[:7] < month:
            break
        for key, amount in ledger.days[date].items() if date[:7] == month else ():
            _add(found, key, amount)
    return found


def _since(begin: float, bill: Bill, paid: int) -> int:
    """Of the units that are paid, how many have begun since then."""
    return paid if bill.began >= begin else paid - min(paid, bill.units(begin))


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


def _add(sums: dict[Key, float], key: Key, amount: float) -> None:
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
