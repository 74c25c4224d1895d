from __future__ import annotations

from dataclasses import replace

from burstd.model.database import DatabaseView
from burstd.model.gtid import Dialect
from burstd.model.promotion import Loss
from burstd.model.replication import SemiSync, SemiSyncView
from burstd.plan.loss import loss_of
from tests.databases import DARK, FOR_GOOD, NOW, following, primary, record, replica, sighting, view

HAS = replica("0-1-10", following("0-1-10", io="stopped"))


def lost(**changes: object) -> Loss:
    seen: DatabaseView = view(**{"primary": DARK, "replica": HAS, **changes})
    return loss_of(seen, HAS, record(), NOW + 5)


def test_a_primary_that_takes_no_writes_is_asked() -> None:
    told = lost(primary=primary("0-1-10", read_only=True))
    assert (told.known, told.guessed, told.acknowledged, told.seen_at) == (0, 0, False, NOW + 5)
    apart = lost(primary=primary("0-1-15", read_only=True))
    assert (apart.known, apart.acknowledged, apart.kept, apart.missed) == (5, True, "0-1-10", "0-1-15")


def test_one_that_was_never_seen_may_have_had_anything() -> None:
    for changes in ({"sighting": None}, {"sighting": sighting(primary="10.9.9.9")}, {"sighting": sighting(dialect=Dialect.MYSQL)}):
        told = lost(**changes)
        assert (told.known, told.acknowledged) == (None, True)


def test_async_loses_what_was_seen_and_as_much_again_as_time_went_by() -> None:
    told = lost(sighting=sighting("0-1-33", at=NOW - 3, rate=2.5, received="0-1-10"))
    assert (told.known, told.guessed, told.acknowledged) == (23, 8, True)
    assert "did not wait for the replica" in told.reason
    assert lost(primary=primary("0-1-15"), sighting=sighting("0-1-33")).known == 23


def test_semi_sync_for_good_loses_nothing_that_was_acknowledged() -> None:
    told = lost(sighting=sighting("0-1-12", semi_sync=FOR_GOOD, received="0-1-10", rate=9.0))
    assert (told.known, told.guessed, told.acknowledged) == (2, 0, False)


def test_semi_sync_with_a_timeout_promises_only_so_long() -> None:
    told = lost(sighting=sighting(semi_sync=replace(FOR_GOOD, timeout=10.0)))
    assert told.acknowledged
    assert "timeout of 10 s" in told.reason


def test_semi_sync_that_had_been_given_up_or_waits_too_late_promises_nothing() -> None:
    given_up = lost(sighting=sighting(semi_sync=replace(FOR_GOOD, state=SemiSync.DEGRADED)))
    late = lost(sighting=sighting(semi_sync=replace(FOR_GOOD, lossless=False)))
    off = lost(sighting=sighting(semi_sync=SemiSyncView()))
    assert all(each.acknowledged for each in (given_up, late, off))
    assert "had gone on without" in given_up.reason
    assert "AFTER_COMMIT" in late.reason


def test_a_replica_that_was_restarted_before_it_applied_all_has_lost_what_it_had_acknowledged() -> None:
    told = lost(sighting=sighting("0-1-15", semi_sync=FOR_GOOD, received="0-1-14"))
    assert told.acknowledged
    assert "had received 4 more" in told.reason
