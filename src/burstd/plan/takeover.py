"""The first cycle of a process: times of an earlier one, which may have lived by another wall clock, are brought onto this timeline.

The timeline is anchored to the wall clock at start. Had that been ahead before, a deadline or cooldown of the record would not end for as
long as the difference: what lies in the future is taken for now. A wall clock that was behind only makes waits look over that are not;
that is harmless everywhere but in the rest before a removal, which HAProxy 2.6.12 can crash without: this one begins again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from burstd.model.plans import RecordCooldowns, RecordPool
from burstd.plan.draft import Draft

_TIMES: Final = ("since", "created_at", "joined_at", "maint_at", "down_since", "missed_since", "attempted_at", "unread_since")

_LONGEST_BAR: Final = 3600.0
"""Seconds that a pool can be barred for at a cloud's own wish; what is barred for longer was barred by another clock."""


def take_over(draft: Draft) -> None:
    """Date the records of an earlier process by this one's timeline."""
    if not draft.snapshot.memory.new:
        return
    now = draft.now
    for instance in list(draft.fleet.values()):
        dated = {name: now for name in _TIMES if (getattr(instance, name) or 0.0) > now}
        if instance.maint_at is not None:
            dated["maint_at"] = now
        if dated:
            draft.change(instance, **dated)
    cooldowns = draft.snapshot.cooldowns
    if max(cooldowns.scale_out or 0.0, cooldowns.scale_in or 0.0) > now:
        cooldowns = replace(
            cooldowns,
            scale_out=None if cooldowns.scale_out is None else min(cooldowns.scale_out, now),
            scale_in=None if cooldowns.scale_in is None else min(cooldowns.scale_in, now),
        )
        draft.snapshot = replace(draft.snapshot, cooldowns=cooldowns)
        draft.records.append(RecordCooldowns(cooldowns))
    longest = max(_LONGEST_BAR, draft.policy.fleet.backoff_max)
    for state in list(draft.pools.values()):
        if state.barred_until > now + longest:
            draft.pools[state.pool] = replace(state, barred_until=now + longest)
            draft.records.append(RecordPool(draft.pools[state.pool]))
