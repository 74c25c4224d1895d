"""What a promotion may have lost: the arithmetic over what the old primary was seen to have and what the new one has. Pure."""

from __future__ import annotations

import math

from burstd.model.database import DatabaseView
from burstd.model.gtid import Gtids
from burstd.model.promotion import Loss, Promotion, Sighting
from burstd.model.replication import SYNC_FOR_GOOD, SemiSync, ServerView


def loss_of(view: DatabaseView, replica: ServerView, promotion: Promotion, now: float) -> Loss:
    """The loss if the replica is promoted as it stands now: all that it has received is applied, or never will be.

    Args:
        view: as it was just read.
        replica: its replica.
        promotion: as it was begun.
        now: seconds on the daemon's timeline.
    """
    kept, primary, sighting = replica.executed, view.primary, view.sighting
    if isinstance(primary, ServerView) and not primary.writable and primary.executed and primary.dialect is replica.dialect:
        known = primary.executed.ahead(kept)
        reason = "the old primary takes no writes any more and was asked"
        return Loss(known, now, 0, bool(known), reason, kept.position, primary.executed.position)
    if sighting is None or sighting.primary != promotion.primary or sighting.dialect is not replica.dialect:
        reason = "burstd has never seen the old primary, so nobody knows what it had"
        return Loss(None, None, 0, acknowledged=True, reason=reason, kept=kept.position)
    seen = Gtids.parse(sighting.dialect, sighting.executed)
    acknowledged, reason = _acknowledged(sighting, kept)
    guessed = math.ceil(sighting.rate * max(0.0, promotion.since - sighting.at)) if acknowledged else 0
    return Loss(seen.ahead(kept), sighting.at, guessed, acknowledged, reason, kept.position, seen.position)


def _acknowledged(sighting: Sighting, kept: Gtids) -> tuple[bool, str]:
    """Whether a client may have been told of a commit that is missing now, and why."""
    sync = sighting.semi_sync
    if sync.state is not SemiSync.ON or not sync.lossless:
        how = "had gone on without semi-sync" if sync.state is SemiSync.DEGRADED else "did not wait for the replica"
        if sync.state is SemiSync.ON:
            how = "waited for the replica only after others could see a commit (wait point AFTER_COMMIT)"
        return True, f"the primary {how}, so clients were told of commits that had not left it"
    dropped = Gtids.parse(sighting.dialect, sighting.received).ahead(kept)
    if dropped:
        return True, f"the replica had received {dropped} more than it has now: it was restarted, or stopped, before it applied them"
    if sync.timeout < SYNC_FOR_GOOD:
        return True, (
            f"semi-sync was on, with a timeout of {sync.timeout:g} s: what was acknowledged later than that after the primary was last "
            "seen may be missing, nothing else"
        )
    return False, "every commit waited for the replica (semi-sync without a timeout), so no client was told of one that is missing"
