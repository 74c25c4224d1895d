"""Where instances may be: outside of the allowed countries nothing is bought or taken into service, and too far away nothing joins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.errors import AskOperator, Retry
from burstd.model.cloud import CreateCall
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import DrillOrder, Orders, Phase, PoolState
from burstd.model.plans import Note, Plan, RecordPool
from burstd.model.policy import Policy, PoolPolicy
from burstd.plan.drill import obstacle
from burstd.plan.residency import outside
from tests.given import calls, member, phases, planned, policy, world
from tests.turns import NOW

PHASES = (Phase.INTENDED, Phase.REQUESTED, Phase.UNKNOWN, Phase.BOOTING, Phase.SYNCING, Phase.JOINING, Phase.IN_SERVICE, Phase.DRAINING)


def under(countries: tuple[str, ...] = ("NO", "IE"), **homes: str | None) -> Policy:
    """The house's two pools in these countries; "dublin" is in Ireland and "oslo" in Norway, where nothing else is said."""
    chosen = {"dublin": "IE", "oslo": "NO", **homes}
    pools = tuple(replace(each, country=chosen[each.name]) for each in policy().pools)
    return replace(policy(fleet={"countries": countries}), pools=pools)


def bound(max_rtt: float | None) -> Policy:
    made = policy()
    return replace(made, pools=tuple(replace(each, max_rtt=max_rtt) for each in made.pools))


def bought(made: Plan) -> list[str]:
    return [each.pool for each in calls(made) if isinstance(each, CreateCall)]


def test_a_pool_outside_is_never_bought_from_and_the_next_one_is() -> None:
    made = planned(world(), 1, under(dublin="US"))
    assert bought(made) == ["oslo"]
    assert made.waiting == ("pool dublin is in US, outside of fleet.countries (NO, IE)",)


def test_where_no_pool_is_inside_nothing_is_bought_and_every_pool_is_named() -> None:
    made = planned(world(), 1, under(dublin="US", oslo=None))
    assert (bought(made), len(made.waiting)) == ([], 2)
    assert made.waiting[1] == "pool oslo is in no known country, outside of fleet.countries (NO, IE)"


def test_without_countries_every_pool_will_do() -> None:
    assert outside(under(()), "dublin") == ""
    assert bought(planned(world(), 1, under((), dublin="US"))) == ["dublin"]


def test_what_was_intended_there_under_older_settings_is_never_sent() -> None:
    waiting = member(1, Phase.INTENDED)
    made = planned(world(fleet=[waiting]), 0, under(dublin="US"))
    assert (bought(made), phases(made)) == ([], {waiting.name: Phase.FAILED})


def test_a_create_of_unknown_outcome_is_not_sent_again_there() -> None:
    lost = member(1, Phase.UNKNOWN, attempts=1, attempted_at=NOW - 60)
    seen = world(fleet=[lost])
    seen = replace(seen, cloud=replace(seen.cloud, in_flight=frozenset(), resends=frozenset({"dublin"})))
    assert bought(planned(seen, 1, under())) == ["dublin"]
    assert bought(planned(seen, 1, under(dublin="US"))) == []


def test_what_is_found_there_is_not_taken_into_service_and_is_given_up_past_its_deadline() -> None:
    found = member(1, Phase.SYNCING)
    seen = world(fleet=[found], checks={found.operation: None})
    made = planned(seen, 1, under(dublin="US"))
    assert phases(made) == {}
    assert made.waiting == (f"{found.name} is not ready: pool dublin is in US, outside of fleet.countries (NO, IE)",)
    late = replace(seen, fleet=(replace(found, since=NOW - 500),))
    assert phases(planned(late, 1, under(dublin="US")))[found.name] is Phase.DESTROYING


def test_a_drill_there_is_refused_with_the_mend_and_one_anywhere_goes_where_it_may() -> None:
    abroad = under(dublin="US")
    refusal = obstacle(world(), abroad, "dublin")
    assert isinstance(refusal, AskOperator)
    assert str(refusal) == (
        "drill --pool dublin: pool dublin is in US, outside of fleet.countries (NO, IE); "
        "name another pool, or add its country to fleet.countries"
    )
    assert obstacle(world(), abroad, None) is None
    barred = world(pools={"oslo": PoolState("oslo", 1, NOW + 60, "out of stock")})
    both = obstacle(barred, abroad, None)
    assert isinstance(both, Retry)
    assert str(both) == ("drill: pool dublin is in US, outside of fleet.countries (NO, IE); pool oslo is barred for 60 s: out of stock")
    made = planned(replace(world(), orders=Orders(drill=DrillOrder(NOW, "anna"))), 0, abroad)
    assert bought(made) == ["oslo"]


