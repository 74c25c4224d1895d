"""Drills: one instance all the way without traffic, what it counts as, what is in its way, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from burstd.decide import decide
from burstd.errors import AskOperator, Retry
from burstd.model.cloud import CreateCall, CreateFailed, NodeState
from burstd.model.drill import Drill, DrillOutcome, DrillStep, Rehearsals, StepState
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import DrillOrder, Instance, Orders, Pause, Phase, PoolState
from burstd.model.gateway import AddServer, AdminState, ServerStatus, SetState, SetWeight
from burstd.model.naming import standby_name
from burstd.model.plans import Note, Plan, Record, RecordLearned
from burstd.model.policy import ContentPolicy
from burstd.model.snapshot import Snapshot
from burstd.plan.draft import NO_KEY
from burstd.plan.drill import obstacle
from burstd.plan.rehearsals import REHEARSALS, recollect, write
from tests.given import AWAY, calls, decided, decision, edits, listing, member, node, phases, planned, policy, records, row, rows, world
from tests.turns import NOW

ORDERED = Orders(drill=DrillOrder(NOW - 1, "anna"))
BARRED = {name: PoolState(name, 1, NOW + 30, "out of stock") for name in ("dublin", "oslo")}


def rehearsed(number: int, phase: Phase, **changes: Any) -> Instance:
    """The numbered instance, in a drill, a minute in each phase so far."""
    way = [Phase.REQUESTED, Phase.BOOTING, Phase.SYNCING, Phase.JOINING, Phase.DRAINING, Phase.DESTROYING]
    passed = way[: way.index(phase) + 1] if phase in way else []
    entered = tuple((each, NOW - 60.0 * (len(passed) - index)) for index, each in enumerate(passed))
    joined = NOW - 90 if phase in way[4:] else None
    return replace(member(number, phase), **{"drill": True, "entered": entered, "joined_at": joined, **changes})


def running(instance: Instance) -> Drill:
    return Drill(NOW - 400, "anna", instance.pool, instance.name, instance.operation)


def remembering(snapshot: Snapshot, rehearsals: Rehearsals, wanted: int = 0, **changes: Any) -> Plan:
    """The plan of a burstd that remembers these drills."""
    made = decision(wanted)
    return planned(replace(snapshot, **changes), replace(made, memory=replace(made.memory, stored={REHEARSALS: write(rehearsals)})))


def remembered(made: Plan) -> Rehearsals:
    """What the plan keeps of drills."""
    (text,) = (each.text for each in made.actions if isinstance(each, RecordLearned) and each.policy == REHEARSALS)
    return recollect({REHEARSALS: text})


def notes(made: Plan) -> list[str]:
    return [each.text for each in made.actions if isinstance(each, Note)]


# ------------------------------------------------------------------------------------------------------------------- begin


def test_an_ordered_drill_launches_one_instance_and_takes_the_order_back() -> None:
    made = planned(world(orders=ORDERED), 0)
    (record,) = records(made).values()
    (call,) = calls(made)
    assert (record.drill, record.phase, record.reason) == (True, Phase.REQUESTED, "a drill, ordered by anna")
    assert isinstance(call, CreateCall)
    assert call.operation == record.operation
    last = remembered(made).last
    assert last == Drill(NOW - 1, "anna", "dublin", record.name, record.operation, steps=(DrillStep("create", NOW),))


def test_a_drill_goes_to_the_pool_that_was_named_or_to_the_first_that_is_free() -> None:
    named = planned(world(orders=Orders(drill=DrillOrder(NOW, "anna", "oslo"))), 0)
    assert [each.pool for each in records(named).values()] == ["oslo"]
    free = planned(world(orders=ORDERED, pools={"dublin": BARRED["dublin"]}), 0)
    assert [each.pool for each in records(free).values()] == ["oslo"]


def test_a_real_scale_out_of_the_same_cycle_has_the_first_launches() -> None:
    under = policy(fleet={"max_step": 1})
    made = planned(world(orders=ORDERED), 1, under)
    last = {each.instance.operation: each.instance for each in made.actions if isinstance(each, Record)}
    drill, real = sorted(last.values(), key=lambda each: not each.drill)
    assert (drill.phase, real.phase) == (Phase.INTENDED, Phase.REQUESTED)
    (call,) = calls(made)
    assert isinstance(call, CreateCall)
    assert call.operation == real.operation


@pytest.mark.parametrize(
    ("changes", "pool", "error", "says"),
    [
        ({}, "paris", AskOperator, "drill --pool paris: expected a pool of the settings; name one of: dublin, oslo"),
        ({"fleet": (rehearsed(1, Phase.BOOTING),)}, None, Retry, "one runs already, and burst-0a1b-0000000001 is booting"),
        ({"orders": ORDERED}, None, Retry, "one is ordered already"),
        ({"orders": Orders(pause=Pause.OUT)}, None, AskOperator, "scale-out is paused"),
        ({"orders": Orders(pause=Pause.BOTH)}, None, AskOperator, "scale-out is paused"),
        ({"fleet": tuple(member(number) for number in range(1, 5))}, None, AskOperator, "fleet.max is 4 and 4 are billed"),
        ({"gateway": AWAY}, None, Retry, "HAProxy cannot be read (nothing listens on its socket)"),
        ({"pools": BARRED}, None, Retry, "pool dublin is barred for 30 s: out of stock; pool oslo is barred for 30 s: out of stock"),
        ({"pools": {"oslo": BARRED["oslo"]}}, "oslo", Retry, "pool oslo is barred for 30 s: out of stock"),
    ],
)
def test_what_is_in_the_way_of_a_drill_is_said_in_one_line(
    changes: dict[str, Any], pool: str | None, error: type[Exception], says: str
) -> None:
    why = obstacle(replace(world(), **changes), policy(), pool)
    assert type(why) is error
    assert says in str(why)
    assert "\n" not in str(why)


@pytest.mark.parametrize(("pools", "pool"), [({}, None), ({"dublin": BARRED["dublin"]}, None), ({"dublin": BARRED["dublin"]}, "oslo")])
def test_nothing_is_in_the_way_where_one_pool_is_free(pools: dict[str, PoolState], pool: str | None) -> None:
    assert obstacle(world(pools=pools, fleet=[member(1)]), policy(), pool) is None


def test_a_drill_that_finds_no_room_when_it_is_to_begin_fails_by_name() -> None:
    made = planned(world(orders=ORDERED, fleet=[member(number) for number in range(1, 5)]), 4)
    last = remembered(made).last
    assert last is not None
    assert (last.outcome, last.ended_at, last.seconds) == (DrillOutcome.FAILED, NOW, 1.0)
    assert last.failure.startswith("it did not begin: no room for one more: fleet.max is 4")
    assert calls(made) == []
    assert any("does not begin: no room" in each for each in notes(made))


def test_a_drill_for_which_no_host_key_can_be_made_fails_by_name() -> None:
    mirrored = replace(policy(), content=ContentPolicy())
    made = planned(world(orders=ORDERED), 0, mirrored)
    last = remembered(made).last
    assert last is not None
    assert last.failure == f"it did not begin: {NO_KEY}"
    assert calls(made) == []


def test_a_second_order_leaves_the_running_drill_alone() -> None:
    drill = rehearsed(1, Phase.BOOTING)
    made = remembering(world(fleet=[drill], orders=ORDERED), Rehearsals(running(drill)))
    assert remembered(made).last == replace(running(drill), steps=remembered(made).last.steps)  # type: ignore[union-attr]  # there is one
    assert calls(made) == []


def test_a_drill_whose_beginning_was_not_remembered_is_found_again() -> None:
    drill = rehearsed(1, Phase.BOOTING)
    ordered = remembered(planned(world(fleet=[drill], orders=ORDERED, drill_due=NOW - 5), 0))
    assert ordered.last is not None
    assert (ordered.last.operation, ordered.last.owner, ordered.last.at, ordered.opening) == (drill.operation, "anna", NOW - 1, NOW - 5)
    unknown = remembered(planned(world(fleet=[drill]), 0)).last
    assert unknown is not None
    assert (unknown.operation, unknown.owner, unknown.at) == (drill.operation, "", drill.created_at)


# ---------------------------------------------------------------------------------------------------------------- the hour


def test_the_hour_of_a_drill_begins_one_and_only_once() -> None:
    known = Rehearsals(opening=NOW - 86_400)
    made = remembering(world(drill_due=NOW - 3), known)
    (record,) = records(made).values()
    assert (record.drill, record.reason) == (True, "a drill, ordered by schedule")
    assert remembered(made).opening == NOW - 3
    again = remembering(world(drill_due=NOW - 3), Rehearsals(opening=NOW - 3))
    assert again.actions == ()


def test_an_hour_at_which_burstd_did_not_run_is_skipped_and_said() -> None:
    made = remembering(world(drill_due=NOW - 3600), Rehearsals(opening=NOW - 86_400))
    assert notes(made) == ["the drill that was due 3600 s ago is skipped: burstd did not run then"]
    assert (calls(made), remembered(made).opening) == ([], NOW - 3600)


def test_an_hour_that_was_remembered_on_a_wall_clock_set_back_since_is_no_reason_to_wait_for_it() -> None:
    made = remembering(world(drill_due=NOW - 3), Rehearsals(opening=NOW + 86_400))
    assert [each.reason for each in records(made).values()] == ["a drill, ordered by schedule"]
    assert remembered(made).opening == NOW - 3


def test_an_hour_from_before_there_was_a_schedule_says_nothing() -> None:
    made = remembering(world(drill_due=NOW - 3600), Rehearsals())
    assert (notes(made), calls(made), remembered(made).opening) == ([], [], NOW - 3600)


# ------------------------------------------------------------------------------------------------------------- no capacity


@pytest.mark.parametrize("phase", [Phase.INTENDED, Phase.REQUESTED, Phase.UNKNOWN, Phase.BOOTING, Phase.SYNCING, Phase.JOINING])
def test_a_drill_counts_as_no_capacity(phase: Phase) -> None:
    drill = rehearsed(1, phase)
    assert not drill.on_its_way
    assert decided(world(load=1.0, fleet=[drill])).current == 0
    assert decided(world(load=5.0, fleet=[drill])).count == 1


def test_the_joining_of_a_drill_changes_no_weight() -> None:
    auto = policy(routing={"burst_weight": None})
    drill, real = rehearsed(1, Phase.JOINING), member(2)
    seen = world(fleet=[drill, real], gateway=rows(row(real), row(drill, ServerStatus.DRAIN, weight=0)))
    alone = world(fleet=[real])
    assert decide(seen, auto).weights == decide(alone, auto).weights


def test_a_drill_is_no_standby_and_none_is_missing_less_for_it() -> None:
    made = planned(world(fleet=[rehearsed(1, Phase.JOINING)]), 0, policy(fleet={"standby": 1, "maximum": 1}))
    (record,) = records(made).values()
    assert (record.drill, record.reserve) == (False, True)  # there is room for one alone, and it is wanted


def test_a_draining_drill_holds_no_scale_in_back() -> None:
    leaving = rehearsed(1, Phase.DRAINING)
    made = planned(world(fleet=[leaving, member(2), member(3)]), 1)
    assert Phase.DRAINING in [phases(made).get(member(number).name) for number in (2, 3)]


# -------------------------------------------------------------------------------------------------------------- no traffic


def added(made: Iterable[object]) -> list[AddServer]:
    return [each for each in made if isinstance(each, AddServer)]


def test_the_lines_of_a_drill_have_weight_0_from_their_first_moment() -> None:
    made = planned(world(fleet=[rehearsed(1, Phase.JOINING)]), 0)
    (line,) = added(edits(made))
    assert (line.weight, line.backup, line.name) == (0, False, "burst-0a1b-0000000001")


def test_when_haproxys_check_has_passed_a_drill_leaves_and_is_never_made_ready() -> None:
    drill = rehearsed(1, Phase.JOINING)
    made = planned(world(fleet=[drill], gateway=rows(row(drill, ServerStatus.DRAIN, weight=0))), 0)
    assert phases(made)[drill.name] is Phase.DRAINING
    assert records(made)[drill.name].joined_at == NOW
    assert [
        each for each in edits(made) if isinstance(each, SetWeight) or each == SetState("app_cluster", drill.name, AdminState.READY)
    ] == []


def test_the_success_of_a_drill_lifts_its_pools_failures() -> None:
    drill = rehearsed(1, Phase.JOINING)
    seen = world(fleet=[drill], gateway=rows(row(drill, ServerStatus.DRAIN, weight=0)), pools={"dublin": PoolState("dublin", 2)})
    assert any(getattr(each, "state", None) == PoolState("dublin") for each in planned(seen, 0).actions)


# --------------------------------------------------------------------------------------------------------------- it yields


@pytest.mark.parametrize("phase", [Phase.REQUESTED, Phase.BOOTING, Phase.SYNCING, Phase.JOINING])
def test_where_more_is_wanted_the_drills_instance_is_taken_into_service(phase: Phase) -> None:
    drill = rehearsed(1, phase)
    made = remembering(world(fleet=[drill]), Rehearsals(running(drill)), wanted=1)
    assert [each for each in calls(made) if isinstance(each, CreateCall)] == []
    assert records(made)[drill.name].drill is False
    last = remembered(made).last
    assert last is not None
    assert (last.outcome, last.ended_at) == (DrillOutcome.TAKEN, NOW)
    assert any("is taken into service" in each for each in notes(made))


def test_of_a_drill_that_joins_what_is_taken_over_gets_the_weight_and_the_traffic() -> None:
    drill = rehearsed(1, Phase.JOINING)
    made = planned(world(fleet=[drill], gateway=rows(row(drill, ServerStatus.DRAIN, weight=0))), 1)
    assert phases(made)[drill.name] is Phase.IN_SERVICE
    assert edits(made) == [SetWeight("app_cluster", drill.name, 10), SetState("app_cluster", drill.name, AdminState.READY)]


def test_a_draining_drill_returns_to_serve() -> None:
    drill = rehearsed(1, Phase.DRAINING)
    made = remembering(world(fleet=[drill], gateway=rows(row(drill, ServerStatus.DRAIN, weight=0))), Rehearsals(running(drill)), wanted=1)
    assert (records(made)[drill.name].drill, records(made)[drill.name].phase) == (False, Phase.IN_SERVICE)
    last = remembered(made).last
    assert last is not None
    assert (last.outcome, [each.state for each in last.steps][-1]) == (DrillOutcome.TAKEN, StepState.LEFT)


def test_a_drill_that_an_operator_drains_or_the_cloud_has_refused_is_not_taken() -> None:
    drained = rehearsed(1, Phase.REQUESTED)
    for snapshot in (
        world(fleet=[drained], orders=Orders(drains=frozenset({drained.name}))),
        world(fleet=[rehearsed(1, Phase.UNKNOWN, refused=True)]),
    ):
        made = planned(snapshot, 1)
        assert len([each for each in calls(made) if isinstance(each, CreateCall)]) == 1
        assert all(each.drill for name, each in records(made).items() if name == drained.name)


def test_a_drill_taken_as_the_standby_leaves_its_line_of_weight_0_for_one_as_backup() -> None:
    drill = rehearsed(1, Phase.JOINING)
    seen = world(fleet=[drill], gateway=rows(row(drill, ServerStatus.DRAIN, weight=0)))
    made = planned(seen, 0, policy(fleet={"standby": 1}))
    (line,) = added(edits(made))
    assert (line.name, line.backup) == (standby_name(drill.name), True)


# ----------------------------------------------------------------------------------------------------------------- its end


def followed(drill: Instance, **changes: Any) -> tuple[Drill, Plan]:
    made = remembering(world(fleet=[drill]), Rehearsals(running(drill)), **changes)
    last = remembered(made).last
    assert last is not None
    return last, made


def test_each_step_is_remembered_with_its_time() -> None:
    last, _ = followed(rehearsed(1, Phase.SYNCING))
    assert last.outcome is DrillOutcome.RUNNING
    assert last.steps == (
        DrillStep("create", NOW - 180, StepState.DONE, 60.0),
        DrillStep("boot", NOW - 120, StepState.DONE, 60.0),
        DrillStep("sync", NOW - 60),
    )
    assert last.seconds is None


def test_a_create_whose_answer_was_lost_for_a_time_is_one_step() -> None:
    way = ((Phase.REQUESTED, NOW - 90), (Phase.UNKNOWN, NOW - 60), (Phase.BOOTING, NOW - 30))
    last, _ = followed(rehearsed(1, Phase.BOOTING, entered=way))
    assert last.steps[0] == DrillStep("create", NOW - 90, StepState.DONE, 60.0)


def test_a_drill_is_done_when_its_machine_is_gone_and_says_how_long_each_step_took() -> None:
    drill = rehearsed(1, Phase.DESTROYING, missed=2, missed_since=NOW - 70, attempted_at=NOW - 100)
    made = remembering(replace(world(), fleet=(drill,)), Rehearsals(running(drill)))
    kept = remembered(made)
    assert kept.last is not None
    assert phases(made)[drill.name] is Phase.GONE
    assert (kept.last.outcome, kept.last.ended_at, kept.succeeded_at, kept.last.failure) == (DrillOutcome.DONE, NOW, NOW, "")
    assert [each.name for each in kept.last.steps] == ["create", "boot", "sync", "join", "leave", "destroy"]
    assert any("is done in 400 s: create 60 s, boot 60 s, sync 60 s, join 60 s, leave 60 s, destroy 60 s" in each for each in notes(made))


@pytest.mark.parametrize(
    ("phase", "failure"),
    [
        (Phase.BOOTING, "boot: it did not boot in time"),
        (Phase.SYNCING, "sync: its check path never answered: its check path has not been asked yet"),
        (Phase.JOINING, "join: HAProxy's check did not pass in time"),
    ],
)
def test_a_step_that_fails_is_named_with_its_reason_and_counts_against_the_pool(phase: Phase, failure: str) -> None:
    drill = rehearsed(1, phase, since=NOW - 900)
    view = rows(row(drill, ServerStatus.DOWN, weight=0, passing=False)) if phase is Phase.JOINING else rows()
    last, made = followed(drill, gateway=view, cloud=listing(node(drill, NodeState.PENDING)))
    assert last.failure == failure
    assert last.outcome is DrillOutcome.RUNNING  # its machine is still to be destroyed
    assert any(getattr(each, "state", None) and each.state.failures == 1 for each in made.actions if hasattr(each, "state"))


def test_a_failed_drill_ends_as_failed_when_its_machine_is_gone() -> None:
    way = tuple((phase, NOW - ago) for phase, ago in ((Phase.REQUESTED, 400), (Phase.BOOTING, 390), (Phase.DESTROYING, 60)))
    drill = rehearsed(1, Phase.DESTROYING, entered=way, missed=2, missed_since=NOW - 70, attempted_at=NOW - 100)
    failed = replace(running(drill), failure="boot: it did not boot in time")
    made = remembering(replace(world(), fleet=(drill,)), Rehearsals(failed, succeeded_at=NOW - 9000))
    kept = remembered(made)
    assert kept.last is not None
    assert (kept.last.outcome, kept.last.failure, kept.succeeded_at) == (DrillOutcome.FAILED, failed.failure, NOW - 9000)
    assert [each.state for each in kept.last.steps] == [StepState.DONE, StepState.FAILED, StepState.DONE]
    assert any("has failed: boot: it did not boot in time (create 10 s, boot 330 s, destroy 60 s)" in each for each in notes(made))


def test_a_refused_create_fails_the_drill_with_the_clouds_words() -> None:
    drill = rehearsed(1, Phase.REQUESTED)
    refused = CreateFailed(drill.operation, drill.pool, Fault("pool dublin", FaultKind.NO_CAPACITY, "out of stock"))
    seen = world(fleet=[drill])
    last, _ = followed(drill, cloud=replace(seen.cloud, outcomes=(refused,)))
    assert (last.outcome, last.failure) == (DrillOutcome.FAILED, "create: out of stock")


def test_a_drill_that_never_came_to_a_create_fails_with_its_reason() -> None:
    drill = rehearsed(1, Phase.INTENDED)
    last, made = followed(drill, orders=Orders(drains=frozenset({drill.name})))
    assert (last.outcome, last.failure, last.steps) == (DrillOutcome.FAILED, "an operator drains it", ())
    assert any(each.endswith("has failed: an operator drains it") for each in notes(made))


def test_a_drill_whose_end_was_stored_just_before_a_kill_is_closed_as_far_as_it_was_seen() -> None:
    drill = rehearsed(1, Phase.DESTROYING)
    steps = tuple(DrillStep(name, NOW - 90, StepState.DONE, 10.0) for name in ("create", "boot", "sync", "join", "leave"))
    done = replace(running(drill), steps=(*steps, DrillStep("destroy", NOW - 40)))
    kept = remembered(remembering(world(ended={drill.operation: NOW - 10}), Rehearsals(done)))
    assert kept.last is not None
    assert (kept.last.outcome, kept.last.steps[-1].seconds, kept.succeeded_at) == (DrillOutcome.DONE, 30.0, NOW - 10)
    lost = replace(running(drill), steps=(DrillStep("create", NOW - 90, StepState.DONE, 10.0), DrillStep("boot", NOW - 80)))
    last = remembered(remembering(world(), Rehearsals(lost))).last
    assert last is not None
    assert (last.outcome, last.failure, last.steps[-1].state) == (
        DrillOutcome.FAILED,
        "burstd did not see how it went on",
        StepState.FAILED,
    )


def test_nothing_is_stored_where_nothing_has_changed() -> None:
    drill = rehearsed(1, Phase.BOOTING)
    last, _ = followed(drill)
    quiet = remembering(world(fleet=[drill], cloud=world(fleet=[drill]).cloud), Rehearsals(last))
    assert [each for each in quiet.actions if isinstance(each, RecordLearned)] == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"version": 2, "last": null}', '{"version": 1, "last": {"at": 1}}', "[" * 9999]
)
def test_strange_text_is_dropped(text: str) -> None:
    assert recollect({REHEARSALS: text}) == Rehearsals()
    assert recollect(None) == recollect({}) == Rehearsals()


def test_a_listed_machine_of_a_drill_is_ours_like_any_other() -> None:
    drill = rehearsed(1, Phase.BOOTING)
    assert phases(planned(world(fleet=[drill], cloud=replace(world().cloud, listings=world(fleet=[drill]).cloud.listings)), 0)) == {
        drill.name: Phase.SYNCING
    }
    assert node(drill).operation == drill.operation
