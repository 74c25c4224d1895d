"""What an operator can order, as data: the control API makes them, the loop's thread alone carries them out, between two cycles."""

from __future__ import annotations

from dataclasses import dataclass

from burstd.model.fleet import Pause


@dataclass(frozen=True, slots=True)
class ScaleTo:
    """Want `count` instances in service until it is taken back, or for `seconds`."""

    count: int
    owner: str
    reason: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ScaleAuto:
    """Take the override back: the policies decide again."""

    owner: str


@dataclass(frozen=True, slots=True)
class SetPause:
    """Stop a direction, both, or none (resume)."""

    pause: Pause
    owner: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DrainInstance:
    """Drain one instance by name and destroy it."""

    name: str
    owner: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StartDrill:
    """Rehearse one instance from its create to its end, without traffic; `pool` None: in the first one that is not barred."""

    owner: str
    pool: str | None = None


StandingOrder = ScaleTo | ScaleAuto | SetPause | DrainInstance | StartDrill
"""Orders that stay in force, and are kept in the roster."""


@dataclass(frozen=True, slots=True)
class ReleaseMirror:
    """Push the content again that is held after a deletion storm: what is gone is meant to be gone."""

    owner: str
    reason: str = ""


Order = StandingOrder | ReleaseMirror
