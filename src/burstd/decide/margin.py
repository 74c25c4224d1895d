"""How far off a forecast may be: its own relative errors over the last day, measured by how rough the traffic is of late.

An error is the logarithm of what came over what was expected. The same site is calm at night and rough in a storm, so errors are counted in
units of their mean size at that time (as ARCH models do; Engle, Econometrica, 1982), and the margin is their quantile times the mean
size of now.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Final

from burstd.model.demand import Awaited, Outlook

_FRESH: Final = 120.0
"""Minutes over which the roughness of late is taken: a storm's length."""
_LASTING: Final = 1440.0
"""Minutes over which the lasting one is taken, and errors are remembered: a day, so that every hour of it is in it."""
_USUAL: Final = 0.1
"""Mean relative error before anything is known."""
_FLOOR: Final = 0.01
"""No roughness is less: the rate of a calm site scatters by a part in a hundred too."""
_WILD: Final = 0.3
"""A single error counts for the roughness as at most this: one jump shall not widen the margin for hours."""
_RISING: Final = 0.5
"""By this part of the rise a forecast is rougher."""
_LOWEST: Final = -4.0
_WIDTH: Final = 0.2
BINS: Final = 80
"""Bins of the errors: from -4 to 12 times the usual size, fine enough that the margin moves smoothly."""
_WIDEST: Final = 3.0
"""Logarithm of what a forecast is raised by at most: twenty times itself, whatever was seen."""
_INVENTED: Final = 10.0
"""Errors that are taken for seen before there are any, spread like a double exponential: a quarter of an hour of traffic weighs more."""


def _invented() -> tuple[float, ...]:
    def below(size: float) -> float:
        return math.exp(size) / 2 if size < 0 else 1 - math.exp(-size) / 2

    edges = [below(_LOWEST + _WIDTH * number) for number in range(BINS + 1)]
    return tuple(_INVENTED * (high - low) for low, high in pairwise(edges))


UNLEARNED: Final = (_USUAL, _USUAL, _invented())
"""The roughness of late, the lasting one and the errors of a forecast without a record."""


def scatter(outlook: Outlook, steepness: float = 0.0) -> float:
    """The mean size of a relative error now, at least 0.01.

    Args:
        outlook: what was learned.
        steepness: by which part of itself the demand has risen in the last half minute: nobody knows where a rise ends.
    """
    return _FLOOR + (outlook.fresh + outlook.lasting) / 2 + _RISING * steepness


def learn_error(outlook: Outlook, awaited: Awaited, came: float) -> Outlook:
    """With what came of one forecast, in servers."""
    error = math.log(max(came, awaited.expected / 100, 1e-9) / awaited.expected)
    size = min(_WILD, abs(error))
    kept = math.exp(-1 / _LASTING)
    place = max(0, min(BINS - 1, int((error / awaited.scatter - _LOWEST) / _WIDTH)))
    return replace(
        outlook,
        fresh=outlook.fresh + (size - outlook.fresh) / _FRESH,
        lasting=outlook.lasting + (size - outlook.lasting) / _LASTING,
        errors=tuple(count * kept + (number == place) for number, count in enumerate(outlook.errors)),
    )


def exceeded(outlook: Outlook, ratio: float, size: float) -> float:
    """How probable it is, 0..1, that what comes is more than `ratio` times the forecast, by errors whose mean size is now `size`."""
    room, total = math.log(max(ratio, 1e-9)), math.fsum(outlook.errors)
    if room >= _WIDEST or total <= 0:
        return 0.0
    place = (room / size - _LOWEST) / _WIDTH
    whole = max(0, min(BINS - 1, int(place)))
    return (math.fsum(outlook.errors[whole:]) - max(0.0, min(1.0, place - whole)) * outlook.errors[whole]) / total


def margin(outlook: Outlook, part: float, size: float) -> float:
    """By which part of itself the forecast is to be raised, so that this part of what comes, 0..1, does not exceed it; at least 0."""
    sums = list(accumulate(outlook.errors))
    wanted = part * sums[-1]
    place = next((number for number, total in enumerate(sums) if total >= wanted), BINS - 1)
    into = (wanted - sums[place] + outlook.errors[place]) / outlook.errors[place] if outlook.errors[place] else 1.0
    return max(0.0, math.expm1(min((_LOWEST + _WIDTH * (place + into)) * size, _WIDEST)))
