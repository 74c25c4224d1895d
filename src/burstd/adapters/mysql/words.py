"""The two dialects' words and privileges, as tables: pure.

MySQL has taken MASTER and SLAVE out of its language with 8.4, where `STOP SLAVE` is a syntax error; its own words are there since 8.0.22.
MariaDB takes both since 10.5.1, but tells its columns in the old words, and means another thing by RESET.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from burstd.model.gtid import Dialect

SCHEMA: Final = "burstd"
"""burstd's own schema: the promoted server proves there that it takes writes."""

SHOW_SEMI_SYNC: Final = ("SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync%'", "SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync%'")

VERIFY: Final = (
    f"CREATE DATABASE IF NOT EXISTS {SCHEMA}",
    f"CREATE TABLE IF NOT EXISTS {SCHEMA}.promotion (id TINYINT NOT NULL PRIMARY KEY, token CHAR(32) NOT NULL) ENGINE=InnoDB",
)
WRITE: Final = f"REPLACE INTO {SCHEMA}.promotion (id, token) VALUES (1, %s)"  # noqa: S608 - a name of our own
READ: Final = f"SELECT token FROM {SCHEMA}.promotion WHERE id = 1"  # noqa: S608 - a name of our own

CLIENTS: Final = (
    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler', %s) "
    "AND command NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon')"
)
"""Everybody's connections but burstd's own, the server's threads, and the replicas', which must get the rest."""


@dataclass(frozen=True, slots=True)
class Words:
    """One dialect.

    Attributes:
        oldest: the first version whose words these are.
        show_self: what a server has, and whether it may be written.
        show_replication: a row where it replicates.
        semi_sync: the variable that makes commits wait.
        privileges: what burstd's user needs on both servers, by the names that SHOW GRANTS uses.
        everything: privileges of which each includes all of these.
    """

    oldest: tuple[int, ...]
    show_self: str
    show_replication: str
    start_applying: str
    stop_receiving: str
    stop: str
    reset: str
    restrict: tuple[str, ...]
    release: tuple[str, ...]
    semi_sync: str
    privileges: tuple[str, ...]
    everything: tuple[str, ...] = ("ALL PRIVILEGES",)


MARIADB: Final = Words(
    oldest=(10, 5),
    show_self="SELECT @@global.read_only AS read_only, 0 AS super_read_only, @@global.gtid_binlog_state AS executed, "
    "@@global.gtid_slave_pos AS applied",
    show_replication="SHOW SLAVE STATUS",
    start_applying="START SLAVE SQL_THREAD",
    stop_receiving="STOP SLAVE IO_THREAD",
    stop="STOP SLAVE",
    reset="RESET SLAVE ALL",
    restrict=("SET GLOBAL read_only = 1",),
    release=("SET GLOBAL read_only = 0",),
    semi_sync="rpl_semi_sync_master_enabled",
    privileges=(
        "RELOAD",
        "PROCESS",
        "SLAVE MONITOR",
        "REPLICATION SLAVE ADMIN",
        "REPLICATION MASTER ADMIN",
        "READ_ONLY ADMIN",
        "CONNECTION ADMIN",
    ),
)

MYSQL: Final = Words(
    oldest=(8, 0, 22),
    show_self="SELECT @@global.read_only AS read_only, @@global.super_read_only AS super_read_only, @@global.gtid_executed AS executed, "
    "'' AS applied",
    show_replication="SHOW REPLICA STATUS",
    start_applying="START REPLICA SQL_THREAD",
    stop_receiving="STOP REPLICA IO_THREAD",
    stop="STOP REPLICA",
    reset="RESET REPLICA ALL",
    restrict=("SET GLOBAL super_read_only = 1",),
    release=("SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0"),
    semi_sync="rpl_semi_sync_source_enabled",
    privileges=("RELOAD", "PROCESS", "REPLICATION CLIENT", "REPLICATION_SLAVE_ADMIN", "SYSTEM_VARIABLES_ADMIN", "CONNECTION_ADMIN"),
)

WORDS: Final = {Dialect.MARIADB: MARIADB, Dialect.MYSQL: MYSQL}

_ALIASES: Final = {"REPLICA MONITOR": "SLAVE MONITOR", "REPLICATION REPLICA ADMIN": "REPLICATION SLAVE ADMIN"}
"""MariaDB tells a privilege by one name and takes it by either."""


def keep_relay_log(file: str, position: int) -> str:
    """MariaDB: what must be said before its applying thread starts while the receiving one does not run.

    By GTID that start would throw away all that was received, to ask the source for it again, which is dead (seen on 10.11).
    """
    return f"CHANGE MASTER TO MASTER_USE_GTID = no, RELAY_LOG_FILE = '{file}', RELAY_LOG_POS = {position}"


def missing_privileges(dialect: Dialect, grants: Iterable[str]) -> tuple[str, ...]:
    """What burstd's user lacks, by the lines of SHOW GRANTS; what comes by a role is not seen."""
    words = WORDS[dialect]
    everywhere: set[str] = set()
    own = False
    for grant in grants:
        found = re.match(r"GRANT (.+?) ON (\S+) TO ", grant)
        if found is None:
            continue
        names = {_ALIASES.get(each.strip().upper(), each.strip().upper()) for each in found[1].split(",")}
        if found[2] == "*.*":
            everywhere |= names
        own = own or (found[2].replace("`", "") in {"*.*", f"{SCHEMA}.*"} and bool(names & {"ALL PRIVILEGES"} or names >= {*_OWN}))
    if everywhere & {*words.everything}:
        return ()
    return (*(each for each in words.privileges if each not in everywhere), *(() if own else (f"{', '.join(_OWN)} ON {SCHEMA}.*",)))


_OWN: Final = ("CREATE", "SELECT", "INSERT", "DELETE")


def create_user(dialect: Dialect, user: str) -> tuple[str, ...]:
    """The statements that make burstd's user, for an operator to run on the primary; the replica gets them by replication."""
    privileges = ", ".join(WORDS[dialect].privileges)
    return (
        f"CREATE USER '{user}'@'GATEWAY' IDENTIFIED BY 'PASSWORD';",
        f"GRANT {privileges} ON *.* TO '{user}'@'GATEWAY';",
        f"GRANT {', '.join(_OWN)} ON {SCHEMA}.* TO '{user}'@'GATEWAY';",
    )
