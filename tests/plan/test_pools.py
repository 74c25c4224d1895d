"""Pools in order: what each failure does to its pool, for how long, and what is bought instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from burstd.model.cloud import CreateCall, CreateFailed, CreateUnknown, NodeState
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance, Phase, PoolState
from burstd.model.gateway import ServerStatus
from burstd.model.plans import Note, Plan, RecordPool
from burstd.model.snapshot import Snapshot
from tests.given import calls, decided, decision, listing, member, node, phases, planned, policy, records, row, rows, world
from tests.turns import NOW

LONGEST = policy().fleet.backoff_max


def refused(kind: FaultKind, *asked: Instance, retry_after: float | None = None, **changes: Any) -> Snapshot:
    """The creates of these were answered so."""
    fault = Fault("pool dublin", kind, f"it is {kind}")
    seen = world(fleet=asked, **changes)
    outcomes = tuple(CreateFailed(each.operation, each.pool, fault, retry_after) for each in asked)
    return replace(seen, cloud=replace(seen.cloud, outcomes=outcomes))


def state(made: Plan, pool: str = "dublin") -> PoolState:
    """How the plan leaves a pool."""
    return [each.state for each in made.actions if isinstance(each, RecordPool) and each.state.pool == pool][-1]


def notes(made: Plan) -> list[str]:
    return [each.text for each in made.actions if isinstance(each, Note)]


def bought_from(made: Plan) -> list[str]:
    return [each.pool for each in calls(made) if isinstance(each, CreateCall)]


def asked(*numbers: int) -> Iterable[Instance]:
    return [member(number, Phase.REQUESTED) for number in numbers]


@pytest.mark.parametrize("kind", [FaultKind.DENIED, FaultKind.MISCONFIGURED, FaultKind.REJECTED])
def test_what_somebody_must_mend_stops_the_pool_at_once_by_name_and_the_next_one_sells(kind: FaultKind) -> None:
    made = planned(refused(kind, *asked(1)), decision(1, current=1))
    assert state(made) == PoolState("dublin", 1, NOW + LONGEST, f"it is {kind}", stopped=True)
    assert notes(made) == [f"pool dublin is stopped for 1800 s or until the settings are read anew: it is {kind}"]
    assert bought_from(made) == ["oslo"]


@pytest.mark.parametrize("kind", [FaultKind.NO_CAPACITY, FaultKind.THROTTLED, FaultKind.UNREACHABLE])
def test_what_passes_by_itself_only_backs_off(kind: FaultKind) -> None:
    made = planned(refused(kind, *asked(1)), decision(0, current=1))
    assert state(made) == PoolState("dublin", 1, NOW + 30, f"it is {kind}")
    assert notes(made) == []


def test_a_throttle_is_honoured_for_as_long_as_it_says_even_where_it_stops_the_pool() -> None:
    assert state(planned(refused(FaultKind.THROTTLED, *asked(1), retry_after=77.0), decision(0))).barred_until == NOW + 77
    assert state(planned(refused(FaultKind.DENIED, *asked(1), retry_after=9000.0), decision(0))).barred_until == NOW + 9000


def test_a_stopped_pool_is_named_once_however_many_of_its_creates_come_back() -> None:
    made = planned(refused(FaultKind.DENIED, *asked(1, 2, 3)), decision(0))
    assert (state(made).failures, len(notes(made))) == (1, 1)
    stopped = PoolState("dublin", 1, NOW + 100, "it is denied", stopped=True)
    again = planned(refused(FaultKind.DENIED, *asked(4), pools={"dublin": stopped}), decision(0))
    assert (state(again).failures, state(again).barred_until, notes(again)) == (2, NOW + LONGEST, [])


def test_a_stop_outlives_milder_failures_and_its_own_end_does_not() -> None:
    stopped = PoolState("dublin", 1, NOW + 100, "it is denied", stopped=True)
    made = planned(refused(FaultKind.NO_CAPACITY, *asked(1), pools={"dublin": stopped}), decision(0))
    assert (state(made).stopped, state(made).barred_until) == (True, NOW + 100)
    over = replace(stopped, barred_until=NOW)
    made = planned(refused(FaultKind.NO_CAPACITY, *asked(1), pools={"dublin": over}), decision(0))
    assert (state(made).stopped, state(made).barred_until) == (False, NOW + 60)


def test_of_a_quota_what_fits_is_kept_and_the_rest_is_bought_elsewhere_and_counts_as_one_failure() -> None:
    fits, *rest = (member(number, Phase.REQUESTED) for number in (1, 2, 3))
    full = refused(FaultKind.NO_CAPACITY, *rest)
    fleet = (replace(fits, phase=Phase.BOOTING, node_id="i-1"), *full.fleet)
    made = planned(replace(full, fleet=fleet), decision(3, current=3))
    assert {name: phase for name, phase in phases(made).items() if phase is Phase.FAILED} == {each.name: Phase.FAILED for each in rest}
    assert bought_from(made) == ["oslo", "oslo"]
    assert state(made) == PoolState("dublin", 1, NOW + 30, "it is no_capacity")


def doubtful(kind: FaultKind, phase: Phase = Phase.REQUESTED, **changes: Any) -> Snapshot:
    """A create was answered with that fault, and may have made something."""
    asked = member(1, phase)
    seen = world(fleet=[asked], **changes)
    outcome = CreateUnknown(asked.operation, asked.pool, Fault("pool dublin", kind, f"it is {kind}"))
    return replace(seen, cloud=replace(seen.cloud, outcomes=(outcome,)))


@pytest.mark.parametrize("phase", [Phase.REQUESTED, Phase.UNKNOWN])
def test_a_create_that_failed_late_for_lack_of_stock_stays_open_and_the_next_pool_sells_at_once(phase: Phase) -> None:
    made = planned(doubtful(FaultKind.NO_CAPACITY, phase), decision(1))
    assert state(made) == PoolState("dublin", 1, NOW + 30, "it is no_capacity")
    assert bought_from(made) == ["oslo"]
    assert records(made)[member(1).name].phase is Phase.UNKNOWN


def test_a_create_that_failed_late_for_lack_of_stock_counts_against_max_until_it_is_resolved() -> None:
    seen = doubtful(FaultKind.NO_CAPACITY)
    made = planned(seen, decision(1), policy(fleet={"maximum": 1}))
    assert (bought_from(made), made.waiting[-1]) == ([], "fleet.max is 1 and 1 are still billed")


def test_one_that_was_refused_is_replaced_just_once_and_counts_again_if_it_turns_up() -> None:
    refused, instead = member(1, Phase.UNKNOWN, refused=True), member(2, Phase.REQUESTED)
    seen = world(load=9.0, fleet=[refused, instead])
    assert decided(seen).current == 1
    assert bought_from(planned(seen, decided(seen))) == []
    found = planned(replace(seen, cloud=replace(listing(node(refused)), in_flight=frozenset({instead.operation}))), 2)
    assert phases(found)[refused.name] is Phase.SYNCING
    assert decided(world(load=9.0, fleet=[records(found)[refused.name], instead])).current == 2


def test_one_that_was_refused_and_is_sent_again_is_on_its_way_again() -> None:
    seen = world(fleet=[member(1, Phase.UNKNOWN, attempted_at=NOW - 60, refused=True)])
    seen = replace(seen, cloud=replace(seen.cloud, in_flight=frozenset(), resends=frozenset({"dublin"})))
    again = records(planned(seen, decision(0)))[member(1).name]
    assert (again.phase, again.refused) == (Phase.REQUESTED, False)


@pytest.mark.parametrize("kind", [FaultKind.UNREACHABLE, FaultKind.UNKNOWN, FaultKind.GARBLED])
def test_a_lost_answer_says_nothing_about_the_pool(kind: FaultKind) -> None:
    assert bought_from(planned(doubtful(kind), decision(2, current=1))) == ["dublin"]


def test_a_template_that_never_gets_healthy_is_quarantined_after_three_in_a_row() -> None:
    seen = PoolState("dublin", 2, NOW - 1, "", unhealthy=2)
    late = member(1, Phase.SYNCING, since=NOW - 121)
    made = planned(world(fleet=[late], pools={"dublin": seen}), decision(1))
    found = state(made)
    assert (found.unhealthy, found.stopped, found.barred_until) == (3, True, NOW + LONGEST)
    assert found.reason.endswith("; 3 instances in a row never got healthy")
    (note,) = notes(made)
    assert note.startswith(f"pool dublin is stopped for 1800 s or until the settings are read anew: {late.name}")


@pytest.mark.parametrize(
    ("sick", "changes"),
    [
        (member(1, Phase.BOOTING, since=NOW - 301), {"cloud": listing(node(member(1), NodeState.PENDING))}),
        (member(1, Phase.BOOTING), {"cloud": listing(node(member(1), NodeState.ERROR))}),
        (member(1, Phase.SYNCING, since=NOW - 121), {}),
        (member(1, Phase.JOINING, since=NOW - 61, joined_at=None), {"gateway": rows(row(member(1), ServerStatus.DOWN, passing=False))}),
    ],
    ids=["boot", "error", "sync", "join"],
)
def test_each_way_of_not_getting_healthy_counts(sick: Instance, changes: dict[str, Any]) -> None:
    assert state(planned(world(fleet=[sick], **changes), decision(1))).unhealthy == 1


def test_a_refused_create_says_nothing_about_the_template() -> None:
    seen = PoolState("dublin", 2, NOW - 1, "", unhealthy=2)
    made = planned(refused(FaultKind.NO_CAPACITY, *asked(1), pools={"dublin": seen}), decision(0))
    assert (state(made).unhealthy, state(made).stopped) == (2, False)


def joined(pool: PoolState) -> Plan:
    joining = member(1, Phase.JOINING, joined_at=None)
    return planned(world(fleet=[joining], gateway=rows(row(joining, ServerStatus.DRAIN)), pools={"dublin": pool}), 1)


def test_an_instance_in_service_does_not_open_a_pool_that_was_stopped_since() -> None:
    stopped = PoolState("dublin", 1, NOW + 100, "it is denied", stopped=True)
    assert not any(isinstance(each, RecordPool) for each in joined(stopped).actions)
    assert state(joined(replace(stopped, barred_until=NOW))) == PoolState("dublin")


def test_a_stopped_pool_is_said_to_be_stopped() -> None:
    stopped = PoolState("dublin", 1, NOW + 100, "it is denied", stopped=True)
    made = planned(world(load=5.0, pools={"dublin": stopped}), decision(1, current=0))
    assert (bought_from(made), made.waiting[0]) == (["oslo"], "pool dublin is stopped for 100 s: it is denied")


def test_a_create_of_unknown_outcome_is_not_sent_again_before_its_pool_is_free() -> None:
    doubtful = member(1, Phase.UNKNOWN, attempted_at=NOW - 60)
    seen = world(fleet=[doubtful])
    seen = replace(seen, cloud=replace(seen.cloud, in_flight=frozenset(), resends=frozenset({"dublin"})))
    assert bought_from(planned(seen)) == ["dublin"]
    assert bought_from(planned(replace(seen, pools={"dublin": PoolState("dublin", 1, NOW + 5, "throttled")}))) == []
