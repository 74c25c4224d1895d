"""The sequence of a promotion: fence first, apply all, promote, verify, open; and what it refuses, by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.database import DatabaseView
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerStatus
from burstd.model.gtid import Dialect
from burstd.model.promotion import Fence, PromotionOrder, Stage
from burstd.model.replication import Server
from burstd.model.steps import Await, Do, Finished, Keep, Refuse, Step, Verb
from burstd.plan.promotion import next_step, undo
from tests.databases import AWAY, DARK, FENCED, FLIPPED, NOW, SERVING, following, line, primary, promoted, record, replica, view

ANNA = PromotionOrder("anna")
FORCE = PromotionOrder("anna", force=True)
WITH_FENCE = PromotionOrder("anna", fence=True)
ALONE = PromotionOrder("burstd", fence=True, unattended=True)
STRANGE = Fault("database primary", FaultKind.DENIED, "it does not let burstd in")


def step(seen: DatabaseView, order: PromotionOrder = ANNA, done: tuple[Verb, ...] = (), failed: tuple[Verb, ...] = ()) -> Step:
    return next_step(seen, order, NOW, done, failed)


def refused(found: Step) -> str:
    assert isinstance(found, Refuse)
    return found.reason


def test_nothing_is_touched_before_the_intent_is_on_record() -> None:
    assert step(view(primary=DARK)) == Keep(record())


@pytest.mark.parametrize(
    ("changes", "order", "words"),
    [
        ({"replica": DARK}, ANNA, "database.replica 10.1.0.5: expected a server that can be promoted: it does not answer"),
        ({"replica": None}, ANNA, "it was not asked yet"),
        ({"primary": None}, ANNA, "database.primary 10.0.0.5: it was not asked yet"),
        ({"listener": AWAY}, ANNA, "HAProxy: nobody listens; the primary could not be fenced"),
        ({}, ANNA, "it answers; stop it, or set database.fence_command, or say --force"),
        ({"primary": STRANGE}, ANNA, "it answers"),
        ({}, ALONE, "it answers again, so nothing is promoted without an order"),
        ({"primary": DARK}, ALONE, "it still hears from its primary"),
        ({"primary": DARK, "replica": promoted()}, ANNA, "it replicates from nobody"),
        (
            {"primary": DARK, "replica": replica("0-1-5", following(sql="stopped", error=1062))},
            ANNA,
            "error 1062: duplicate; mend it there",
        ),
        (
            {"primary": DARK, "replica": replica("0-1-5", following(sql="stopped", error=1062))},
            ANNA,
            "5 received transactions would be lost",
        ),
        ({"primary": DARK, "replica": replica("0-1-10", following(sql="stopped", error=1062))}, ANNA, "not applied would be lost"),
    ],
)
def test_what_is_unfit_is_refused_with_the_mend(changes: dict[str, object], order: PromotionOrder, words: str) -> None:
    assert words in refused(step(view(**changes), order))


def test_the_listener_drops_the_primary_first() -> None:
    assert step(view(primary=DARK, promotion=record())) == Do(Verb.FENCE_LISTENER)
    assert step(view(promotion=record()), FORCE) == Do(Verb.FENCE_LISTENER)
    busy = replace(FENCED, primary=line(Server.PRIMARY, ServerStatus.MAINT, sessions=2))
    assert step(view(primary=DARK, promotion=record(), listener=busy)) == Do(Verb.FENCE_LISTENER)


def test_a_primary_that_answers_is_made_read_only_before_it_is_shot() -> None:
    seen = view(promotion=record(), listener=FENCED)
    assert step(seen, WITH_FENCE) == Do(Verb.FENCE_PRIMARY)
    calm = replace(seen, primary=primary(read_only=True))
    assert step(calm, WITH_FENCE) == Do(Verb.RUN_FENCE)
    assert step(calm, WITH_FENCE, done=(Verb.RUN_FENCE,)) == Keep(record(fence=Fence.COMMAND))


def test_the_rest_comes_over_before_the_replica_is_parted_from_a_primary_that_hands_over() -> None:
    calm = view(promotion=record(), listener=FENCED, primary=primary("0-1-30", read_only=True))
    assert step(calm, FORCE) == Await("the replica receives the rest", 20)
    apart = replace(calm, replica=replica("0-1-10", following(io="connecting")))
    assert step(apart, FORCE) == Keep(record(fence=Fence.READ_ONLY))
    other = replace(calm, replica=replace(replica(), dialect=Dialect.MYSQL))
    assert step(other, FORCE) == Keep(record(fence=Fence.READ_ONLY))


def test_what_the_fence_was_is_on_record() -> None:
    fenced = view(promotion=record(), listener=FENCED)
    assert step(replace(fenced, primary=DARK)) == Keep(record(fence=Fence.SILENT))
    assert step(replace(fenced, primary=STRANGE), FORCE) == Keep(record(fence=Fence.FORCED))
    assert step(fenced, FORCE, failed=(Verb.FENCE_PRIMARY,)) == Keep(record(fence=Fence.FORCED))


def test_a_fence_command_that_fails_needs_force() -> None:
    fenced = view(promotion=record(), listener=FENCED, primary=DARK)
    assert "fence_command has failed" in refused(step(fenced, WITH_FENCE, failed=(Verb.RUN_FENCE,)))
    assert step(fenced, replace(WITH_FENCE, force=True), failed=(Verb.RUN_FENCE,)) == Keep(record(fence=Fence.SILENT))


def test_a_primary_that_is_back_in_the_middle_stops_it() -> None:
    back = view(promotion=record(), listener=FENCED, primary=primary(read_only=True))
    assert "10.0.0.5 answers; mend that" in refused(step(back))
    assert step(back, ALONE) == Refuse("database.primary 10.0.0.5: it answers again, so nothing is promoted without an order", passing=True)


def test_without_haproxy_only_force_goes_on() -> None:
    fencing = view(primary=DARK, promotion=record(), listener=AWAY)
    assert step(fencing) == Refuse("HAProxy: nobody listens; the primary could not be fenced", passing=True)
    assert step(fencing, FORCE) == Keep(record(fence=Fence.SILENT))
    last = view(primary=DARK, promotion=record(Stage.PROMOTED, fence=Fence.SILENT), listener=AWAY, replica=promoted())
    assert "is promoted and gets no connections yet" in refused(step(last, FORCE))


APPLYING = view(primary=DARK, promotion=record(fence=Fence.SILENT), listener=FENCED)


def test_the_applying_thread_runs_before_the_receiving_one_stops() -> None:
    still = replica("0-1-5", following("0-1-10", sql="stopped"))
    assert step(replace(APPLYING, replica=still)) == Do(Verb.START_APPLYING)
    assert step(APPLYING) == Do(Verb.STOP_RECEIVING)


def test_all_that_was_received_is_applied() -> None:
    behind = replica("0-1-5", following("0-1-10", io="stopped"))
    assert step(replace(APPLYING, replica=behind)) == Await("the replica applies what it has received", 5)
    unnumbered = replica("0-1-5", following("", io="stopped", by_gtid=False, level=False))
    assert step(replace(APPLYING, replica=unnumbered)) == Await("the replica applies what it has received", None)
    found = step(replace(APPLYING, replica=replica("0-1-10", following(io="stopped", sql="stopped"))))
    assert isinstance(found, Keep)
    assert found.promotion is not None
    assert (found.promotion.stage, found.promotion.loss is not None) == (Stage.PROMOTING, True)


def test_a_replica_that_gets_stuck_on_the_way_stops_it_unless_forced() -> None:
    stuck = replace(APPLYING, replica=replica("0-1-5", following(sql="stopped", error=1062)))
    assert "error 1062" in refused(step(stuck))
    found = step(stuck, FORCE)
    assert isinstance(found, Keep)
    assert found.promotion is not None
    assert found.promotion.stage is Stage.PROMOTING


def test_one_that_was_stopped_by_hand_is_promoted_by_force() -> None:
    assert isinstance(step(replace(APPLYING, replica=promoted(read_only=True)), FORCE), Keep)


def test_it_is_promoted_verified_and_opened() -> None:
    fence = {"fence": Fence.SILENT}
    promoting = view(primary=DARK, promotion=record(Stage.PROMOTING, **fence), listener=FENCED)
    assert step(promoting) == Do(Verb.PROMOTE)
    assert step(replace(promoting, replica=promoted(read_only=True))) == Do(Verb.PROMOTE)
    writable = replace(promoting, replica=promoted())
    assert step(writable) == Do(Verb.VERIFY)
    assert step(writable, done=(Verb.VERIFY,)) == Keep(record(Stage.PROMOTED, **fence))
    done = replace(writable, promotion=record(Stage.PROMOTED, **fence))
    assert step(done) == Do(Verb.OPEN_LISTENER)
    assert isinstance(step(replace(done, listener=FLIPPED)), Finished)


def test_a_promoted_server_that_came_back_read_only_takes_writes_again() -> None:
    after = view(primary=DARK, promotion=record(Stage.PROMOTED, fence=Fence.SILENT), listener=FLIPPED)
    assert step(replace(after, replica=promoted(read_only=True))) == Do(Verb.PROMOTE)
    assert "it replicates from 10.0.0.5:3306" in refused(step(after))


def test_an_old_primary_that_has_returned_is_fenced_again() -> None:
    after = view(promotion=record(Stage.PROMOTED, fence=Fence.SILENT), listener=FLIPPED, replica=promoted())
    assert step(after) == Do(Verb.FENCE_PRIMARY)
    assert isinstance(step(replace(after, primary=primary(read_only=True))), Finished)
    reopened = replace(after, listener=SERVING)
    assert step(reopened) == Do(Verb.FENCE_LISTENER)


def test_a_promotion_that_has_not_come_to_the_replica_is_taken_back() -> None:
    begun = view(promotion=record(), listener=FENCED, primary=primary(read_only=True))
    assert undo(begun) == Do(Verb.LIFT_PRIMARY)
    lifted = replace(begun, primary=primary())
    assert undo(lifted) == Do(Verb.REOPEN_LISTENER)
    assert undo(replace(lifted, listener=SERVING)) == Keep(None)
    assert undo(view()) == Finished("no promotion is on record; the primary is 10.0.0.5")


def test_it_is_not_taken_back_from_a_dead_primary_without_a_listener_or_too_late() -> None:
    assert "it does not answer" in refused(undo(view(promotion=record(), primary=DARK)))
    assert "it was not asked yet" in refused(undo(view(promotion=record(), primary=None)))
    assert "could not be opened again" in refused(undo(view(promotion=record(), listener=AWAY)))
    assert "is being promoted" in refused(undo(view(promotion=record(Stage.PROMOTING))))
    assert "burstd db rejoin" in refused(undo(view(promotion=record(Stage.PROMOTED))))
