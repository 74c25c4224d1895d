"""From service to gone, and who leaves first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.cloud import DestroyCall, Destroyed, DestroyFailed, NodeState
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Cooldowns, Orders, Override, Phase, PoolState
from burstd.model.gateway import AdminState, CutSessions, RemoveServer, ServerStatus, SetState
from burstd.model.plans import Note, RecordCooldowns, RecordOrders
from tests.given import AWAY, calls, decision, edits, listing, member, node, phases, planned, policy, records, row, rows, world
from tests.turns import NOW


def test_the_youngest_leaves_first() -> None:
    old, young = member(1), member(2)
    made = planned(world(fleet=[old, young]), decision(1, current=2))
    assert phases(made) == {young.name: Phase.DRAINING}
    assert edits(made) == [SetState("app_cluster", young.name, AdminState.DRAIN)] or edits(made) == []
    assert RecordCooldowns(Cooldowns(scale_in=NOW)) in made.actions


def test_an_unhealthy_one_leaves_before_the_youngest() -> None:
    ill, young = member(1, down_since=NOW - 5), member(2)
    sick = rows(row(ill, ServerStatus.DOWN, passing=False), row(young))
    assert phases(planned(world(fleet=[ill, young], gateway=sick), decision(1, current=2)))[ill.name] is Phase.DRAINING


@pytest.mark.parametrize("phase", [Phase.BOOTING, Phase.SYNCING])
def test_one_that_does_not_serve_yet_leaves_before_any_that_does(phase: Phase) -> None:
    serving, coming = member(1), member(2, phase)
    assert phases(planned(world(fleet=[serving, coming]), decision(1, current=2))) == {coming.name: Phase.DESTROYING}


def test_a_joining_one_leaves_by_way_of_haproxy() -> None:
    joining = member(1, Phase.JOINING, joined_at=None)
    coming = world(fleet=[joining], gateway=rows(row(joining, ServerStatus.DRAIN)))
    assert phases(planned(coming, decision(0, current=1))) == {joining.name: Phase.DRAINING}


def test_a_create_on_its_way_must_become_known_before_it_can_leave() -> None:
    asked = member(1, Phase.REQUESTED)
    assert planned(world(fleet=[asked]), decision(0, current=1)).actions == ()


def test_one_younger_than_the_minimum_lifetime_stays_unless_it_is_ordered_or_ill() -> None:
    young = member(1, joined_at=NOW - 30)
    assert planned(world(fleet=[young]), decision(0, current=1)).actions == ()
    ordered = Orders(Override(0, "anna", "", since=NOW))
    assert phases(planned(world(fleet=[young], orders=ordered), decision(0, current=1))) == {young.name: Phase.DRAINING}
    ill = replace(young, down_since=NOW - 5)
    sick = world(fleet=[ill], gateway=rows(row(ill, ServerStatus.DOWN, passing=False)))
    assert phases(planned(sick, decision(0, current=1))) == {ill.name: Phase.DRAINING}


def test_one_cycle_sends_at_most_max_step_away() -> None:
    fleet = [member(number) for number in range(1, 5)]
    assert list(phases(planned(world(fleet=fleet), decision(0, current=4), policy(fleet={"max_step": 2}))).values()) == [Phase.DRAINING] * 2


def test_a_barred_pool_holds_no_scale_in_back() -> None:
    barred = {"dublin": PoolState("dublin", 3, NOW + 900, "out of stock")}
    assert phases(planned(world(fleet=[member(1), member(2)], pools=barred), 1)) == {member(2).name: Phase.DRAINING}


def test_one_batch_leaves_at_a_time() -> None:
    leaving, serving = member(1, Phase.DRAINING), member(2)
    made = planned(world(fleet=[leaving, serving]), decision(0, current=1))
    assert serving.name not in phases(made)
    assert "one batch leaves at a time" in made.waiting


def test_nothing_leaves_while_the_data_does_not_allow_it() -> None:
    assert planned(world(fleet=[member(1)]), decision(0, current=1, allowed=False)).actions == ()


def test_what_an_operator_drains_leaves_whatever_the_load() -> None:
    serving = member(1)
    made = planned(world(load=9.0, fleet=[serving], orders=Orders(drains=frozenset({serving.name}))), 0)
    assert records(made)[serving.name].reason == "an operator drains it"


def test_a_drained_instance_that_is_gone_ends_the_order() -> None:
    made = planned(world(orders=Orders(drains=frozenset({"burst-0a1b-0000000001"}))), 0)
    assert made.actions == (RecordOrders(Orders()),)


def test_an_override_that_has_ended_is_taken_back_and_said() -> None:
    made = planned(world(orders=Orders(Override(2, "anna", "", since=NOW - 60, until=NOW))), 0)
    assert made.actions == (RecordOrders(Orders()), Note("the override of anna has ended: the policies decide"))


def test_a_drain_waits_for_the_requests_in_flight() -> None:
    leaving = member(1, Phase.DRAINING)
    busy = planned(world(fleet=[leaving], gateway=rows(row(leaving, ServerStatus.DRAIN, sessions=3, queued=1))), 0)
    assert (edits(busy), busy.waiting) == ([], (f"{leaving.name} drains (4 requests in flight)",))
    still_up = planned(world(fleet=[leaving], gateway=rows(row(leaving, ServerStatus.UP))), 0)
    assert edits(still_up) == [SetState("app_cluster", leaving.name, AdminState.DRAIN)]
    idle = planned(world(fleet=[leaving]), 0)
    assert edits(idle) == [SetState("app_cluster", leaving.name, AdminState.MAINT)]
    assert records(idle)[leaving.name].maint_at == NOW


def test_at_the_drains_deadline_the_sessions_are_cut() -> None:
    leaving = member(1, Phase.DRAINING, since=NOW - 61)
    made = planned(world(fleet=[leaving], gateway=rows(row(leaving, ServerStatus.DRAIN, sessions=3))), 0)
    assert edits(made) == [CutSessions("app_cluster", leaving.name), SetState("app_cluster", leaving.name, AdminState.MAINT)]


def test_removal_waits_for_the_grace_of_the_version() -> None:
    leaving = member(1, Phase.DRAINING, maint_at=NOW - 3)
    old = replace(rows(row(leaving, ServerStatus.MAINT)), removal_grace=5.0)
    resting = planned(world(fleet=[leaving], gateway=old), 0)
    assert (edits(resting), resting.waiting) == ([], (f"{leaving.name} rests before it is removed",))
    rested = replace(leaving, maint_at=NOW - 5)
    assert edits(planned(world(fleet=[rested], gateway=old), 0)) == [RemoveServer("app_cluster", leaving.name)]


def test_removal_waits_for_sessions_and_cuts_them_at_the_deadline() -> None:
    leaving = member(1, Phase.DRAINING, maint_at=NOW - 9)
    stuck = rows(row(leaving, ServerStatus.MAINT, sessions=1))
    assert edits(planned(world(fleet=[leaving], gateway=stuck), 0)) == []
    late = replace(leaving, since=NOW - 61)
    assert edits(planned(world(fleet=[late], gateway=stuck), 0)) == [CutSessions("app_cluster", leaving.name)]


def test_a_server_that_left_maintenance_by_itself_drains_again() -> None:
    leaving = member(1, Phase.DRAINING, maint_at=NOW - 9)
    assert edits(planned(world(fleet=[leaving], gateway=rows(row(leaving, ServerStatus.UP))), 0)) == [
        SetState("app_cluster", leaving.name, AdminState.DRAIN)
    ]


def test_only_what_has_left_haproxy_is_destroyed() -> None:
    leaving = member(1, Phase.DRAINING, maint_at=NOW - 9)
    made = planned(world(fleet=[leaving], gateway=rows()), 0)
    assert phases(made) == {leaving.name: Phase.DESTROYING}
    assert calls(made) == [DestroyCall(leaving.operation, "dublin", "i-1")]


def test_while_haproxy_is_away_nothing_leaves() -> None:
    leaving = member(1, Phase.DRAINING, since=NOW - 900)
    made = planned(world(fleet=[leaving], gateway=AWAY), decision(0, allowed=False))
    assert (made.actions, made.waiting) == ((), (f"{leaving.name} waits for HAProxy before it leaves",))


def test_a_destroy_is_tried_again_until_no_listing_shows_it() -> None:
    going = member(1, Phase.DESTROYING, attempted_at=NOW - 31)
    assert len(calls(planned(world(fleet=[going]), 0))) == 1
    assert calls(planned(world(fleet=[replace(going, attempted_at=NOW - 5)]), 0)) == []
    busy = replace(listing(node(going)), in_flight=frozenset({going.operation}))
    assert planned(world(fleet=[going], cloud=busy), 0).waiting == (f"{going.name} is being destroyed",)


def test_a_destroyed_machine_that_a_listing_does_not_show_is_asked_for_by_its_id_at_once() -> None:
    going = member(1, Phase.DESTROYING, attempted_at=NOW - 5)
    made = planned(world(fleet=[going], cloud=listing()), 0)
    assert (calls(made), phases(made)) == ([DestroyCall(going.operation, "dublin", "i-1")], {going.name: Phase.DESTROYING})
    asked = replace(records(made)[going.name], attempted_at=NOW - 0.5)
    again = planned(world(fleet=[asked], cloud=listing(serial=2, asked_at=NOW - 0.1)), 0)
    assert (calls(again), records(again)[going.name].missed) == ([], 2)


def test_a_destroyed_machine_is_gone_once_three_listings_over_a_minute_do_not_show_it() -> None:
    going = member(1, Phase.DESTROYING, attempted_at=NOW - 5, missed=2, missed_since=NOW - 90)
    assert phases(planned(world(fleet=[going], cloud=listing()), 0)) == {going.name: Phase.GONE}
    quick = replace(going, missed_since=NOW - 30)
    assert phases(planned(world(fleet=[quick], cloud=listing()), 0)) == {going.name: Phase.DESTROYING}


def test_a_destroy_that_was_never_sent_is_not_believed_from_a_listing() -> None:
    going = member(1, Phase.DESTROYING, attempted_at=None)
    assert len(calls(planned(world(fleet=[going], cloud=listing()), 0))) == 1


def test_not_found_on_destroy_is_success() -> None:
    going = member(1, Phase.DESTROYING, attempted_at=NOW - 1)
    answered = replace(listing(node(going)), outcomes=(Destroyed(going.operation, "i-1", absent=True),))
    assert phases(planned(world(fleet=[going], cloud=answered), 0)) == {going.name: Phase.GONE}


def test_an_accepted_destroy_is_only_gone_when_a_listing_says_so() -> None:
    going = member(1, Phase.DESTROYING, attempted_at=NOW - 1)
    accepted = replace(listing(node(going)), outcomes=(Destroyed(going.operation, "i-1", absent=False),))
    assert phases(planned(world(fleet=[going], cloud=accepted), 0)) == {}
    ended = listing(node(going, NodeState.TERMINATED))
    assert phases(planned(world(fleet=[going], cloud=ended), 0)) == {going.name: Phase.GONE}


def test_a_failed_destroy_is_said() -> None:
    going = member(1, Phase.DESTROYING, attempted_at=NOW - 1)
    failed = DestroyFailed(going.operation, "i-1", Fault("pool dublin", FaultKind.UNREACHABLE, "reset"))
    made = planned(world(fleet=[going], cloud=replace(listing(node(going)), outcomes=(failed,))), 0)
    assert made.actions == (Note(f"{going.name} could not be destroyed and is tried again: reset"),)