@given(
    countries=st.sets(st.sampled_from(["NO", "IE", "US"]), min_size=1),
    homes=st.tuples(*[st.sampled_from(["NO", "IE", "US", None])] * 2),
    fleet=st.lists(st.sampled_from(PHASES), max_size=4),
    wanted=st.integers(0, 4),
    drill=st.booleans(),
)
def test_no_plan_provisions_anything_outside_of_the_countries(
    countries: set[str], homes: tuple[str | None, str | None], fleet: list[Phase], wanted: int, *, drill: bool
) -> None:
    allowed = under(tuple(sorted(countries)), dublin=homes[0], oslo=homes[1])
    members = [member(number, phase) for number, phase in enumerate(fleet, start=1)]
    seen = world(fleet=members, checks={each.operation: None for each in members})
    orders = Orders(drill=DrillOrder(NOW, "anna") if drill else None)
    seen = replace(seen, orders=orders, cloud=replace(seen.cloud, in_flight=frozenset(), resends=frozenset({"dublin", "oslo"})))
    made = planned(seen, wanted, allowed)  # which looks that no invariant is broken
    for pool in bought(made):
        home = allowed.pool(pool)
        assert home is not None
        assert home.country in countries
    joined = [each for each in members if each.phase is Phase.SYNCING and phases(made).get(each.name) is Phase.JOINING]
    assert not joined or homes[0] in countries


def test_a_round_trip_above_the_bound_keeps_an_instance_out_with_both_figures() -> None:
    far = member(1, Phase.SYNCING)
    seen = world(fleet=[far], checks={far.operation: None}, round_trips={far.operation: 0.061})
    assert planned(seen, 1, bound(0.05)).waiting == (f"{far.name} is not ready: round trip 61 ms, max_rtt 50 ms",)
    assert phases(planned(seen, 1, bound(0.061))) == {far.name: Phase.JOINING}
    assert phases(planned(seen, 1, bound(None))) == {far.name: Phase.JOINING}


@pytest.mark.parametrize(
    ("trips", "why"),
    [
        ({}, "its round trip has not been measured yet"),
        ({member(1).operation: Fault("burst", FaultKind.UNREACHABLE, "no round trip: refused")}, "no round trip: refused"),
    ],
)
def test_a_round_trip_that_is_not_known_opens_no_gate(trips: dict[str, float | Fault], why: str) -> None:
    far = member(1, Phase.SYNCING)
    seen = world(fleet=[far], checks={far.operation: None}, round_trips=trips)
    assert planned(seen, 1, bound(0.05)).waiting == (f"{far.name} is not ready: {why}",)


def test_past_its_deadline_one_that_is_too_far_away_is_given_up_and_its_pool_backs_off() -> None:
    far = member(1, Phase.SYNCING, since=NOW - 500)
    seen = world(fleet=[far], checks={far.operation: None}, round_trips={far.operation: 0.061})
    made = planned(seen, 1, bound(0.05))
    (state,) = (each.state for each in made.actions if isinstance(each, RecordPool))
    assert phases(made)[far.name] is Phase.DESTROYING
    assert state == PoolState("dublin", 1, NOW + 30, f"{far.name}: it is too far away: round trip 61 ms, max_rtt 50 ms", unhealthy=1)
    assert not [each for each in made.actions if isinstance(each, Note)]


def test_the_check_path_is_told_before_the_distance() -> None:
    deaf = member(1, Phase.SYNCING)
    fault = Fault(deaf.name, FaultKind.UNREACHABLE, "refused")
    seen = world(fleet=[deaf], checks={deaf.operation: fault}, round_trips={deaf.operation: 9.0})
    assert planned(seen, 1, bound(0.05)).waiting == (f"{deaf.name} is not ready: refused",)


def test_an_instance_of_a_pool_that_the_settings_no_longer_have_is_bound_by_nothing() -> None:
    orphan = member(1, Phase.SYNCING)
    seen = world(fleet=[orphan], checks={orphan.operation: None})
    assert phases(planned(seen, 1, replace(policy(), pools=(PoolPolicy("oslo", "i", "s"),)))) == {orphan.name: Phase.JOINING}
