"""The doors to the database: its two servers, its listener in HAProxy, the fence, and the record of a promotion.

Apart from `burstd.ports`, because a verb goes through them without a daemon, at three in the morning. One contract suite runs over the
real ones and the fakes of `burstd.adapters.memory` (tests/contracts).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from burstd.errors import BurstdError
from burstd.model.database import DatabaseView, ListenerView
from burstd.model.faults import GATEWAY_PEER, Fault
from burstd.model.promotion import Promotion, Sighting, sight
from burstd.model.replication import Server, ServerReading
from burstd.model.steps import Work


class Database(Protocol):
    """The primary and its replica: looks at both, and the single steps of a promotion. A step that is done already does nothing."""

    def observe(self) -> tuple[ServerReading | None, ServerReading | None]:
        """The newest readings of primary and replica; None before the first. Starts to look. Never raises, never waits."""
        ...

    def look(self) -> tuple[ServerReading, ServerReading]:
        """Both as they are now, asked side by side, each within its deadline. Never raises."""
        ...

    def fence_primary(self) -> None:
        """Make the primary read-only and end everybody's connections to it, but burstd's and the replicas'.

        Raises:
            Retry: it does not answer.
            GiveUp, AskOperator: it refuses.
        """
        ...

    def lift_primary(self) -> None:
        """Let the primary take writes again; raises as `fence_primary`."""
        ...

    def start_applying(self) -> None:
        """Start the replica's applying thread, without what was received being thrown away; raises as `fence_primary`."""
        ...

    def stop_receiving(self) -> None:
        """Stop the replica's receiving thread alone; raises as `fence_primary`."""
        ...

    def promote(self) -> None:
        """Let the replica forget its source, wait for no replica of its own, and take writes; raises as `fence_primary`."""
        ...

    def verify(self) -> None:
        """Write to the promoted replica, in burstd's own schema, and read it back; raises as `fence_primary`."""
        ...

    def close(self) -> None:
        """Look no more."""
        ...


class Listener(Protocol):
    """HAProxy's TCP listener of the database.

    Its two servers are static lines of haproxy.cfg, which burstd otherwise never touches (design, section 8): here the operator's very
    order is to fence one of them. It is a door of its own so that the fleet's `Gateway` stays unable to.
    """

    def read(self) -> ListenerView:
        """Both lines, whose addresses are those of the settings.

        Raises:
            Retry: HAProxy is away, busy, or was replaced while reading.
            AskOperator: the socket, its level, the listener or its lines are not as the settings have them.
        """
        ...

    def fence(self, server: Server) -> None:
        """Give the server no new connection, and cut those that it has; raises as `read`."""
        ...

    def open(self, server: Server) -> None:
        """Give the server connections, as far as its health check allows; raises as `read`."""
        ...


class FenceCommand(Protocol):
    """What an operator has named to make sure that the primary takes no writes."""

    def run(self) -> None:
        """Run it to its end.

        Raises:
            GiveUp: it says that the primary is not fenced.
            Retry: it did not end in time.
            AskOperator: it cannot be run.
        """
        ...


class PromotionRecord(Protocol):
    """The durable record of a promotion, which verbs and daemon share; a verb may write it while a daemon runs, and without one."""

    def promotion(self) -> Promotion | None:
        """What is on record.

        Raises:
            AskOperator: the record cannot be read.
        """
        ...

    def keep(self, promotion: Promotion | None) -> None:
        """Store it, or that there is none: what is returned from has survived a kill at any later instant.

        Raises:
            AskOperator: the record cannot be written.
        """
        ...

    def sighting(self) -> Sighting | None:
        """What was last known of the primary; None where that is not known any more. Never raises."""
        ...

    def see(self, sighting: Sighting) -> None:
        """Remember it, as well as that can be done at once: it is written every few seconds. Never raises."""
        ...

    def hold(self, wait: float = 0.0) -> AbstractContextManager[None]:
        """Keep others from promoting at the same time; wait for those that are at it for at most so many seconds.

        Raises:
            AlreadyRunning: somebody is at it.
            AskOperator: the record cannot be written.
        """
        ...


class Promoter(Protocol):
    """The worker that carries promotions out beside the loop."""

    def submit(self, work: Work) -> None:
        """Begin, and return at once; one piece of work at a time, and what comes meanwhile is dropped."""
        ...

    def work(self) -> tuple[str, Fault | None]:
        """What it is doing, empty where nothing; and how the last work has failed, None where it has not."""
        ...


@dataclass(frozen=True, slots=True)
class DatabaseDoors:
    """Everything that a promotion and a look at the database need.

    Attributes:
        addresses: of the primary and of the replica, by the settings.
        now: the daemon's timeline.
        fence: None where the settings name no command.
    """

    addresses: tuple[str, str]
    now: Callable[[], float]
    servers: Database
    listener: Listener
    record: PromotionRecord
    fence: FenceCommand | None = None

    def view(self, *, fresh: bool, promoter: Promoter | None = None) -> DatabaseView:
        """Everything that is known: of this very moment, or the newest that costs no waiting. What the primary has is remembered.

        Raises:
            AskOperator: the record cannot be read; where it need not be fresh, that is a fault in the view.
        """
        primary, replica = self.servers.look() if fresh else self.servers.observe()
        listener: ListenerView | Fault
        trouble: Fault | None
        work, trouble = promoter.work() if promoter else ("", None)
        try:
            listener = self.listener.read()
        except BurstdError as error:
            listener = Fault.of(GATEWAY_PEER, error)
        promotion, before = None, self.record.sighting()
        try:
            promotion = self.record.promotion()
        except BurstdError as error:
            if fresh:
                raise
            trouble = Fault.of("database record", error)
        sighting = sight(self.addresses[0], primary, replica, before)
        if sighting is not None and sighting != before:
            self.record.see(sighting)
        in_force = promotion if promotion and (promotion.primary, promotion.replica) == self.addresses else None
        return DatabaseView(self.addresses, primary, replica, listener, in_force, sighting, work, trouble, promotion)
