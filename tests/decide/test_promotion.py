"""A promotion without an order takes two witnesses without a gap, a replica in order, and a fence; and what changes is told once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.decide import decide
from burstd.decide.promotion import consider
from burstd.model.database import DatabaseDecision, DatabaseMemory, DatabaseView
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerStatus
from burstd.model.policy import DatabasePolicy
from burstd.model.promotion import AUTOMATIC, PromotionOrder, Stage
from burstd.model.replication import SemiSync, SemiSyncView, ServerView
from tests import given
from tests.databases import (
    AWAY,
    DARK,
    FLIPPED,
    FOR_GOOD,
    NOW,
    SERVING,
    following,
    primary,
    promoted,
    record,
    replica,
    sighting,
    view,
)

POLICY = DatabasePolicy(auto_promote=True, core_lost_for=120.0, max_lag=30.0)
OUT: dict[str, ServerStatus | None] = {"core-1": ServerStatus.DOWN, "core-2": ServerStatus.DOWN}
APART = replica("0-1-10", following(io="connecting", lag=None))
LOST = view(primary=DARK, replica=APART, sighting=sighting(at=NOW - 121))
LONG = DatabaseMemory(lost_since=NOW - 120)


def decided(
    seen: DatabaseView = LOST, cores: dict[str, ServerStatus | None] = OUT, memory: DatabaseMemory = LONG, **changes: Any
) -> DatabaseDecision:
    return consider(seen, replace(POLICY, **changes), cores, memory, NOW)


def test_a_core_and_a_primary_that_are_lost_long_enough_promote_the_replica() -> None:
    found = decided()
    assert found.order == PromotionOrder("burstd", fence=True, unattended=True)
    assert "lost for 120 s" in found.reason
    assert any("10.1.0.5 is to be promoted" in each for each in found.notes)
    assert found.memory.lost_since == NOW  # should it fail, it waits as long again


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auto_promote": False}, "auto_promote is off"),
        ({"memory": DatabaseMemory(NOW - 119)}, "lost for 119 of 120 s"),
        ({"memory": DatabaseMemory()}, "lost for 0 of 120 s"),
        ({"cores": {**OUT, "core-2": None}}, "not both lost"),
        ({"cores": {**OUT, "core-2": ServerStatus.MAINT}}, "not both lost"),
        ({"cores": {}}, "not both lost"),
        ({"seen": replace(LOST, primary=primary())}, "not both lost"),
        ({"seen": replace(LOST, primary=Fault("database primary", FaultKind.DENIED, "no"))}, "not both lost"),
        ({"seen": replace(LOST, primary=None)}, "not both lost"),
        ({"seen": replace(LOST, replica=DARK)}, "the replica cannot be asked"),
        ({"seen": replace(LOST, replica=promoted())}, "the replica is not in order"),
        ({"seen": replace(LOST, replica=replica("0-1-10", following(sql="stopped", error=1062)))}, "the replica is not in order"),
        ({"seen": replace(LOST, replica=replica())}, "still hears from the primary"),
        ({"seen": replace(LOST, sighting=None)}, "nobody has seen the replica in order"),
        ({"seen": replace(LOST, sighting=sighting(at=NOW - 151))}, "nobody has seen the replica in order"),
        ({"seen": replace(LOST, sighting=sighting(at=NOW - 121, lag=None))}, "nobody has seen the replica in order"),
        ({"seen": replace(LOST, sighting=sighting(at=NOW - 121, lag=31.0))}, "31 s behind"),
        ({"seen": replace(LOST, work="the replica is being promoted")}, "is being promoted"),
        ({"seen": replace(LOST, promotion=record())}, "anna has ordered a promotion"),
        ({"seen": replace(LOST, promotion=record(Stage.PROMOTED))}, "the replica is promoted"),
    ],
)
def test_what_is_in_the_way_is_said(changes: dict[str, Any], words: str) -> None:
    found = decided(**changes)
    assert found.order is None
    assert words in found.reason


def test_a_gap_begins_the_time_anew() -> None:
    gap = decided(cores={**OUT, "core-1": None})
    assert gap.memory.lost_since is None
    assert decided(memory=gap.memory).memory.lost_since == NOW


def test_a_promotion_of_its_own_that_broke_off_is_gone_on_with() -> None:
    assert decided(replace(LOST, promotion=record(Stage.PROMOTING, by=AUTOMATIC), replica=promoted())).order is not None


def told(seen: DatabaseView, before: DatabaseView | None = None) -> list[str]:
    memory = DatabaseMemory() if before is None else decided(before, memory=DatabaseMemory(), auto_promote=False).memory
    return list(decided(seen, memory=memory, auto_promote=False).notes)


def test_what_is_well_at_the_first_look_is_not_worth_a_word_and_what_is_not_is() -> None:
    assert told(view()) == []
    assert told(view(primary=DARK)) == ["the primary 10.0.0.5: it does not answer"]
    assert told(view(primary=None, replica=None, listener=AWAY)) == []


def test_what_changes_is_told_once() -> None:
    assert told(view(), view(primary=DARK)) == ["the primary 10.0.0.5 answers again"]
    assert told(view(primary=DARK), view(primary=DARK)) == []


DEGRADED = primary(semi_sync=SemiSyncView(SemiSync.DEGRADED))


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (view(primary=DEGRADED), view(), "has gone on without semi-sync"),
        (view(primary=primary(semi_sync=FOR_GOOD)), view(primary=DEGRADED), "semi-sync is on"),
        (view(replica=promoted()), view(), "takes writes, as a replica should not"),
        (view(), view(replica=replace(replica(), read_only=False)), "10.1.0.5 is read-only"),
        (view(replica=replica("0-1-5", following(sql="stopped", error=1062))), view(), "does not apply: error 1062, duplicate"),
        (view(replica=APART), view(), "does not receive"),
        (view(replica=replica("0-1-5", following(sql="stopped", error=1236))), view(), "has diverged and must be filled anew"),
        (view(), view(replica=APART), "replicates in order"),
        (view(replica=replica("0-1-5", following(lag=31.0))), view(), "31 s behind (database.max_lag 30 s)"),
        (view(), view(replica=replica("0-1-5", following(lag=31.0))), "within database.max_lag again"),
        (view(listener=FLIPPED), view(), "listener serves the replica"),
        (view(listener=replace(SERVING, primary=SERVING.replica)), view(), "listener serves nobody"),
    ],
)
def test_every_change_has_its_sentence(now: DatabaseView, before: DatabaseView, words: str) -> None:
    assert any(words in each for each in told(now, before)), told(now, before)


def test_an_old_primary_that_returns_after_a_promotion_is_told_of() -> None:
    after = view(promotion=record(Stage.PROMOTED), replica=promoted(), listener=FLIPPED, primary=DARK)
    assert any(
        "has returned: it stays out of the listener and takes writes" in each for each in told(replace(after, primary=primary()), after)
    )
    assert any("is read-only; `burstd db rejoin`" in each for each in told(replace(after, primary=primary(read_only=True)), after))
    during = replace(after, promotion=record(), replica=replica())
    assert not any("returned" in each for each in told(replace(during, primary=primary()), during))
    assert told(replace(during, promotion=record(Stage.PROMOTING)), replace(during, promotion=record(Stage.PROMOTING))) == []


def test_a_promoted_server_that_restarts_read_only_is_told_of() -> None:
    after = view(promotion=record(Stage.PROMOTED), replica=promoted(), listener=FLIPPED, primary=DARK)
    stuck = replace(after, replica=promoted(read_only=True))
    assert any("`burstd db promote` lets it write" in each for each in told(stuck, after))
    assert any("takes writes" in each for each in told(after, stuck))


def test_a_replica_whose_lag_is_not_known_leaves_it_as_it_was_told() -> None:
    late = view(replica=replica("0-1-5", following(lag=31.0)))
    unknown = view(replica=replica("0-1-5", following(lag=None)))
    assert told(unknown, late) == []


def test_the_cycle_decides_on_the_database_where_one_is_watched() -> None:
    policy = replace(given.policy(), database=POLICY)
    assert decide(given.world(database=None), policy).database is None
    assert decide(given.world(database=view()), given.policy()).database is None
    down = given.rows()
    cores = tuple(replace(row, status=ServerStatus.DOWN, passing=False) for row in down.backends[0].servers)
    world = given.world(database=LOST, gateway=replace(down, backends=(replace(down.backends[0], servers=cores),)))
    found = decide(replace(world, memory=replace(world.memory, database=replace(LONG, lost_since=world.now - 200))), policy)
    assert found.database is not None
    assert found.database.order is not None
    assert found.memory.database == found.database.memory
    blind = decide(replace(world, gateway=given.AWAY, memory=replace(world.memory, database=LONG)), policy)
    assert blind.database is not None
    assert blind.database.memory.lost_since is None
    assert isinstance(LOST.replica, ServerView)
