"""The database in the API's documents, and for `burstd db status`: the same shape for both. Pure; docs/api.md describes every key."""

from __future__ import annotations

from typing import Any

from burstd.model.database import DatabaseView
from burstd.model.faults import Fault
from burstd.model.gateway import ServerRow
from burstd.model.promotion import Loss, Promotion
from burstd.model.replication import Replication, Server, ServerView, Thread

Document = dict[str, Any]


def document(view: DatabaseView, now: float) -> Document:
    """Everything that is known of the database; what is unknown is null.

    Args:
        view: as it was read.
        now: seconds on the daemon's timeline.
    """
    return {
        "primary": _server(view, Server.PRIMARY, now),
        "replica": _server(view, Server.REPLICA, now),
        "lag_transactions": view.lag,
        "serving": None if isinstance(view.listener, Fault) else [str(each) for each in view.listener.serving],
        "listener_fault": _fault(view.listener),
        "promotion": promotion(view.promotion),
        "work": view.work or None,
        "fault": _fault(view.trouble),
    }


def promotion(record: Promotion | None) -> Document | None:
    """A promotion on record."""
    if record is None:
        return None
    return {
        "stage": str(record.stage),
        "primary": record.primary,
        "replica": record.replica,
        "since": record.since,
        "by": record.by,
        "fence": record.fence and str(record.fence),
        "loss": loss(record.loss),
    }


def loss(lost: Loss | None) -> Document | None:
    """What a promotion may have lost."""
    if lost is None:
        return None
    return {
        "known": lost.known,
        "guessed": lost.guessed,
        "acknowledged": lost.acknowledged,
        "seen_at": lost.seen_at,
        "reason": lost.reason,
        "kept": lost.kept,
        "missed": lost.missed or None,
    }


def _server(view: DatabaseView, server: Server, now: float) -> Document:
    reading = view.server(server)
    known = reading if isinstance(reading, ServerView) else None
    row = None if isinstance(view.listener, Fault) else view.listener.row(server)
    return {
        "address": view.address(server),
        "age_seconds": known and round(max(0.0, now - known.at), 3),
        "dialect": known and str(known.dialect),
        "version": known and known.version,
        "read_only": known and known.restricted,
        "gtid": known and known.executed.position,
        "replication": _replication(known.replication, known.unapplied) if known and known.replication else None,
        "semi_sync": known and str(known.semi_sync.state),
        "semi_sync_timeout": known and known.semi_sync.timeout,
        **_listed(row),
        "fault": _fault(reading),
    }


def _listed(row: ServerRow | None) -> Document:
    return {"listener": row and str(row.status), "sessions": row and row.sessions}


def _replication(replication: Replication, unapplied: int) -> Document:
    return {
        "source": replication.source,
        "receiving": _thread(replication.io),
        "applying": _thread(replication.sql),
        "received": replication.received.position or None,
        "unapplied_transactions": unapplied,
        "lag_seconds": replication.lag,
        "diverged": replication.diverged,
    }


def _thread(thread: Thread) -> Document:
    return {"state": str(thread.state), "error": thread.error or None, "text": thread.text or None}


def _fault(value: object) -> Document | None:
    return {"peer": value.peer, "kind": str(value.kind), "text": value.text} if isinstance(value, Fault) else None
