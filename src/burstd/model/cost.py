"""What instances cost: bills, the books that are kept of them, and a budget with its limits. Amounts are in a currency of ISO 4217.

Two currencies are never added, and what has no price is counted in hours under the currency "": unknown, and never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

HOUR: Final = 3600.0
"""Seconds that a price is for."""

UNPRICED: Final = ""
"""In place of a currency: the amount is hours of instances whose price nobody has told."""

Key = tuple[str, str]
"""A pool and a currency."""

Sums = Mapping[Key, float]
"""Amounts by pool and currency."""


class Billing(StrEnum):
    """The unit of time that a pool is paid by: each one that has begun is paid whole, the first one included."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"

    @property
    def seconds(self) -> float:
        """Its length."""
        return {Billing.SECOND: 1.0, Billing.MINUTE: 60.0, Billing.HOUR: HOUR}[self]


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """How much may be spent; None: no such limit.

    Attributes:
        currency: of the limits, by ISO 4217.
        day_soft: from here on in a day it is said, and scale-in is eager.
        day_hard: nothing is created in a day that would be past it.
        month_soft: the same in a month.
        month_hard: the same in a month.
    """

    currency: str
    day_soft: float | None = None
    day_hard: float | None = None
    month_soft: float | None = None
    month_hard: float | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar by which the books are kept.

    Attributes:
        date: as in 2026-11-30; its first seven characters are the month.
        starts_at: seconds on the daemon's timeline.
    """

    date: str
    starts_at: float

    @property
    def month(self) -> str:
        """As in 2026-11."""
        return self.date[:7]


@dataclass(frozen=True, slots=True)
class Bill:
    """What one machine costs, from its create to its end.

    Attributes:
        operation: of its instance.
        began: when its create was sent, seconds on the daemon's timeline.
        unit: seconds of which each that has begun is paid.
        price: of an hour; None: unknown.
        currency: of the price; `UNPRICED` where it is unknown.
        ended: when its destroy was last sent; None: it was not.
    """

    operation: str
    pool: str
    began: float
    unit: float
    price: float | None = None
    currency: str = UNPRICED
    ended: float | None = None

    @property
    def key(self) -> Key:
        """Under what it is summed up."""
        return self.pool, self.currency

    @property
    def unit_price(self) -> float:
        """What one unit costs; in hours where the price is unknown."""
        return (1.0 if self.price is None else self.price) * self.unit / HOUR

    def units(self, before: float) -> int:
        """Units that begin before that moment, were there no end."""
        return max(0, math.ceil((before - self.began) / self.unit))

    def paid(self, at: float) -> int:
        """Units that have begun by then, or by its end: one that begins at the very moment has begun."""
        until = at if self.ended is None else min(at, self.ended)
        return max(0, math.floor((until - self.began) / self.unit) + 1)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books: bills of machines that live, and what those that have ended cost.

    Attributes:
        bills: in the order in which they were opened.
        days: by date, what ended machines cost on that day.
        total: what all ended machines have ever cost.
        told: by a limit's name, the date or month and the figure for which its crossing was said.
        text: the whole of it, as the roster keeps it.
    """

    bills: tuple[Bill, ...] = ()
    days: Mapping[str, Sums] = field(default_factory=dict)
    total: Sums = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Outlay:
    """What is spent, as of one moment.

    Attributes:
        per_hour: what the machines that live cost in an hour; of unpriced ones their number.
        today: spent since the day began, unpriced hours under `UNPRICED`; likewise the others.
        month: spent since the month began.
        total: spent since the books were begun.
    """

    per_hour: Sums = field(default_factory=dict)
    today: Sums = field(default_factory=dict)
    month: Sums = field(default_factory=dict)
    total: Sums = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One period of a budget.

    Attributes:
        name: "day" or "month".
        period: which one, as in 2026-11-30 or 2026-11.
        spent: in it so far.
        soft: its limits; None: there is none.
        hard: the same.
    """

    name: str
    period: str
    spent: float
    soft: float | None = None
    hard: float | None = None

    @property
    def is_soft(self) -> bool:
        """The soft limit is reached."""
        return self.soft is not None and self.spent >= self.soft

    @property
    def is_used_up(self) -> bool:
        """The hard limit is reached."""
        return self.hard is not None and self.spent >= self.hard


@dataclass(frozen=True, slots=True)
class Purse:
    """The budget at one moment.

    Attributes:
        currency: of everything in it.
        allowances: the day's and the month's.
        promised: the first units of creates under way, which are as good as spent.
    """

    currency: str
    allowances: tuple[Allowance, ...]
    promised: float = 0.0

    @property
    def is_soft(self) -> bool:
        """A soft limit is reached, or a hard one."""
        return any(each.is_soft or each.is_used_up for each in self.allowances)

    def refusal(self, first: float = 0.0, *, planned: float = 0.0) -> str:
        """Why a create whose first unit costs that much would be past a hard limit; empty where it would not.

        Args:
            first: what its first unit costs; 0 of a create that counts as promised already.
            planned: what else is promised by now, and not in `promised` yet.
        """
        promised = self.promised + planned
        for each in self.allowances:
            if each.is_used_up:
                return f"the budget of the {each.name} is used up: {self._of(each)}"
            if each.hard is not None and each.spent + promised + first > each.hard + _DUST:
                under_way = f", {money(promised)} more for creates under way" if promised else ""
                more = f", and another instance costs {money(first)} at once" if first else ""
                return f"the budget of the {each.name} has no room: {self._of(each)}{under_way}{more}"
        return ""

    def _of(self, allowance: Allowance) -> str:
        when = "today" if allowance.name == "day" else "this month"
        return f"{money(allowance.spent)} of {money(allowance.hard or 0.0)} {self.currency} {when}"


_DUST: Final = 1e-9
"""A sum of fractions of a cent is off by this much at most; a limit that is met to the cent is not passed by it."""


def money(amount: float) -> str:
    """An amount for people: to the cent, and finer where it is less than ten of them."""
    return f"{amount:.2f}" if amount >= 0.1 or not amount else f"{amount:.2g}"  # noqa: PLR2004 - ten cents
