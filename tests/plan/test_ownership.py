"""What listings mean: bound, missing, doubled, orphaned, and outcomes that nobody knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.model.cloud import CloudView, CreateCall, DestroyCall, Listing, Node, NodeState
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance, Phase
from burstd.model.plans import Plan
from tests.given import AWAY, calls, decision, listing, member, node, phases, planned, records, rows, world
from tests.turns import NOW

FAILED = CloudView(listings=(Listing("dublin", NOW - 1, Fault("pool dublin", FaultKind.UNREACHABLE, "reset"), 1),))


def listed(fleet: list[Instance], *nodes: Node, wanted: int | None = None, serial: int = 1, asked_at: float = NOW - 1) -> Plan:
    """The plan where the pool lists just these machines."""
    return planned(world(fleet=fleet, cloud=listing(*nodes, serial=serial, asked_at=asked_at)), wanted)


def test_a_machine_of_unknown_outcome_is_bound_by_its_operation_tag() -> None:
    doubtful = member(1, Phase.UNKNOWN)
    made = listed([doubtful], node(doubtful, NodeState.PENDING, id="i-9"))
    assert (records(made)[doubtful.name].phase, records(made)[doubtful.name].node_id) == (Phase.BOOTING, "i-9")


def test_a_terminated_machine_is_not_bound() -> None:
    doubtful = member(1, Phase.UNKNOWN)
    assert phases(listed([doubtful], node(doubtful, NodeState.TERMINATED, id="i-9"))) == {}


def test_a_failed_listing_says_nothing() -> None:
    serving = member(1, missed=9, missed_since=NOW - 900)
    assert planned(world(fleet=[serving], cloud=FAILED), 1).actions == ()


def test_a_suddenly_empty_listing_says_nothing() -> None:
    serving = [member(1, missed=9, missed_since=NOW - 900), member(2, missed=9, missed_since=NOW - 900)]
    assert listed(serving).actions == ()


def test_one_listing_without_a_machine_only_counts() -> None:
    lost, seen = member(1), member(2)
    made = listed([lost, seen], node(seen))
    assert records(made) == {lost.name: replace(lost, missed=1, missed_since=NOW - 1, missed_serial=1)}


def test_the_same_listing_counts_once() -> None:
    lost, seen = member(1, missed=1, missed_since=NOW - 5, missed_serial=1), member(2)
    assert listed([lost, seen], node(seen)).actions == ()


def test_a_listing_asked_for_before_the_machine_was_made_does_not_count() -> None:
    young, seen = member(1, attempted_at=NOW - 1), member(2)
    assert listed([young, seen], node(seen), asked_at=NOW - 5).actions == ()


def test_three_listings_over_a_minute_without_it_make_it_missing() -> None:
    lost, seen = member(1, missed=2, missed_since=NOW - 90, missed_serial=1), member(2)
    assert phases(listed([lost, seen], node(seen), serial=2, wanted=1)) == {lost.name: Phase.DRAINING}
    quick = replace(lost, missed_since=NOW - 10)
    assert phases(listed([quick, seen], node(seen), serial=2)) == {quick.name: Phase.IN_SERVICE}


def test_a_missing_machine_that_haproxy_does_not_list_is_gone() -> None:
    lost, seen = member(1, Phase.BOOTING, missed=2, missed_since=NOW - 90), member(2)
    assert phases(listed([lost, seen], node(seen), serial=2, wanted=1)) == {lost.name: Phase.GONE}


def test_a_lost_machine_is_replaced_and_never_called_back_from_its_drain() -> None:
    lost, seen = member(1, missed=2, missed_since=NOW - 90), member(2)
    made = listed([lost, seen], node(seen), serial=2, wanted=2)
    assert (phases(made)[lost.name], len(calls(made))) == (Phase.DRAINING, 1)


def test_a_missing_machine_that_drains_leaves_haproxy_first() -> None:
    lost, seen = member(1, Phase.DRAINING, missed=2, missed_since=NOW - 90), member(2)
    assert Phase.GONE not in phases(listed([lost, seen], node(seen), serial=2)).values()


def test_a_machine_that_is_listed_again_was_never_missing() -> None:
    back = member(1, missed=2, missed_since=NOW - 90)
    assert records(listed([back], node(back)))[back.name].missed == 0


def test_a_terminated_machine_leaves_haproxy_and_is_then_gone() -> None:
    serving, booting = member(1), member(2, Phase.BOOTING)
    made = listed([serving, booting], node(serving, NodeState.TERMINATED), node(booting, NodeState.TERMINATED), wanted=0)
    assert phases(made) == {serving.name: Phase.DRAINING, booting.name: Phase.GONE}


def test_while_haproxy_is_away_a_terminated_machine_is_not_called_gone() -> None:
    serving = member(1)
    made = planned(world(fleet=[serving], gateway=AWAY, cloud=listing(node(serving, NodeState.TERMINATED))), decision(0, allowed=False))
    assert phases(made) == {serving.name: Phase.DRAINING}


def test_a_machine_in_error_is_destroyed() -> None:
    booting, lost = member(1, Phase.BOOTING), member(2)
    snapshot = world(fleet=[booting, lost], gateway=rows(), cloud=listing(node(booting, NodeState.ERROR), node(lost, NodeState.ERROR)))
    made = planned(snapshot, decision(0, allowed=False))
    assert phases(made) == {booting.name: Phase.DESTROYING, lost.name: Phase.DESTROYING}
    assert {each.node_id for each in calls(made) if isinstance(each, DestroyCall)} == {"i-1", "i-2"}


def test_a_machine_of_ours_without_a_record_is_an_orphan_and_destroyed() -> None:
    orphan = member(7)
    made = listed([], node(orphan))
    assert records(made)[orphan.name].phase is Phase.DESTROYING
    assert calls(made) == [DestroyCall(orphan.operation, "dublin", "i-7")]


@pytest.mark.parametrize("changes", [{"owner": None}, {"owner": "somebody-else"}, {"operation": None}, {"owner": None, "operation": None}])
def test_a_stranger_is_never_touched_however_alike_its_name(changes: dict[str, Any]) -> None:
    assert listed([], replace(node(member(7)), **changes)).actions == ()


def test_a_terminated_orphan_is_left_alone() -> None:
    assert listed([], node(member(7), NodeState.TERMINATED)).actions == ()


def test_a_listing_older_than_a_machines_end_makes_no_orphan_of_it() -> None:
    ended = member(7)
    late = world(cloud=listing(node(ended), asked_at=NOW - 10), ended={ended.operation: NOW - 5})
    assert planned(late, 0).actions == ()
    assert len(calls(planned(replace(late, ended={ended.operation: NOW - 20}), 0))) == 1


def test_the_second_machine_of_one_operation_is_destroyed_and_the_bound_one_kept() -> None:
    bound = member(1)
    double = node(bound, id="i-double")
    made = listed([bound], node(bound), double)
    assert calls(made) == [DestroyCall(bound.operation, "dublin", "i-double")]
    assert phases(made) == {}
    busy = replace(listing(node(bound), double), in_flight=frozenset({bound.operation}))
    assert calls(planned(world(fleet=[bound], cloud=busy), 1)) == []


def test_a_create_that_nobody_waits_for_is_of_unknown_outcome() -> None:
    asked = member(1, Phase.REQUESTED)
    assert phases(planned(world(fleet=[asked], cloud=listing()), 1)) == {asked.name: Phase.UNKNOWN}


def test_a_create_of_unknown_outcome_is_sent_again_to_the_letter_where_its_token_is_known() -> None:
    doubtful = member(1, Phase.UNKNOWN, attempted_at=NOW - 60)
    tokens = replace(listing(), resends=frozenset({"dublin"}))
    made = planned(world(fleet=[doubtful], cloud=tokens), 1)
    assert calls(made) == [CreateCall(doubtful.operation, doubtful.request)]
    assert records(made)[doubtful.name].attempts == 2
    waiting = replace(doubtful, attempted_at=NOW - 1)
    assert calls(planned(world(fleet=[waiting], cloud=tokens), 1)) == []
    busy = replace(tokens, in_flight=frozenset({doubtful.operation}))
    assert calls(planned(world(fleet=[doubtful], cloud=busy), 1)) == []


def test_a_create_of_unknown_outcome_is_never_sent_again_without_a_token() -> None:
    doubtful = member(1, Phase.UNKNOWN, attempted_at=NOW - 60)
    assert calls(planned(world(fleet=[doubtful], cloud=listing()), 1)) == []


def test_after_the_settle_time_two_listings_without_it_abandon_it() -> None:
    doubtful = member(1, Phase.UNKNOWN, attempted_at=NOW - 400)
    once = records(listed([doubtful]))[doubtful.name]
    assert (once.phase, once.missed) == (Phase.UNKNOWN, 1)
    assert phases(listed([once], serial=2, wanted=0)) == {doubtful.name: Phase.ABANDONED}


def test_within_the_settle_time_nothing_is_abandoned() -> None:
    doubtful = member(1, Phase.UNKNOWN, attempted_at=NOW - 100, missed=5)
    assert listed([doubtful]).actions == ()


def test_a_machine_of_an_abandoned_create_that_turns_up_is_destroyed() -> None:
    late = member(7)
    made = planned(world(cloud=listing(node(late)), ended={late.operation: NOW - 500}), 0)
    assert phases(made) == {late.name: Phase.DESTROYING}
