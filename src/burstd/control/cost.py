"""What the API tells of money: the cost by currency, what has no price, and the budget. Pure; amounts are in the currency beside them."""

from __future__ import annotations

from typing import Any

from burstd.decide.cost import in_currency, unpriced
from burstd.model.cost import Allowance, Purse
from burstd.model.turn import Turn

Document = dict[str, Any]


def cost(turn: Turn) -> Document:
    """What is spent now, today and this month; two currencies stand side by side and are never added."""
    outlay = turn.decision.outlay
    hour, today, month, total = map(in_currency, (outlay.per_hour, outlay.today, outlay.month, outlay.total))
    return {
        "currencies": [
            {
                "currency": each,
                "per_hour": _rounded(hour.get(each, 0.0)),
                "today": _rounded(today.get(each, 0.0)),
                "month": _rounded(month.get(each, 0.0)),
                "total": _rounded(total.get(each, 0.0)),
            }
            for each in sorted(total.keys() | hour.keys())
        ],
        "unpriced": list(unpriced(outlay)),
        "day": turn.snapshot.days[-1].date if turn.snapshot.days else None,
    }


def budget(purse: Purse | None) -> Document | None:
    """What is left of the budget; null where there is none."""
    if purse is None:
        return None
    return {
        "currency": purse.currency,
        "soft": purse.is_soft,
        "used_up": any(each.is_used_up for each in purse.allowances),
        "promised": _rounded(purse.promised),
        **{each.name: _allowance(each) for each in purse.allowances},
    }


def _allowance(each: Allowance) -> Document:
    return {"period": each.period, "spent": _rounded(each.spent), "soft": each.soft, "hard": each.hard}


def _rounded(amount: float) -> float:
    return round(amount, 6)
