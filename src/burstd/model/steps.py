"""The steps of a promotion as data: each says what to do next, and is right whoever did it how often before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from burstd.model.promotion import Loss, Promotion, PromotionOrder


class Verb(StrEnum):
    """What a step does to the servers or to the listener; the values name it in logs."""

    FENCE_LISTENER = "fence_listener"
    """The listener drops the primary: no new connection, and the ones that it has are cut."""
    FENCE_PRIMARY = "fence_primary"
    """The primary, which answers, is made read-only, and the connections to it are ended."""
    RUN_FENCE = "run_fence"
    """database.fence_command makes sure that the primary takes no writes."""
    START_APPLYING = "start_applying"
    """The replica's applying thread starts, without what was received being thrown away."""
    STOP_RECEIVING = "stop_receiving"
    """The replica asks the old primary for nothing more."""
    PROMOTE = "promote"
    """The replica forgets its source, waits for no replica of its own, and takes writes."""
    VERIFY = "verify"
    """A write to the new primary is read back."""
    OPEN_LISTENER = "open_listener"
    """The listener gives connections to the new primary."""
    LIFT_PRIMARY = "lift_primary"
    """A promotion is taken back: the primary takes writes again."""
    REOPEN_LISTENER = "reopen_listener"
    """A promotion is taken back: the listener gives connections to the primary again."""


@dataclass(frozen=True, slots=True)
class Do:
    """Do one thing."""

    verb: Verb


@dataclass(frozen=True, slots=True)
class Keep:
    """Store how far it has come, durable before the next step; None: there is no promotion any more."""

    promotion: Promotion | None


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until there are none left.

    Attributes:
        what: what is waited for, in words.
        left: transactions; None where they have no numbers.
    """

    what: str
    left: int | None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Go no further.

    Attributes:
        reason: key, value, what was expected, the mend: one line.
        passing: it may pass by itself: the same order may be given again as it is.
    """

    reason: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """It is done.

    Attributes:
        sentence: what is the case now.
        loss: what it may have lost; None where nothing was promoted.
    """

    sentence: str
    loss: Loss | None = None


Step = Do | Keep | Await | Refuse | Finished


class Errand(StrEnum):
    """What else the daemon's worker is sent to do at the database; the values name it in logs."""

    RESTRICT = "restrict_primary"
    """Make an old primary that has returned read-only."""
    TAKE_BACK = "take_promotion_back"
    """Give up a promotion of its own that has fenced nothing but the listener, since the primary is back."""


Work = PromotionOrder | Errand
