"""A promotion of the replica: who wants it, how far it has come, what was last known of the primary, and what may be lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from burstd.model.gtid import Dialect, Gtids
from burstd.model.replication import SemiSyncView, ServerReading, ServerView

AUTOMATIC = "burstd"
"""Who has ordered a promotion that nobody has ordered."""


@dataclass(frozen=True, slots=True)
class PromotionOrder:
    """Somebody's wish to have the replica promoted.

    Attributes:
        by: who.
        force: go on though the primary answers, or the replica cannot apply all that it has received.
        fence: there is a fence_command.
        unattended: nobody watches: only with a fence_command that succeeded.
    """

    by: str
    force: bool = False
    fence: bool = False
    unattended: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was last known of a primary that answered: kept, because a dead one cannot be asked.

    Attributes:
        primary: its address.
        at: seconds on the daemon's timeline.
        executed: what it had, as it told it.
        received: what the replica had received by then, in the same form.
        rate: transactions/s between this look and the one before.
        lag: the replica's seconds behind, when it was last seen in order.
        lag_at: when that was.
    """

    primary: str
    at: float
    dialect: Dialect
    executed: str
    received: str = ""
    semi_sync: SemiSyncView = field(default_factory=SemiSyncView)
    rate: float = 0.0
    lag: float | None = None
    lag_at: float = 0.0


class Stage(StrEnum):
    """How far a promotion has come; each is stored before what follows from it is done."""

    FENCING = "fencing"
    """The primary is kept out of the listener; nothing has happened to the replica yet."""
    PROMOTING = "promoting"
    """The replica is being made the primary: there is no way back."""
    PROMOTED = "promoted"
    """It has taken a write, and gets the connections."""


class Fence(StrEnum):
    """Why the old primary takes no writes any more, beside being out of the listener."""

    COMMAND = "command"
    """database.fence_command has made sure."""
    READ_ONLY = "read_only"
    """It answered, was made read-only and lost its connections."""
    SILENT = "silent"
    """It answers nobody; whether it still serves those who reach it past HAProxy, nobody knows."""
    FORCED = "forced"
    """It answers, may take writes, and an operator has said that this shall not stop the promotion."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a promotion may have lost.

    Attributes:
        known: transactions that the old primary was seen to have and the new one has not; None: it was never seen.
        seen_at: when it was last seen, seconds on the daemon's timeline; None: never.
        guessed: further ones that it may have committed since, by its rate of then; 0 where nothing can have followed.
        acknowledged: among them may be some whose commit a client was told of.
        reason: one sentence that says why that is so.
        kept: up to where the new primary has everything, as a GTID position.
        missed: up to where the old one was seen.
    """

    known: int | None
    seen_at: float | None
    guessed: int
    acknowledged: bool
    reason: str
    kept: str
    missed: str = ""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion that was begun: durable, and in force until the settings name the new primary.

    Attributes:
        primary: address of the old primary.
        replica: address of the new one.
        since: when it was begun, seconds since the epoch.
        by: who ordered it.
        fence: None until the old primary is fenced.
        loss: None until the replica has applied all that it had received.
    """

    primary: str
    replica: str
    stage: Stage
    since: float
    by: str
    fence: Fence | None = None
    loss: Loss | None = None


def sight(primary: str, reading: ServerReading | None, replica: ServerReading | None, before: Sighting | None) -> Sighting | None:
    """What is now last known of the primary at that address; what was known before, where it does not answer.

    The replica's place and lag count only while it replicates in order: they are to say what it had before the trouble.
    """
    known = before if before is not None and before.primary == primary else None
    if not isinstance(reading, ServerView) or reading.replication is not None:
        return known
    sighting = Sighting(primary, reading.at, reading.dialect, str(reading.executed), semi_sync=reading.semi_sync)
    if known is not None and known.dialect is reading.dialect:
        sighting = replace(sighting, rate=_rate(known, reading), received=known.received, lag=known.lag, lag_at=known.lag_at)
    if isinstance(replica, ServerView) and replica.dialect is reading.dialect and (replication := replica.replication):
        sighting = replace(sighting, received=str(replica.executed | replication.received))
        if replication.in_order and replication.lag is not None:
            sighting = replace(sighting, lag=replication.lag, lag_at=replica.at)
    return sighting


def _rate(before: Sighting, reading: ServerView) -> float:
    """Transactions/s between the two; looks within the same second tell no rate, nor do those of another day."""
    passed = reading.at - before.at
    if passed < 1.0:
        return before.rate
    return reading.executed.ahead(Gtids.parse(before.dialect, before.executed)) / passed
