"""A database for tests: a real MariaDB pair, a real HAProxy with the listener in front of it, writers through it, and the real verbs."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import pymysql

from burstd.adapters.haproxy.listener import HAProxyListener
from burstd.adapters.mysql import Host, Login, MysqlDatabase
from burstd.adapters.mysql.words import MARIADB
from burstd.cli.client import Client
from burstd.errors import BurstdError
from burstd.model.replication import Server
from burstd.settings import Settings, load
from tests.haproxy_process import HAProxy, free_port, haproxy
from tests.mariadb_process import PASSWORD, MariaDB, mariadb, replica_address
from tests.site import COMMAND, as_toml
from tests.tcp_link import Link, tcp_link
from tests.waiting import wait_until
from tests.web import own_address

LISTENER = "mysql"

USERS = (
    f"CREATE USER burstd@'%' IDENTIFIED BY '{PASSWORD}'",
    f"GRANT {', '.join(MARIADB.privileges)} ON *.* TO burstd@'%'",
    "GRANT CREATE, SELECT, INSERT, DELETE ON burstd.* TO burstd@'%'",
    f"CREATE USER repl@'%' IDENTIFIED BY '{PASSWORD}'",
    "GRANT REPLICATION SLAVE ON *.* TO repl@'%'",
    f"CREATE USER app@'%' IDENTIFIED BY '{PASSWORD}'",
    "GRANT ALL ON app.* TO app@'%'",
)
"""burstd's user with what `burstd check` asks for and nothing more, the replication's, and the application's."""

LOSSLESS = (
    "--rpl-semi-sync-master-enabled",
    "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
    "--rpl-semi-sync-master-timeout=4294967295",
)
"""Options of a primary that waits for its replica at every commit, for good. On a replica they would stop its applying thread."""


class Pair:
    """A primary and its replica, which replicates through a link.

    Attributes:
        link: between the two; cut it, and the replica hears nothing more.
    """

    def __init__(self, primary: MariaDB, replica: MariaDB, link: Link) -> None:
        self.primary = primary
        self.replica = replica
        self.link = link

    @property
    def level(self) -> bool:
        """The replica has applied all that the primary has."""
        return bool(self.replica.value("@@gtid_slave_pos") == self.primary.value("@@gtid_binlog_pos"))

    def servers(self, now: Callable[[], float] = time.time, *, deadline: float = 2.0, user: str = "burstd") -> MysqlDatabase:
        """The adapter for the two."""
        return MysqlDatabase(*self.hosts(user), now, interval=0.2, deadline=deadline)

    def hosts(self, user: str = "burstd") -> tuple[Host, Host]:
        login = Login(user, lambda: PASSWORD)
        return (
            Host(Server.PRIMARY, self.primary.host, self.primary.port, login),
            Host(Server.REPLICA, self.replica.host, self.replica.port, login),
        )


@contextmanager
def pair(*of_primary: str) -> Iterator[Pair]:
    """A pair that replicates, with an application's table `app.t` in it."""
    port = free_port(own_address())
    with ExitStack() as stack:
        primary = stack.enter_context(mariadb(own_address(), port, 1, *of_primary, grants=USERS))
        replica = stack.enter_context(mariadb(replica_address(), port, 2, "--read-only", "--rpl-semi-sync-slave-enabled", grants=USERS))
        link = stack.enter_context(tcp_link((primary.host, port), replica.host))
        made = Pair(primary, replica, link)
        replica.follow(link.host, link.port)
        wait_until(lambda: replica.replication()["Slave_IO_Running"] == "Yes", "the replica hears from its primary")
        primary.sql("CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY) ENGINE=InnoDB")
        wait_until(lambda: made.level, "the replica has the table")
        yield made


