from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from burstd.control import documents
from burstd.control.documents import Document
from burstd.model.cloud import CreateCall, DestroyCall
from burstd.model.cost import Billing
from burstd.model.decision import Direction, Traffic
from burstd.model.event import Event
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Cooldowns, Orders, Override, Pause, Phase, PoolState
from burstd.model.gateway import AddServer, AdminState, CutSessions, EnableHealth, RemoveServer, SetMaxconn, SetState, SetWeight
from burstd.model.load import Sample
from burstd.model.plans import (
    Action,
    CallCloud,
    Done,
    EditGateway,
    Note,
    Plan,
    Record,
    RecordCooldowns,
    RecordLearned,
    RecordOrders,
    RecordPool,
    Report,
)
from burstd.model.policy import BackendPolicy, Policy, RoutingPolicy
from burstd.model.turn import Turn
from tests.turns import NOW, POLICY, gateway, instance, quiet_turn, rich_turn, server

MAKERS = [documents.status, documents.explain, documents.plan]


def with_memory(turn: Turn, **changes: object) -> Turn:
    decision = turn.decision
    return replace(turn, decision=replace(decision, memory=replace(decision.memory, **changes)))  # type: ignore[arg-type]  # any field


def blockers(turn: Turn, policy: Policy = POLICY) -> list[str]:
    found: list[str] = documents.explain(turn, policy)["scale_in"]["blocked_by"]
    return found


@pytest.fixture
def calm() -> Turn:
    """One instance in service that nothing but the load keeps: the load is low, and long enough."""
    one = instance(1, Phase.IN_SERVICE)
    quiet = quiet_turn()
    snapshot = replace(
        quiet.snapshot, fleet=(one,), gateway=gateway(server("core-oslo-01", 100), server("core-oslo-02", 100), server(one.name, 10))
    )
    decision = replace(quiet.decision, current=1, count=0, direction=Direction.IN)
    turn = replace(quiet, snapshot=snapshot, decision=decision)
    return with_memory(turn, below_since=NOW - 500, watched_since=NOW - 1000, proposals=((NOW, 0),))


RELAXED = replace(POLICY, fleet=replace(POLICY.fleet, minimum=0))


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("turn", [quiet_turn(), rich_turn()], ids=["quiet", "rich"])
def test_every_document_is_json_without_nan(make: Callable[[Turn, Policy], Document], turn: Turn) -> None:
    assert json.loads(json.dumps(make(turn, POLICY), allow_nan=False))["sentence"] == turn.sentence


@pytest.mark.parametrize("make", MAKERS)
def test_no_document_shows_user_data(make: Callable[[Turn, Policy], Document]) -> None:
    policy = replace(POLICY, pools=tuple(replace(pool, user_data="password: hunter2") for pool in POLICY.pools))
    assert "hunter2" not in json.dumps(make(rich_turn(), policy))


@pytest.mark.parametrize("make", MAKERS)
def test_a_document_has_the_same_keys_whatever_has_happened(make: Callable[[Turn, Policy], Document]) -> None:
    assert list(make(quiet_turn(), POLICY)) == list(make(rich_turn(), POLICY))


def test_a_number_that_is_none_becomes_null() -> None:
    turn = rich_turn()
    absurd = replace(turn, decision=replace(turn.decision, signal=math.inf, core_rate=math.nan, core_capacity=math.nan))
    absurd = replace(absurd, snapshot=replace(turn.snapshot, cores={"core-oslo-01": Sample(NOW, math.nan)}))
    status, explain = documents.status(absurd, POLICY), documents.explain(absurd, POLICY)
    assert status["load"]["signal"] is None
    assert status["cores"][0]["load1"] is None
    assert status["gateway"]["burst_share"] is None
    assert explain["weight"]["core_capacity"] is None


def test_status_counts_instances_by_what_they_do() -> None:
    status = documents.status(rich_turn(), POLICY)
    assert [status[key] for key in ("desired", "current", "min", "max")] == [3, 2, 1, 4]
    assert [status[key] for key in ("in_service", "standby", "on_the_way", "leaving")] == [1, 0, 1, 1]


