"""What was seen of a run, second by second. Pure; times are seconds since the scenario's start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from burstd.demo.traffic import Second

PHASES: Final = ("on_the_way", "in_service", "leaving")
"""The instances as people count them, by the keys that burstd's status has for them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at both sides.

    Attributes:
        users: on each side.
        stretch: of the scenario.
        loads: mean load average of the core servers by side, from their own metrics pages; None where one did not answer.
        instances: how many there are by PHASES; the last that was known where burstd did not answer.
    """

    at: float
    users: int
    stretch: str
    loads: Mapping[str, float | None]
    instances: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Happening:
    """One of burstd's events.

    Attributes:
        kind: as in `burstd events`.
        subject: what it is about.
    """

    at: float
    kind: str
    subject: str
    text: str

    @property
    def phase(self) -> str | None:
        """The phase that an instance has entered; None for anything else."""
        return self.text.partition(":")[0] if self.kind == "instance" else None


@dataclass(slots=True)
class Timeline:
    """A run so far.

    Attributes:
        moments: about one a second.
        traffic: the generators' seconds, by side.
        happenings: burstd's events since it was started, oldest first.
        crossing: since when, before a burst server first answered, burstd had found the core full: its load above the threshold, or
            requests that waited for it; None: never yet.
        first_burst: when a burst server first answered; None: never yet.
    """

    moments: list[Moment] = field(default_factory=list)
    traffic: dict[str, list[Second]] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    crossing: float | None = None
    first_burst: float | None = None

    def entered(self, phase: str) -> dict[str, float]:
        """The instances that have entered that phase, and when first."""
        found: dict[str, float] = {}
        for each in self.happenings:
            if each.phase == phase:
                found.setdefault(each.subject, each.at)
        return found
