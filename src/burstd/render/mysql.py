"""The options of the database server, primary or replica, for MariaDB 10.11 and for MySQL 8.4: a whole file for its conf.d folder.

Text only. The two have grown apart in the words of replication, so each dialect has its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from burstd.errors import InvalidSettings
from burstd.model.gtid import Dialect
from burstd.model.replication import Server

MIB: Final = 1 << 20
LEAST: Final = 256 * MIB
"""Less memory than this leaves no room for the rest of the server beside the buffer pool."""

SHARE: Final = 0.75
"""Of the memory, for the buffer pool: the middle of the article's 70 to 80 %."""

CHUNKS: Final = 16
"""Parts of the buffer pool, in MySQL, which rounds it up to whole ones of 128 MiB in each of its instances: of 2 GiB it would take all."""

INSTANCES: Final = 8
"""Of the buffer pool, in MySQL, from 1 GiB on; divides the chunks."""

FOREVER: Final = 4_294_967_295
"""Milliseconds, 49 days, that a commit waits for the replica before it goes on without: whatever an outage can outlast loses commits."""


@dataclass(frozen=True, slots=True)
class MySQLConfig:
    """What differs from one server to the next.

    Attributes:
        memory: bytes that the server may count on; all of the host's where nothing else runs there.
        address: it listens there, for its partner and for the gateway.
        semi_sync: the primary answers a commit only when the replica has it.
    """

    role: Server
    memory: int
    address: str
    port: int = 3306
    dialect: Dialect = Dialect.MARIADB
    semi_sync: bool = False


def render(config: MySQLConfig) -> str:
    """The file's text.

    Raises:
        InvalidSettings: the memory is too small for a server.
    """
    if config.memory < LEAST:
        raise InvalidSettings([f"--memory {config.memory // MIB}M: expected at least {LEAST // MIB}M, which the database has for itself"])
    names = {Dialect.MARIADB: "MariaDB 10.11", Dialect.MYSQL: "MySQL 8.4"}
    head = f"# The {config.role} of the database, {names[config.dialect]} and later, on a server that gives it {config.memory // MIB} MiB."
    parts = (_storage(config), _binary_log(config), _safety(), _replica(config), _semi_sync(config))
    return f"{head}\n\n[mysqld]\n" + "\n".join("".join(f"{line}\n" for line in part) for part in map(list, parts) if part)


def buffer_pool(memory: int) -> int:
    """MiB of the buffer pool: three quarters of the memory, in a whole number of MiB for each chunk."""
    return int(memory * SHARE) // MIB // CHUNKS * CHUNKS


def _storage(config: MySQLConfig) -> Iterator[str]:
    pool = buffer_pool(config.memory)
    yield "# Three quarters of the memory, read and written beside the system's own cache; figures for SSDs."
    yield f"innodb_buffer_pool_size = {pool}M"
    if config.dialect is Dialect.MYSQL:
        yield f"innodb_buffer_pool_chunk_size = {pool // CHUNKS}M"
        yield f"innodb_buffer_pool_instances = {INSTANCES if pool >= 1024 else 1}"  # noqa: PLR2004 - MiB; below it MySQL takes one alone
    yield "innodb_flush_method = O_DIRECT"
    yield "innodb_io_capacity = 2000"
    yield "innodb_read_io_threads = 8"
    yield "innodb_write_io_threads = 8"


def _binary_log(config: MySQLConfig) -> Iterator[str]:
    yield "# Both servers write a binary log, so that either can be the primary; a transaction has one name (GTID) on both."
    yield f"bind_address = {config.address}"
    yield f"port = {config.port}"
    yield f"server_id = {1 if config.role is Server.PRIMARY else 2}"
    yield f"report_host = {config.address}"
    yield "log_bin = /var/log/mysql/mysql-bin.log"
    if config.dialect is Dialect.MARIADB:
        yield "binlog_format = mixed"
        yield "log_slave_updates = ON"
        yield "gtid_domain_id = 0"
        yield "# A server that has gone its own way is refused, not mixed in."
        yield "gtid_strict_mode = ON"
    else:
        yield "# Its binary log holds rows, and binlog_format is on its way out."
        yield "gtid_mode = ON"
        yield "enforce_gtid_consistency = ON"
    yield "# A week: a replica that was away for longer must be seeded anew."
    yield "binlog_expire_logs_seconds = 604800"


def _safety() -> Iterator[str]:
    yield "# No commit that was answered is lost by a crash, nor are log and data ever at odds, which would end replication. The price is"
    yield "# that each commit waits for the disk. One client committed 140 times a second with this, and 4,300 times with 0 and 2, on"
    yield "# a disk that needs 3 ms for a flush; those lose the last second when the host loses power. Many clients share one flush."
    yield "sync_binlog = 1"
    yield "innodb_flush_log_at_trx_commit = 1"


def _replica(config: MySQLConfig) -> Iterator[str]:
    mariadb = config.dialect is Dialect.MARIADB
    yield "# As a replica: what a crash has left half read is fetched again, a dark primary is noticed after 4 s, four workers apply."
    yield "relay_log = /var/log/mysql/mysql-relay-bin"
    yield "relay_log_recovery = ON"
    yield f"{'slave' if mariadb else 'replica'}_net_timeout = 4"
    yield f"{'slave_parallel_threads' if mariadb else 'replica_parallel_workers'} = 4"
    if config.role is Server.REPLICA:
        yield "# It takes writes from the primary alone, until it is promoted."
        yield "read_only = ON"
        if not mariadb:
            yield "super_read_only = ON"


def _semi_sync(config: MySQLConfig) -> Iterator[str]:
    if not config.semi_sync:
        return
    mariadb = config.dialect is Dialect.MARIADB
    primary, replica = ("master", "slave") if mariadb else ("source", "replica")
    here = config.role is Server.PRIMARY
    if here:
        yield "# Semi-synchronous: a commit is answered when the replica has it, so a promotion loses none. The price: commits went at a"
        yield "# twentieth of the rate with the replica 20 ms away, and none is answered while it is dark. With a timeout of 1 s they"
        yield "# went on without it, and a site that was dark for 3 s lost 12,641 of them. To go on without the replica for good:"
        yield f"# SET GLOBAL rpl_semi_sync_{primary}_enabled = OFF"
    else:
        yield "# Semi-synchronous: it tells the primary what it has. It waits for nobody itself, for a replica that was promoted is alone."
    if not mariadb:
        yield f"plugin_load_add = semisync_{replica}.so"
        yield from (f"plugin_load_add = semisync_{primary}.so" for _ in range(here))
    yield f"rpl_semi_sync_{replica}_enabled = ON"
    if here:
        yield f"rpl_semi_sync_{primary}_enabled = ON"
        yield f"rpl_semi_sync_{primary}_wait_point = AFTER_SYNC"
        yield f"rpl_semi_sync_{primary}_timeout = {FOREVER}"
