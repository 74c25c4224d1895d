"""What is taken over after a loss, and what the ordinary cycle makes of it: no machine twice, no server added anew, no traffic lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, DestroyCall, Node, NodeState
from burstd.model.fleet import Instance, Orders, Phase
from burstd.model.gateway import AddServer, AdminState, EnableHealth, ServerStatus, SetState, SetWeight
from burstd.plan.adoption import adopt
from tests.given import AWAY, calls, decision, edits, listing, member, node, phases, planned, policy, records, row, rows, world
from tests.turns import NOW, OWNER


def machine(number: int) -> Node:
    """A machine whose name is its operation's, as real ones are named."""
    return node(replace(member(number), operation=f"{number:010x}".ljust(32, "0")))


FIRST, SECOND = machine(1), replace(machine(2), state=NodeState.PENDING, addresses=())


def adopted(*nodes: Node) -> tuple[Instance, ...]:
    return adopt(nodes, policy(), known=(), now=NOW - 1).instances


def test_each_machine_of_ours_becomes_a_booting_record_with_the_request_of_the_settings() -> None:
    made = adopt([FIRST, SECOND], policy(), known=(), now=NOW)
    first, second = made.instances
    assert made.nodes == (FIRST, SECOND)
    assert (first.phase, first.node_id, first.address, first.since, first.created_at) == (Phase.BOOTING, "i-1", "127.1.0.1", NOW, NOW)
    assert (second.node_id, second.address) == ("i-2", None)
    assert (first.name, first.request.image, first.request.token) == (FIRST.name, "debian-12", FIRST.operation)
    assert dict(first.request.tags) == {OWNER_TAG: OWNER, OPERATION_TAG: FIRST.operation}


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "f" * 32},
        {"owner": None},
        {"operation": None},
        {"operation": ""},
        {"state": NodeState.TERMINATED},
        {"pool": "no such pool"},
    ],
    ids=str,
)
def test_what_is_not_ours_or_not_there_any_more_is_left_alone(changes: dict[str, Any]) -> None:
    made = adopt([replace(FIRST, **changes)], policy(), known=(), now=NOW)
    assert (made.nodes, made.doubles, made.misnamed) == ((), (), ())


def test_a_machine_in_a_pool_outside_of_the_allowed_countries_is_told_apart_and_not_taken() -> None:
    under = policy(fleet={"countries": ("NO",)})
    homes = {"dublin": "IE", "oslo": "NO"}
    under = replace(under, pools=tuple(replace(each, country=homes[each.name]) for each in under.pools))
    at_home = replace(SECOND, pool="oslo")
    made = adopt([FIRST, at_home], under, known=(), now=NOW)
    assert (made.nodes, made.abroad) == ((at_home,), (FIRST,))


def test_what_the_roster_knows_already_is_not_adopted() -> None:
    assert adopt([FIRST, SECOND], policy(), known=(FIRST.operation or "",), now=NOW).nodes == (SECOND,)


def test_of_two_machines_of_one_operation_the_first_is_kept_and_the_cycle_destroys_the_other() -> None:
    double = replace(FIRST, id="i-9")
    made = adopt([FIRST, double], policy(), known=(), now=NOW - 1)
    assert (made.nodes, made.doubles) == ((FIRST,), (double,))
    plan = planned(world(fleet=made.instances, gateway=rows(row(made.instances[0])), cloud=listing(FIRST, double, asked_at=NOW)))
    assert calls(plan) == [DestroyCall(FIRST.operation or "", "dublin", "i-9")]


def test_a_machine_under_another_name_than_the_settings_give_is_told() -> None:
    other = replace(FIRST, name="spike-0a1b-0000000001")
    made = adopt([other, SECOND], policy(), known=(), now=NOW)
    assert (made.nodes, made.misnamed) == ((SECOND,), (other,))


def test_one_that_haproxy_has_up_is_in_service_at_once_and_its_traffic_goes_on() -> None:
    (kept,) = adopted(FIRST)
    made = planned(world(fleet=[kept], gateway=rows(row(kept))))
    assert phases(made) == {kept.name: Phase.IN_SERVICE}
    assert records(made)[kept.name].address == "127.1.0.1"
    assert (edits(made), calls(made)) == ([], [])


