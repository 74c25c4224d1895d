"""From a booting machine into service, and what is kept right there each cycle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.model.cloud import DestroyCall, NodeState
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Orders, Phase, PoolState
from burstd.model.gateway import AddServer, AdminState, EnableHealth, RemoveServer, ServerStatus, SetState, SetWeight
from burstd.model.plans import RecordPool
from burstd.plan import plan
from tests.given import AWAY, calls, decision, edits, fresh, listing, member, node, phases, planned, policy, records, row, rows, world
from tests.turns import NOW, OWNER, server

REFUSED = Fault("check path", FaultKind.UNREACHABLE, "refused")


def test_a_running_machine_with_an_address_is_asked_whether_it_serves() -> None:
    booting = member(1, Phase.BOOTING, address=None)
    made = planned(world(fleet=[booting], cloud=listing(node(booting, addresses=("127.1.0.5",)))))
    assert (records(made)[booting.name].phase, records(made)[booting.name].address) == (Phase.SYNCING, "127.1.0.5")


@pytest.mark.parametrize("changes", [{"state": NodeState.PENDING}, {"addresses": ()}])
def test_a_machine_that_still_starts_is_waited_for(changes: dict[str, Any]) -> None:
    booting = member(1, Phase.BOOTING, address=None)
    made = planned(world(fleet=[booting], cloud=listing(replace(node(booting), **changes))))
    assert (phases(made), made.waiting) == ({}, (f"{booting.name} boots",))


def test_before_the_first_listing_a_machine_is_waited_for() -> None:
    booting = member(1, Phase.BOOTING)
    assert planned(world(fleet=[booting], cloud=replace(listing(), listings=()))).waiting == (f"{booting.name} boots",)


def test_a_machine_that_never_starts_is_destroyed_and_its_pool_pays_for_it() -> None:
    booting = member(1, Phase.BOOTING, since=NOW - 301)
    made = planned(world(fleet=[booting], cloud=listing(node(booting, NodeState.PENDING))), decision(1))
    assert phases(made) == {booting.name: Phase.DESTROYING}
    assert calls(made) == [DestroyCall(booting.operation, "dublin", "i-1")]
    assert RecordPool(PoolState("dublin", 1, NOW + 30, f"{booting.name}: it did not boot in time", unhealthy=1)) in made.actions


def test_a_machine_that_runs_without_an_address_is_destroyed_at_the_deadline() -> None:
    booting = member(1, Phase.BOOTING, since=NOW - 301, address=None)
    made = planned(world(fleet=[booting], cloud=listing(node(booting, addresses=()))), decision(1))
    assert (phases(made), calls(made)) == ({booting.name: Phase.DESTROYING}, [DestroyCall(booting.operation, "dublin", "i-1")])


@pytest.mark.parametrize("phase", [Phase.BOOTING, Phase.SYNCING])
def test_while_haproxy_is_away_nothing_is_given_up_that_it_might_list(phase: Phase) -> None:
    late = member(1, phase, since=NOW - 900)
    blind = world(fleet=[late], gateway=AWAY, cloud=listing(node(late, NodeState.PENDING)))
    made = planned(blind, decision(1, allowed=False))
    assert (phases(made), calls(made)) == ({}, [])
    assert "waits for HAProxy before it is given up" in made.waiting[0]
    ordered = replace(blind, orders=Orders(drains=frozenset({late.name})))
    assert phases(planned(ordered, decision(0, allowed=False))) == {}


def test_an_instance_joins_only_when_its_check_path_has_answered() -> None:
    syncing = member(1, Phase.SYNCING)
    assert phases(planned(world(fleet=[syncing]))) == {}
    assert phases(planned(world(fleet=[syncing], checks={syncing.operation: REFUSED}))) == {}
    made = planned(world(fleet=[syncing], checks={syncing.operation: None}))
    assert phases(made) == {syncing.name: Phase.JOINING}
    assert edits(made) == [AddServer("app_cluster", syncing.name, "127.1.0.1", 80, 10, None)]


def test_one_that_never_answers_is_destroyed() -> None:
    syncing = member(1, Phase.SYNCING, since=NOW - 121)
    made = planned(world(fleet=[syncing], checks={syncing.operation: REFUSED}), decision(1))
    assert phases(made) == {syncing.name: Phase.DESTROYING}
    assert "refused" in records(made)[syncing.name].reason


def test_a_server_is_ready_only_after_haproxys_own_check_has_passed() -> None:
    joining = member(1, Phase.JOINING, joined_at=None)
    pending = rows(row(joining, ServerStatus.DRAIN, passing=False))
    assert edits(planned(world(fleet=[joining], gateway=pending))) == []
    made = planned(world(fleet=[joining], gateway=rows(row(joining, ServerStatus.DRAIN))))
    assert (records(made)[joining.name].phase, records(made)[joining.name].joined_at) == (Phase.IN_SERVICE, NOW)
    assert edits(made) == [SetState("app_cluster", joining.name, AdminState.READY)]


def test_an_interrupted_join_is_mended() -> None:
    joining = member(1, Phase.JOINING)
    unchecked = planned(world(fleet=[joining], gateway=rows(row(joining, ServerStatus.NO_CHECK, passing=False))))
    assert edits(unchecked) == [EnableHealth("app_cluster", joining.name)]
    resting = planned(world(fleet=[joining], gateway=rows(row(joining, ServerStatus.MAINT, passing=False))))
    assert edits(resting) == [EnableHealth("app_cluster", joining.name), SetState("app_cluster", joining.name, AdminState.DRAIN)]


def test_a_join_that_takes_too_long_ends_and_the_pool_pays_for_it() -> None:
    joining = member(1, Phase.JOINING, since=NOW - 61, joined_at=None)
    made = planned(world(fleet=[joining], gateway=rows(row(joining, ServerStatus.DOWN, passing=False))), decision(1))
    assert phases(made) == {joining.name: Phase.DRAINING}
    assert any(isinstance(each, RecordPool) for each in made.actions)


def test_one_that_was_healthy_before_says_nothing_about_its_pool() -> None:
    returned = member(1, Phase.JOINING, since=NOW - 61, joined_at=NOW - 900)
    made = planned(world(fleet=[returned], gateway=rows(row(returned, ServerStatus.DOWN, passing=False))), decision(1))
    assert phases(made)[returned.name] is Phase.DRAINING
    assert not any(isinstance(each, RecordPool) for each in made.actions)


def test_while_haproxy_is_away_nothing_is_edited_and_nothing_times_out_of_a_join() -> None:
    joining = member(1, Phase.JOINING, since=NOW - 999)
    made = planned(world(fleet=[joining, member(2)], gateway=AWAY), decision(2, allowed=False))
    assert made.actions == ()


def test_servers_that_a_reload_has_forgotten_come_back() -> None:
    serving = member(1, up_in=(4710, NOW - 7200))
    made = planned(world(fleet=[serving], gateway=rows()))
    assert edits(made) == [AddServer("app_cluster", serving.name, "127.1.0.1", 80, 10, None)]
    assert phases(made) == {}
    back = planned(world(fleet=[serving], gateway=rows(row(serving, ServerStatus.DRAIN))))
    assert edits(back) == [SetState("app_cluster", serving.name, AdminState.READY)]


def test_a_server_without_checks_gets_them_back() -> None:
    serving = member(1)
    assert edits(planned(world(fleet=[serving], gateway=rows(row(serving, ServerStatus.NO_CHECK))))) == [
        EnableHealth("app_cluster", serving.name)
    ]


def test_a_wrong_weight_is_set_right_and_an_unknown_one_left_alone() -> None:
    serving = member(1)
    heavy = world(fleet=[serving], gateway=rows(row(serving, weight=77)))
    assert edits(planned(heavy)) == [SetWeight("app_cluster", serving.name, 10)]
    assert edits(planned(heavy, decision(1, weight=None))) == []


def test_before_a_weight_is_decided_a_server_joins_with_the_least() -> None:
    serving = member(1)
    (edit,) = edits(planned(world(fleet=[serving], gateway=rows()), decision(1, weight=None)))
    assert isinstance(edit, AddServer)
    assert edit.weight == 1


def test_an_instance_whose_pool_has_left_the_settings_is_not_added_again() -> None:
    serving = member(1)
    orphaned = replace(serving, request=replace(serving.request, pool="closed"))
    made = planned(world(fleet=[orphaned], gateway=rows()))
    assert edits(made) == []
    assert "no longer in the settings" in made.waiting[0]


def test_an_instance_that_is_down_too_long_leaves() -> None:
    serving = member(1)
    down = rows(row(serving, ServerStatus.DOWN, passing=False))
    first = records(planned(world(fleet=[serving], gateway=down)))[serving.name]
    assert first.down_since == NOW
    assert phases(planned(world(fleet=[first], gateway=down))) == {}
    late = replace(first, down_since=NOW - 31)
    made = planned(world(fleet=[late], gateway=down), decision(1))
    assert phases(made) == {serving.name: Phase.DRAINING}


def test_an_instance_that_is_up_again_is_well() -> None:
    serving = member(1, down_since=NOW - 10)
    assert records(planned(world(fleet=[serving])))[serving.name].down_since is None


def test_a_server_with_our_name_and_no_record_gets_no_traffic() -> None:
    ghost = member(9)
    assert edits(planned(world(gateway=rows(row(ghost))))) == [SetState("app_cluster", ghost.name, AdminState.MAINT)]
    resting = rows(row(ghost, ServerStatus.MAINT))
    assert edits(planned(world(gateway=resting))) == [RemoveServer("app_cluster", ghost.name)]
    old = planned(world(gateway=replace(resting, removal_grace=5.0)))
    assert (edits(old), "no instance stands for it" in old.waiting[0]) == ([], True)


def test_other_peoples_servers_are_never_edited() -> None:
    others = rows(server("operators-own", 100), server("burst-ffff-0000000001", 100), server("burst-0a1b-static", 100))
    assert edits(planned(world(gateway=others))) == []


def test_the_limit_of_connections_is_handed_on() -> None:
    serving = member(1)
    made = plan(world(fleet=[serving], gateway=rows()), decision(1), policy(routing={"maxconn": 8}), fresh())
    assert edits(made) == [AddServer("app_cluster", serving.name, "127.1.0.1", 80, 10, 8)]
    assert OWNER.startswith("0a1b")
