"""What `burstd check` says of the weights: whether the backend's algorithm looks at them, and whether the core's leave room for others.

The rules were measured on HAProxy 2.6; docs/routing.md has the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from statistics import fmean
from typing import Final, NamedTuple

from burstd.decide.skew import EXACT, WEIGHTLESS, named
from burstd.model.gateway import BackendView, GatewayView, ServerRow
from burstd.model.policy import BackendPolicy, Mode, RoutingPolicy

_COARSE: Final = 10
"""A mean core weight below this makes a step of the burst weight more than a tenth of a core's requests."""
_HIGH: Final = 200
"""A mean core weight above this leaves a burst server, at 256 at the most, hardly more than a core's own part."""


class Remark(NamedTuple):
    """One line about a backend; `bad`: with the mend."""

    bad: bool
    text: str


def look_at_weights(view: GatewayView, routing: RoutingPolicy, cores: Collection[str]) -> Iterator[Remark]:
    """What there is to say of each backend in which weights share the requests; `cores` are names in HAProxy."""
    if routing.mode is not Mode.WEIGHTED:
        return
    backends = {each.name: each for each in view.backends}
    for policy in routing.backends:
        backend = backends.get(policy.name)
        rows = [row for row in backend.servers if row.name in cores] if backend else []
        if backend and rows:
            yield from _algorithm(backend, policy, rows)
            if policy.weight is None and backend.balance not in WEIGHTLESS:
                yield from _room(backend, rows)


def _algorithm(backend: BackendView, policy: BackendPolicy, rows: list[ServerRow]) -> Iterator[Remark]:
    key = f"haproxy.backend {backend.name}: balance {named(backend.balance)}"
    if backend.balance in WEIGHTLESS:
        endless = [row.name for row in rows if not row.maxconn]
        fills = f"{key} looks at no weight and fills one server after the other"
        if endless:
            mend = "write `balance roundrobin`, or give every core server a maxconn"
            yield Remark(
                bad=True, text=f"{fills}; {endless[0]} has no maxconn and is never full, so no instance would get a request; {mend}"
            )
        else:
            yield Remark(bad=False, text=f"{fills}: instances get what the core's maxconn leaves, and burst_weight does nothing")
    elif backend.balance not in EXACT and policy.weight is not None:
        mend = 'write `balance roundrobin`, or burst_weight = "auto", which learns what a weight brings there'
        yield Remark(
            bad=True, text=f"{key} does not share the requests by weight alone, so burst_weight {policy.weight} is no share; {mend}"
        )
    elif backend.balance not in EXACT:
        yield Remark(
            bad=False, text=f"{key} does not share the requests by weight alone; what a weight brings is learned from the counters"
        )


def _room(backend: BackendView, rows: list[ServerRow]) -> Iterator[Remark]:
    total = sum(row.weight for row in rows)
    key, mend = f"haproxy.backend {backend.name}: the core servers' weights sum up to {total}", "write `weight 100` for each core server"
    if 0 < fmean(row.weight for row in rows) < _COARSE:
        yield Remark(bad=True, text=f"{key}, so that an instance gets {1 / (total + 1):.0%} of the requests at the least; {mend}")
    elif fmean(row.weight for row in rows) > _HIGH:
        yield Remark(bad=True, text=f"{key}, so that an instance gets {256 / (total + 256):.0%} of the requests at the most; {mend}")
