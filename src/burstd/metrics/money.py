"""The metrics of money: what instances cost, by pool and currency, and the budget.

Amounts of two currencies are two series. What has no price is no amount, but a number of instances.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from burstd.model.cost import UNPRICED, Purse
from burstd.model.decision import Decision
from burstd.model.policy import Policy


class Money:
    """They stand in the registry of the whole page."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"burstd_{name}", text, labels, registry=registry)

        self._sums = {
            each: gauge(f"cost_{each}", f"{text}, in that currency.", "pool", "currency")
            for each, text in (
                ("per_hour", "What the instances cost in an hour"),
                ("today", "Spent since the day began"),
                ("month", "Spent since the month began"),
            )
        }
        self._total = Counter("burstd_cost", "Spent in all, in that currency.", ("pool", "currency"), registry=registry)
        self._paid: dict[tuple[str, str], float] = {}
        self._unpriced = gauge("cost_unpriced_instances", "Instances that are billed at a price that nobody has told.", "pool")
        self._limit = gauge("budget_limit", "The limits that are set, in the budget's currency.", "period", "level")
        self._spent = gauge("budget_spent", "What counts towards them.", "period")
        self._reached = gauge("budget_reached", "1 while the limit is reached.", "period", "level")

    def record(self, decision: Decision, policy: Policy) -> None:
        """Set everything from a finished cycle."""
        for gauge in (*self._sums.values(), self._unpriced):
            gauge.clear()
        for pool in policy.pools:
            self._unpriced.labels(pool.name)
        for name, gauge in self._sums.items():
            for (pool, currency), amount in getattr(decision.outlay, name).items():
                if currency != UNPRICED:
                    gauge.labels(pool, currency).set(amount)
                elif name == "per_hour":
                    self._unpriced.labels(pool).set(amount)
        for key, amount in decision.outlay.total.items():
            if key[1] != UNPRICED:
                self._total.labels(*key).inc(max(0.0, amount - self._paid.get(key, 0.0)))
                self._paid[key] = max(amount, self._paid.get(key, 0.0))
        self._record_budget(decision.purse)

    def _record_budget(self, purse: Purse | None) -> None:
        for gauge in (self._limit, self._spent, self._reached):
            gauge.clear()
        for each in purse.allowances if purse else ():
            self._spent.labels(each.name).set(each.spent)
            for level, limit, reached in (("soft", each.soft, each.is_soft), ("hard", each.hard, each.is_used_up)):
                if limit is not None:
                    self._limit.labels(each.name, level).set(limit)
                    self._reached.labels(each.name, level).set(reached)