def test_status_shows_what_the_cycle_left_and_not_what_it_found() -> None:
    turn = quiet_turn()
    new, gone = instance(7, Phase.REQUESTED), instance(8, Phase.GONE)
    barred = PoolState("dublin", 3, NOW + 30, "out of stock")
    records: list[Action] = [
        Record(new),
        Record(gone),
        RecordPool(barred),
        RecordCooldowns(Cooldowns(scale_out=NOW)),
        RecordOrders(Orders(pause=Pause.OUT)),
    ]
    failed = Record(instance(9, Phase.REQUESTED))
    report = Report((*map(Done, records), Done(failed, Fault("roster", FaultKind.UNKNOWN, "the disk is full"))))
    turn = replace(
        turn,
        snapshot=replace(turn.snapshot, fleet=(instance(8, Phase.DESTROYING),), orders=Orders(Override(2, "anna", "", NOW - 5))),
        plan=Plan((*records, failed)),
        report=report,
    )
    status, explain = documents.status(turn, POLICY), documents.explain(turn, POLICY)
    assert [(each["name"], each["phase"]) for each in status["instances"]] == [(new.name, "requested")]
    assert (status["pause"], status["override"]) == ("out", None)
    assert (status["pools"][0]["failures"], status["pools"][0]["barred_seconds"]) == (3, 30.0)
    assert explain["cooldowns"]["scale_out"] == POLICY.load.cooldown_out


def test_an_override_that_has_ended_is_not_in_force_any_more() -> None:
    turn = quiet_turn()
    over = replace(turn, snapshot=replace(turn.snapshot, orders=Orders(Override(2, "anna", "", NOW - 60, NOW))))
    assert documents.status(over, POLICY)["override"] is None


def test_an_override_says_who_why_and_how_long_still() -> None:
    override = documents.status(rich_turn(), POLICY)["override"]
    assert (override["owner"], override["reason"], override["until"], override["seconds_left"]) == ("anna", "the sale", NOW + 3600, 3600.0)


def test_a_core_is_shown_with_its_load_and_with_its_line_in_haproxy() -> None:
    good, dead = documents.status(rich_turn(), POLICY)["cores"]
    assert (good["load1"], good["age_seconds"], good["cpus"], good["status"], good["weight"], good["fault"]) == (
        6.5,
        1.0,
        4,
        "UP",
        100,
        None,
    )
    assert (dead["load1"], dead["status"], dead["fault"]["kind"]) == (None, "DOWN", "unreachable")


@pytest.mark.parametrize(("phase", "weight"), [(Phase.IN_SERVICE, 40), (Phase.STANDBY, 10)])
def test_of_two_lines_in_the_midst_of_a_switch_the_one_to_keep_is_shown(phase: Phase, weight: int) -> None:
    switching = instance(1, phase)
    backup = replace(server(f"{switching.name}-standby", 10), backup=True)
    turn = quiet_turn()
    view = gateway(backup, server(switching.name, 40))
    turn = replace(turn, snapshot=replace(turn.snapshot, fleet=(switching,), gateway=view))
    shown = documents.status(turn, POLICY)["instances"][0]
    assert (shown["weight"], shown["backup"]) == (weight, phase is Phase.STANDBY)


def test_without_haproxy_what_only_it_knows_is_null() -> None:
    turn = rich_turn()
    blind = replace(turn, snapshot=replace(turn.snapshot, gateway=Fault("haproxy", FaultKind.UNREACHABLE, "refused")))
    status = documents.status(blind, POLICY)
    assert status["gateway"]["fault"] == {"peer": "haproxy", "kind": "unreachable", "text": "refused"}
    assert (status["gateway"]["version"], status["gateway"]["backends"], status["cores"][0]["weight"]) == (None, [], None)
    assert set(status["gateway"]) == set(documents.status(turn, POLICY)["gateway"])


def test_haproxys_version_its_weights_and_the_burst_share_are_there() -> None:
    shown = documents.status(rich_turn(), POLICY)["gateway"]
    assert shown["version"] == "2.6.12"
    assert shown["backends"][0]["weights"] == {"core-oslo-01": 100, "core-oslo-02": 100, instance(1, Phase.IN_SERVICE).name: 40}
    assert shown["burst_share"] == 0.25


