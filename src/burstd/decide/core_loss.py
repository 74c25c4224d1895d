"""What is wanted when HAProxy sends no request to any core server: that is no overload, and what it needs is declared, not measured.

A dead core server among others needs nothing of this: the rest carry all, and where that is too much their load says so. Nothing is ever
given back while the whole core is out: its low load is that of servers that nobody asks.
"""

from __future__ import annotations

from burstd.decide.signal import Signal
from burstd.model.decision import Direction, Memory, Proposal
from burstd.model.faults import Fault
from burstd.model.fleet import SERVING, Phase
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

SOURCE = "core loss"


def stand_in(signal: Signal, policy: Policy, current: int) -> Proposal | None:
    """The wish while the whole core is out of rotation; None while one core server takes requests, or HAProxy cannot be read."""
    if not _is_lost(signal, policy):
        return None
    wanted = policy.fleet.on_core_loss
    if wanted > current:
        return Proposal(SOURCE, Direction.OUT, wanted, f"no core server takes traffic in HAProxy: fleet.on_core_loss is {wanted}")
    return Proposal(SOURCE, Direction.HOLD, current, "no core server takes traffic in HAProxy: nothing is given back")


def lost_since(signal: Signal, snapshot: Snapshot, policy: Policy) -> float | None:
    """Since when the whole core has been out of rotation; None while it is not. What was known stays while HAProxy cannot be read."""
    known = snapshot.memory.core_lost_since
    if isinstance(snapshot.gateway, Fault):
        return known
    return (snapshot.now if known is None else known) if _is_lost(signal, policy) else None


def _is_lost(signal: Signal, policy: Policy) -> bool:
    return bool(signal.out) and len(signal.out) >= len(policy.cores)


def told(before: Memory, after: Memory, snapshot: Snapshot) -> tuple[str, ...]:
    """What an operator hears, once: of core servers that have left the rotation or come back, by name, and of the core as a whole."""
    notes = [f"{name} is {status} in HAProxy" for name, status in after.cores_out.items() if before.cores_out.get(name) is not status]
    notes += [f"{name} takes traffic in HAProxy again" for name in before.cores_out if name not in after.cores_out]
    if before.core_lost_since is None and after.core_lost_since is not None:
        serving = {phase: sum(each.phase is phase for each in snapshot.fleet) for phase in SERVING}
        left = f"{serving[Phase.IN_SERVICE]} in service and {serving[Phase.STANDBY]} standing by"
        notes.append(f"the core is lost: no core server takes traffic in HAProxy, and the site is served by the instances, {left}")
    if before.core_lost_since is not None and after.core_lost_since is None:
        notes.append(f"the core is back after {snapshot.now - before.core_lost_since:.0f} s")
    return tuple(notes)
