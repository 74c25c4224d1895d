"""The database's two servers as they told of themselves, and the replication between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from burstd.model.faults import Fault
from burstd.model.gtid import Dialect, Gtids

DIVERGED: frozenset[int] = frozenset({1236, 1950, 13114, 13117})
"""Errors of a replica's receiving or applying thread after which it cannot follow any more: its source does not have, or has not any
more, what it asks for (1236; 13114 where MySQL 8.4 tells it so), it has transactions that the source has not (13117), or numbers come
out of order (1950)."""

SYNC_FOR_GOOD = 86_400.0
"""Seconds of a semi-sync timeout from which on it counts as none: a primary that waits for a day waits until somebody comes."""


class Server(StrEnum):
    """The two, by their part as the settings name it; also the names of their lines in HAProxy's listener."""

    PRIMARY = "primary"
    REPLICA = "replica"


class ThreadState(StrEnum):
    """What a replication thread does."""

    RUNNING = "running"
    CONNECTING = "connecting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Thread:
    """One replication thread; `error` is its last error's number, 0 for none, and `text` that error's words."""

    state: ThreadState
    error: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Replication:
    """A server's replication from another one.

    Attributes:
        source: "HOST:PORT" that it replicates from.
        io: the thread that receives.
        sql: the thread that applies.
        received: what has been received, applied or not; empty where the server does not number it.
        level: by file and position everything that was received is applied.
        by_gtid: it finds its place in the source by GTID.
        lag: seconds behind its source; None while it does not know.
        relay: file and position in the relay log up to which it has applied.
    """

    source: str
    io: Thread
    sql: Thread
    received: Gtids
    level: bool
    by_gtid: bool = True
    lag: float | None = None
    relay: tuple[str, int] = ("", 0)

    @property
    def diverged(self) -> bool:
        """It cannot follow its source any more."""
        return bool({self.io.error, self.sql.error} & DIVERGED)

    @property
    def in_order(self) -> bool:
        """Both threads work."""
        return self.io.state is self.sql.state is ThreadState.RUNNING


class SemiSync(StrEnum):
    """Whether a primary's commits wait for a replica."""

    OFF = "off"
    ON = "on"
    DEGRADED = "degraded"
    """It is switched on, and goes on without: the replica did not answer within the timeout."""


@dataclass(frozen=True, slots=True)
class SemiSyncView:
    """Semi-sync on a server as a primary.

    Attributes:
        timeout: seconds that a commit waits before the primary goes on without.
        lossless: the commit waits before others see it (AFTER_SYNC): what was acknowledged is at the replica.
        replicas: how many replicas take part.
    """

    state: SemiSync = SemiSync.OFF
    timeout: float = 0.0
    lossless: bool = False
    replicas: int = 0


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server as it told of itself.

    Attributes:
        at: when it was asked, seconds on the daemon's timeline.
        version: as it tells it.
        read_only: it takes no writes of ordinary users.
        super_read_only: none of privileged ones either; MariaDB 10 and 11 have no such thing.
        executed: the transactions that it has.
        replication: None where it replicates from nobody.
    """

    at: float
    dialect: Dialect
    version: str
    read_only: bool
    executed: Gtids
    replication: Replication | None = None
    semi_sync: SemiSyncView = field(default_factory=SemiSyncView)
    super_read_only: bool = False

    @property
    def restricted(self) -> bool:
        """Ordinary users cannot write."""
        return self.read_only or self.super_read_only

    @property
    def writable(self) -> bool:
        """Somebody may still write: on MySQL who has privileges may, until super_read_only is on as well."""
        return not (self.read_only and (self.super_read_only or self.dialect is Dialect.MARIADB))

    @property
    def unapplied(self) -> int:
        """Transactions that were received and are not applied yet; 0 where that is not known by number."""
        return 0 if self.replication is None else self.replication.received.ahead(self.executed)

    @property
    def applied(self) -> bool:
        """All that was received is applied: by number where it goes by number, since the last of it may be half a transaction."""
        replication = self.replication
        if replication is None:
            return True
        return not self.unapplied if replication.by_gtid and replication.received else replication.level


ServerReading = ServerView | Fault
