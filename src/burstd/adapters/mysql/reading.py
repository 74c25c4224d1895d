"""What the servers answer, as views: pure. Rows are read by column name, in either dialect's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from burstd.errors import Garbled
from burstd.model.gtid import Dialect, Gtids
from burstd.model.replication import Replication, SemiSync, SemiSyncView, ServerView, Thread, ThreadState

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a server was asked.

    Attributes:
        itself: the row of `Words.show_self`.
        replication: the row of `Words.show_replication`; None: it replicates from nobody.
        settings: semi-sync's variables by name, in lower case.
        status: semi-sync's counters by name, in lower case.
    """

    itself: Row
    replication: Row | None
    settings: Row
    status: Row


def dialect_of(version: str) -> Dialect:
    """By the version that a server names when it is connected to."""
    return Dialect.MARIADB if "mariadb" in version.lower() else Dialect.MYSQL


def version_of(version: str) -> tuple[int, ...]:
    """The numbers of it. MariaDB before 11 puts "5.5.5-" in front, for the sake of old clients.

    Raises:
        Garbled: there are none.
    """
    numbers = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)(?:\.(\d+))?", version, re.ASCII)
    if numbers is None:
        raise Garbled(f"it names no version: {version[:40]!r}")
    return tuple(int(each or 0) for each in numbers.groups())


def server_view(at: float, version: str, answers: Answers) -> ServerView:
    """A server, from its answers.

    Args:
        at: when it was asked.
        version: as it named it.
        answers: what it answered.

    Raises:
        Garbled: something is missing, or is not what it should be.
    """
    dialect = dialect_of(version)
    try:
        return ServerView(
            at=at,
            dialect=dialect,
            version=".".join(map(str, version_of(version))),
            read_only=bool(int(answers.itself["read_only"])),
            super_read_only=bool(int(answers.itself["super_read_only"])),
            executed=Gtids.parse(dialect, str(answers.itself["executed"]), str(answers.itself["applied"])),
            replication=None if answers.replication is None else _replication(dialect, answers.replication),
            semi_sync=_semi_sync(answers.settings, answers.status),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Garbled(f"an answer without, or with an odd, {error}") from error


def _replication(dialect: Dialect, row: Row) -> Replication:
    lag = _either(row, "Seconds_Behind_Source", "Seconds_Behind_Master")
    file, read = _either(row, "Source_Log_File", "Master_Log_File"), _either(row, "Read_Source_Log_Pos", "Read_Master_Log_Pos")
    applied = _either(row, "Relay_Source_Log_File", "Relay_Master_Log_File"), _either(row, "Exec_Source_Log_Pos", "Exec_Master_Log_Pos")
    mariadb = dialect is Dialect.MARIADB
    return Replication(
        source=f"{_either(row, 'Source_Host', 'Master_Host')}:{_either(row, 'Source_Port', 'Master_Port')}",
        io=_thread(row, "IO", _either(row, "Replica_IO_Running", "Slave_IO_Running")),
        sql=_thread(row, "SQL", _either(row, "Replica_SQL_Running", "Slave_SQL_Running")),
        received=Gtids.parse(dialect, str(row["Gtid_IO_Pos" if mariadb else "Retrieved_Gtid_Set"])),
        level=(file, read) == applied,
        by_gtid=row["Using_Gtid"] != "No" if mariadb else bool(int(row["Auto_Position"])),
        lag=None if lag is None else float(lag),
        relay=(str(row["Relay_Log_File"]), int(row["Relay_Log_Pos"])),
    )


def _thread(row: Row, name: str, running: str) -> Thread:
    states = {"yes": ThreadState.RUNNING, "connecting": ThreadState.CONNECTING, "preparing": ThreadState.CONNECTING}
    words = " ".join(str(row[f"Last_{name}_Error"]).split())
    return Thread(states.get(running.lower(), ThreadState.STOPPED), int(row[f"Last_{name}_Errno"]), words)


def _semi_sync(settings: Row, status: Row) -> SemiSyncView:
    """A server whose semi-sync is not loaded (MySQL's plugin) has none of these variables."""

    def told(rows: Row, name: str) -> str:
        return str(rows.get(f"rpl_semi_sync_source_{name}", rows.get(f"rpl_semi_sync_master_{name}", ""))).lower()

    enabled, works = (text in {"on", "1"} for text in (told(settings, "enabled"), told(status, "status")))
    return SemiSyncView(
        state=SemiSync.OFF if not enabled else SemiSync.ON if works else SemiSync.DEGRADED,
        timeout=int(told(settings, "timeout") or 0) / 1000,
        lossless=told(settings, "wait_point") == "after_sync",
        replicas=int(told(status, "clients") or 0),
    )


def _either(row: Row, new: str, old: str) -> Any:  # noqa: ANN401 - a column's value, of whatever type
    return row[new] if new in row else row[old]