@pytest.mark.parametrize("cloud", [replace(listing(), listings=()), listing(FIRST), listing(replace(FIRST, state=NodeState.PENDING))])
def test_it_needs_no_listing_for_that(cloud: Any) -> None:  # noqa: ANN401 - a CloudView
    (kept,) = adopted(FIRST)
    made = planned(world(fleet=[kept], gateway=rows(row(kept)), cloud=cloud))
    assert phases(made) == {kept.name: Phase.IN_SERVICE}


def test_one_without_an_address_takes_haproxys() -> None:
    kept = replace(adopted(FIRST)[0], address=None)
    made = planned(world(fleet=[kept], gateway=rows(replace(row(kept), address="[2001:db8::7]:80"))))
    assert records(made)[kept.name].address == "[2001:db8::7]"
    hidden = planned(world(fleet=[kept], gateway=rows(replace(row(kept), address=""))))
    assert records(hidden)[kept.name].address is None


def test_one_that_was_being_synced_when_haproxy_turned_out_to_list_it_goes_on_from_there() -> None:
    (kept,) = adopted(FIRST)
    made = planned(world(fleet=[replace(kept, phase=Phase.SYNCING)], gateway=rows(row(kept, weight=77))))
    assert phases(made) == {kept.name: Phase.IN_SERVICE}
    assert edits(made) == [SetWeight("app_cluster", kept.name, 10)]


@pytest.mark.parametrize(
    ("status", "passing", "phase", "wanted"),
    [
        (ServerStatus.DRAIN, True, Phase.IN_SERVICE, [AdminState.READY]),
        (ServerStatus.DRAIN, False, Phase.JOINING, []),
        (ServerStatus.DOWN, False, Phase.JOINING, []),
        (ServerStatus.MAINT, False, Phase.JOINING, ["health", AdminState.DRAIN]),
        (ServerStatus.NO_CHECK, False, Phase.JOINING, ["health"]),
    ],
)
def test_an_interrupted_join_or_drain_is_taken_up(status: ServerStatus, passing: bool, phase: Phase, wanted: list[str]) -> None:  # noqa: FBT001 - a table's column
    (kept,) = adopted(FIRST)
    made = planned(world(fleet=[kept], gateway=rows(row(kept, status, passing=passing))))
    assert phases(made) == {kept.name: phase}
    assert edits(made) == [
        EnableHealth("app_cluster", kept.name) if each == "health" else SetState("app_cluster", kept.name, AdminState(each))
        for each in wanted
    ]


def test_one_that_haproxy_does_not_list_boots_syncs_and_joins_as_any_other() -> None:
    (kept,) = adopted(FIRST)
    first = planned(world(fleet=[kept], gateway=rows()))
    assert phases(first) == {kept.name: Phase.SYNCING}
    synced = records(first)[kept.name]
    assert edits(planned(world(fleet=[synced], gateway=rows(), checks={synced.operation: None}))) == [
        AddServer("app_cluster", kept.name, "127.1.0.1", 80, 10, None)
    ]


def test_one_that_is_not_wanted_is_drained_like_one_that_joined_and_not_destroyed_under_its_traffic() -> None:
    (kept,) = adopted(FIRST)
    for orders, wanted in ((Orders(), decision(0, current=1)), (Orders(drains=frozenset({kept.name})), decision(0))):
        made = planned(world(fleet=[kept], gateway=rows(row(kept)), orders=orders), wanted)
        assert phases(made) == {kept.name: Phase.DRAINING}
        assert (edits(made), calls(made)) == ([SetState("app_cluster", kept.name, AdminState.DRAIN)], [])


def test_one_in_error_leaves_haproxy_before_it_is_destroyed() -> None:
    (kept,) = adopted(FIRST)
    made = planned(world(fleet=[kept], gateway=rows(row(kept)), cloud=listing(replace(FIRST, state=NodeState.ERROR), asked_at=NOW)))
    assert phases(made)[kept.name] is Phase.DRAINING
    assert not any(isinstance(each, DestroyCall) for each in calls(made))


def test_while_haproxy_cannot_be_read_it_is_taken_for_one_that_boots() -> None:
    (kept,) = adopted(FIRST)
    made = planned(world(fleet=[kept], gateway=AWAY, cloud=replace(listing(), listings=())), decision(1, allowed=False))
    assert (phases(made), calls(made)) == ({}, [])
