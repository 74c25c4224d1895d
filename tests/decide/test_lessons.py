"""What the weight has learned goes over a restart as text, and whatever is strange in that text is dropped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.decide.ledger import LEDGER
from burstd.decide.lessons import WEIGHT
from burstd.model.decision import Decision, Memory
from burstd.model.fleet import Phase
from burstd.model.plans import Note, RecordLearned
from tests.given import CORES, decided, decision, member, planned, policy, world
from tests.turns import NOW

AUTO = policy(routing={"burst_weight": None})
WORK = dict.fromkeys(CORES, 0.04)
LEARNED = Memory(work=WORK, trim=0.9, weights={"app_cluster": 37})
GOOD: dict[str, Any] = {"version": 1, "work": WORK, "trim": 0.9, "weights": {"app_cluster": 37}}


def after(memory: Memory) -> Decision:
    """The decision of a cycle that had this memory."""
    return decided(world(fleet=[member(1)], memory=memory), AUTO)


def restarted(learned: Mapping[str, str]) -> Decision:
    """The first decision of a process that finds this in the roster."""
    return decided(world(fleet=[member(1)], memory=Memory(new=True, stored=None), learned=learned), AUTO)


def changed(**changes: object) -> str:
    return json.dumps({**GOOD, **changes})


def test_what_was_learned_is_stored_and_a_new_process_decides_with_it() -> None:
    learned = after(LEARNED).learned
    assert json.loads(learned[WEIGHT]) == GOOD
    first = restarted(learned)
    assert (dict(first.memory.work), first.memory.trim, first.memory.weights) == (WORK, 0.9, {"app_cluster": 37})
    assert (first.weight, first.weight_reason) == (37, "the request rate is not known yet")
    assert (first.notes, first.learned, first.memory.stored) == ((), {}, learned)


def test_no_time_and_no_window_goes_over_a_restart() -> None:
    full = replace(
        LEARNED, above_since=NOW - 9, below_since=NOW - 9, proposals=((NOW - 9, 2),), weighed_at=NOW - 5, watched_since=NOW - 999
    )
    first = restarted(after(full).learned).memory
    assert (first.above_since, first.watched_since, first.weighed_at) == (None, NOW, NOW)
    assert all(at == NOW for at, _ in first.proposals)


def test_a_process_that_finds_nothing_starts_with_nothing_and_says_nothing() -> None:
    first = restarted({})
    assert (first.weight, first.weight_reason, first.notes) == (100, "the cores' capacity is not learned yet", ())
    assert first.memory.stored == {}
    assert set(first.learned) == {LEDGER}  # the bill of the instance that is there


def test_what_other_policies_have_stored_is_left_alone() -> None:
    first = restarted({"tomorrow": "\x00"})
    assert (first.notes, set(first.learned), first.memory.stored) == ((), {LEDGER}, {"tomorrow": "\x00"})


@pytest.mark.parametrize(
    "strange",
    [
        "",
        "[" * 100_000,
        "null",
        "7",
        "[]",
        "{}",
        "9" * 5000,
        changed(version=2),
        changed(work=[]),
        changed(work={CORES[0]: float("nan")}),
        changed(work={CORES[0]: float("inf")}),
        changed(work={CORES[0]: -0.04}),
        changed(work={CORES[0]: 0.0}),
        changed(work={CORES[0]: True}),
        changed(work={CORES[0]: "0.04"}),
        changed(work={CORES[0]: 10**400}),
        changed(trim=float("nan")),
        changed(trim=0.1),
        changed(trim=None),
        changed(weights={"app_cluster": 0}),
        changed(weights={"app_cluster": 257}),
        changed(weights={"app_cluster": True}),
        changed(weights={"app_cluster": 37.0}),
        json.dumps({"version": 1, "work": WORK, "trim": 0.9}),
    ],
)
def test_what_is_damaged_or_of_another_version_is_dropped_as_a_whole_and_said(strange: str) -> None:
    first = restarted({WEIGHT: strange})
    assert (dict(first.memory.work), first.memory.trim, first.memory.weights, first.weight) == ({}, 1.0, {}, 100)
    assert first.notes == ('what the roster holds as learned by "weight" cannot be read: it is dropped, and learned anew',)
    assert WEIGHT not in first.learned  # there is nothing better yet
    later = after(replace(LEARNED, stored=first.memory.stored))
    assert json.loads(later.learned[WEIGHT]) == GOOD
    assert later.notes == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["version", "work", "trim", "weights", *CORES]), inner),
)


@given(st.text() | JSON.map(json.dumps) | st.dictionaries(st.sampled_from(sorted(GOOD)), JSON).map(lambda each: changed(**each)))
def test_whatever_the_roster_holds_the_weight_is_one_that_haproxy_takes(text: str) -> None:
    first = restarted({WEIGHT: text})
    assert first.weight is not None
    assert 1 <= first.weight <= 256
    assert all(cost > 0 for cost in first.memory.work.values())


@pytest.mark.parametrize(
    ("memory", "worth_it"),
    [
        (replace(LEARNED, work=dict.fromkeys(CORES, 0.043)), False),
        (replace(LEARNED, work=dict.fromkeys(CORES, 0.045)), True),
        (replace(LEARNED, work={CORES[0]: 0.04}), True),
        (replace(LEARNED, trim=0.95), False),
        (replace(LEARNED, trim=1.0), True),
        (replace(LEARNED, weights={"app_cluster": 38}), True),
        (LEARNED, False),
    ],
)
def test_only_what_has_changed_by_more_than_noise_is_worth_a_write(memory: Memory, *, worth_it: bool) -> None:
    stored = after(LEARNED).learned
    assert bool(after(replace(memory, stored=stored)).learned) is worth_it


def test_what_an_instance_cost_is_forgotten_once_it_is_no_more() -> None:
    here, gone = member(1), member(2)
    known = replace(LEARNED, work={**WORK, here.name: 0.05, gone.name: 0.05})
    assert set(after(known).memory.work) == {*CORES, here.name}


def test_what_is_worth_storing_becomes_a_record_and_what_is_to_be_said_a_note() -> None:
    made = planned(world(), replace(decision(0), learned={WEIGHT: "{}"}, notes=("it is dropped",)))
    assert made.actions == (RecordLearned(WEIGHT, "{}"), Note("it is dropped"))


def test_an_instance_that_still_boots_keeps_what_is_known_of_it() -> None:
    booting = member(1, Phase.BOOTING)
    known = replace(LEARNED, work={**WORK, booting.name: 0.05})
    assert booting.name in decided(world(fleet=[booting], memory=known), AUTO).memory.work
