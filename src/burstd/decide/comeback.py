"""Core servers that come back slowly: HAProxy gives one that was down its share by and by (`slowstart`), and burstd lets it.

Meanwhile such a core's low load says nothing of the demand, no weight is taken back from the burst servers, and nothing is given back.
"""

from __future__ import annotations

from collections.abc import Mapping

from burstd.model.gateway import GatewayView
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot


def coming_back(snapshot: Snapshot, policy: Policy) -> Mapping[str, int]:
    """Percent of their share that these core servers get by now, by name; where a core has several lines, the lowest."""
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        return {}
    found: dict[str, int] = {}
    for core in policy.cores:
        parts = [row.throttle for _, row in view.lines_of(core.server) if row.throttle is not None]
        if parts:
            found[core.name] = min(parts)
    return found


def in_words(slow: Mapping[str, int]) -> tuple[str, ...]:
    """One clause for each."""
    return tuple(f"{name} comes back slowly in HAProxy ({percent} %)" for name, percent in slow.items())
