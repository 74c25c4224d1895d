"""A server that is up, has weight, and gets no request: HAProxy counts it as capacity, and it is none. It is said; nothing is done.

What keeps requests away (a stick table, an ACL, a firewall that lets the checks pass alone) is the operator's to find, and another
instance would stand there just as idle.
"""

from __future__ import annotations

from typing import Final

from burstd.model.fleet import Phase
from burstd.model.gateway import ServerStatus
from burstd.plan.draft import Draft

IDLE_FOR: Final = 30.0
"""Seconds without a request before anything is said: longer than any pause of a server that takes turns with others."""
SHARE: Final = 20.0
"""Requests that a server should have got meanwhile by its weight: were they dealt by lot, none at all would be a chance of 1 in 10^8."""


def tell_idle(draft: Draft) -> None:
    """Say which instances in service get nothing of the traffic that the others get."""
    view = draft.gateway
    serving = {each.name for each in draft.phase(Phase.IN_SERVICE)}
    if view is None or not serving:
        return
    for backend in view.backends:
        taking = [row for row in backend.servers if row.status is ServerStatus.UP and row.weight > 0 and not row.backup]
        idle = [row for row in taking if row.name in serving and _grown(draft, backend.name, row.name) == 0]
        if not idle:
            continue
        requests, weights = sum(_grown(draft, backend.name, row.name) or 0 for row in taking), sum(row.weight for row in taking)
        for row in idle:
            share = requests * row.weight / weights
            if share >= SHARE:
                where = f" in {backend.name}" if len(view.backends) > 1 else ""
                draft.waiting.append(
                    f"{row.name} is up{where} and gets no request, where its weight promises about {share:.0f} in {IDLE_FOR:.0f} s"
                )


def _grown(draft: Draft, backend: str, name: str) -> int | None:
    """Requests to a server of that backend in the last `IDLE_FOR` seconds; None where its history is shorter."""
    history, began = draft.decision.memory.traffic.get(name, ()), draft.now - IDLE_FOR
    before = next((each for each in reversed(history) if each.at <= began), None)
    if before is None or backend not in before.arrived:
        return None
    return history[-1].arrived.get(backend, 0) - before.arrived[backend]
