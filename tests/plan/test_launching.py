"""From the wanted number to a booting machine, and what a create may answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, CreateCall, Created, CreateFailed, CreateUnknown, Outcome
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Cooldowns, Orders, Phase, PoolState
from burstd.model.gateway import AdminState, ServerStatus, SetState
from burstd.model.naming import is_instance_name
from burstd.model.plans import CallCloud, EditGateway, Record, RecordCooldowns, RecordPool
from burstd.model.snapshot import Snapshot
from tests.given import calls, decision, edits, member, node, phases, planned, policy, records, row, rows, world
from tests.turns import NOW, OWNER

STOCK = Fault("pool dublin", FaultKind.NO_CAPACITY, "out of stock")


def outcome(snapshot: Snapshot, *outcomes: Outcome) -> Snapshot:
    return replace(snapshot, cloud=replace(snapshot.cloud, outcomes=outcomes))


def test_a_launch_is_recorded_before_it_is_called_with_everything_rendered() -> None:
    made = planned(world(load=5.0), decision(1, current=0))
    (call,) = calls(made)
    assert isinstance(call, CreateCall)
    first_effect = next(index for index, each in enumerate(made.actions) if isinstance(each, CallCloud))
    assert any(isinstance(each, Record) and each.instance.phase is Phase.REQUESTED for each in made.actions[:first_effect])
    request = call.request
    assert is_instance_name("burst", OWNER, request.name)
    assert dict(request.tags) == {OWNER_TAG: OWNER, OPERATION_TAG: call.operation}
    assert request.token == call.operation
    assert RecordCooldowns(Cooldowns(scale_out=NOW)) in made.actions


def test_one_cycle_launches_at_most_max_step() -> None:
    assert len(calls(planned(world(load=5.0), decision(6, current=0), policy(fleet={"max_step": 2})))) == 2


def test_what_could_not_be_sent_is_sent_by_a_later_cycle() -> None:
    waiting = member(1, Phase.INTENDED, attempted_at=None, attempts=0)
    made = planned(world(fleet=[waiting]), 1)
    assert [call.operation for call in calls(made) if isinstance(call, CreateCall)] == [waiting.operation]


def test_what_could_not_be_sent_is_sent_within_max_step_too() -> None:
    waiting = [member(number, Phase.INTENDED) for number in (1, 2, 3)]
    assert len(calls(planned(world(fleet=waiting), 3, policy(fleet={"max_step": 2})))) == 2


def test_what_is_intended_and_no_longer_wanted_is_never_sent() -> None:
    waiting = member(1, Phase.INTENDED)
    made = planned(world(fleet=[waiting]), decision(0, current=1))
    assert (phases(made), calls(made)) == ({waiting.name: Phase.FAILED}, [])


def test_what_is_still_billed_counts_against_max() -> None:
    leaving = [member(number, Phase.DESTROYING, attempted_at=NOW - 1) for number in range(1, 5)]
    made = planned(world(fleet=leaving), decision(1, current=0))
    assert not any(isinstance(call, CreateCall) for call in calls(made))
    assert "fleet.max is 4 and 4 are still billed" in made.waiting


def test_a_draining_instance_comes_back_before_a_new_one_is_bought() -> None:
    leaving = member(1, Phase.DRAINING)
    made = planned(world(load=5.0, fleet=[leaving]), decision(1, current=0))
    assert calls(made) == []
    assert phases(made) == {leaving.name: Phase.IN_SERVICE}
    assert SetState("app_cluster", leaving.name, AdminState.READY) in edits(made)


@pytest.mark.parametrize("changes", [{"maint_at": NOW - 1}, {"down_since": NOW - 60}])
def test_one_that_has_nearly_left_or_is_unhealthy_does_not_come_back(changes: dict[str, float]) -> None:
    made = planned(world(fleet=[member(1, Phase.DRAINING, **changes)]), decision(1, current=0))
    assert len(calls(made)) == 1


def test_one_that_an_operator_drains_does_not_come_back() -> None:
    leaving = member(1, Phase.DRAINING)
    ordered = world(fleet=[leaving], orders=Orders(drains=frozenset({leaving.name})))
    assert len(calls(planned(ordered, decision(1, current=0)))) == 1


def test_a_barred_pool_is_passed_over_for_the_next_one() -> None:
    barred = {"dublin": PoolState("dublin", 1, NOW + 20, "out of stock")}
    (call,) = calls(planned(world(load=5.0, pools=barred), decision(1, current=0)))
    assert isinstance(call, CreateCall)
    assert call.pool == "oslo"


def test_with_every_pool_barred_nothing_is_bought_and_the_reason_is_said() -> None:
    barred = {name: PoolState(name, 1, NOW + 20, "out of stock") for name in ("dublin", "oslo")}
    made = planned(world(load=5.0, pools=barred), decision(1, current=0))
    assert calls(made) == []
    assert "pool dublin is barred for 20 s: out of stock" in made.waiting
    assert not any(isinstance(each, RecordCooldowns) for each in made.actions)


def test_a_created_machine_boots() -> None:
    asked = member(1, Phase.REQUESTED)
    machine = replace(node(asked), id="i-77", addresses=())
    made = planned(outcome(world(fleet=[asked]), Created(asked.operation, machine)), 1)
    assert (records(made)[asked.name].phase, records(made)[asked.name].node_id) == (Phase.BOOTING, "i-77")
    assert records(made)[asked.name].address is None


def test_a_definite_failure_ends_the_record_and_bars_the_pool() -> None:
    asked = member(1, Phase.REQUESTED)
    made = planned(outcome(world(fleet=[asked]), CreateFailed(asked.operation, "dublin", STOCK)), decision(0))
    assert phases(made) == {asked.name: Phase.FAILED}
    assert RecordPool(PoolState("dublin", 1, NOW + 30, "out of stock")) in made.actions


def test_the_back_off_doubles_and_is_never_shorter_than_the_cloud_asked_for() -> None:
    asked = member(1, Phase.REQUESTED)
    failed = CreateFailed(asked.operation, "dublin", STOCK, retry_after=300.0)
    again = {"dublin": PoolState("dublin", 2, 0.0, "")}
    made = planned(outcome(world(fleet=[asked], pools=again), CreateFailed(asked.operation, "dublin", STOCK)), decision(0))
    assert RecordPool(PoolState("dublin", 3, NOW + 120, "out of stock")) in made.actions
    made = planned(outcome(world(fleet=[asked]), failed), decision(0))
    assert RecordPool(PoolState("dublin", 1, NOW + 300, "out of stock")) in made.actions


def test_a_lost_answer_leaves_the_outcome_unknown() -> None:
    asked = member(1, Phase.REQUESTED)
    lost = CreateUnknown(asked.operation, "dublin", Fault("pool dublin", FaultKind.UNKNOWN, "reset"))
    made = planned(outcome(world(fleet=[asked]), lost), 1)
    assert phases(made) == {asked.name: Phase.UNKNOWN}
    doubtful = member(1, Phase.UNKNOWN)
    assert phases(planned(outcome(world(fleet=[doubtful]), lost), 1)) == {}


def test_a_refusal_of_a_create_that_was_sent_again_proves_nothing() -> None:
    asked = member(1, Phase.REQUESTED, attempts=2)
    made = planned(outcome(world(fleet=[asked]), CreateFailed(asked.operation, "dublin", STOCK)), 1)
    assert phases(made) == {asked.name: Phase.UNKNOWN}


def test_an_answer_for_a_record_that_has_ended_changes_nothing() -> None:
    assert planned(outcome(world(), CreateFailed("f" * 32, "dublin", STOCK)), 0).actions == ()


def test_an_answer_that_the_phase_no_longer_waits_for_changes_nothing() -> None:
    serving = member(1)
    assert phases(planned(outcome(world(fleet=[serving]), CreateFailed(serving.operation, "dublin", STOCK)), 1)) == {}


def test_an_instance_in_service_forgives_its_pool() -> None:
    joining = member(1, Phase.JOINING, joined_at=None)
    failed = {"dublin": PoolState("dublin", 3, 0.0, "out of stock")}
    made = planned(world(fleet=[joining], gateway=rows(row(joining, ServerStatus.DRAIN)), pools=failed), 1)
    assert RecordPool(PoolState("dublin")) in made.actions
    assert EditGateway(SetState("app_cluster", joining.name, AdminState.READY)) in made.actions


def test_under_another_policy_the_name_and_the_pools_are_its_own() -> None:
    under = policy(fleet={"name": "spike"})
    (call,) = calls(planned(world(load=5.0), decision(1, current=0), under))
    assert isinstance(call, CreateCall)
    assert call.request.name.startswith("spike-0a1b-")
