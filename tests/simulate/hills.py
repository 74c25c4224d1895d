"""Small traces and timelines of a test's own."""

from __future__ import annotations

from collections.abc import Sequence

from burstd.simulate import Moment, Trace, WorldSpec

WORLD = WorldSpec()


def trace(*values: float, step: float = 60.0) -> Trace:
    """Requests/s, a point every `step` seconds."""
    return Trace("hills", tuple(number * step for number in range(len(values))), values)


def hill(*servers: float, step: float = 600.0) -> Trace:
    """The same in servers."""
    return trace(*(each * WORLD.capacity for each in servers), step=step)


def moments(demand: Sequence[float], in_service: Sequence[int], *, step: float = 60.0, billed: Sequence[int] = ()) -> list[Moment]:
    """A timeline of equal steps; what serves is what is wanted and billed, unless it is said."""
    paid = billed or in_service
    return [
        Moment(number * step, step, each, serving, 0, serving, cost, launched=int(number == 0))
        for number, (each, serving, cost) in enumerate(zip(demand, in_service, paid, strict=True))
    ]
