"""The database as it was read: the primary, its replica, and the listener by which everybody reaches them; what is decided on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerRow, ServerStatus
from burstd.model.promotion import Promotion, PromotionOrder, Sighting
from burstd.model.replication import Server, ServerReading, ServerView


@dataclass(frozen=True, slots=True)
class ListenerView:
    """The listener's two lines in HAProxy, whose addresses are those of the settings."""

    primary: ServerRow
    replica: ServerRow

    def row(self, server: Server) -> ServerRow:
        """The line of that server."""
        return self.primary if server is Server.PRIMARY else self.replica

    @property
    def fenced(self) -> bool:
        """The primary gets no connection and has none."""
        return self.primary.status is ServerStatus.MAINT and not self.primary.sessions

    @property
    def open(self) -> bool:
        """The replica may get connections, as far as orders go."""
        return self.replica.status not in {ServerStatus.MAINT, ServerStatus.DRAIN}

    @property
    def serving(self) -> tuple[Server, ...]:
        """Who gets connections."""
        return tuple(each for each in Server if self.row(each).status in {ServerStatus.UP, ServerStatus.NO_CHECK})


@dataclass(frozen=True, slots=True)
class DatabaseMemory:
    """What deciding remembers of the database between cycles.

    Attributes:
        lost_since: since when, without a gap, neither a core server nor the primary has shown any life; None: one does.
        told: by topic, what an operator was last told to be the case.
    """

    lost_since: float | None = None
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatabaseDecision:
    """What is to be done with the database in this cycle.

    Attributes:
        order: promote the replica; None: do not.
        reason: why, or what is in the way of a promotion without an order.
        notes: what an operator should hear, once.
        memory: what the next cycle must know.
    """

    order: PromotionOrder | None
    reason: str
    notes: tuple[str, ...]
    memory: DatabaseMemory


@dataclass(frozen=True, slots=True)
class DatabaseView:
    """Everything that is known of the database.

    Attributes:
        addresses: of the primary and of the replica, by the settings.
        primary: None: it was not looked at yet.
        replica: the same.
        promotion: the one on record for these two addresses; None: there is none.
        sighting: of the primary of the settings; None: it was never seen.
        work: what a worker is doing with the database right now; empty: nothing.
        trouble: how the worker's last work has failed; None: it has not.
        recorded: the promotion on record, whatever addresses it is for.
    """

    addresses: tuple[str, str]
    primary: ServerReading | None
    replica: ServerReading | None
    listener: ListenerView | Fault
    promotion: Promotion | None = None
    sighting: Sighting | None = None
    work: str = ""
    trouble: Fault | None = None
    recorded: Promotion | None = None

    def server(self, server: Server) -> ServerReading | None:
        """The reading of that server."""
        return self.primary if server is Server.PRIMARY else self.replica

    def address(self, server: Server) -> str:
        """The address of that server."""
        return self.addresses[server is Server.REPLICA]

    @property
    def primary_answers(self) -> bool:
        """The primary says something, be it that it does not let us in: then it may take writes."""
        return isinstance(self.primary, ServerView) or (isinstance(self.primary, Fault) and self.primary.kind is not FaultKind.UNREACHABLE)

    @property
    def lag(self) -> int | None:
        """Transactions that the primary has and the replica has not; None while either is unknown."""
        primary, replica = self.primary, self.replica
        if not isinstance(primary, ServerView) or not isinstance(replica, ServerView) or primary.dialect is not replica.dialect:
            return None
        return primary.executed.ahead(replica.executed) if primary.executed else None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What could not be read, and what has failed."""
        return tuple(each for each in (self.primary, self.replica, self.listener, self.trouble) if isinstance(each, Fault))
