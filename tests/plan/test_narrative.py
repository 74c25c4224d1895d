"""A cycle in words."""

from __future__ import annotations

from burstd.model.cloud import CreateCall, DestroyCall
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase
from burstd.model.gateway import AddServer, AdminState, CutSessions, EnableHealth, GatewayEdit, RemoveServer, SetState, SetWeight
from burstd.model.plans import Action, CallCloud, Done, EditGateway, Note, Plan, Record, Report, Violation
from burstd.plan.narrative import narrate, sentence
from tests.given import AWAY, DARK, decision, member, world

ONE = member(1)


def test_a_quiet_cycle_says_that_nothing_is_to_do_and_why() -> None:
    assert sentence(world(), decision(0), Plan()) == "nothing to do, because the test wants it"


def test_every_effect_has_its_words() -> None:
    edits: tuple[GatewayEdit, ...] = (
        AddServer("app_cluster", "b-1", "127.1.0.1", 80, 10),
        SetState("app_cluster", "b-1", AdminState.READY),
        SetState("app_cluster", "b-1", AdminState.DRAIN),
        SetState("app_cluster", "b-1", AdminState.MAINT),
        SetWeight("app_cluster", "b-1", 40),
        SetWeight("app_cluster", "b-2", 40),
        EnableHealth("app_cluster", "b-1"),
        CutSessions("app_cluster", "b-1"),
        RemoveServer("app_cluster", "b-1"),
    )
    actions: tuple[Action, ...] = (
        Record(member(2, Phase.BOOTING)),
        Record(member(3, Phase.GONE)),
        *(EditGateway(edit) for edit in edits),
        CallCloud(CreateCall(ONE.operation, ONE.request)),
        CallCloud(DestroyCall(ONE.operation, "dublin", "i-1")),
    )
    assert sentence(world(), decision(0), Plan(actions)) == (
        f"call {member(3).name} gone, join b-1, put b-1 in service, drain b-1, take b-1 out of service, "
        "set the burst weight to 40 (2 times), "
        f"enable the checks of b-1, cut the sessions of b-1, remove b-1 from HAProxy, launch {ONE.name} in dublin, destroy i-1 in dublin, "
        "because the test wants it"
    )


def test_a_long_wait_is_told_in_short() -> None:
    assert sentence(world(), decision(0), Plan(waiting=("a", "b"))).endswith("; waiting: a, b")
    assert sentence(world(), decision(0), Plan(waiting=("a", "b", "c", "d", "e"))).endswith("; waiting: a, b, c and 2 more")


def test_what_cannot_be_read_is_always_told() -> None:
    blind = world(load=(1.0, DARK), gateway=AWAY)
    assert sentence(blind, decision(0), Plan()) == (
        "nothing to do, because the test wants it; HAProxy cannot be read: nothing listens on its socket; "
        "no load of core-oslo-02 (no answer within 2 s)"
    )


def test_what_has_happened_is_kept() -> None:
    booting = member(1, Phase.BOOTING)
    plan = Plan((Record(booting), Record(booting), Note("said once")), violations=(Violation("max", "one too many"),))
    refused = Fault("haproxy", FaultKind.REJECTED, "no such server")
    told, kept = narrate(world(fleet=[member(1, Phase.REQUESTED)]), decision(1), plan, Report((Done(plan.actions[0], refused),)), "")
    assert [(each.kind, each.subject, each.text) for each in kept] == [
        ("fault", "invariant", "max: one too many"),
        ("cycle", "", f"{told} [the test wants it; the test's]"),
        ("instance", booting.name, f"booting: {booting.reason}"),
        ("instance", "", "said once"),
        ("fault", "haproxy", "no such server"),
    ]


def test_a_sentence_that_differs_in_its_figures_alone_is_not_kept_again() -> None:
    assert narrate(world(), decision(0), Plan(), Report(), "nothing to do, because the test wants it")[1] == ()