def test_where_nothing_flows_there_is_no_share() -> None:
    turn = quiet_turn()
    still = replace(turn, decision=replace(turn.decision, core_rate=0.0, burst_rate=0.0))
    assert documents.status(still, POLICY)["gateway"]["burst_share"] is None


def test_a_servers_rate_comes_from_its_counters() -> None:
    history = (Traffic(NOW - 10, 100, None, None), Traffic(NOW, 350, None, None))
    turn = with_memory(rich_turn(), traffic={"core-oslo-01": history})
    good, other = documents.status(turn, POLICY)["cores"]
    assert (good["requests_per_second"], other["requests_per_second"]) == (25.0, None)


def test_an_instance_that_somebody_holds_out_says_how() -> None:
    turn = rich_turn()
    held = replace(turn.snapshot.fleet[0], by_hand=AdminState.DRAIN)
    shown = documents.status(replace(turn, snapshot=replace(turn.snapshot, fleet=(held, *turn.snapshot.fleet[1:]))), POLICY)["instances"]
    assert [each["by_hand"] for each in shown] == ["drain", None, None]


def test_a_waiting_instance_says_until_when_it_may_wait() -> None:
    serving, syncing, _ = documents.explain(rich_turn(), POLICY)["instances"]
    assert (serving["deadline_at"], serving["deadline_seconds"]) == (None, None)
    assert (syncing["seconds"], syncing["deadline_seconds"]) == (60.0, POLICY.fleet.sync_deadline - 60)


def test_a_pool_that_was_never_listed_or_barred_says_so_with_nulls() -> None:
    dublin, oslo = documents.status(quiet_turn(), POLICY)["pools"]
    assert (dublin["nodes"], dublin["listing_age_seconds"], dublin["barred_until"]) == (0, 10.0, None)
    assert (oslo["nodes"], oslo["listing_age_seconds"], oslo["fault"]) == (None, None, None)


def test_a_pool_tells_its_price_where_it_is_known() -> None:
    prices = [(each["price"], each["currency"]) for each in documents.status(quiet_turn(), POLICY)["pools"]]
    assert prices == [(0.0228, "EUR"), (None, None)]


def test_a_bar_that_is_over_is_no_bar() -> None:
    turn = quiet_turn()
    free = replace(turn, snapshot=replace(turn.snapshot, pools={"dublin": PoolState("dublin", 1, NOW - 1, "out of stock")}))
    assert documents.status(free, POLICY)["pools"][0]["barred_until"] is None


def test_a_stopped_pool_is_told_from_one_that_backs_off() -> None:
    turn = quiet_turn()
    for until, stopped in ((NOW + 5, True), (NOW - 1, False)):
        pools = {"dublin": PoolState("dublin", 1, until, "AuthFailure", stopped=True)}
        document = documents.status(replace(turn, snapshot=replace(turn.snapshot, pools=pools)), POLICY)
        assert [each["stopped"] for each in document["pools"]] == [stopped, False]


def test_explain_names_the_number_its_reasons_and_every_proposal() -> None:
    number = documents.explain(rich_turn(), POLICY)["number"]
    assert (number["desired"], number["direction"], number["reasons"]) == (3, "out", ["load 1.25 is below 4.0"])
    assert number["proposals"] == [{"source": "threshold", "direction": "hold", "count": 0, "reason": "load 1.25 is below 4.0"}]


@pytest.mark.parametrize(("burst_weight", "mode"), [(None, "auto"), (10, "fixed")])
def test_explain_says_whether_the_weight_is_solved_or_set(burst_weight: int | None, mode: str) -> None:
    policy = replace(POLICY, routing=RoutingPolicy(backends=(BackendPolicy(weight=burst_weight),)))
    assert documents.explain(rich_turn(), policy)["weight"]["mode"] == mode


def test_without_instances_there_is_nothing_to_give_back() -> None:
    assert blockers(quiet_turn()) == ["there is no instance to give back"]


def test_when_the_load_has_long_been_low_nothing_blocks(calm: Turn) -> None:
    assert blockers(calm, RELAXED) == []


