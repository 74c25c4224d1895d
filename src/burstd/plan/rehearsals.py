"""What is remembered of drills, as the text that the roster keeps of it. Strange or damaged text is dropped: nothing rests on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from burstd.model.drill import Drill, DrillOutcome, DrillStep, Rehearsals, StepState

REHEARSALS: Final = "drill"
"""The name that the text has in the roster."""
_VERSION: Final = 1


def write(rehearsals: Rehearsals) -> str:
    """The text."""
    return json.dumps({"version": _VERSION, **asdict(rehearsals)})


def recollect(learned: Mapping[str, str] | None) -> Rehearsals:
    """What the roster's texts tell of drills; nothing where there is none, or one that this version does not write."""
    if not learned or REHEARSALS not in learned:
        return Rehearsals()
    try:
        found = json.loads(learned[REHEARSALS])
        if found.pop("version") != _VERSION:
            return Rehearsals()
        return Rehearsals(**{**found, "last": found["last"] and _drill(found["last"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Rehearsals()


def _drill(found: dict[str, Any]) -> Drill:
    steps = tuple(DrillStep(**{**each, "state": StepState(each["state"])}) for each in found["steps"])
    return Drill(**{**found, "outcome": DrillOutcome(found["outcome"]), "steps": steps})
