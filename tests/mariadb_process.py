"""Real MariaDB servers for tests: data folders copied from one template, each server on a loopback address of its own, ended by its pid."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import DictCursor

from tests.waiting import wait_until
from tests.web import own_address

SMALL = (
    "--innodb-log-file-size=4M",
    "--innodb-data-file-path=ibdata1:5M:autoextend",
    "--innodb-buffer-pool-size=8M",
    "--innodb-flush-log-at-trx-commit=2",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=1M",
    "--skip-performance-schema",
    "--skip-name-resolve",
)
"""As little memory and disk as the server starts with."""

PASSWORD = "correct-horse"
"""Of burstd's user on the servers of these tests, and of the replication's."""


def replica_address() -> str:
    """A second loopback address that no other test process uses."""
    first, rest = own_address().split(".", 2)[1:]
    return f"127.{int(first) + 64}.{rest}"


@cache
def _template() -> Path:
    """A data folder as `mariadb-install-db` makes it, once for this test process; the operating system's temporary folder holds it."""
    folder = Path(tempfile.mkdtemp(prefix="burstd-db-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = ["mariadb-install-db", "--no-defaults", f"--datadir={folder}", "--auth-root-authentication-method=normal", "--skip-test-db"]
    made = subprocess.run(
        # In a common folder the temporary tables of two servers whose namespaces have given them the same pid would meet.
        [*command, f"--tmpdir={folder}", *_as_user(), *SMALL[:2]],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode == 0, (made.stdout + made.stderr)[-3000:]
    return folder


def _as_user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


class MariaDB:
    """One server.

    Attributes:
        host: its address.
        port: its port.
        options: of its command line, beside those that every server has; a changed one counts from the next `start`.
    """

    def __init__(self, folder: Path, host: str, port: int, server_id: int, *options: str) -> None:
        self.host = host
        self.port = port
        self.folder = folder
        self.options = list(options)
        self._server_id = server_id
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copytree(_template(), folder / "data")

    def start(self) -> None:
        """Start it and wait until it lets in."""
        command = [
            "mariadbd",
            "--no-defaults",
            *_as_user(),
            *SMALL,
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 's'}",
            f"--tmpdir={self.folder}",
            f"--pid-file={self.folder / 'pid'}",
            f"--bind-address={self.host}",
            f"--port={self.port}",
            f"--server-id={self._server_id}",
            f"--log-bin={self.folder / 'data' / 'bin'}",
            f"--relay-log={self.folder / 'data' / 'relay'}",
            "--log-slave-updates",
            "--gtid-strict-mode",
            "--slave-net-timeout=4",
            *self.options,
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._lets_in, f"MariaDB on {self.host}:{self.port} lets in", within=60)

    def stop(self) -> None:
        """End it at once; what it has written is on the disk."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(timeout=30)
            self._process = None

    def hang(self) -> None:
        """It takes connections, and answers nothing any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None

    def sql(self, *statements: str) -> list[dict[str, Any]]:
        """Run statements as root by its own socket; the rows of the last."""
        client = pymysql.connect(unix_socket=str(self.folder / "s"), user="root", autocommit=True, cursorclass=DictCursor)
        with client, client.cursor() as cursor:
            for each in statements:
                cursor.execute(each)
            return list(cursor.fetchall())

    def value(self, expression: str) -> Any:  # noqa: ANN401 - whatever SQL answers
        """One value."""
        (row,) = self.sql(f"SELECT {expression} AS it")
        return row["it"]

    def replication(self) -> dict[str, Any]:
        """SHOW SLAVE STATUS; empty where it replicates from nobody."""
        return next(iter(self.sql("SHOW SLAVE STATUS")), {})

    def follow(self, host: str, port: int) -> None:
        """Replicate from there."""
        self.sql(
            f"CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USER='repl', MASTER_PASSWORD='{PASSWORD}', "
            "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1",
            "START SLAVE",
        )

    def _lets_in(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
        with socket.socket(socket.AF_UNIX) as probe:  # PyMySQL would leave its own open where nobody listens yet
            if probe.connect_ex(str(self.folder / "s")):
                return False
        try:
            self.sql("SELECT 1")
        except pymysql.Error:
            return False
        return True


@contextmanager
def mariadb(host: str, port: int, server_id: int, *options: str, grants: Sequence[str] = ()) -> Iterator[MariaDB]:
    """A running server on which these statements were run, kept out of its binary log."""
    folder = Path(tempfile.mkdtemp(prefix="burstd-"))
    server = MariaDB(folder, host, port, server_id, *options)
    try:
        server.start()
        server.sql("SET SESSION sql_log_bin = 0", *grants)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
