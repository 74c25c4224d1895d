"""A restart on a wall clock that was set meanwhile: no wait of the record lasts for as long as the clock was wrong."""

from __future__ import annotations

from dataclasses import replace

from burstd.model.cloud import DestroyCall
from burstd.model.decision import Memory
from burstd.model.fleet import Cooldowns, Phase, PoolState
from burstd.model.gateway import RemoveServer, ServerStatus
from burstd.model.plans import RecordCooldowns, RecordPool
from tests.given import calls, decision, edits, listing, member, node, planned, records, row, rows, world
from tests.turns import NOW

STARTED = Memory(new=True)
AHEAD = NOW + 3600


def test_times_that_lie_in_the_future_are_taken_for_now() -> None:
    going = member(1, Phase.DESTROYING, since=AHEAD, created_at=AHEAD, attempted_at=AHEAD)
    made = planned(world(fleet=[going], memory=STARTED), 0)
    dated = records(made)[going.name]
    assert (dated.since, dated.created_at, dated.attempted_at, dated.joined_at) == (NOW, NOW, NOW, going.joined_at)
    later = world(fleet=[dated], now=NOW + 31, cloud=listing(node(going), asked_at=NOW + 30))
    assert calls(planned(later, 0)) == [DestroyCall(going.operation, "dublin", "i-1")]


def test_times_of_the_past_stay_and_only_the_first_cycle_of_a_process_looks() -> None:
    serving, ahead = member(1), member(2, joined_at=AHEAD)
    assert planned(world(fleet=[serving], memory=STARTED), 1).actions == ()
    assert planned(world(fleet=[ahead]), 1).actions == ()


def test_the_rest_before_a_removal_begins_again_whatever_the_clock_says() -> None:
    leaving = member(1, Phase.DRAINING, maint_at=NOW - 900)
    old = replace(rows(row(leaving, ServerStatus.MAINT)), removal_grace=5.0)
    made = planned(world(fleet=[leaving], gateway=old, memory=STARTED), 0)
    assert (edits(made), records(made)[leaving.name].maint_at) == ([], NOW)
    assert edits(planned(world(fleet=[leaving], gateway=old), 0)) == [RemoveServer("app_cluster", leaving.name)]


def test_cooldowns_of_the_future_begin_now_and_are_no_scale_in() -> None:
    ahead = Cooldowns(scale_out=NOW - 5, scale_in=AHEAD)
    made = planned(world(memory=STARTED, cooldowns=ahead), 0)
    assert made.actions == (RecordCooldowns(Cooldowns(scale_out=NOW - 5, scale_in=NOW)),)
    same = Cooldowns(scale_out=AHEAD, scale_in=NOW)
    blind = planned(world(memory=STARTED, cooldowns=same), decision(0, allowed=False))
    assert blind.actions == (RecordCooldowns(Cooldowns(scale_out=NOW, scale_in=NOW)),)
    grown = planned(world(memory=STARTED, cooldowns=Cooldowns(scale_out=AHEAD)), 0)
    assert grown.actions == (RecordCooldowns(Cooldowns(scale_out=NOW)),)


def test_a_pool_is_not_barred_for_longer_than_anybody_can_bar_it() -> None:
    barred = PoolState("dublin", 3, AHEAD + 86_400, "out of stock")
    honest = PoolState("oslo", 1, NOW + 3000, "throttled")
    made = planned(world(memory=STARTED, pools={"dublin": barred, "oslo": honest}), 0)
    assert made.actions == (RecordPool(replace(barred, barred_until=NOW + 3600)),)


def test_a_machine_whose_end_was_told_by_a_clock_ahead_is_still_known_for_an_orphan() -> None:
    late = member(7)
    assert len(calls(planned(world(cloud=listing(node(late)), ended={late.operation: AHEAD}), 0))) == 1
