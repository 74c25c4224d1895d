"""A pair of database servers, their listener and the record of a promotion, in memory: what the real ones were seen to do, and no more.

MariaDB's traps are in it: by GTID, an applying thread that starts while nothing runs throws away what was received, unless it is told
not to; a listener forgets at a reload what it was told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from burstd.errors import AlreadyRunning, BurstdError, Rejected, Unreachable
from burstd.model.database import ListenerView
from burstd.model.faults import Fault
from burstd.model.gateway import ServerRow, ServerStatus
from burstd.model.gtid import Dialect, Gtids
from burstd.model.promotion import Promotion, Sighting
from burstd.model.replication import Replication, SemiSyncView, Server, ServerReading, ServerView, Thread, ThreadState

_IDS = {Server.PRIMARY: 1, Server.REPLICA: 2}


class MemoryDatabase:
    """The `Database` port: the primary commits when a test says so, and the replica receives and applies in `observe` and `look`.

    Attributes:
        dead: servers that answer nobody.
        cut: the replica hears nothing from the primary.
        committed: the primary's last transaction.
        received: the replica's.
        applied: what of that it has applied.
        written: transactions of the replica's own, since it takes writes.
        read_only: by server.
        io: the receiving thread; None: it replicates from nobody.
        sql: the applying thread.
        pace: transactions that are applied between two looks.
    """

    def __init__(self, now: Callable[[], float], addresses: tuple[str, str] = ("10.0.0.5", "10.1.0.5")) -> None:
        self.dead: set[Server] = set()
        self.cut = False
        self.committed = self.received = self.applied = 10
        self.written = 0
        self.read_only = {Server.PRIMARY: False, Server.REPLICA: True}
        self.io: ThreadState | None = ThreadState.RUNNING
        self.sql = ThreadState.RUNNING
        self.pace = 1_000_000
        self.semi_sync = SemiSyncView()
        self._now = now
        self._source = f"{addresses[0]}:3306"

    def commit(self, count: int = 1) -> None:
        """Clients' transactions on the primary, which must take them."""
        if Server.PRIMARY in self.dead or self.read_only[Server.PRIMARY]:
            raise Rejected("the primary takes no writes")
        self.committed += count

    def observe(self) -> tuple[ServerReading | None, ServerReading | None]:
        """The same as `look`: nothing here takes time."""
        return self.look()

    def look(self) -> tuple[ServerReading, ServerReading]:
        """Both, after whatever moves by itself has moved."""
        self._replicate()
        return self._reading(Server.PRIMARY), self._reading(Server.REPLICA)

    def fence_primary(self) -> None:
        """Make the primary read-only."""
        self._ask(Server.PRIMARY)
        self.read_only[Server.PRIMARY] = True

    def lift_primary(self) -> None:
        """Let the primary take writes again."""
        self._ask(Server.PRIMARY)
        self.read_only[Server.PRIMARY] = False

    def start_applying(self) -> None:
        """Start the applying thread; what was received stays."""
        self._ask(Server.REPLICA)
        if self.io is None:
            raise Rejected("it replicates from nobody")
        self.sql = ThreadState.RUNNING

    def stop_receiving(self) -> None:
        """Stop the receiving thread."""
        self._ask(Server.REPLICA)
        if self.io is not None:
            self.io = ThreadState.STOPPED

    def promote(self) -> None:
        """Forget the source, and what was received and not applied with it; take writes."""
        self._ask(Server.REPLICA)
        self.io, self.received = None, self.applied
        self.read_only[Server.REPLICA] = False

    def verify(self) -> None:
        """A transaction of the replica's own."""
        self._ask(Server.REPLICA)
        if self.read_only[Server.REPLICA]:
            raise Rejected("it is read-only")
        self.written += 1

    def close(self) -> None:
        """Nothing is open."""

    def _ask(self, server: Server) -> None:
        if server in self.dead:
            raise Unreachable("it does not answer")

    def _replicate(self) -> None:
        if self.io is None:
            return
        if self.io is not ThreadState.STOPPED:
            hears = not self.cut and not self.dead
            self.io = ThreadState.RUNNING if hears else ThreadState.CONNECTING
            self.received = self.committed if hears else self.received
        if self.sql is ThreadState.RUNNING:
            self.applied = min(self.received, self.applied + self.pace)

    def _reading(self, server: Server) -> ServerReading:
        if server in self.dead:
            return Fault.of(f"database {server}", Unreachable("it does not answer"))
        executed = f"0-1-{self.committed if server is Server.PRIMARY else self.applied}"
        if server is Server.REPLICA and self.written:
            executed += f",0-2-{self.applied + self.written}"
        return ServerView(
            at=self._now(),
            dialect=Dialect.MARIADB,
            version="10.11.19",
            read_only=self.read_only[server],
            executed=Gtids.parse(Dialect.MARIADB, executed),
            replication=self._replication() if server is Server.REPLICA else None,
            semi_sync=self.semi_sync if server is Server.PRIMARY else SemiSyncView(),
        )

    def _replication(self) -> Replication | None:
        if self.io is None:
            return None
        running = self.io is self.sql is ThreadState.RUNNING
        received = Gtids.parse(Dialect.MARIADB, f"0-1-{self.received}")
        level = self.applied == self.received
        return Replication(self._source, Thread(self.io), Thread(self.sql), received, level, lag=0.0 if running else None)