def test_all_that_blocks_a_scale_in_is_named_at_once(calm: Turn) -> None:
    fault = Fault("haproxy", FaultKind.UNREACHABLE, "refused")
    orders = Orders(Override(1, "anna", "", NOW - 5), Pause.BOTH)
    turn = replace(calm, snapshot=replace(calm.snapshot, cores={}, gateway=fault, orders=orders))
    assert blockers(turn) == [
        "no fresh load of core-oslo-01 (not read)",
        "no fresh load of core-oslo-02 (not read)",
        "HAProxy cannot be read",
        "scale-in is paused",
        "anna ordered 1",
        "fleet.min is 1",
    ]


def test_an_order_for_fewer_waits_for_no_load(calm: Turn) -> None:
    busy = replace(calm, decision=replace(calm.decision, signal=9.0))
    ordered = replace(busy, snapshot=replace(busy.snapshot, orders=Orders(Override(0, "anna", "", NOW - 5))))
    assert blockers(busy, RELAXED) == ["load 9.00 is not below 2"]
    assert blockers(ordered, RELAXED) == []


def test_the_timers_that_block_a_scale_in_say_how_long_still(calm: Turn) -> None:
    turn = with_memory(calm, below_since=NOW - 30, watched_since=NOW - 100, proposals=((NOW - 50, 2), (NOW, 0)))
    turn = replace(turn, snapshot=replace(turn.snapshot, cooldowns=Cooldowns(scale_out=NOW - 20, scale_in=NOW - 90)))
    assert blockers(turn, RELAXED) == [
        "the load has been low for 30 s of 120 s",
        "the scale-in cooldown lasts 100 s",
        "the first full window after the start lasts 200 s",
        "the last 300 s wanted 2",
    ]
    assert documents.explain(turn, RELAXED)["cooldowns"] == {"scale_out": 40.0, "scale_in": 100.0}


def test_cooldowns_that_are_over_are_zero(calm: Turn) -> None:
    assert documents.explain(calm, POLICY)["cooldowns"] == {"scale_out": 0.0, "scale_in": 0.0}


def test_a_plan_says_what_came_of_each_action() -> None:
    plan = documents.plan(rich_turn(), POLICY)
    assert [(each["kind"], each["outcome"]) for each in plan["actions"]] == [
        ("record", "done"),
        ("create", "done"),
        ("destroy", "done"),
        ("add_server", "failed"),
        ("set_state", "skipped"),
    ]
    assert plan["actions"][3]["fault"] == {"peer": "haproxy", "kind": "rejected", "text": "no such server"}
    assert plan["violations"] == [{"invariant": "max", "text": "5 launches would exceed max = 4"}]


def test_a_dry_run_plans_and_does_nothing() -> None:
    plan = documents.plan(replace(rich_turn(), report=Report()), POLICY)
    assert {each["outcome"] for each in plan["actions"]} == {"planned"}


NEW = instance(7, Phase.REQUESTED)


