"""The figures of one or more runs, as a table for people and as a document for programs. Pure: it prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from burstd.simulate.measures import Measures
from burstd.simulate.timeline import Run

_UNKNOWN = "-"


def _ratio(each: Measures) -> str:
    return _UNKNOWN if each.ratio is None else f"{each.ratio:.2f}"


def _cost(each: Measures) -> str:
    return _UNKNOWN if each.cost is None else f"{each.cost:.2f} {each.currency or ''}".rstrip()


_ROWS: Sequence[tuple[str, Callable[[Measures], str]]] = (
    ("overloaded, % of the time", lambda each: f"{each.overloaded:.2f}"),
    ("servers missing then, % of the demand", lambda each: f"{each.under:.2f}"),
    ("servers too many, % of the demand", lambda each: f"{each.over:.1f}"),
    ("instance-hours", lambda each: f"{each.instance_hours:.1f}"),
    ("… of a clairvoyant", lambda each: f"{each.clairvoyant_hours:.1f}"),
    ("… ratio of the two", _ratio),
    ("launches", lambda each: f"{each.launches}"),
    ("flaps (out and in within 15 min)", lambda each: f"{each.flaps}"),
    ("flaps a day", lambda each: f"{each.flaps_a_day:.1f}"),
    ("cost", _cost),
)


def table(runs: Sequence[Run], measures: Sequence[Measures]) -> Table:
    """A line for each figure, a column for each run."""
    run = runs[0]
    days = measures[0].seconds / 86_400
    made = Table(title=f"{run.trace.name}: {days:.1f} days on {run.world.cores} core servers, at most {run.world.maximum} instances")
    made.add_column()
    for each in runs:
        made.add_column(each.policy, justify="right")
    for label, cell in _ROWS:
        made.add_row(label, *map(cell, measures))
    return made


def document(runs: Sequence[Run], measures: Sequence[Measures], scale: float) -> dict[str, Any]:
    """The same and more, as JSON can carry it."""
    run = runs[0]
    return {
        "trace": {"name": run.trace.name, "points": len(run.trace.seconds), "seconds": run.trace.length, "scale": scale},
        "world": {**asdict(run.world), "capacity": run.world.capacity},
        "seed": run.seed,
        "runs": [
            {
                "policy": each.policy,
                "turns": len(each.moments),
                "requests": each.requests,
                "given_up": each.given_up,
                **figures.document(),
            }
            for each, figures in zip(runs, measures, strict=True)
        ],
    }
