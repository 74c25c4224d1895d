"""What is wanted when nothing can be seen for long: the size that the operator has declared for that, and never fewer than there are."""

from __future__ import annotations

from burstd.decide.signal import Signal
from burstd.model.decision import Direction, Proposal
from burstd.model.policy import FleetPolicy
from burstd.model.snapshot import Snapshot

SOURCE = "fallback"


def fall_back(signal: Signal, snapshot: Snapshot, policy: FleetPolicy, current: int) -> tuple[Proposal | None, float | None]:
    """The wish, where blindness has lasted for `fallback_after` and a size is declared, and since when nothing is seen."""
    if signal.samples:
        return None, None
    since = snapshot.now if snapshot.memory.blind_since is None else snapshot.memory.blind_since
    if policy.fallback <= current or snapshot.now - since < policy.fallback_after:
        return None, since
    reason = f"no core server's load has been known for {snapshot.now - since:.0f} s: the declared fallback is {policy.fallback}"
    return Proposal(SOURCE, Direction.OUT, policy.fallback, reason), since
