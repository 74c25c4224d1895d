"""The `Database` port on MariaDB or MySQL: looks at both servers on threads of their own, and the single steps of a promotion.

A look that hangs hangs its thread, never the caller: what is older than an interval and a deadline is no answer. Nothing here decides
anything, and nothing retries: the caller sees the world anew and calls again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final
from uuid import uuid4

from burstd.adapters.mysql.server import Connection, Host
from burstd.adapters.mysql.words import READ, VERIFY, WRITE, keep_relay_log
from burstd.errors import BurstdError, Rejected
from burstd.model.faults import Fault, FaultKind
from burstd.model.gtid import Dialect
from burstd.model.replication import Server, ServerReading, ThreadState

STEP: Final = 30.0
"""Seconds for one statement of a step: a thread may have to finish what it is at before it stops."""

LOCK: Final = 5
"""Seconds that a fence waits for those who hold locks; their connections have been ended before."""


def peer(server: Server) -> str:
    """A server as a fault names it."""
    return f"database {server}"


class MysqlDatabase:
    """Both servers."""

    def __init__(self, primary: Host, replica: Host, now: Callable[[], float], *, interval: float, deadline: float) -> None:
        """Nothing is connected yet; the first `observe` starts to look.

        Args:
            primary: the one.
            replica: the other.
            now: the daemon's timeline, read on several threads.
            interval: seconds between two looks at a server.
            deadline: seconds for each exchange of a look.
        """
        self._hosts: Mapping[Server, Host] = {Server.PRIMARY: primary, Server.REPLICA: replica}
        self._now = now
        self._interval = interval
        self._deadline = deadline
        self._watchers: dict[Server, _Watcher] = {}

    def observe(self) -> tuple[ServerReading | None, ServerReading | None]:
        """The newest readings, as the port has it."""
        if not self._watchers:
            self._watchers = {each: _Watcher(host, self._now, self._interval, self._deadline) for each, host in self._hosts.items()}
        return self._watchers[Server.PRIMARY].newest(), self._watchers[Server.REPLICA].newest()

    def look(self) -> tuple[ServerReading, ServerReading]:
        """Both as they are now, side by side, as the port has it."""
        found: dict[Server, ServerReading] = {}

        def ask(server: Server) -> None:
            found[server] = _read(self._hosts[server], self._now, self._deadline)

        asked = [threading.Thread(target=ask, args=(each,), daemon=True) for each in Server]
        for each in asked:
            each.start()
        for each in asked:
            each.join(3 * self._deadline)
        late = {each: Fault(peer(each), FaultKind.UNREACHABLE, "it gave no answer in time") for each in Server}
        return found.get(Server.PRIMARY, late[Server.PRIMARY]), found.get(Server.REPLICA, late[Server.REPLICA])

    def fence_primary(self) -> None:
        """Make it read-only and end everybody's connections to it: before, so that nobody's lock delays it, and after."""
        host = self._hosts[Server.PRIMARY]
        with host.connected(STEP) as server:
            server.run(f"SET SESSION lock_wait_timeout = {LOCK}")
            server.end_clients(host.login.user)
            server.run(*server.words.restrict)
            server.end_clients(host.login.user)

    def lift_primary(self) -> None:
        """Let it take writes again."""
        with self._hosts[Server.PRIMARY].connected(STEP) as server:
            server.run(*server.words.release)

    def start_applying(self) -> None:
        """Start the applying thread; what was received stays."""
        with self._hosts[Server.REPLICA].connected(STEP) as server:
            replication = server.view(self._now()).replication
            if replication is None:
                raise Rejected("it replicates from nobody")
            if replication.sql.state is ThreadState.RUNNING:
                return
            if server.dialect is Dialect.MARIADB and replication.by_gtid and replication.io.state is ThreadState.STOPPED:
                server.run(keep_relay_log(*replication.relay))
            server.run(server.words.start_applying)

    def stop_receiving(self) -> None:
        """Stop the receiving thread alone."""
        with self._hosts[Server.REPLICA].connected(STEP) as server:
            server.run(server.words.stop_receiving)

    def promote(self) -> None:
        """Let the replica forget its source, wait for nobody at a commit, and take writes."""
        with self._hosts[Server.REPLICA].connected(STEP) as server:
            if server.rows(server.words.show_replication):
                server.run(server.words.stop, server.words.reset)
            if server.has_semi_sync():
                server.run(f"SET GLOBAL {server.words.semi_sync} = 0")
            server.run(*server.words.release)

    def verify(self) -> None:
        """Write a token and read it back."""
        token = uuid4().hex
        with self._hosts[Server.REPLICA].connected(STEP) as server:
            if server.view(self._now()).restricted:  # read_only does not bind burstd's own user, so its write alone would prove nothing
                raise Rejected("it is read-only")
            server.run(*VERIFY)
            server.rows(WRITE, token)
            if [row["token"] for row in server.rows(READ)] != [token]:
                raise Rejected("what was written is not what is read")

    def close(self) -> None:
        """Look no more."""
        for each in self._watchers.values():
            each.stop()


class _Watcher:
    """Looks at one server again and again, over one connection as long as it lasts."""

    def __init__(self, host: Host, now: Callable[[], float], interval: float, deadline: float) -> None:
        self._host = host
        self._now = now
        self._interval = interval
        self._deadline = deadline
        self._newest: tuple[float, ServerReading] | None = None
        self._started = now()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"look at {host.name}", daemon=True)
        self._thread.start()

    def newest(self) -> ServerReading | None:
        """The newest reading; None before the first is due."""
        at, reading = self._newest or (self._started, None)
        if not self._thread.is_alive():  # a bug, and no proof that nobody answers
            return Fault(peer(self._host.part), FaultKind.UNKNOWN, "the look at it has broken off; restart burstd, and report its log")
        # Connecting, and each of the few exchanges of a look, has the deadline: a look that takes twice as long hangs.
        if self._now() - at > self._interval + 2 * self._deadline:
            return Fault(peer(self._host.part), FaultKind.UNREACHABLE, "it gave no answer in time")
        return reading

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        connection: Connection | None = None
        while not self._stopped.is_set():
            if connection is not None:
                try:
                    self._tell(connection.view(self._now()))
                except BurstdError:  # the server may have restarted: a new connection says what is the case
                    connection.close()
                    connection = None
            if connection is None:
                try:
                    connection = self._host.connect(self._deadline)
                    self._tell(connection.view(self._now()))
                except BurstdError as error:
                    self._tell(Fault.of(peer(self._host.part), error))
            self._stopped.wait(self._interval)
        if connection is not None:
            connection.close()

    def _tell(self, reading: ServerReading) -> None:
        self._newest = self._now(), reading


def _read(host: Host, now: Callable[[], float], deadline: float) -> ServerReading:
    try:
        with host.connected(deadline) as server:
            return server.view(now())
    except BurstdError as error:
        return Fault.of(peer(host.part), error)
