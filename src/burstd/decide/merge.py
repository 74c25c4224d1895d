"""From wishes to one number: the safest wish, then the operator's order, then the bounds, then what holds scale-in back.

Each step that changes the number says so; the reasons come out in the order in which they won.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from burstd.model.decision import Direction, Proposal
from burstd.model.fleet import Override, Pause
from burstd.model.policy import FleetPolicy
from burstd.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Merged:
    """The number that is left, and why."""

    count: int
    direction: Direction
    reasons: tuple[str, ...]
    scale_in_allowed: bool


def merge(proposals: Sequence[Proposal], snapshot: Snapshot, fleet: FleetPolicy, current: int, blockers: Sequence[str]) -> Merged:
    """The merged number.

    Args:
        proposals: at least one; the safest wins (out over hold over in, then the higher count).
        snapshot: for the orders in force.
        fleet: the bounds.
        current: instances in service and on their way.
        blockers: what is missing for a scale-in, one clause each; empty where the data is complete.
    """
    orders, now = snapshot.orders, snapshot.now
    best = max(proposals, key=lambda each: (each.direction, each.count))
    count, direction, reasons = best.count, best.direction, [best.reason]
    if (override := orders.override_at(now)) is not None:
        count = override.count
        reasons.insert(0, _override_reason(override, now))
    for bound, wrong, key in ((fleet.minimum, count < fleet.minimum, "min"), (fleet.maximum, count > fleet.maximum, "max")):
        if wrong:
            reasons.insert(0, f"fleet.{key} is {bound} ({count} wanted)")
            count = bound
    paused_in = orders.pause in {Pause.IN, Pause.BOTH}
    if count > current and orders.pause in {Pause.OUT, Pause.BOTH}:
        reasons.insert(0, f"scale-out is paused ({count} wanted)")
        count = current
    held = [*blockers, *(["scale-in is paused"] if paused_in else [])]
    if count < current and held:
        reasons.insert(0, f"scale-in waits ({count} wanted): {'; '.join(held)}")
        count = current
    if count != best.count:
        direction = Direction(max(-1, min(1, count - current)))
    return Merged(count, direction, tuple(reasons), scale_in_allowed=not held)


def _override_reason(override: Override, now: float) -> str:
    until = "until it is taken back" if override.until is None else f"for another {override.until - now:.0f} s"
    why = f": {override.reason}" if override.reason else ""
    return f"{override.owner} ordered {override.count} {until}{why}"
