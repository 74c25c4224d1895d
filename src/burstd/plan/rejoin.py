"""How the old primary comes back: can it follow the new one, or must it be filled anew? Pure; it gives commands, and runs none."""

from __future__ import annotations

from dataclasses import dataclass

from burstd.model.database import DatabaseView
from burstd.model.gtid import Dialect, Gtids
from burstd.model.promotion import Stage
from burstd.model.replication import Server, ServerView


@dataclass(frozen=True, slots=True)
class Rejoin:
    """What is to be done.

    Attributes:
        server: address of the one that comes back.
        source: address of the one that it is to follow.
        follows: it can; else it must be filled anew.
        reason: one sentence that says why.
        own: how many transactions it has that its source has not.
        commands: what an operator runs, each with the host on which it is run.
    """

    server: str
    source: str
    follows: bool
    reason: str
    own: int
    commands: tuple[tuple[str, str], ...]


def rejoin(view: DatabaseView, port: int) -> Rejoin | str:
    """What the old primary needs after a promotion, or the replica where there was none; a text where that cannot be told."""
    promoted = view.promotion is not None and view.promotion.stage is Stage.PROMOTED
    back, source = (Server.PRIMARY, Server.REPLICA) if promoted else (Server.REPLICA, Server.PRIMARY)
    if view.promotion is not None and not promoted:
        return "a promotion is under way: finish it with `burstd db promote`, or take it back with `burstd db promote --undo`"
    comes, leads = view.server(back), view.server(source)
    for part, reading in ((back, comes), (source, leads)):
        if not isinstance(reading, ServerView):
            said = "it was not asked" if reading is None else reading.text
            return f"database.{part} {view.address(part)}: expected a server that can be compared: {said}; start it, and ask again"
    if not isinstance(comes, ServerView) or not isinstance(leads, ServerView) or comes.dialect is not leads.dialect:
        return "the two servers speak different dialects, so neither can be filled from the other"
    where, to = view.address(back), view.address(source)
    own = comes.executed.beyond(leads.executed)
    replication = comes.replication
    if own:
        spans = _spans(own)
        reason = f"it has {own.count} transactions that {to} has not ({spans}): it would be refused with error 1236, or go apart in silence"
    elif replication is not None and replication.diverged:
        error = replication.io.error or replication.sql.error
        reason = f"it has stopped with error {error}: {to} has not, or has not any more, what it asks for"
    elif replication is not None and replication.in_order:
        return Rejoin(where, to, follows=True, reason=f"it follows {replication.source} already", own=0, commands=())
    else:
        reason = f"{to} has all that it has ({comes.executed.position or 'nothing'})"
        return Rejoin(where, to, follows=True, reason=reason, own=0, commands=_follow(comes, where, to, port))
    return Rejoin(where, to, follows=False, reason=reason, own=own.count, commands=_reseed(comes.dialect, where, to, port))


def _spans(gtids: Gtids) -> str:
    dash = "-" if gtids.dialect is Dialect.MARIADB else ":"
    return ", ".join(
        f"{stream}{dash}{first}" if first == last else f"{stream}{dash}{first} to {last}"
        for stream, intervals in gtids.streams.items()
        for first, last in intervals
    )


_MARIADB_SOURCE = "MASTER_HOST = '{to}', MASTER_PORT = {port}, MASTER_USER = 'REPLICATION_USER', MASTER_PASSWORD = 'PASSWORD'"
_MYSQL_SOURCE = "SOURCE_HOST = '{to}', SOURCE_PORT = {port}, SOURCE_USER = 'REPLICATION_USER', SOURCE_PASSWORD = 'PASSWORD'"


def _follow(comes: ServerView, where: str, to: str, port: int) -> tuple[tuple[str, str], ...]:
    if comes.dialect is Dialect.MYSQL:
        return (
            (where, "SET GLOBAL super_read_only = 1;"),
            (where, f"CHANGE REPLICATION SOURCE TO {_MYSQL_SOURCE.format(to=to, port=port)}, SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1;"),
            (where, "START REPLICA;"),
        )
    return (
        (where, "SET GLOBAL read_only = 1;"),
        (where, "STOP SLAVE;"),
        (where, f"SET GLOBAL gtid_slave_pos = '{comes.executed.position}';"),
        (where, f"CHANGE MASTER TO {_MARIADB_SOURCE.format(to=to, port=port)}, MASTER_USE_GTID = slave_pos;"),
        (where, "START SLAVE;"),
    )


def _reseed(dialect: Dialect, where: str, to: str, port: int) -> tuple[tuple[str, str], ...]:
    """By the dialects' own tools: mariabackup over ssh, or MySQL's clone plugin. What only the old one has is set aside first."""
    if dialect is Dialect.MYSQL:
        return (
            (where, "mysqlbinlog --read-from-remote-server … > lost.sql    # keep what only this server has"),
            (to, "INSTALL PLUGIN clone SONAME 'mysql_clone.so';    # once, on both"),
            (where, "INSTALL PLUGIN clone SONAME 'mysql_clone.so';"),
            (where, f"SET GLOBAL clone_valid_donor_list = '{to}:{port}';"),
            (where, f"CLONE INSTANCE FROM 'CLONE_USER'@'{to}':{port} IDENTIFIED BY 'PASSWORD';"),
            (where, "SET GLOBAL super_read_only = 1;"),
            (where, f"CHANGE REPLICATION SOURCE TO {_MYSQL_SOURCE.format(to=to, port=port)}, SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1;"),
            (where, "START REPLICA;"),
        )
    return (
        (where, "systemctl stop mariadb && mv /var/lib/mysql /var/lib/mysql.lost && install -d -o mysql -g mysql /var/lib/mysql"),
        (where, f"ssh root@{to} 'mariabackup --backup --stream=xbstream' | mbstream -x -C /var/lib/mysql"),
        (where, "mariabackup --prepare --target-dir=/var/lib/mysql && chown -R mysql:mysql /var/lib/mysql && systemctl start mariadb"),
        (where, "SET GLOBAL read_only = 1;"),
        (where, "SET GLOBAL gtid_slave_pos = 'GTID';    # as /var/lib/mysql/xtrabackup_binlog_info has it, third column"),
        (where, f"CHANGE MASTER TO {_MARIADB_SOURCE.format(to=to, port=port)}, MASTER_USE_GTID = slave_pos;"),
        (where, "START SLAVE;"),
    )
