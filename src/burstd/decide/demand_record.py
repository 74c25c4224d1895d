"""What the demand policy has learned, as the text that the roster keeps of it over a restart. Pure; of some kilobytes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from burstd.decide.forecast import LEADS, WINDOWS
from burstd.decide.margin import BINS
from burstd.model.demand import TERMS, DemandMemory, Outlook

DEMAND: Final = "demand"
"""The policy's name in the roster."""
_VERSION: Final = 2
_DIGITS: Final = 9
"""Significant digits: more would be the scatter of the last request."""
_LARGEST: Final = 1e6
"""Nothing that was ever learned is as large; what is would harm."""


def write_demand(memory: DemandMemory) -> str | None:
    """The text; None while there is nothing to tell. The minute that runs is not in it, so that it is the same until the next one ends."""
    if memory.outlook is None or memory.averages is None:
        return None
    return _written(memory.minute, memory.averages, memory.outlook)


@lru_cache(maxsize=4)
def _written(minute: int | None, averages: tuple[float, float, float], learned: Outlook) -> str:
    """Once for each minute: every cycle of it asks whether it differs from what is stored."""
    found = {
        "version": _VERSION,
        "minute": minute,
        "averages": _short(averages),
        "lead": learned.lead,
        "terms": _short(learned.terms),
        "spread": [_short(row) for row in learned.spread],
        "scatter": _short((learned.fresh, learned.lasting)),
        "errors": _short(learned.errors),
    }
    return json.dumps(found, separators=(",", ":"))


def read_demand(text: str) -> DemandMemory | None:
    """What the text tells; None where it is not what this version writes."""
    try:
        found = json.loads(text)
        return _read(found) if found["version"] == _VERSION else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]


def _read(found: dict[str, Any]) -> DemandMemory:
    """The memory.

    Raises:
        ValueError: a figure is missing, or harmful.
    """
    lead, minute = found["lead"], found["minute"]
    if not (type(lead) is int and LEADS[0] <= lead <= LEADS[1] and type(minute) is int):
        raise ValueError(lead)
    rows = found["spread"]
    if not isinstance(rows, list) or len(rows) != TERMS:
        raise ValueError(rows)
    fresh, lasting = _numbers(found["scatter"], 2, least=0.0)
    quick, middle, slow = _numbers(found["averages"], len(WINDOWS), least=0.0)
    errors = _numbers(found["errors"], BINS, least=0.0)
    if not math.fsum(errors) > 0:
        raise ValueError(errors)
    terms, *spread = (_numbers(each, TERMS, least=-_LARGEST) for each in (found["terms"], *rows))
    learned = Outlook(lead, terms, tuple(spread), (), fresh, lasting, errors)
    return DemandMemory(minute=minute, averages=(quick, middle, slow), outlook=learned)


def _numbers(values: object, count: int, *, least: float) -> tuple[float, ...]:
    """So many finite numbers.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(values)
    numbers = tuple(float(value) for value in values)
    if not all(least <= value <= _LARGEST for value in numbers):
        raise ValueError(values)
    return numbers
