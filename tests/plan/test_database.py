"""A promotion on record is held up in every cycle, and one that was decided is begun."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from burstd.control.wording import describe
from burstd.model.database import DatabaseDecision, DatabaseMemory, DatabaseView
from burstd.model.plans import Action, EditListener, ForgetPromotion, Note, Report, WorkDatabase, kind
from burstd.model.promotion import AUTOMATIC, Fence, PromotionOrder, Stage
from burstd.model.steps import Errand, Verb
from burstd.plan import plan
from burstd.plan.narrative import narrate
from tests import given
from tests.databases import AWAY, DARK, FENCED, FLIPPED, NEW, OLD, SERVING, primary, promoted, record, view

DONE = record(Stage.PROMOTED, fence=Fence.SILENT)


def planned(seen: DatabaseView | None, order: PromotionOrder | None = None, notes: tuple[str, ...] = ()) -> tuple[Action, ...]:
    decision = replace(given.decision(0), database=DatabaseDecision(order, "", notes, DatabaseMemory()))
    return plan(given.world(database=seen), decision, given.policy(), given.fresh()).actions


def test_where_none_is_watched_or_all_is_well_nothing_is_done() -> None:
    assert planned(None) == planned(view()) == ()


def test_a_listener_that_has_forgotten_is_told_again() -> None:
    after = view(promotion=DONE, listener=SERVING, replica=promoted(), primary=DARK)
    assert planned(after) == (EditListener(Verb.FENCE_LISTENER, DONE), EditListener(Verb.OPEN_LISTENER, DONE))
    assert planned(replace(after, listener=FENCED)) == (EditListener(Verb.OPEN_LISTENER, DONE),)
    assert planned(replace(after, listener=FLIPPED)) == planned(replace(after, listener=AWAY)) == ()


def test_while_it_fences_only_the_fence_is_held() -> None:
    fencing = record(fence=Fence.SILENT)
    assert planned(view(promotion=fencing, primary=DARK)) == (EditListener(Verb.FENCE_LISTENER, fencing),)


def test_an_old_primary_that_returns_is_made_read_only() -> None:
    back = view(promotion=DONE, listener=FLIPPED, replica=promoted())
    assert planned(back) == (WorkDatabase(Errand.RESTRICT),)
    assert planned(replace(back, primary=primary(read_only=True))) == ()


def test_nothing_is_begun_while_a_worker_is_at_it() -> None:
    assert planned(view(promotion=DONE, work="the old primary is being made read-only")) == ()


def test_a_promotion_of_its_own_is_taken_back_when_the_primary_is_back_before_it_was_fenced() -> None:
    begun = record(by=AUTOMATIC)
    assert planned(view(promotion=begun, listener=FENCED)) == (WorkDatabase(Errand.TAKE_BACK),)
    assert planned(view(promotion=begun, listener=FENCED, primary=DARK)) == ()


def test_it_is_forgotten_when_the_settings_name_the_new_primary() -> None:
    swapped = replace(view(), addresses=(NEW, OLD), recorded=DONE)
    assert planned(swapped) == (ForgetPromotion(DONE),)
    assert planned(replace(swapped, recorded=record(Stage.PROMOTING))) == ()
    assert planned(replace(swapped, addresses=("10.9.9.9", OLD))) == ()


def test_what_was_decided_is_begun_and_what_was_noted_is_said() -> None:
    order = PromotionOrder("burstd", fence=True, unattended=True)
    assert planned(view(primary=DARK), order, ("the primary is silent",)) == (
        WorkDatabase(order),
        Note("the primary is silent", "database"),
    )


def told(action: Action) -> tuple[str, str, str, str]:
    """Its kind, its words in the API, its words in the sentence, and its event."""
    decision: Any = given.decision(0)
    snapshot = given.world()
    made = replace(plan(snapshot, decision, given.policy(), given.fresh()), actions=(action,))
    sentence, events = narrate(snapshot, decision, made, Report(), "")
    (event,) = (each for each in events if each.kind == "database")
    return kind(action), describe(action)[1], sentence.partition(",")[0], event.text


def test_every_action_has_its_name_and_its_words() -> None:
    order = PromotionOrder("burstd")
    cases: dict[Action, tuple[str, str]] = {
        EditListener(Verb.FENCE_LISTENER, DONE): ("fence_listener", f"keep {OLD} out of the database's listener"),
        EditListener(Verb.OPEN_LISTENER, DONE): ("open_listener", f"let the database's listener serve {NEW}"),
        WorkDatabase(Errand.RESTRICT): ("restrict_primary", "make the old primary read-only"),
        WorkDatabase(Errand.TAKE_BACK): ("take_promotion_back", "take the promotion back"),
        WorkDatabase(order): ("promote_replica", "promote the replica"),
        ForgetPromotion(DONE): ("forget_promotion", f"forget the promotion of {NEW}"),
    }
    for action, (name, words) in cases.items():
        called, api, sentence, event = told(action)
        assert called == name
        assert all(each.startswith(words) for each in (api, sentence, event))
