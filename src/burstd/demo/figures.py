"""The figures of a run, and whether it has shown what it should. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from burstd.demo.timeline import Timeline
from burstd.model.policy import Mode

ENOUGH_REQUESTS = 5000
ENOUGH_INSTANCES = 2
"""Less than these would show too little."""


@dataclass(frozen=True, slots=True)
class SideFigures:
    """One side's.

    Attributes:
        requests: answered with 200.
        errors: answered otherwise, or not at all.
        sent_again: requests sent once more, because HAProxy had closed an idle connection.
        peak_load: highest mean of the core servers' load averages, load units.
        mean_load: its mean over the run.
        seconds_above_threshold: how long it stood above the threshold.
        median_ms: response time that half of the requests stayed below, milliseconds.
        p95_ms: response time that 95 of 100 requests stayed below.
    """

    requests: int
    errors: int
    sent_again: int
    peak_load: float
    mean_load: float
    seconds_above_threshold: float
    median_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """A whole run's.

    Attributes:
        sides: by name, "with" and "without".
        launched: instances that the cloud has made, by burstd's events.
        destroyed: those of them that are gone, by burstd's events.
        orphans: machines that the cloud still runs at the end, by its own books.
        reaction_seconds: from burstd's first cycle that found the core full to an instance's first answer; None: it did not come to that.
        seconds: from the scenario's start to the end.
        threshold: load units.
        mode: how traffic came to the instances.
    """

    sides: dict[str, SideFigures]
    launched: int
    destroyed: int
    orphans: int
    reaction_seconds: float | None
    seconds: float
    threshold: float
    mode: Mode = Mode.WEIGHTED

    @property
    def crossing(self) -> str:
        """What burstd reacted to, for people."""
        return "requests had begun to wait" if self.mode is Mode.SPILLOVER else f"the load had crossed {self.threshold:g}"

    def document(self) -> dict[str, Any]:
        """As `--json` writes them; docs/demo.md says what each means."""
        own, other = self.sides["with"], self.sides["without"]
        return {
            "mode": str(self.mode),
            "requests": own.requests,
            "errors": own.errors,
            "peak_load": own.peak_load,
            "mean_load": own.mean_load,
            "seconds_above_threshold": {name: each.seconds_above_threshold for name, each in self.sides.items()},
            "launched": self.launched,
            "destroyed": self.destroyed,
            "orphans": self.orphans,
            "reaction_seconds": self.reaction_seconds,
            "seconds": self.seconds,
            "threshold": self.threshold,
            "median_ms": own.median_ms,
            "p95_ms": own.p95_ms,
            "sent_again": own.sent_again,
            "without": {
                "requests": other.requests,
                "errors": other.errors,
                "peak_load": other.peak_load,
                "mean_load": other.mean_load,
                "median_ms": other.median_ms,
                "p95_ms": other.p95_ms,
                "sent_again": other.sent_again,
            },
        }

    def missed(self) -> Iterator[str]:
        """What the run should have shown and has not, a line each."""
        own, other = self.sides["with"], self.sides["without"]
        if own.errors:
            yield f"errors: {own.errors}, expected 0"
        if own.requests < ENOUGH_REQUESTS:
            yield f"requests: {own.requests}, expected at least {ENOUGH_REQUESTS}"
        if self.launched < ENOUGH_INSTANCES:
            yield f"launched: {self.launched} instances, expected at least {ENOUGH_INSTANCES}"
        if self.destroyed != self.launched:
            yield f"destroyed: {self.destroyed} instances, expected all {self.launched} that were launched"
        if self.orphans:
            yield f"orphans: {self.orphans} machines still run, expected none"
        if own.seconds_above_threshold * 2 >= other.seconds_above_threshold:
            yield (
                f"seconds above {self.threshold:g}: {own.seconds_above_threshold:.0f} with burstd and "
                f"{other.seconds_above_threshold:.0f} without, expected less than half; was the machine busy with something else?"
            )
        if self.mode is Mode.SPILLOVER and own.median_ms * 2 >= other.median_ms:
            # The limit of the core servers alone would keep the load low, and the requests waiting.
            yield (
                f"half of the answers within: {own.median_ms:.0f} ms with burstd and {other.median_ms:.0f} ms without, "
                f"expected less than half; was the machine busy with something else?"
            )


def figures_of(timeline: Timeline, orphans: int, threshold: float, mode: Mode = Mode.WEIGHTED) -> Figures:
    """The figures of a timeline that has at least two moments."""
    crossing, first = timeline.crossing, timeline.first_burst
    return Figures(
        sides={side: _side(timeline, side, threshold) for side in timeline.traffic},
        launched=len(timeline.entered("booting")),
        destroyed=len(timeline.entered("booting").keys() & timeline.entered("gone").keys()),
        orphans=orphans,
        reaction_seconds=None if crossing is None or first is None else round(first - crossing, 2),
        seconds=round(timeline.moments[-1].at, 1),
        threshold=threshold,
        mode=mode,
    )


def _side(timeline: Timeline, side: str, threshold: float) -> SideFigures:
    seconds = timeline.traffic[side]
    known = [(each.at, load) for each in timeline.moments if (load := each.loads[side]) is not None]
    loads = [load for _, load in known]
    ms = sorted(value for each in seconds for value in each.ms)
    return SideFigures(
        requests=sum(each.core + each.burst for each in seconds),
        errors=sum(each.errors.total() for each in seconds),
        sent_again=sum(each.again for each in seconds),
        peak_load=round(max(loads), 2),
        mean_load=round(fmean(loads), 2),
        seconds_above_threshold=round(sum(later - at for (at, load), (later, _) in pairwise(known) if load > threshold), 1),
        median_ms=_quantile(ms, 0.5),
        p95_ms=_quantile(ms, 0.95),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank quantile; 0 where there is nothing."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0
