"""Databases made by hand, for whatever decides on them: a primary, its replica, the listener, and what a test changes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from burstd.model.database import DatabaseView, ListenerView
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerRow, ServerStatus
from burstd.model.gtid import Dialect, Gtids
from burstd.model.promotion import Promotion, Sighting, Stage
from burstd.model.replication import Replication, SemiSync, SemiSyncView, Server, ServerView, Thread, ThreadState

NOW = 1_700_000_000.0
OLD, NEW = "10.0.0.5", "10.1.0.5"
DARK = Fault("database primary", FaultKind.UNREACHABLE, "it does not answer")
AWAY = Fault("haproxy", FaultKind.UNREACHABLE, "nobody listens")
FOR_GOOD = SemiSyncView(SemiSync.ON, timeout=4_294_967.295, lossless=True, replicas=1)


def gtids(text: str) -> Gtids:
    return Gtids.parse(Dialect.MARIADB, text)


def primary(executed: str = "0-1-10", *, read_only: bool = False, at: float = NOW, **changes: Any) -> ServerView:
    made = ServerView(at, Dialect.MARIADB, "10.11.19", read_only, gtids(executed))
    return replace(made, **changes)


def following(
    received: str = "0-1-10", *, io: str = "running", sql: str = "running", error: int = 0, level: bool = True, **changes: Any
) -> Replication:
    """A replication; `error` is the applying thread's."""
    made = Replication(
        f"{OLD}:3306", Thread(ThreadState(io)), Thread(ThreadState(sql), error, "duplicate" if error else ""), gtids(received), level
    )
    return replace(made, **{"lag": 0.0, **changes})


def replica(executed: str = "0-1-10", replication: Replication | None = None, *, at: float = NOW) -> ServerView:
    return ServerView(at, Dialect.MARIADB, "10.11.19", read_only=True, executed=gtids(executed), replication=replication or following())


def promoted(executed: str = "0-1-10", *, read_only: bool = False) -> ServerView:
    """A replica that has become a primary."""
    return ServerView(NOW, Dialect.MARIADB, "10.11.19", read_only, gtids(executed))


def line(server: Server, status: ServerStatus = ServerStatus.UP, sessions: int = 0) -> ServerRow:
    address = f"{OLD if server is Server.PRIMARY else NEW}:3306"
    return ServerRow(server.value, address, status, passing=True, weight=1, backup=False, sessions=sessions, queued=0, requests=0)


SERVING = ListenerView(line(Server.PRIMARY), line(Server.REPLICA, ServerStatus.MAINT))
FENCED = ListenerView(line(Server.PRIMARY, ServerStatus.MAINT), line(Server.REPLICA, ServerStatus.MAINT))
FLIPPED = ListenerView(line(Server.PRIMARY, ServerStatus.MAINT), line(Server.REPLICA))


def sighting(executed: str = "0-1-10", at: float = NOW - 3, **changes: Any) -> Sighting:
    return replace(Sighting(OLD, at, Dialect.MARIADB, executed, received=executed, lag=0.0, lag_at=at), **changes)


def record(stage: Stage = Stage.FENCING, **changes: Any) -> Promotion:
    return replace(Promotion(OLD, NEW, stage, NOW, "anna"), **changes)


def view(**changes: Any) -> DatabaseView:
    """A healthy pair."""
    return replace(DatabaseView((OLD, NEW), primary(), replica(), SERVING, sighting=sighting()), **changes)
