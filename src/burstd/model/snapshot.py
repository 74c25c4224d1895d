"""Everything one cycle knows, read once: the only thing that deciding and planning look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from burstd.model.cloud import CloudView
from burstd.model.content import MirrorView
from burstd.model.cost import Day
from burstd.model.database import DatabaseView
from burstd.model.decision import Memory
from burstd.model.faults import Fault
from burstd.model.fleet import Cooldowns, Instance, Orders, Pause, Phase, PoolState
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.load import Reading
from burstd.model.window import Window


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One cycle's view of the world; a fault is a value in it.

    Attributes:
        now: the cycle's time, seconds on the daemon's timeline.
        fleet: every live record of the roster, oldest first.
        ended: operations whose records have ended, and when: an older listing may still show their machines.
        cores: one reading for every core server in the settings, by name.
        bursts: readings of the instances in service, by instance name.
        gateway: HAProxy's backend.
        cloud: what the clouds have told.
        checks: answers of the check path by operation, for instances that are syncing: None where it passed.
        round_trips: by operation, seconds to the web port and back, or what is wrong, for those that are syncing, serve, and have a bound.
        orders: what operators have ordered.
        cooldowns: when the fleet last grew and shrank.
        pools: how the pools have behaved, by name; a pool that never failed is absent.
        memory: what the last decision left behind.
        windows: of the schedules, those that are open or soon will be.
        drill_due: when a drill was last due by its schedule; None: never, or there is no schedule.
        days: of the calendar by which money is counted, oldest first, the last one today; empty: nothing is counted by day.
        mirror: what is known of the content's mirror; None where there is none.
        tokens: by operation, the content token that an instance serves, for those that the mirror pushes to; or why it cannot be read.
        database: the database and its replica; None: none is watched.
        learned: what an earlier process has learned, as text by policy; None: this one has read it before.
    """

    now: float
    fleet: tuple[Instance, ...]
    cores: Mapping[str, Reading]
    gateway: GatewayView | Fault
    cloud: CloudView = field(default_factory=CloudView)
    bursts: Mapping[str, Reading] = field(default_factory=dict)
    checks: Mapping[str, Fault | None] = field(default_factory=dict)
    round_trips: Mapping[str, float | Fault] = field(default_factory=dict)
    ended: Mapping[str, float] = field(default_factory=dict)
    orders: Orders = field(default_factory=Orders)
    cooldowns: Cooldowns = field(default_factory=Cooldowns)
    pools: Mapping[str, PoolState] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    windows: tuple[Window, ...] = ()
    drill_due: float | None = None
    database: DatabaseView | None = None
    learned: Mapping[str, str] | None = None
    mirror: MirrorView | None = None
    tokens: Mapping[str, str | Fault] = field(default_factory=dict)
    days: tuple[Day, ...] = ()

    @property
    def relief(self) -> tuple[Instance, ...]:
        """The standbys that may take traffic at once, oldest first: every `backup` line of theirs is up, and nobody drains them.

        None while scale-out is paused: what an operator has stopped shall stand still.
        """
        paused = self.orders.pause in {Pause.OUT, Pause.BOTH}
        standing = (each for each in self.fleet if each.phase is Phase.STANDBY and each.name not in self.orders.drains and not paused)
        return tuple(each for each in standing if self._stands_ready(each))

    def content_lag(self, instance: Instance) -> float | None:
        """Seconds by which what it serves may be behind the core; None where that is not known: at the gate, too, it has nothing yet."""
        served = self.tokens.get(instance.operation)
        if self.mirror is None or not isinstance(served, str) or instance.phase is Phase.SYNCING:
            return None
        return self.mirror.lag(served, instance.target, self.now)

    def _stands_ready(self, instance: Instance) -> bool:
        lines = self.gateway.lines_of(instance.name) if isinstance(self.gateway, GatewayView) else ()
        rows = [line.row for line in lines if line.row.backup]
        return bool(rows) and all(row.passing and row.status is ServerStatus.UP for row in rows)
