"""The standby: kept ready beside those in service, the first to relieve the core, and what becomes of who leaves service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.cloud import CreateCall, DestroyCall
from burstd.model.fleet import Cooldowns, Orders, Override, Pause, Phase, PoolState
from burstd.model.gateway import AddServer, AdminState, ServerStatus, SetState
from burstd.model.plans import Plan, Record, RecordCooldowns
from tests.given import AWAY, calls, decision, edits, listing, member, node, phases, planned, policy, records, row, rows, standby_row, world
from tests.turns import NOW

ONE = policy(fleet={"standby": 1})
APP = "app_cluster"


def launched(made: Plan) -> list[bool]:
    """Of every instance that is bought: whether it shall stand by."""
    requested = {each.instance.operation: each.instance for each in made.actions if isinstance(each, Record)}
    return [requested[each.operation].reserve for each in calls(made) if isinstance(each, CreateCall)]


def test_in_the_calm_one_is_bought_to_stand_by_and_it_is_no_scale_out() -> None:
    made = planned(world(), 0, ONE)
    assert launched(made) == [True]
    assert not any(isinstance(each, RecordCooldowns) for each in made.actions)


def test_with_the_standby_there_or_on_its_way_nothing_more_is_bought() -> None:
    assert planned(world(fleet=[member(1, Phase.STANDBY)]), 0, ONE).actions == ()
    assert calls(planned(world(fleet=[member(1, Phase.BOOTING, reserve=True)]), 0, ONE)) == []


def test_it_joins_haproxy_as_backup_and_stands_by_when_its_check_passes() -> None:
    joining = member(1, Phase.JOINING, reserve=True)
    assert edits(planned(world(fleet=[joining]), 0, ONE)) == [AddServer(APP, f"{joining.name}-standby", "127.1.0.1", 80, 10, backup=True)]
    made = planned(world(fleet=[joining], gateway=rows(standby_row(joining, ServerStatus.DRAIN))), 0, ONE)
    assert records(made)[joining.name].phase is Phase.STANDBY


def test_at_an_overload_it_serves_in_the_very_cycle_and_a_fresh_one_is_bought_behind_it() -> None:
    standby = member(1, Phase.STANDBY)
    made = planned(world(load=5.0, fleet=[standby]), decision(1, current=0), ONE)
    served = records(made)[standby.name]
    assert (served.phase, served.joined_at) == (Phase.IN_SERVICE, NOW)
    assert edits(made) == [AddServer(APP, standby.name, "127.1.0.1", 80, 10), SetState(APP, standby.name, AdminState.READY)]
    assert launched(made) == [True]
    assert RecordCooldowns(Cooldowns(scale_out=NOW)) in made.actions


def test_of_several_wanted_the_standby_is_one_and_the_rest_is_bought_for_service() -> None:
    standby = member(1, Phase.STANDBY)
    made = planned(world(load=9.0, fleet=[standby]), decision(2, current=0), ONE)
    assert records(made)[standby.name].phase is Phase.IN_SERVICE
    assert launched(made) == [False, True]


def test_it_goes_before_one_that_still_boots_which_stands_by_then() -> None:
    standby, coming = member(1, Phase.STANDBY), member(2, Phase.BOOTING)
    made = planned(world(load=5.0, fleet=[standby, coming]), decision(1, current=1), ONE)
    assert records(made)[standby.name].phase is Phase.IN_SERVICE
    assert records(made)[coming.name].reserve
    assert calls(made) == []


def test_one_on_its_way_to_the_reserve_goes_into_service_where_no_standby_is_ready() -> None:
    coming = member(1, Phase.BOOTING, reserve=True)
    made = planned(world(load=5.0, fleet=[coming]), decision(1, current=0), ONE)
    assert not records(made)[coming.name].reserve
    assert launched(made) == [True]


@pytest.mark.parametrize("unfit", ["down", "unread", "drained", "gone"])
def test_a_standby_that_is_not_fit_holds_nothing_up(unfit: str) -> None:
    standby = member(1, Phase.STANDBY)
    overload = world(load=5.0, fleet=[standby])
    changed = {
        "down": replace(overload, gateway=rows(standby_row(standby, ServerStatus.DOWN, passing=False))),
        "unread": replace(overload, gateway=AWAY),
        "drained": replace(overload, orders=Orders(drains=frozenset({standby.name}))),
        "gone": replace(overload, gateway=rows()),
    }
    made = planned(changed[unfit], decision(1, current=0), ONE)
    assert phases(made).get(standby.name) is not Phase.IN_SERVICE
    assert False in launched(made)


def test_an_unhealthy_standby_is_replaced() -> None:
    ill = member(1, Phase.STANDBY, down_since=NOW - 31)
    made = planned(world(fleet=[ill], gateway=rows(standby_row(ill, ServerStatus.DOWN, passing=False))), 0, ONE)
    assert phases(made) == {ill.name: Phase.DRAINING}
    leaving = records(made)[ill.name]
    gone = world(fleet=[leaving], gateway=rows(standby_row(ill, ServerStatus.DOWN, passing=False)))
    assert launched(planned(gone, 0, ONE)) == [True]


def test_at_the_edge_of_max_the_last_standby_goes_into_service_and_none_stands_behind_it() -> None:
    fleet = [*(member(number) for number in (1, 2, 3)), member(4, Phase.STANDBY)]
    made = planned(world(load=9.0, fleet=fleet), decision(4, current=3), ONE)
    assert records(made)[fleet[3].name].phase is Phase.IN_SERVICE
    assert (calls(made), made.waiting) == ([], ())


@pytest.mark.parametrize(("pause", "bought"), [(Pause.OUT, 0), (Pause.BOTH, 0), (Pause.IN, 1), (Pause.NONE, 1)])
def test_while_scale_out_is_paused_no_standby_is_bought(pause: Pause, bought: int) -> None:
    made = planned(world(orders=Orders(pause=pause)), 0, ONE)
    assert len(calls(made)) == bought
    assert ("no standby is launched while scale-out is paused" in made.waiting) is (not bought)


def test_while_scale_out_is_paused_no_standby_goes_before_one_that_still_boots() -> None:
    fleet = [member(1, Phase.STANDBY), member(2, Phase.BOOTING, node_id="i-9")]
    paused = world(load=9.0, fleet=fleet, orders=Orders(pause=Pause.OUT))
    assert phases(planned(paused, decision(1, current=1), ONE)).get(fleet[0].name) is None


def test_with_every_pool_barred_the_standby_waits_and_the_reason_is_said() -> None:
    barred = {name: PoolState(name, 1, NOW + 20, "out of stock") for name in ("dublin", "oslo")}
    made = planned(world(pools=barred), 0, ONE)
    assert calls(made) == []
    assert "pool dublin is barred for 20 s: out of stock" in made.waiting


def test_who_leaves_service_becomes_the_standby_where_that_is_missing_and_serves_until_its_backup_line_stands() -> None:
    serving = member(1)
    made = planned(world(fleet=[serving]), decision(0, current=1), ONE)
    assert phases(made) == {serving.name: Phase.STANDBY}
    backup = f"{serving.name}-standby"
    assert edits(made) == [AddServer(APP, backup, "127.1.0.1", 80, 10, backup=True), SetState(APP, backup, AdminState.READY)]
    assert RecordCooldowns(Cooldowns(scale_in=NOW)) in made.actions
    assert calls(made) == []


def test_one_that_still_boots_behind_it_is_given_back_then() -> None:
    serving, coming = member(1), member(2, Phase.BOOTING, reserve=True)
    made = planned(world(fleet=[serving, coming]), decision(0, current=1), ONE)
    assert phases(made) == {serving.name: Phase.STANDBY, coming.name: Phase.DESTROYING}
    assert [each.operation for each in calls(made) if isinstance(each, DestroyCall)] == [coming.operation]


def test_with_the_standby_there_who_leaves_service_is_drained() -> None:
    serving, standby = member(1), member(2, Phase.STANDBY)
    assert phases(planned(world(fleet=[serving, standby]), decision(0, current=1), ONE)) == {serving.name: Phase.DRAINING}


def test_an_ill_one_does_not_become_the_standby() -> None:
    ill = member(1, down_since=NOW - 5)
    sick = world(fleet=[ill], gateway=rows(row(ill, ServerStatus.DOWN, passing=False)))
    made = planned(sick, decision(0, current=1), ONE)
    assert phases(made)[ill.name] is Phase.DRAINING


def test_nobody_changes_its_part_where_the_data_does_not_allow_it_or_it_is_too_young() -> None:
    serving = member(1)
    assert planned(world(fleet=[serving]), decision(0, current=1, allowed=False), ONE).actions == ()
    young = member(1, joined_at=NOW - 30)
    assert planned(world(fleet=[young]), decision(0, current=1), ONE).actions == ()
    ordered = Orders(Override(0, "anna", "", since=NOW))
    assert phases(planned(world(fleet=[young], orders=ordered), decision(0, current=1), ONE)) == {young.name: Phase.STANDBY}


def test_a_second_standby_is_missing_and_who_leaves_service_is_one_of_them() -> None:
    two = policy(fleet={"standby": 2})
    serving = member(1)
    made = planned(world(fleet=[serving]), decision(0, current=1), two)
    assert phases(made)[serving.name] is Phase.STANDBY
    assert launched(made) == [True]


def test_more_standbys_than_the_settings_want_leave_the_youngest_first_one_batch_at_a_time() -> None:
    fleet = [member(number, Phase.STANDBY) for number in (1, 2, 3)]
    made = planned(world(fleet=fleet), 0, ONE)
    assert phases(made) == {fleet[1].name: Phase.DRAINING, fleet[2].name: Phase.DRAINING}
    leaving = [fleet[0], replace(fleet[1], phase=Phase.DRAINING), fleet[2]]
    assert "one batch leaves at a time" in planned(world(fleet=leaving), 0, ONE).waiting


def test_one_that_drains_comes_back_to_stand_by_before_a_new_one_is_bought() -> None:
    leaving = member(1, Phase.DRAINING)
    made = planned(world(fleet=[leaving]), 0, ONE)
    assert calls(made) == []
    assert edits(made) == [AddServer(APP, f"{leaving.name}-standby", "127.1.0.1", 80, 10, backup=True)]
    assert records(made)[leaving.name].reserve


def test_a_line_on_its_way_out_that_is_wanted_again_comes_back() -> None:
    again = member(1, maint_at=NOW - 2, up_in=None)
    halfway = rows(standby_row(again), row(again, ServerStatus.MAINT))
    made = planned(world(fleet=[again], gateway=halfway), under=ONE)
    assert SetState(APP, again.name, AdminState.DRAIN) in edits(made)


def test_one_that_haproxy_lists_as_backup_alone_is_taken_back_as_a_standby() -> None:
    found = member(1, Phase.BOOTING)
    made = planned(world(fleet=[found], gateway=rows(standby_row(found))), 0, ONE)
    assert records(made)[found.name].phase is Phase.STANDBY


def test_one_that_nobody_had_counted_on_stands_by_and_that_is_no_scale_in() -> None:
    serving, refused = member(1), member(2, Phase.UNKNOWN, refused=True)
    found = world(fleet=[serving, refused], cloud=listing(node(serving), node(refused)))
    made = planned(found, decision(1, allowed=False), ONE)
    assert records(made)[refused.name].reserve
    assert not any(isinstance(each, RecordCooldowns) for each in made.actions)
