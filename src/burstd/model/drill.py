"""A rehearsal of one instance: its steps and their times, how it ended, and what is remembered of rehearsals."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from burstd.model.fleet import Phase


class DrillOutcome(StrEnum):
    """How a drill stands, or ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TAKEN = "taken"
    """The load asked for its instance, which went on as an ordinary one."""


class StepState(StrEnum):
    """How a step of a drill stands, or ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LEFT = "left"
    """It was under way when the instance was taken into service."""


STEPS: dict[Phase, tuple[str, Phase]] = {
    Phase.REQUESTED: ("create", Phase.BOOTING),
    Phase.BOOTING: ("boot", Phase.SYNCING),
    Phase.SYNCING: ("sync", Phase.JOINING),
    Phase.JOINING: ("join", Phase.DRAINING),
    Phase.DRAINING: ("leave", Phase.DESTROYING),
    Phase.DESTROYING: ("destroy", Phase.GONE),
}
"""By the phase in which a step is under way: its name, and the phase that its success leads to. `sync` ends with the gate."""


@dataclass(frozen=True, slots=True)
class DrillStep:
    """One step.

    Attributes:
        at: when it began, seconds on the daemon's timeline.
        seconds: how long it took until it was done or had failed; None while it is under way.
    """

    name: str
    at: float
    state: StepState = StepState.RUNNING
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill.

    Attributes:
        at: when it was ordered, seconds on the daemon's timeline: what tells two drills apart.
        owner: who ordered it; "schedule" where its hour had come.
        pool: where; empty where it never came to a pool.
        instance: the instance's name; empty where there never was one.
        operation: the same for its operation.
        steps: those that have begun, in their order.
        failure: what failed, and why; empty where nothing has.
        ended_at: when it was over; None while it runs.
    """

    at: float
    owner: str
    pool: str = ""
    instance: str = ""
    operation: str = ""
    outcome: DrillOutcome = DrillOutcome.RUNNING
    steps: tuple[DrillStep, ...] = field(default_factory=tuple)
    failure: str = ""
    ended_at: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took in all; None while it runs."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.at)


@dataclass(frozen=True, slots=True)
class Rehearsals:
    """What is remembered of drills.

    Attributes:
        last: the last one, or the one that runs.
        succeeded_at: when one last went through from its create to its end; None: never.
        opening: the last hour of the schedule that was looked at; None: none yet.
    """

    last: Drill | None = None
    succeeded_at: float | None = None
    opening: float | None = None
