"""What is wanted because of the hour: a floor under the fleet while a window is open, and for its lead before that.

Above the floor it is content with less, down to the floor: the load decides how many more there are, and nothing here keeps them. A lead
that is not fixed is as long as a boot takes, as the pool that would be bought from has shown. A window that was taken up once stays so,
whatever is learned of boots until it opens: it must not be opened twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from burstd.decide.boot_times import boot_time
from burstd.model.decision import Direction, Memory, Proposal
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.model.window import HORIZON, Window

SOURCE = "schedule"

UNSEEN: Final = 180.0
"""Seconds of lead until a boot was seen: what most images need at most. Too long costs a minute of an instance, once; too short a sale."""


def due(snapshot: Snapshot, policy: Policy, memory: Memory) -> tuple[Window, ...]:
    """The windows in force: open, within their lead, or taken up before; `memory` has the boots and the windows of the last cycle."""
    return tuple(
        each
        for each in snapshot.windows
        if snapshot.now >= each.opens_at - lead_of(each, snapshot, policy, memory) or (each.name, each.opens_at) in memory.windows
    )


def lead_of(window: Window, snapshot: Snapshot, policy: Policy, memory: Memory) -> float:
    """For how long before the window opens its instances are wanted, in seconds: as it says, else a boot and the cycles to buy all in."""
    if window.lead is not None:
        return window.lead
    open_to_us = [each for each in policy.pools if policy.allows(each)]
    free = [each for each in open_to_us if (state := snapshot.pools.get(each.name)) is None or state.barred_until <= snapshot.now]
    seen = next((boot_time(memory.boots, each.name) for each in free or open_to_us), None)
    batches = -(-window.minimum // policy.fleet.max_step)
    return UNSEEN if seen is None else min(HORIZON, seen + batches * policy.fleet.poll_interval)


def keep_windows(windows: Sequence[Window], now: float, current: int) -> Proposal | None:
    """The wish of the window with the highest minimum among those in force; None where none is."""
    if not windows:
        return None
    window = max(windows, key=lambda each: (each.minimum, each.closes_at))
    ahead = window.opens_at - now
    when = f": it opens in {ahead:.0f} s" if ahead > 0 else f" for another {window.closes_at - now:.0f} s"
    # Below the floor out, at it hold; above it in, so that of several wishes to shrink none may go below the floor.
    direction = Direction((window.minimum > current) - (window.minimum < current))
    return Proposal(SOURCE, direction, window.minimum, f'schedule "{window.name}" wants {window.minimum}{when}')
