"""The budget: what is left of it, how many creates fit into that, and what it means for scale-in.

Past a soft limit burstd warns once, and gives back without waiting longer than is safe. Past a hard one nothing is created: neither more
instances nor replacements, standbys or drills; and nobody is drained for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from burstd.decide.cost import in_currency
from burstd.decide.ledger import sealed
from burstd.decide.merge import Merged
from burstd.model.cost import Allowance, Ledger, Outlay, Purse, money
from burstd.model.decision import Direction
from burstd.model.fleet import PROMISED, Phase
from burstd.model.policy import Policy, PoolPolicy
from burstd.model.snapshot import Snapshot

EAGER: Final = 60.0
"""Seconds that scale-in waits at most while a soft limit is reached: the one-minute load average shows two thirds of a change in that
time, so what looks low for so long is low; any shorter, and a pause between two waves would send instances away that are wanted at once."""


def purse_of(outlay: Outlay, snapshot: Snapshot, policy: Policy) -> Purse | None:
    """The budget as it stands; None where there is none, or no calendar to tell the day by."""
    budget = policy.budget
    if budget is None or not snapshot.days:
        return None
    today = snapshot.days[-1]
    day, month = (in_currency(sums).get(budget.currency, 0.0) for sums in (outlay.today, outlay.month))
    pools = (policy.pool(each.pool) for each in snapshot.fleet if each.phase in PROMISED)
    return Purse(
        budget.currency,
        (
            Allowance("day", today.date, day, budget.day_soft, budget.day_hard),
            Allowance("month", today.month, month, budget.month_soft, budget.month_hard),
        ),
        sum(pool.first_unit for pool in pools if pool is not None),
    )


def affordable(purse: Purse | None, pools: Iterable[PoolPolicy]) -> tuple[float, str]:
    """How many more creates fit into the budget, at the cheapest pool, and why not more; infinitely many where nothing limits them."""
    cheapest = min((each.first_unit for each in pools), default=0.0)
    if purse is None or all(each.hard is None for each in purse.allowances):
        return math.inf, ""
    if why := purse.refusal(cheapest):
        return 0, why
    room = min(each.hard - each.spent - purse.promised for each in purse.allowances if each.hard is not None)
    count = math.floor((room + 1e-9) / cheapest) if cheapest else math.inf
    return count, purse.refusal(cheapest, planned=count * cheapest) if cheapest else ""


def within(merged: Merged, purse: Purse | None, snapshot: Snapshot, policy: Policy, current: int) -> Merged:
    """The merged number without what cannot be paid. Who is paid already may serve: standbys, drills, and those who may return."""
    if purse is None:
        return merged
    drains = snapshot.orders.drains
    waiting = (each.stands_by or each.drill or each.phase is Phase.DRAINING for each in snapshot.fleet if each.name not in drains)
    count, why = affordable(purse, policy.pools)
    most = current + sum(waiting) + count
    if merged.count <= most:
        return merged
    reasons = (f"{why} ({merged.count} wanted)", *merged.reasons)
    return replace(merged, count=int(most), direction=Direction(int(most) > current), reasons=reasons)


def thrifty(policy: Policy, purse: Purse | None) -> Policy:
    """The policy in force: past a soft limit with short waits before a scale-in, and otherwise as it is."""
    if purse is None or not purse.is_soft:
        return policy
    load = policy.load
    eager = {name: min(EAGER, getattr(load, name)) for name in ("scale_in_after", "cooldown_in", "stabilization")}
    return replace(policy, load=replace(load, **eager))


def warn(ledger: Ledger, purse: Purse | None) -> tuple[Ledger, tuple[str, ...]]:
    """The books with the crossings that are told by now, and those to tell: each limit's once in its period, over restarts too."""
    crossed = {name: (f"{period} {limit:g}", text) for name, period, limit, text in _crossings(purse)}
    fresh = {name: mark for name, (mark, _) in crossed.items() if ledger.told.get(name) != mark}
    if not fresh:
        return ledger, ()
    return sealed(replace(ledger, told={**ledger.told, **fresh})), tuple(crossed[name][1] for name in fresh)


def _crossings(purse: Purse | None) -> Iterator[tuple[str, str, float, str]]:
    """Of every limit that is reached its name, its period, its figure, and what to say."""
    if purse is None:
        return
    for each in purse.allowances:
        spent = f"{money(each.spent)} {purse.currency} are spent {'today' if each.name == 'day' else 'this month'}"
        if each.soft is not None and each.is_soft:
            means = "instances are given back sooner"
            yield f"{each.name}_soft", each.period, each.soft, f"{spent}, budget.{each.name}_soft is {each.soft:g}: {means}"
        if each.hard is not None and each.is_used_up:
            means = "nothing is created any more, and nobody is drained for it"
            yield f"{each.name}_hard", each.period, each.hard, f"{spent}, budget.{each.name}_hard is {each.hard:g}: {means}"
