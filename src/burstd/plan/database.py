"""The database in the daemon's plan: a promotion on record is held up, and one that was decided is begun. Pure.

HAProxy forgets at a reload what it was told, so in each cycle the listener is compared with the record; a server that comes back from the
dead is made read-only. Nothing here is done while a worker or a verb is at it.
"""

from __future__ import annotations

from burstd.model.database import DatabaseView
from burstd.model.faults import Fault
from burstd.model.plans import Action, EditListener, ForgetPromotion, WorkDatabase
from burstd.model.promotion import AUTOMATIC, Promotion, Stage
from burstd.model.replication import ServerView
from burstd.model.steps import Errand, Verb
from burstd.plan.draft import Draft


def keep_database(draft: Draft) -> None:
    """Plan what the database needs in this cycle."""
    view = draft.snapshot.database
    if view is None or view.work:
        return
    decided = draft.decision.database
    if decided is not None and decided.order is not None:
        draft.guards.append(WorkDatabase(decided.order))
    elif view.promotion is not None:
        draft.guards.extend(_hold_up(view, view.promotion))
    elif view.recorded is not None and view.recorded.replica == view.addresses[0] and view.recorded.stage is Stage.PROMOTED:
        draft.guards.append(ForgetPromotion(view.recorded))


def _hold_up(view: DatabaseView, promotion: Promotion) -> list[Action]:
    guards: list[Action] = []
    if promotion.stage is Stage.FENCING and promotion.fence is None and promotion.by == AUTOMATIC and view.primary_answers:
        return [WorkDatabase(Errand.TAKE_BACK)]
    if not isinstance(view.listener, Fault):
        if not view.listener.fenced:
            guards.append(EditListener(Verb.FENCE_LISTENER, promotion))
        if promotion.stage is Stage.PROMOTED and not view.listener.open:
            guards.append(EditListener(Verb.OPEN_LISTENER, promotion))
    if promotion.stage is Stage.PROMOTED and isinstance(view.primary, ServerView) and view.primary.writable:
        guards.append(WorkDatabase(Errand.RESTRICT))
    return guards
