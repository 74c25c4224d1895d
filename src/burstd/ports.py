"""The doors to the world: what the cycle asks of each foreign system, and which errors each may answer with.

Protocols alone; `burstd.adapters` holds the real ones and `burstd.adapters.memory` the fakes, and one contract suite runs over
both (tests/contracts). Every door has a deadline of its own: no call here may hang the cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from burstd.doors import DatabaseDoors, Promoter
from burstd.model.cloud import CloudCall, CloudView
from burstd.model.content import HostKey, MirrorTarget, MirrorView
from burstd.model.cost import Day
from burstd.model.event import Event
from burstd.model.faults import Fault
from burstd.model.fleet import Cooldowns, Instance, Orders, PoolState
from burstd.model.gateway import GatewayEdit, GatewayView
from burstd.model.load import Reading, Target
from burstd.model.policy import PoolPolicy
from burstd.model.window import Window


class Clock(Protocol):
    """The daemon's timeline: seconds since the epoch, read from the wall once, at start, and monotonic from then on."""

    def now(self) -> float:
        """Seconds on the timeline; never goes back, never jumps."""
        ...


class Load(Protocol):
    """Load averages and CPU seconds of servers."""

    def read(self, targets: Sequence[Target]) -> Mapping[str, Reading]:
        """Read all targets side by side, each within the deadline; one reading for every target's name.

        Never raises: whatever goes wrong with one target is its `Fault`. Samples are stamped on receipt.
        """
        ...


class Content(Protocol):
    """The gate before an instance joins: does it serve?"""

    def check(self, instances: Sequence[tuple[Instance, PoolPolicy]]) -> Mapping[str, Fault | None]:
        """Ask each instance's check path, side by side; by operation: None where it answered 200, else what is wrong.

        Never raises.
        """
        ...

    def tokens(self, instances: Sequence[tuple[Instance, PoolPolicy]], path: str) -> Mapping[str, str | Fault]:
        """The content token that each instance serves at that path, read side by side; by operation, or what is wrong.

        Never raises; nothing that a cache between has kept counts.
        """
        ...


class Distance(Protocol):
    """How far away an instance is."""

    def round_trips(self, instances: Sequence[tuple[Instance, PoolPolicy]]) -> Mapping[str, float | Fault]:
        """The round trip to each instance's web port, measured side by side; by operation, seconds or what is wrong. Never raises."""
        ...


class Mirror(Protocol):
    """The core's mirror of its content onto the instances."""

    def observe(self) -> MirrorView:
        """What is known by now. Never raises, never waits; before the first `want` nobody is asked anything."""
        ...

    def want(self, targets: Sequence[MirrorTarget]) -> None:
        """Push to these from now on, and to no others. Told to the core at once, and again and again."""
        ...

    def release(self) -> None:
        """Lift the hold with the next exchange that succeeds."""
        ...

    def host_keys(self) -> Iterator[HostKey]:
        """Fresh host keys, as many as are drawn; ends early where none can be made. Never raises."""
        ...

    def close(self) -> None:
        """Ask nothing more, and wait no longer than the deadline for the exchange that is under way."""
        ...


class Gateway(Protocol):
    """The HAProxy backend that the instances join."""

    def read(self) -> GatewayView:
        """One consistent reading.

        Raises:
            Retry: HAProxy is away, busy, or was replaced while reading.
            AskOperator: the socket, its level or the backend is not set up for burstd.
        """
        ...

    def apply(self, edits: Sequence[GatewayEdit], process: tuple[int, float]) -> Sequence[Fault | None]:
        """Carry the edits out in order, on the very process (pid, start) that the view was read from.

        One answer per edit, None where it is done. What is done already (an added server that is there with that address, a
        removed one that is not) counts as done. A failing edit does not stop the rest.

        Raises:
            Retry: HAProxy is away or is another process by now; nothing, or only a part, was done. The next view tells.
            AskOperator: the socket's level does not allow it.
        """
        ...