@pytest.mark.parametrize(
    ("action", "subject", "text"),
    [
        (Record(NEW), NEW.name, f"record {NEW.name} as requested: the create is handed to a worker"),
        (RecordPool(PoolState("oslo", 2)), "oslo", "record 2 failures in a row of pool oslo"),
        (RecordCooldowns(Cooldowns()), "", "record when the fleet last grew and shrank"),
        (RecordOrders(Orders()), "", "record the orders that are left"),
        (RecordLearned("weight", "{}"), "weight", "record what weight has learned"),
        (RecordLearned("cost", "{}"), "cost", "record what instances have cost"),
        (CallCloud(CreateCall("a", NEW.request)), NEW.name, f"create {NEW.name} in pool dublin (size small, image debian-12)"),
        (CallCloud(DestroyCall("a", "oslo", "i-3")), "i-3", "destroy machine i-3 in pool oslo"),
        (
            EditGateway(AddServer("app_cluster", "b", "127.1.0.1", 80, 4)),
            "b",
            "add b to HAProxy at 127.1.0.1:80 with weight 4, without traffic yet",
        ),
        (
            EditGateway(AddServer("app_cluster", "b", "127.1.0.1", 80, 4, backup=True)),
            "b",
            "add b to HAProxy at 127.1.0.1:80 with weight 4, as backup, without traffic yet",
        ),
        (EditGateway(SetState("app_cluster", "b", AdminState.DRAIN)), "b", "set b to drain in HAProxy"),
        (EditGateway(SetWeight("app_cluster", "b", 12)), "b", "give b the weight 12"),
        (EditGateway(SetMaxconn("app_cluster", "b", 8)), "b", "set the connection limit 8 of b"),
        (EditGateway(SetMaxconn("app_cluster", "b", None)), "b", "lift the connection limit of b"),
        (EditGateway(EnableHealth("app_cluster", "b")), "b", "start the health check of b"),
        (EditGateway(CutSessions("app_cluster", "b")), "b", "close the sessions that b still has"),
        (EditGateway(RemoveServer("app_cluster", "b")), "b", "remove b from HAProxy"),
        (Note("a stranger is there"), "", "a stranger is there"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_every_action_has_its_words(action: Action, subject: str, text: str) -> None:
    turn = replace(quiet_turn(), plan=Plan((action,)))
    (shown,) = documents.plan(turn, POLICY)["actions"]
    assert (shown["subject"], shown["text"]) == (subject, text)


def test_events_come_as_they_are() -> None:
    event = Event(NOW, "order", "anna", "3 instances wanted")
    assert documents.events([event]) == {"events": [{"at": NOW, "kind": "order", "subject": "anna", "text": "3 instances wanted"}]}


def test_what_is_spent_is_told_by_currency_and_what_has_no_price_by_its_pool() -> None:
    told = documents.status(rich_turn(), POLICY)
    assert told["cost"] == {
        "currencies": [{"currency": "EUR", "per_hour": 0.0228, "today": 1.25, "month": 8.5, "total": 40.5}],
        "unpriced": ["oslo"],
        "day": "2023-11-14",
    }
    assert told["budget"] == {
        "currency": "EUR",
        "soft": True,
        "used_up": False,
        "promised": 0.0228,
        "day": {"period": "2023-11-14", "spent": 1.25, "soft": 1.0, "hard": 12.0},
        "month": {"period": "2023-11", "spent": 8.5, "soft": 100.0, "hard": None},
    }
    quiet = documents.explain(quiet_turn(), POLICY)
    assert (quiet["cost"], quiet["budget"]) == ({"currencies": [], "unpriced": [], "day": None}, None)


def hourly() -> Policy:
    """The house's policy, with "dublin" billed by the hour."""
    return replace(POLICY, pools=(replace(POLICY.pools[0], billing=Billing.HOUR), *POLICY.pools[1:]))


def test_until_when_an_hour_is_paid_is_told_where_it_is_paid_by_the_hour() -> None:
    turn = rich_turn()
    held = replace(turn.snapshot.fleet[0], node_id="i-1")
    turn = replace(turn, snapshot=replace(turn.snapshot, fleet=(held,)))
    for make in (documents.status, documents.explain):
        assert make(turn, POLICY)["instances"][0]["paid_until"] is None
        assert make(turn, hourly())["instances"][0]["paid_until"] == held.created_at + 3600


def test_a_paid_hour_is_among_what_keeps_an_instance_from_going() -> None:
    held = replace(instance(1, Phase.IN_SERVICE), node_id="i-1")
    turn = quiet_turn()
    turn = replace(turn, snapshot=replace(turn.snapshot, fleet=(held,)), decision=replace(turn.decision, current=1))
    told = f"the hour of each is paid, that of {held.name} for another {3600 - 90 - 300} s until it may go"
    assert told in documents.explain(turn, hourly())["scale_in"]["blocked_by"]
    assert told not in documents.explain(turn, POLICY)["scale_in"]["blocked_by"]


def test_past_a_soft_limit_the_waits_are_told_as_short_as_they_are() -> None:
    turn = rich_turn()
    turn = replace(turn, snapshot=replace(turn.snapshot, cooldowns=Cooldowns(scale_in=NOW - 10)))
    assert documents.explain(turn, POLICY)["cooldowns"]["scale_in"] == 50.0
    within = replace(turn, decision=replace(turn.decision, purse=None))
    assert documents.explain(within, POLICY)["cooldowns"]["scale_in"] == 110.0
