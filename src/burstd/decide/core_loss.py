"""What is wanted when HAProxy sends no request to any core server: that is no overload, and what it needs is declared, not measured.

A dead core server among others needs nothing of this: the rest carry all, and where that is too much their load says so. Nothing is ever
given back while the whole core is out: its low load is that of servers that nobody asks.
"""

from __future__ import annotations

from collections.abc import Mapping

from burstd.decide.signal import Signal
from burstd.model.decision import Direction, Proposal
from burstd.model.gateway import ServerStatus
from burstd.model.policy import Policy

SOURCE = "core loss"


def stand_in(signal: Signal, policy: Policy, current: int) -> Proposal | None:
    """The wish while the whole core is out of rotation; None while one core server takes requests, or HAProxy cannot be read."""
    if not signal.out or len(signal.out) < len(policy.cores):
        return None
    wanted = policy.fleet.on_core_loss
    if wanted > current:
        return Proposal(SOURCE, Direction.OUT, wanted, f"no core server takes traffic in HAProxy: fleet.on_core_loss is {wanted}")
    return Proposal(SOURCE, Direction.HOLD, current, "no core server takes traffic in HAProxy: nothing is given back")


def told(before: Mapping[str, ServerStatus], after: Mapping[str, ServerStatus]) -> tuple[str, ...]:
    """What an operator hears, once, of core servers that have left the rotation or come back; by name, those that are out of it."""
    left = [f"{name} is {status} in HAProxy" for name, status in after.items() if before.get(name) is not status]
    return (*left, *(f"{name} takes traffic in HAProxy again" for name in before if name not in after))
