"""When an instance that is paid by the hour should be given back: shortly before its next hour begins, since this one is paid anyway.

Until then it stays where it is and serves, which costs nothing, and spares a launch where the load comes back. It holds for every policy
that wishes for less; an operator's order and an unhealthy instance wait for no hour.
"""

from __future__ import annotations

from math import floor
from typing import Final

from burstd.model.cost import Billing
from burstd.model.fleet import Instance
from burstd.model.policy import Policy

RELEASE: Final = 300.0
"""Seconds before the next hour at which an instance may go: long enough for a few of them, one batch after the other with its cooldown
between, and a twelfth of what was paid is given away for that."""
AFTER_DRAIN: Final = 60.0
"""Seconds between the end of a drain and a destroy that a cloud has taken: maintenance, the rest before a removal, and the call itself."""


def is_hourly(instance: Instance, policy: Policy) -> bool:
    """It is there, and paid by the hour."""
    pool = policy.pool(instance.pool)
    return pool is not None and pool.billing is Billing.HOUR and instance.node_id is not None


def paid_until(instance: Instance, policy: Policy, now: float) -> float | None:
    """When its next hour begins, seconds on the daemon's timeline; None where it is not paid by the hour, or no machine of it is known.

    The hours are counted from its create, which the cloud cannot have begun to bill before.
    """
    if not is_hourly(instance, policy):
        return None
    began, hour = min(now, instance.bought_at), Billing.HOUR.seconds
    return began + (floor((now - began) / hour) + 1) * hour


def until_release(instance: Instance, policy: Policy, now: float) -> float:
    """Seconds until it may be given back: 0 where that is so, or where nothing is saved by waiting."""
    until = paid_until(instance, policy, now)
    lead = max(RELEASE, policy.fleet.drain_deadline + AFTER_DRAIN)
    return 0.0 if until is None else max(0.0, until - lead - now)
