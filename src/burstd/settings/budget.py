"""The section of the budget: how much may be spent, and by which calendar. Pure."""

from __future__ import annotations

from burstd.model.cost import BudgetPolicy
from burstd.settings import values as v
from burstd.settings.section import Section, mapped
from burstd.settings.values import key


class BudgetSettings(Section):
    """How much the instances may cost. Past a soft limit burstd warns and gives back sooner; past a hard one it creates nothing."""

    currency: v.Currency = key(None, "Currency of the limits, which must be that of every pool's price.", example="EUR")
    zone: v.Zone = key("UTC", "Time zone in which days and months begin, with a budget or without.", example="Europe/Oslo")
    day_soft: v.Amount = key(None, "From here on in a day burstd warns, and scale-in waits no longer than a minute.", example=8, gt=0)
    day_hard: v.Amount = key(None, "Nothing is created that would be past this in a day; nobody is drained for it.", example=12, gt=0)
    month_soft: v.Amount = key(None, "The same as day_soft, in a calendar month.", example=100, gt=0)
    month_hard: v.Amount = key(None, "The same as day_hard, in a calendar month.", example=150, gt=0)

    @property
    def limits(self) -> dict[str, float]:
        """Those that are set, by their keys."""
        every = {name: getattr(self, name) for name in ("day_soft", "day_hard", "month_soft", "month_hard")}
        return {name: limit for name, limit in every.items() if limit is not None}

    def policy(self) -> BudgetPolicy | None:
        """The limits in force; None where there is none."""
        return mapped(BudgetPolicy, self) if self.limits else None
