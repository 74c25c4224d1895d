"""One finished cycle, whole: what status, explain, metrics, the dashboard and the tests look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from burstd.model.decision import Decision
from burstd.model.event import Event
from burstd.model.faults import Fault
from burstd.model.fleet import ENDED
from burstd.model.plans import Plan, Record, RecordCooldowns, RecordOrders, RecordPool, Report
from burstd.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Turn:
    """One cycle's four results and its sentence.

    Attributes:
        number: counts the cycles of this process from 1.
        sentence: what was done and why, "nothing to do, because …" included.
        events: what this cycle added to the history, oldest first.
        seconds: wall-clock length of the cycle.
        cpu_seconds: CPU time of the loop's thread in it.
    """

    number: int
    snapshot: Snapshot
    decision: Decision
    plan: Plan
    report: Report
    sentence: str
    events: tuple[Event, ...]
    seconds: float
    cpu_seconds: float

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that went wrong in this cycle: what could not be read, then what calls and actions came to."""
        ended = (getattr(each, "fault", None) for each in self.snapshot.cloud.outcomes)
        return (*self.blind_spots, *(each for each in ended if isinstance(each, Fault)), *self.report.faults)

    @property
    def blind_spots(self) -> tuple[Fault, ...]:
        """What could not be read: each stands until its peer answers again, a failed listing until the next one has finished.

        A check path that does not answer yet is not among them: that is what syncing waits for.
        """
        snapshot = self.snapshot
        read = (*snapshot.cores.values(), *snapshot.bursts.values(), snapshot.gateway, *(each.nodes for each in snapshot.cloud.listings))
        mirror = snapshot.mirror.fault if snapshot.mirror else None
        database = snapshot.database.faults if snapshot.database else ()
        return tuple(each for each in (*read, mirror, *database) if isinstance(each, Fault))

    @property
    def learned(self) -> Mapping[str, str]:
        """What the roster holds of what was learned, as text by name, as this cycle left it."""
        return {**(self.decision.memory.stored or {}), **self.report.learned}

    @property
    def after(self) -> Snapshot:
        """The snapshot with the roster's part (fleet, orders, cooldowns, pools) as this cycle left it; the rest is as it was read."""
        after = self.snapshot
        fleet = {each.operation: each for each in after.fleet}
        pools = dict(after.pools)
        for done in self.report.done:
            match done.action:
                case _ if done.fault is not None:
                    pass
                case Record(instance):
                    fleet[instance.operation] = instance
                case RecordPool(state):
                    pools[state.pool] = state
                case RecordCooldowns(cooldowns):
                    after = replace(after, cooldowns=cooldowns)
                case RecordOrders(orders):
                    after = replace(after, orders=orders)
        return replace(after, fleet=tuple(each for each in fleet.values() if each.phase not in ENDED), pools=pools)
