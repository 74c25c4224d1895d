"""The demand a few minutes ahead: a sum of the demand now and three of its moving averages, whose weights learn from each minute that ends.

The weights follow by recursive least squares with forgetting (Ljung, System Identification, 1999, section 11.2) on demands divided by their
own level, so that a busy hour teaches no more than a quiet one. It begins as a calm average of now and of late and is sane from the first
minute. It knows nothing of hours and weeks: what is known of them beforehand belongs into a schedule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from burstd.decide.margin import UNLEARNED, learn_error, scatter
from burstd.model.demand import TERMS, Awaited, Features, Outlook

MINUTE: Final = 60.0
"""Seconds of a step of learning: shorter ones would learn the scatter of single requests, and the poll interval may be a minute."""
WINDOWS: Final = (600.0, 1800.0, 7200.0)
"""Time constants of the moving averages, seconds: of a burst, of a wave, of the time of the day."""
LEADS: Final = (1, 10)
"""Minutes ahead, at least and at most: further ahead a boot would be longer than its deadline."""
_BEGIN: Final[Features] = (0.6, 0.3, 0.1, 0.0)
"""The weights before anything is learned."""
_OPEN: Final = 0.3
"""How uncertain these are: some hours of traffic outweigh them."""
_FORGET: Final = 1 - 1 / 4000
"""What a minute leaves of the weight of those before it: half of what is learned is of the last two days."""
_MOST_OPEN: Final = 1000.0
"""Sum of the uncertainties at most, so that a night in which nothing moves does not blow them up."""
_RISE: Final = 2.0
"""No forecast is more than this many times what was seen of late, "now" included."""
_FALL: Final = 0.1
"""None is less than this part of the demand now."""
LEAST: Final = 0.05
"""Servers: below this a demand is as good as none, and relative errors of it say nothing."""


def outlook(lead: int) -> Outlook:
    """The forecast that has learned nothing yet, over that many minutes."""
    first, second, third, fourth = (tuple(_OPEN * (row == column) for column in range(TERMS)) for row in range(TERMS))
    return Outlook(lead, _BEGIN, (_four(first), _four(second), _four(third), _four(fourth)), (), *UNLEARNED)


def _four(values: Sequence[float]) -> Features:
    first, second, third, fourth = values
    return first, second, third, fourth


def averaged(averages: tuple[float, float, float], demand: float, seconds: float) -> tuple[float, float, float]:
    """The moving averages after the demand has lasted for so many seconds."""
    first, second, third = (
        last + (1 - math.exp(-seconds / window)) * (demand - last) for last, window in zip(averages, WINDOWS, strict=True)
    )
    return first, second, third


def expected(outlook: Outlook, averages: tuple[float, float, float], demand: float, seconds: float) -> float:
    """The demand that is expected after the lead, in servers, at least `LEAST`; never lower for a higher demand now.

    Args:
        outlook: what was learned.
        averages: at the end of the last minute.
        demand: now.
        seconds: how long it has lasted since the end of that minute.
    """
    features = (demand, *averaged(averages, demand, seconds))
    # With the demand rise those averages that it enters; where what was learned says "the higher now, the lower then", now counts nothing.
    entered = (1.0, *(1 - math.exp(-seconds / window) for window in WINDOWS))
    slope = math.fsum(term * part for term, part in zip(outlook.terms, entered, strict=True))
    plain = _sum(outlook.terms, features) + max(0.0, -slope) * demand
    return max(LEAST, _FALL * demand, min(_RISE * max(features), plain))


def learn(outlook: Outlook, minute: int, features: Features) -> Outlook:
    """With the minute that has ended: what had been expected of it, and what is expected now of the one a lead later."""
    due = next((each for each in outlook.awaited if each.minute + outlook.lead == minute), None)
    if due is not None:
        outlook = learn_error(_corrected(outlook, due.features, features[0]), due, features[0])
    rest = tuple(each for each in outlook.awaited if minute - outlook.lead < each.minute < minute)
    ahead = expected(outlook, features[1:], features[0], 0.0)
    return replace(outlook, awaited=(*rest, Awaited(minute, features, ahead, scatter(outlook))))


def _sum(terms: Features, features: Features) -> float:
    return math.fsum(term * value for term, value in zip(terms, features, strict=True))


def _corrected(outlook: Outlook, features: Features, came: float) -> Outlook:
    """One step of recursive least squares."""
    level = max(LEAST, features[0], features[1])
    seen = _four([value / level for value in features])
    moved = _four([_sum(row, seen) for row in outlook.spread])
    weight = _FORGET + _sum(moved, seen)
    error = came / level - _sum(outlook.terms, seen)
    terms = _four([term + move / weight * error for term, move in zip(outlook.terms, moved, strict=True)])
    rows = [
        [(value - move * other / weight) / _FORGET for value, other in zip(row, moved, strict=True)]
        for row, move in zip(outlook.spread, moved, strict=True)
    ]
    open_ = math.fsum(row[place] for place, row in enumerate(rows))
    shrunk = min(1.0, _MOST_OPEN / open_) if open_ > 0 else 1.0
    first, second, third, fourth = (_four([value * shrunk for value in row]) for row in rows)
    return replace(outlook, terms=terms, spread=(first, second, third, fourth))