class DatabaseSite:
    """A pair behind HAProxy's listener, and settings for it.

    Attributes:
        listen: where the listener is.
    """

    def __init__(self, folder: Path, servers: Pair, proxy: HAProxy) -> None:
        self.folder = folder
        self.pair = servers
        self.haproxy = proxy
        self.listen = (proxy.host, free_port(proxy.host))
        self.config = folder / "burstd.toml"
        (folder / "state").mkdir()
        self.secret = folder / "password"
        self.secret.write_text(f"{PASSWORD}\n")
        self.settings: dict[str, dict[str, Any]] = {
            "fleet": {"state_dir": "state", "poll_interval": 0.2, "max": 0},
            "load": {"policy": "threshold", "deadline": 1, "scale_out_above": 1000},
            "haproxy": {"socket": str(proxy.socket)},
            "database": {
                "primary": servers.primary.host,
                "replica": servers.replica.host,
                "port": servers.primary.port,
                "password_file": "password",
                "interval": 0.2,
                "deadline": 1,
                "listener": LISTENER,
            },
            "metrics": {"listen": ""},
            "control": {"socket": "control.sock"},
        }
        self.core: list[dict[str, Any]] = []
        self.plain = proxy.config.read_text()
        self.write()
        self.write_listener(servers.primary.host, servers.replica.host)
        proxy.reload()

    def write(self, **database: Any) -> None:
        """Write the settings file, with some keys of [database] changed."""
        self.settings["database"] |= database
        self.config.write_text(as_toml({**self.settings, **self._lists()}))

    def _lists(self) -> dict[str, Any]:
        return {"core": [{"name": DARK_CORE.name, "exporter": "http://127.0.0.1:9/metrics"}]}

    def write_listener(self, primary: str, replica: str) -> None:
        """The listener as `burstd render haproxy` makes it: the replica is disabled."""
        port = self.pair.primary.port
        host, own = self.listen
        self.haproxy.config.write_text(
            self.plain
            + f"""
listen {LISTENER}
    bind {host}:{own}
    mode tcp
    timeout client 1m
    timeout server 1m
    server primary {primary}:{port} check inter 200ms fastinter 100ms on-marked-down shutdown-sessions
    server replica {replica}:{port} check inter 200ms fastinter 100ms on-marked-down shutdown-sessions disabled
"""
        )

    def loaded(self) -> Settings:
        """The settings as burstd reads them."""
        return load(self.config, {})

    def listener(self) -> HAProxyListener:
        """The adapter for the listener."""
        return HAProxyListener(self.haproxy.socket, LISTENER, (self.pair.primary.host, self.pair.replica.host), 5.0)

    def db(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`burstd db …` to its end."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=90, check=False, stdin=subprocess.DEVNULL)

    def told(self, *arguments: str) -> dict[str, Any]:
        """What `burstd db … --json` prints, where it succeeds."""
        ran = self.db(*arguments, "--json")
        assert ran.returncode == 0, ran.stderr
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    def command(self, *arguments: str) -> Sequence[str]:
        return [*COMMAND, "--config", str(self.config), "db", *arguments]

    @contextmanager
    def daemon(self) -> Iterator[Client]:
        """`burstd run` whose first cycle has finished; what asks it."""
        client = Client(str(self.folder / "control.sock"))
        with (self.folder / "daemon.log").open("a") as log:
            process = subprocess.Popen([*COMMAND, "--config", str(self.config), "run"], stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or _status(client), "the daemon's first cycle", within=60)
            assert process.poll() is None, (self.folder / "daemon.log").read_text()
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)

    def serving(self) -> int | None:
        """The id of the server that a client reaches by the listener now; None where it reaches none."""
        try:
            client = pymysql.connect(host=self.listen[0], port=self.listen[1], user="app", password=PASSWORD, connect_timeout=2)
            with client, client.cursor() as cursor:
                cursor.execute("SELECT @@server_id")
                ((found,),) = cursor.fetchall()
                return int(found)
        except pymysql.Error:
            return None


def _status(client: Client) -> dict[str, Any] | None:
    try:
        return client.get("/v1/status")
    except BurstdError:
        return None


class Dark(NamedTuple):
    """A core server whose port nobody listens on."""

    name: str
    host: str
    port: int


DARK_CORE = Dark("core-1", own_address(), 9)


@contextmanager
def database_site(folder: Path, *of_primary: str) -> Iterator[DatabaseSite]:
    """A site whose servers run."""
    with pair(*of_primary) as servers, haproxy([DARK_CORE]) as proxy:
        made = DatabaseSite(folder, servers, proxy)
        wait_until(lambda: made.serving() == 1, "the listener serves the primary")
        yield made


class Writers:
    """Clients that write through the listener without pause.

    Attributes:
        acknowledged: numbers whose commit was answered.
        sent: numbers that were sent at all.
    """

    def __init__(self, address: tuple[str, int], count: int = 4) -> None:
        self._address = address
        self.acknowledged: list[int] = []
        self.sent = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(count)]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(30)

    def more(self, count: int = 20) -> None:
        """Wait until so many more are acknowledged."""
        until = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= until, f"{count} more writes are acknowledged", within=30)

    def _write(self) -> None:
        while not self._stop.is_set():
            with suppress(pymysql.Error, OSError):
                host, port = self._address
                client = pymysql.connect(
                    host=host, port=port, user="app", password=PASSWORD, autocommit=True, connect_timeout=2, read_timeout=5
                )
                with client, client.cursor() as cursor:
                    while not self._stop.is_set():
                        with self._lock:
                            self.sent += 1
                            number = self.sent
                        cursor.execute("INSERT INTO app.t VALUES (%s)", (number,))
                        self.acknowledged.append(number)
                        self._stop.wait(0.005)
            self._stop.wait(0.05)
