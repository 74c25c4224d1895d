"""HAProxy's truth is compared with what is wanted in every cycle: it is mended, and what somebody has done by hand is respected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import AddServer, AdminState, GatewayView, RemoveServer, ServerStatus, SetMaxconn, SetState, SetWeight
from burstd.model.plans import Note, Plan
from tests.given import PROCESS, decision, edits, member, phases, planned, policy, records, row, rows, world
from tests.turns import NOW, server

APP = "app_cluster"


def seen(each: Instance, status: ServerStatus = ServerStatus.UP, **changes: Any) -> GatewayView:
    """HAProxy with this one burst server."""
    return rows(row(each, status, **changes))


def notes(made: Plan) -> list[str]:
    return [each.text for each in made.actions if isinstance(each, Note)]


@pytest.mark.parametrize("address", ["127.1.0.9:80", "127.1.0.1:8081", "[fd00::1]:80", "nonsense"])
def test_a_line_at_a_wrong_address_or_port_leaves_and_joins_again(address: str) -> None:
    serving = member(1)
    first = planned(world(fleet=[serving], gateway=seen(serving, address=address)))
    assert edits(first) == [SetState(APP, serving.name, AdminState.DRAIN)]
    assert first.waiting[0] == (
        f"{serving.name} is at {address} in HAProxy and not at 127.1.0.1 port 80: it leaves and joins again, though nothing else bursts"
    )
    going = records(first)[serving.name]
    second = planned(world(fleet=[going], gateway=seen(going, ServerStatus.DRAIN, address=address)))
    assert edits(second) == [SetState(APP, serving.name, AdminState.MAINT)]
    resting = records(second)[serving.name]
    rest = seen(resting, ServerStatus.MAINT, address=address)
    assert edits(planned(world(fleet=[resting], gateway=replace(rest, removal_grace=5.0)))) == []
    assert edits(planned(world(fleet=[resting], gateway=rest))) == [RemoveServer(APP, serving.name)]
    third = planned(world(fleet=[resting], gateway=rows()))
    assert edits(third) == [AddServer(APP, serving.name, "127.1.0.1", 80, 10)]
    assert records(third)[serving.name].maint_at is None
    assert all(phases(each) == {serving.name: Phase.IN_SERVICE} for each in (first, second, third))


@pytest.mark.parametrize("address", ["", "127.1.0.1:80"])
def test_an_address_that_is_hidden_or_right_is_left_alone(address: str) -> None:
    serving = member(1)
    assert edits(planned(world(fleet=[serving], gateway=seen(serving, address=address)))) == []


@pytest.mark.parametrize("address", ["[fd00::1]:80", "fd00:0:0:0:0:0:0:1:80"])
def test_an_address_of_ip_version_6_is_known_in_every_spelling(address: str) -> None:
    serving = member(1, address="fd00::1")
    assert edits(planned(world(fleet=[serving], gateway=seen(serving, address=address)))) == []


def test_a_line_with_a_wrong_backup_flag_leaves_and_joins_again() -> None:
    serving, standby = member(1), member(2, Phase.STANDBY)
    made = planned(world(fleet=[serving], gateway=seen(serving, backup=True)))
    assert edits(made) == [SetState(APP, serving.name, AdminState.DRAIN)]
    assert "is listed as backup" in made.waiting[0]
    made = planned(world(fleet=[standby], gateway=seen(standby, name=f"{standby.name}-standby")))
    assert edits(made) == [SetState(APP, f"{standby.name}-standby", AdminState.DRAIN)]
    assert "is not listed as backup" in made.waiting[0]


def test_lines_that_must_be_replaced_go_one_instance_after_the_other() -> None:
    first, second = member(1), member(2)
    wrong = rows(row(first, address="127.1.0.1:8080"), row(second, address="127.1.0.2:8080"))
    made = planned(world(fleet=[first, second], gateway=wrong))
    assert edits(made) == [SetState(APP, first.name, AdminState.DRAIN)]
    assert made.waiting[-1].endswith(f"leaves and joins again when {first.name} is up")
    back = rows(row(first), row(second, address="127.1.0.2:8080"))
    made = planned(world(fleet=[records(made)[first.name], second], gateway=back))
    assert records(made)[first.name].up_in == PROCESS
    made = planned(world(fleet=[first, second], gateway=back))
    assert edits(made) == [SetState(APP, second.name, AdminState.DRAIN)]


def test_a_wrong_line_that_takes_no_traffic_waits_for_nobody() -> None:
    first, second = member(1, up_in=None), member(2)
    wrong = rows(row(second, ServerStatus.DOWN, passing=False, address="127.1.0.2:8080"))
    made = planned(world(fleet=[first, second], gateway=wrong))
    assert SetState(APP, second.name, AdminState.MAINT) in edits(made)


def test_two_wrong_lines_that_no_cycle_has_seen_up_do_not_wait_for_each_other() -> None:
    first, second = member(1, up_in=None), member(2, up_in=None)
    wrong = rows(row(first, address="127.1.0.1:8080"), row(second, address="127.1.0.2:8080"))
    made = planned(world(fleet=[first, second], gateway=wrong))
    assert edits(made) == []
    known = [records(made)[each.name] for each in (first, second)]
    assert edits(planned(world(fleet=known, gateway=wrong))) == [SetState(APP, first.name, AdminState.DRAIN)]


def test_a_wrong_limit_of_connections_is_set_right() -> None:
    serving = member(1)
    limited = policy(routing={"maxconn": 8})
    assert edits(planned(world(fleet=[serving]), under=limited)) == [SetMaxconn(APP, serving.name, 8)]
    assert edits(planned(world(fleet=[serving], gateway=seen(serving, maxconn=8)), under=limited)) == []
    assert edits(planned(world(fleet=[serving], gateway=seen(serving, maxconn=5)))) == [SetMaxconn(APP, serving.name, None)]


def test_static_servers_are_never_set_right() -> None:
    odd = rows(replace(server("core-oslo-03", 1, ServerStatus.NO_CHECK), maxconn=5, backup=True, address="127.0.0.9:1"))
    assert edits(planned(world(gateway=odd))) == []


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (ServerStatus.DRAIN, AdminState.DRAIN, "is drained by somebody's hand"),
        (ServerStatus.MAINT, AdminState.MAINT, "is in maintenance by somebody's hand"),
    ],
)
def test_what_somebody_holds_out_by_hand_is_left_as_it_is_and_said(status: ServerStatus, state: AdminState, words: str) -> None:
    serving = member(1)
    by_hand = seen(serving, status, weight=77, maxconn=3, address="127.1.0.9:80")
    made = planned(world(fleet=[serving], gateway=by_hand))
    assert (edits(made), phases(made)) == ([], {serving.name: Phase.IN_SERVICE})
    assert made.waiting == (f"{serving.name} {words}",)
    assert notes(made) == [f"{serving.name} {words}"]
    held = records(made)[serving.name]
    assert held.by_hand is state
    again = planned(world(fleet=[held], gateway=by_hand))
    assert (again.actions, again.waiting) == ((), made.waiting)


def test_given_back_it_is_mended_again() -> None:
    held = member(1, by_hand=AdminState.DRAIN)
    made = planned(world(fleet=[held], gateway=seen(held, weight=77)))
    assert edits(made) == [SetWeight(APP, held.name, 10)]
    assert records(made)[held.name].by_hand is None
    assert notes(made) == [f"{held.name} is no longer held out of rotation"]


@pytest.mark.parametrize("gateway", [rows(), seen(member(1), ServerStatus.DRAIN), seen(member(1), ServerStatus.MAINT)])
def test_another_haproxy_knows_of_no_hand_and_the_line_joins_as_usual(gateway: GatewayView) -> None:
    held = member(1, by_hand=AdminState.MAINT, up_in=(4710, NOW - 7200))
    made = planned(world(fleet=[held], gateway=gateway))
    assert records(made)[held.name].by_hand is None
    assert edits(made)


def test_a_drain_that_burstd_ordered_itself_is_not_taken_for_somebodys() -> None:
    serving = member(1)
    left = planned(world(fleet=[serving]), replace(decision(0), count=0))
    going = records(left)[serving.name]
    assert (going.phase, going.up_in) == (Phase.DRAINING, None)
    back = replace(going, phase=Phase.IN_SERVICE)
    assert edits(planned(world(fleet=[back], gateway=seen(back, ServerStatus.DRAIN)))) == [SetState(APP, back.name, AdminState.READY)]


def test_a_line_that_burstd_has_added_again_is_not_taken_for_somebodys() -> None:
    serving = member(1)
    made = planned(world(fleet=[serving], gateway=rows()))
    added = records(made)[serving.name]
    assert added.up_in is None
    assert edits(planned(world(fleet=[added], gateway=seen(added, ServerStatus.DRAIN)))) == [SetState(APP, added.name, AdminState.READY)]


def test_a_check_that_fails_while_it_is_held_out_gives_nothing_back() -> None:
    held = member(1, by_hand=AdminState.DRAIN)
    made = planned(world(fleet=[held], gateway=seen(held, ServerStatus.DOWN, passing=False)))
    assert edits(made) == []
    assert (records(made)[held.name].by_hand, records(made)[held.name].down_since) == (AdminState.DRAIN, NOW)


def test_one_that_is_held_out_by_hand_is_not_scaled_in_but_leaves_by_an_order() -> None:
    held = member(1, by_hand=AdminState.MAINT)
    there = world(fleet=[held], gateway=seen(held, ServerStatus.MAINT))
    assert phases(planned(there, decision(0, current=1))) == {}
    ordered = replace(there, orders=replace(there.orders, drains=frozenset({held.name})))
    left = records(planned(ordered, decision(0, current=1)))[held.name]
    assert (left.phase, left.by_hand) == (Phase.DRAINING, None)


def test_one_that_is_held_out_counts_and_nothing_is_bought_behind_the_operators_back() -> None:
    held = member(1, by_hand=AdminState.MAINT)
    made = planned(world(fleet=[held], gateway=seen(held, ServerStatus.MAINT)), decision(1))
    assert made.actions == ()
