"""The books as the text that the roster keeps of them. What is damaged, strange or of another version is not read at all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any, Final

from burstd.model.cost import Bill, Ledger, Sums

LEDGER: Final = "cost"
"""The name that the text has in the roster."""
_VERSION: Final = 1


def sealed(ledger: Ledger) -> Ledger:
    """The books with their text brought up to them."""
    found = {
        "version": _VERSION,
        "bills": [astuple(each) for each in ledger.bills],
        "days": {date: _rows(sums) for date, sums in ledger.days.items()},
        "total": _rows(ledger.total),
        "told": dict(ledger.told),
    }
    return replace(ledger, text=json.dumps(found))


def opened(text: str) -> Ledger | None:
    """What the text tells; None where it is not what this version writes."""
    try:
        found = json.loads(text)
        ledger = Ledger(
            bills=tuple(_bill(*each) for each in found["bills"]),
            days={str(date): _sums(rows) for date, rows in found["days"].items()},
            total=_sums(found["total"]),
            told={str(name): str(period) for name, period in found["told"].items()},
            text=text,
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return ledger if found.get("version") == _VERSION and all(map(_is_sane, _figures(ledger))) else None


def _rows(sums: Sums) -> Sequence[tuple[str, str, float]]:
    return [(pool, currency, amount) for (pool, currency), amount in sums.items()]


def _sums(rows: Sequence[Any]) -> Mapping[tuple[str, str], float]:
    return {(str(pool), str(currency)): float(amount) for pool, currency, amount in rows}


def _bill(  # noqa: PLR0913, PLR0917 - a bill's own fields, in their order
    operation: str, pool: str, began: float, unit: float, price: float | None, currency: str, ended: float | None
) -> Bill:
    if float(unit) <= 0:
        raise ValueError("no unit")
    priced, stopped = (None if each is None else float(each) for each in (price, ended))
    return Bill(str(operation), str(pool), float(began), float(unit), priced, str(currency), stopped)


def _figures(ledger: Ledger) -> Iterator[float]:
    for bill in ledger.bills:
        yield from (each for each in (bill.began, bill.price, bill.ended) if each is not None)
    for sums in (*ledger.days.values(), ledger.total):
        yield from sums.values()


def _is_sane(figure: float) -> bool:
    return math.isfinite(figure) and figure >= 0