class MemoryListener:
    """The `Listener` port.

    Attributes:
        rows: HAProxy's two lines.
        trouble: raised instead of any answer; None: all is well.
    """

    def __init__(self, addresses: tuple[str, str] = ("10.0.0.5", "10.1.0.5")) -> None:
        self.trouble: BurstdError | None = None
        self._addresses = dict(zip(Server, addresses, strict=True))
        self.rows: dict[Server, ServerRow] = {}
        self.reload()

    def reload(self) -> None:
        """HAProxy reads its file again: the primary serves, the replica is disabled."""
        states = {Server.PRIMARY: ServerStatus.UP, Server.REPLICA: ServerStatus.MAINT}
        for server, status in states.items():
            self.rows[server] = ServerRow(
                server.value,
                f"{self._addresses[server]}:3306",
                status,
                passing=True,
                weight=1,
                backup=False,
                sessions=0,
                queued=0,
                requests=0,
            )

    def read(self) -> ListenerView:
        """Both lines."""
        if self.trouble is not None:
            raise self.trouble
        return ListenerView(self.rows[Server.PRIMARY], self.rows[Server.REPLICA])

    def fence(self, server: Server) -> None:
        """No connection, none that is left."""
        self.read()
        self.rows[server] = replace(self.rows[server], status=ServerStatus.MAINT, sessions=0)

    def open(self, server: Server) -> None:
        """Connections again."""
        self.read()
        self.rows[server] = replace(self.rows[server], status=ServerStatus.UP)


class MemoryRecord:
    """The `PromotionRecord` port; it outlives a crash of burstd, as the disk does, and the lock does not."""

    def __init__(self) -> None:
        self._promotion: Promotion | None = None
        self._sighting: Sighting | None = None
        self._held = False

    def promotion(self) -> Promotion | None:
        """What is on record."""
        return self._promotion

    def keep(self, promotion: Promotion | None) -> None:
        """Store it, or that there is none."""
        self._promotion = promotion

    def sighting(self) -> Sighting | None:
        """What was last known of the primary."""
        return self._sighting

    def see(self, sighting: Sighting) -> None:
        """Remember it."""
        self._sighting = sighting

    @contextmanager
    def hold(self, wait: float = 0.0) -> Iterator[None]:  # noqa: ARG002 - there is nobody to wait for in one thread
        """Keep others from promoting."""
        if self._held:
            raise AlreadyRunning("somebody is promoting already")
        self._held = True
        try:
            yield
        finally:
            self._held = False


class MemoryFence:
    """The `FenceCommand` port.

    Attributes:
        runs: how often it was run.
        trouble: raised by a run; None: it succeeds, and the primary is dead.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self.runs = 0
        self.trouble: BurstdError | None = None
        self._database = database

    def run(self) -> None:
        """Power the primary off."""
        self.runs += 1
        if self.trouble is not None:
            raise self.trouble
        self._database.dead.add(Server.PRIMARY)