class Cloud(Protocol):
    """The pools' clouds. Slow calls run on worker threads; what they answer is collected by a later cycle."""

    def observe(self) -> CloudView:
        """The newest listings, and the outcomes since the last call. Starts new listings where they are due. Never raises, never waits."""
        ...

    def submit(self, call: CloudCall) -> None:
        """Hand a call to a worker and return at once.

        Every accepted call ends in exactly one `Outcome`; a create whose answer comes after its deadline's `CreateUnknown` may add
        one late outcome.

        Raises:
            Retry: no worker is free; nothing was sent.
        """
        ...

    def close(self) -> None:
        """Stop taking calls and wait no longer than the deadlines allow for those in flight."""
        ...


class Calendar(Protocol):
    """The schedules' windows, the hours of the drills, and the days by which money is counted."""

    def windows(self, now: float) -> Sequence[Window]:
        """Those open at `now` (seconds on the daemon's timeline), and of those that open later the ones that matter soon. Never raises.

        Soon: within `HORIZON`, or the schedule's own lead where that is longer.
        """
        ...

    def drill_due(self, now: float) -> float | None:
        """When the drills' schedule last opened, at `now` or before; None where it never did, or there is none. Never raises."""
        ...

    def days(self, now: float) -> tuple[Day, ...]:
        """The last two months of days in the budget's time zone, oldest first; the last one has begun at `now` or before. Never raises."""
        ...


class Roster(Protocol):
    """The durable record: what is returned from has survived a kill at any later instant."""

    def owner(self) -> str:
        """The id of this fleet's owner, made at the first start and kept for ever."""
        ...

    def fleet(self) -> Sequence[Instance]:
        """Live records, oldest first."""
        ...

    def ended(self) -> Mapping[str, float]:
        """Operations whose records have ended (gone, failed, abandoned), and when: the `since` of the ended record."""
        ...

    def save(self, *instances: Instance) -> None:
        """Store all of them, or none."""
        ...

    def orders(self) -> Orders:
        """What operators have ordered."""
        ...

    def save_orders(self, orders: Orders) -> None:
        """Store the orders."""
        ...

    def cooldowns(self) -> Cooldowns:
        """When the fleet last grew and shrank."""
        ...

    def save_cooldowns(self, cooldowns: Cooldowns) -> None:
        """Store the cooldowns."""
        ...

    def pools(self) -> Mapping[str, PoolState]:
        """How the pools have behaved, by name."""
        ...

    def save_pool(self, state: PoolState) -> None:
        """Store how one pool has behaved."""
        ...

    def learned(self) -> Mapping[str, str]:
        """What the policies have learned: by a policy's name the text that it stored last, which is nobody else's to read."""
        ...

    def save_learned(self, policy: str, text: str) -> None:
        """Store what one policy has learned."""
        ...

    def events(self, limit: int) -> Sequence[Event]:
        """The newest events, oldest of them first."""
        ...

    def add_events(self, events: Sequence[Event]) -> None:
        """Append to the history, which is bounded: the oldest go."""
        ...

    def close(self) -> None:
        """Let go of the state folder."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All doors of one daemon, as wiring has connected them.

    Attributes:
        mirror: None: the content is nobody's care here.
        distance: None: nobody can measure, and where a pool has a `max_rtt` none of its instances passes the gate.
    """

    clock: Clock
    load: Load
    content: Content
    gateway: Gateway
    cloud: Cloud
    roster: Roster
    calendar: Calendar
    mirror: Mirror | None = None
    database: DatabaseDoors | None = None
    promoter: Promoter | None = None
    distance: Distance | None = None

    def close(self) -> None:
        """Close what holds something: the cloud's workers first, the roster and its lock last."""
        self.cloud.close()
        if self.mirror is not None:
            self.mirror.close()
        if self.database is not None:
            self.database.servers.close()
        self.roster.close()
