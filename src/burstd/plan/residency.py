"""Where instances may be: in the countries that the settings allow, and no farther from the gateway than their pool says. Pure.

It only says what is in the way. A pool outside is never bought from, and what is found in one is not taken into service; nothing that
serves is taken out by this, since the settings that would make it necessary are refused (`burstd.wiring`).
"""

from __future__ import annotations

from burstd.model.faults import Fault
from burstd.model.fleet import Instance
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot


def outside(policy: Policy, pool: str) -> str:
    """Why nothing may be provisioned in that pool, in words; empty where it may. A pool that says no country is in none that is allowed."""
    found = policy.pool(pool)
    if policy.allows(found):
        return ""
    country = (found and found.country) or "no known country"
    return f"pool {pool} is in {country}, outside of fleet.countries ({', '.join(policy.fleet.countries)})"


def too_far(snapshot: Snapshot, policy: Policy, instance: Instance) -> str:
    """Why an instance at the gate is too far away to serve, in words; empty where it is near enough, or its pool sets no bound."""
    pool = policy.pool(instance.pool)
    if pool is None or pool.max_rtt is None:
        return ""
    trip = snapshot.round_trips.get(instance.operation)
    if trip is None:
        return "its round trip has not been measured yet"
    if isinstance(trip, Fault):
        return trip.text
    return "" if trip <= pool.max_rtt else f"round trip {_ms(trip)} ms, max_rtt {_ms(pool.max_rtt)} ms"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g}"
