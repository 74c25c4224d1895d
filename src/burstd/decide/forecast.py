"""The demand a few minutes ahead: a sum of the demand now, three moving averages and its trend, whose weights learn minute by minute.

The weights follow by recursive least squares with forgetting (Ljung, System Identification, 1999, section 11.2) on demands divided by their
own level, so that a busy hour teaches no more than a quiet one. It begins as a calm average of now and of late and is sane from the first
minute. It knows nothing of hours and weeks: what is known of them beforehand belongs into a schedule.
"""

from __future__ import annotations

import math
from dataclasses import replace
from operator import mul
from typing import Final

from burstd.decide.margin import UNLEARNED, learn_error, scatter
from burstd.decide.trend import Earlier
from burstd.model.demand import TERMS, Awaited, Features, Outlook

MINUTE: Final = 60.0
"""Seconds of a step of learning: shorter ones would learn the scatter of single requests, and the poll interval may be a minute."""
WINDOWS: Final = (900.0, 1800.0, 3600.0)
"""Time constants of the moving averages, seconds: longer than what scatters, shorter than the day."""
LEADS: Final = (1, 10)
"""Minutes ahead, at least and at most: further ahead a boot would be longer than its deadline."""
_BEGIN: Final[Features] = (0.6, 0.3, 0.1, 0.0, 0.0, 0.0)
"""The weights before anything is learned."""
_OPEN: Final = 0.1
"""How uncertain these are: some hours of traffic outweigh them."""
_FORGET: Final = 1 - 1 / 1000
"""What a minute leaves of the weight of those before it: half of what is learned is of the last twelve hours."""
_MOST_OPEN: Final = 1000.0
"""Sum of the uncertainties at most, so that a night in which nothing moves does not blow them up."""
_RISE: Final = 2.0
"""No forecast is more than this many times what was seen of late, "now" included."""
_FALL: Final = 0.1
"""None is less than this part of the demand now."""
LEAST: Final = 0.05
"""Servers: below this a demand is as good as none, and relative errors of it say nothing."""
_SMALL: Final = 0.3
"""Servers: what rises below this is no storm yet, however steep it is."""
RISE, FALL = 4, 5
"""Places of the trend among the features."""
UNSEEN: Final = Earlier()
"""Nothing is known of where the demand has come from."""

Averages = tuple[float, float, float]
"""Of the demand, from the quickest to the slowest, in servers."""


def outlook(lead: int) -> Outlook:
    """The forecast that has learned nothing yet, over that many minutes."""
    spread = tuple(tuple(_OPEN * (row == column) for column in range(TERMS)) for row in range(TERMS))
    return Outlook(lead, _BEGIN, spread, (), *UNLEARNED)


def averaged(averages: Averages, demand: float, seconds: float) -> Averages:
    """The moving averages after the demand has lasted for so many seconds."""
    first, second, third = (
        last + (1 - math.exp(-seconds / window)) * (demand - last) for last, window in zip(averages, WINDOWS, strict=True)
    )
    return first, second, third


def expected(outlook: Outlook, averages: Averages, demand: float, seconds: float = 0.0, before: Earlier = UNSEEN) -> float:
    """The demand that is expected after the lead, in servers, at least `LEAST`; never lower for a higher demand now.

    Args:
        outlook: what was learned.
        averages: at the end of the last minute.
        demand: now.
        seconds: how long it has lasted since the end of that minute.
        before: what it has come from.
    """
    stayed = _sum(outlook.terms, features(before.demand, averaged(averages, before.demand, seconds), before))
    # With the demand rise those averages that it enters; where what was learned says "the higher now, the lower then", now counts nothing.
    entered = (1.0, *(1 - math.exp(-seconds / window) for window in WINDOWS))
    slope = _sum(outlook.terms, entered) + before.pace * outlook.terms[RISE if demand > before.demand else FALL]
    plain = stayed + max(0.0, slope) * (demand - before.demand)
    seen = (demand, *averaged(averages, demand, seconds))
    return max(LEAST, _FALL * demand, min(_RISE * max(seen), plain))


def features(demand: float, averages: Averages, before: Earlier) -> Features:
    """What a forecast is made of."""
    change = before.change(demand)
    return (demand, *averages, max(0.0, change), min(0.0, change))


def steepness(demand: float, before: Earlier) -> float:
    """By which part of itself the demand has risen in half a minute; 0 where it has not."""
    return max(0.0, before.change(demand)) / max(_SMALL, demand)


def learn(outlook: Outlook, minute: int, demand: float, averages: Averages, before: Earlier = UNSEEN) -> Outlook:
    """With the minute that has ended: what had been expected of its end, and what is expected now of the one a lead later.

    Args:
        outlook: what was learned before.
        minute: which one has ended.
        demand: at its end.
        averages: with it.
        before: what the demand had come from.
    """
    due = next((each for each in outlook.awaited if each.minute + outlook.lead == minute), None)
    if due is not None:
        outlook = learn_error(_corrected(outlook, due.features, demand), due, demand)
    rest = tuple(each for each in outlook.awaited if minute - outlook.lead < each.minute < minute)
    ahead = expected(outlook, averages, demand, before=before)
    awaited = Awaited(minute, features(demand, averages, before), ahead, scatter(outlook, steepness(demand, before)))
    return replace(outlook, awaited=(*rest, awaited))


def _sum(terms: Features, values: Features) -> float:
    return math.fsum(map(mul, terms, values))


def _corrected(outlook: Outlook, made_of: Features, came: float) -> Outlook:
    """One step of recursive least squares."""
    level = max(LEAST, made_of[0], made_of[1])
    seen = tuple(value / level for value in made_of)
    moved = tuple(_sum(row, seen) for row in outlook.spread)
    weight = _FORGET + _sum(moved, seen)
    error = (came / level - _sum(outlook.terms, seen)) / weight
    terms = tuple(term + move * error for term, move in zip(outlook.terms, moved, strict=True))
    rows = [
        [(value - move * other / weight) / _FORGET for value, other in zip(row, moved, strict=True)]
        for row, move in zip(outlook.spread, moved, strict=True)
    ]
    open_ = math.fsum(row[place] for place, row in enumerate(rows))
    shrunk = min(1.0, _MOST_OPEN / open_) if open_ > 0 else 1.0
    return replace(outlook, terms=terms, spread=tuple(tuple(value * shrunk for value in row) for row in rows))
