"""What HAProxy shows of how full everything is: the requests that wait, and with spillover how busy the overflow backends are.

Where the core servers have a `maxconn` their run queue is capped, and the load may never cross its threshold however many requests wait
for them: the queue then says what the load cannot. And where HAProxy spills over, another instance helps only if those that are there
are busy, and one is needed only while something spills over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from burstd.model.fleet import SERVING
from burstd.model.gateway import BackendView, GatewayView
from burstd.model.naming import instance_of
from burstd.model.policy import Mode, Policy
from burstd.model.snapshot import Snapshot

_COMFORT = 0.75
"""The part of their connections up to which instances carry what is there: requests come unevenly, and a full server makes them wait."""


@dataclass(frozen=True, slots=True)
class Fullness:
    """What is full.

    Attributes:
        waiting: requests that wait for a server, in all backends; 0 where HAProxy cannot be read.
        spills: the instances stand in overflow backends.
        places: by overflow backend, the requests at the instances or waiting for them, and how many of them one instance takes at once
            (None: no limit); None where HAProxy cannot be read.
    """

    waiting: int = 0
    spills: bool = False
    places: Sequence[tuple[int, int | None]] | None = ()

    @property
    def busy(self) -> int:
        """Requests at the instances or waiting for them."""
        return sum(busy for busy, _ in self.places or ())

    def carried_by(self, count: int) -> bool:
        """So many instances carry what spills over now with room to spare; never true of what is not known."""
        if self.places is None:
            return False
        return all(not busy or (limit is not None and busy <= _COMFORT * limit * count) for busy, limit in self.places)


def read_fullness(snapshot: Snapshot, policy: Policy) -> Fullness:
    """How full everything is in this cycle."""
    view, routing = snapshot.gateway, policy.routing
    spills = routing.mode is Mode.SPILLOVER
    if not isinstance(view, GatewayView):
        return Fullness(spills=spills, places=None)
    waiting = sum(backend.queued for backend in view.backends) + sum(row.queued for _, row in view.lines)
    if not spills:
        return Fullness(waiting)
    joined = {each.name: each for each in view.backends}
    if any(each.joined not in joined for each in routing.backends):
        return Fullness(waiting, spills=True, places=None)
    serving = {each.name for each in snapshot.fleet if each.phase in SERVING}
    return Fullness(waiting, spills=True, places=[(_busy(joined[each.joined], serving), each.maxconn) for each in routing.backends])


def _busy(backend: BackendView, serving: Collection[str]) -> int:
    rows = (row for row in backend.servers if instance_of(row.name) in serving)
    return backend.queued + sum(row.sessions + row.queued for row in rows)
