"""The sequence of a promotion as a pure state machine: the world in, the next step out.

Every step is chosen from what is the case, not from what was done: whoever is killed in the middle and starts again goes on where the
servers, the listener and the record stand. The order is the point of it: nothing is asked of the replica before the primary is fenced,
and nothing is promoted before all that was received is applied.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from burstd.model.database import DatabaseView
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerStatus
from burstd.model.promotion import Fence, Promotion, PromotionOrder, Stage
from burstd.model.replication import Server, ServerView, ThreadState
from burstd.model.steps import Await, Do, Finished, Keep, Refuse, Step, Verb
from burstd.plan.loss import loss_of

PRICE: Final = (
    "what it then still commits, for clients that reach it past HAProxy or with a privilege that read_only does not bind, "
    "is lost when it comes back as a replica"
)
"""What --force may cost while the primary answers."""

_STAGES: Final = {Stage.PROMOTING: "is being promoted", Stage.PROMOTED: "is promoted"}


def next_step(  # noqa: PLR0911 - one answer for each state
    view: DatabaseView, order: PromotionOrder, now: float, done: Collection[Verb] = (), failed: Collection[Verb] = ()
) -> Step:
    """What to do next, or why to go no further.

    Args:
        view: as it was just read.
        order: whose wish, and how far it may go.
        now: seconds on the daemon's timeline.
        done: what this very run has done.
        failed: what has failed in it and need not succeed.
    """
    replica, promotion = view.replica, view.promotion
    if not isinstance(replica, ServerView):
        said = "it was not asked yet" if replica is None else replica.text
        passing = replica is None or replica.kind is FaultKind.UNREACHABLE
        return Refuse(f"database.replica {view.address(Server.REPLICA)}: expected a server that can be promoted: {said}", passing)
    if promotion is None:
        begun = Promotion(*view.addresses, Stage.FENCING, now, order.by)
        return _unfit(view, replica, order) or Keep(begun)
    fencing = _fence(view, promotion, order, done, failed)
    if fencing is not None:
        return fencing
    if promotion.stage is Stage.FENCING:
        return _apply(view, replica, promotion, order, now)
    if promotion.stage is Stage.PROMOTED:
        return _open(view, replica, promotion)
    if replica.replication is not None or replica.restricted:
        return Do(Verb.PROMOTE)
    return Keep(replace(promotion, stage=Stage.PROMOTED)) if Verb.VERIFY in done else Do(Verb.VERIFY)


def undo(view: DatabaseView) -> Step:  # noqa: PLR0911 - one answer for each state
    """Take a promotion back that has not come to the replica yet: the next step of that."""
    promotion, listener, primary = view.promotion, view.listener, view.primary
    if promotion is None:
        return Finished(f"no promotion is on record; the primary is {view.address(Server.PRIMARY)}")
    if promotion.stage is not Stage.FENCING:
        return Refuse(
            f"--undo: expected a promotion that has not come to the replica, but {promotion.replica} {_STAGES[promotion.stage]}; "
            "`burstd db promote` finishes it, and `burstd db rejoin` says how the old primary comes back"
        )
    if not isinstance(primary, ServerView):
        said = "it was not asked yet" if primary is None else primary.text
        return Refuse(f"database.primary {promotion.primary}: expected a server that can take writes again: {said}", passing=True)
    if primary.restricted:
        return Do(Verb.LIFT_PRIMARY)
    if isinstance(listener, Fault):
        return Refuse(_no_listener(listener, "the listener could not be opened again"), passing=True)
    if listener.primary.status is ServerStatus.MAINT:
        return Do(Verb.REOPEN_LISTENER)
    return Keep(None)


def _unfit(view: DatabaseView, replica: ServerView, order: PromotionOrder) -> Refuse | None:  # noqa: PLR0911 - one for each reason
    """Why nothing may be begun; None where it may. Nothing has been touched so far."""
    primary, listener = view.address(Server.PRIMARY), view.listener
    where = f"database.replica {view.address(Server.REPLICA)}"
    replication = replica.replication
    if view.primary is None:
        return Refuse(f"database.primary {primary}: it was not asked yet", passing=True)
    if isinstance(listener, Fault) and not order.force:
        return Refuse(_no_listener(listener, "the primary could not be fenced"), passing=listener.kind is FaultKind.UNREACHABLE)
    if view.primary_answers and order.unattended:
        return Refuse(f"database.primary {primary}: it answers again, so nothing is promoted without an order", passing=True)
    if view.primary_answers and not order.fence and not order.force:
        return Refuse(
            f"database.primary {primary}: expected one that takes no writes any more, it answers; stop it, or set database.fence_command, "
            f"or say --force: {PRICE}"
        )
    if replication is None and not order.force:
        return Refuse(
            f"{where}: expected a replica, it replicates from nobody; name the right server, or say --force if it is one that was "
            "stopped by hand: nobody can tell what it lacks"
        )
    if replication is not None and replication.sql.error and not order.force:
        return Refuse(_stuck(where, replica))
    if order.unattended and replication is not None and replication.io.state is ThreadState.RUNNING:
        return Refuse(f"{where}: it still hears from its primary, so nothing is promoted without an order", passing=True)
    return None


def _fence(  # noqa: C901, PLR0911 - one answer for each way in which a primary is, or is not, fenced
    view: DatabaseView, promotion: Promotion, order: PromotionOrder, done: Collection[Verb], failed: Collection[Verb]
) -> Step | None:
    """The next step until the old primary takes no writes; None where it does not.

    First what costs nothing, then the command, so that a primary that answers hands over in order before it is shot.
    """
    listener, primary = view.listener, view.primary
    if order.unattended and view.primary_answers and promotion.fence is None:
        return Refuse(f"database.primary {promotion.primary}: it answers again, so nothing is promoted without an order", passing=True)
    if isinstance(listener, Fault):
        if not order.force:
            return Refuse(_no_listener(listener, "the primary could not be fenced"), passing=listener.kind is FaultKind.UNREACHABLE)
    elif not listener.fenced:
        return Do(Verb.FENCE_LISTENER)
    if isinstance(primary, ServerView) and primary.writable and Verb.FENCE_PRIMARY not in failed:
        return Do(Verb.FENCE_PRIMARY)
    if promotion.fence is not None:
        return None
    calm = isinstance(primary, ServerView) and not primary.writable
    if left := _to_come(primary, view.replica):
        return Await("the replica receives the rest", left)
    if order.fence and Verb.RUN_FENCE in done:
        return Keep(replace(promotion, fence=Fence.COMMAND))
    if order.fence and Verb.RUN_FENCE not in failed:
        return Do(Verb.RUN_FENCE)
    if (order.fence or view.primary_answers) and not order.force:
        why = "database.fence_command has failed" if order.fence else f"database.primary {promotion.primary} answers"
        return Refuse(f"{why}; mend that, or say --force: {PRICE}; `burstd db promote --undo` takes all back")
    if calm:
        return Keep(replace(promotion, fence=Fence.READ_ONLY))
    return Keep(replace(promotion, fence=Fence.FORCED if view.primary_answers else Fence.SILENT))


def _to_come(primary: object, replica: object) -> int:
    """Transactions of a primary that takes no more of them, which the replica is about to receive."""
    if not isinstance(primary, ServerView) or primary.writable or not isinstance(replica, ServerView):
        return 0
    if replica.replication is None or replica.dialect is not primary.dialect:
        return 0
    if replica.replication.io.state is not ThreadState.RUNNING:
        return 0
    return primary.executed.ahead(replica.executed | replica.replication.received)


def _apply(view: DatabaseView, replica: ServerView, promotion: Promotion, order: PromotionOrder, now: float) -> Step:
    """Until the replica has applied all that it has received.

    The applying thread runs before the receiving one stops: on MariaDB a start of the one while neither runs throws away what was
    received (docs/database.md).
    """
    replication = replica.replication
    if replication is not None and not (replication.sql.error and order.force):
        if replication.sql.error:
            return Refuse(_stuck(f"database.replica {promotion.replica}", replica))
        if replication.sql.state is not ThreadState.RUNNING and not replica.applied:
            return Do(Verb.START_APPLYING)
        if replication.io.state is not ThreadState.STOPPED:
            return Do(Verb.STOP_RECEIVING)
        if not replica.applied:
            return Await("the replica applies what it has received", replica.unapplied or None)
    return Keep(replace(promotion, stage=Stage.PROMOTING, loss=loss_of(view, replica, promotion, now)))


def _open(view: DatabaseView, replica: ServerView, promotion: Promotion) -> Step:
    """After the promotion: the connections, and whether all is still as it was left."""
    if replica.replication is not None:
        return Refuse(
            f"database.replica {promotion.replica}: expected the promoted primary, it replicates from {replica.replication.source}; "
            "where that is meant, name the two by their new parts in the settings"
        )
    if replica.restricted:
        return Do(Verb.PROMOTE)
    if isinstance(view.listener, Fault):
        return Refuse(_no_listener(view.listener, f"{promotion.replica} is promoted and gets no connections yet"), passing=True)
    if not view.listener.open:
        return Do(Verb.OPEN_LISTENER)
    return Finished(f"{promotion.replica} is the primary: it takes writes, and the listener gives it the connections", promotion.loss)


def _no_listener(fault: Fault, so: str) -> str:
    return f"HAProxy: {fault.text}; {so}"


def _stuck(where: str, replica: ServerView) -> str:
    replication = replica.replication
    error = replication and replication.sql
    count = replica.unapplied
    lost = f"{count} received transactions" if count else "what it has received and not applied"
    return (
        f"{where}: expected a replica that applies, it stopped with error {error and error.error}: {error and error.text}; mend it there, "
        f"or say --force: {lost} would be lost"
    )
