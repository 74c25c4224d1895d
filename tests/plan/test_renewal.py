"""Who is paid by the hour stays until shortly before the next one, whatever policy wishes for less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.cost import Billing
from burstd.model.fleet import Instance, Orders, Override, Phase
from burstd.model.gateway import ServerStatus
from burstd.model.policy import Policy
from burstd.plan.renewal import RELEASE, paid_until, until_release
from tests.given import decision, member, phases, planned, policy, row, rows, world
from tests.turns import NOW

HOUR = 3600.0


def hourly(drain: float = 60.0, standby: int = 0) -> Policy:
    """The house's policy with "dublin" billed by the hour and "oslo" by the second."""
    under = policy(fleet={"drain_deadline": drain, "standby": standby})
    return replace(under, pools=(replace(under.pools[0], billing=Billing.HOUR), under.pools[1]))


def aged(number: int, age: float, phase: Phase = Phase.IN_SERVICE, pool: str = "dublin", **changes: object) -> Instance:
    """The numbered instance, bought that many seconds ago."""
    made = member(number, phase, created_at=NOW - age, entered=((Phase.REQUESTED, NOW - age),), **changes)
    return replace(made, request=replace(made.request, pool=pool))


@pytest.mark.parametrize(
    ("age", "left", "wait"),
    [
        (0.0, 3600.0, 3300.0),
        (600.0, 3000.0, 2700.0),
        (3299.0, 301.0, 1.0),
        (3300.0, 300.0, 0.0),
        (3599.0, 1.0, 0.0),
        (3600.0, 3600.0, 3300.0),
        (90_000.0, 3600.0, 3300.0),
    ],
)
def test_an_hour_is_paid_until_the_next_one_begins(age: float, left: float, wait: float) -> None:
    until = paid_until(aged(1, age), hourly(), NOW)
    assert (until, until_release(aged(1, age), hourly(), NOW)) == (NOW + left, wait)


def test_a_long_drain_begins_earlier() -> None:
    assert until_release(aged(1, 600.0), hourly(drain=900.0), NOW) == 3000.0 - 960.0
    assert until_release(aged(1, 600.0), hourly(drain=7200.0), NOW) == 0.0
    assert RELEASE == 300.0


def test_who_is_paid_by_the_second_or_has_no_machine_or_no_pool_waits_for_nothing() -> None:
    for each in (aged(1, 600.0, pool="oslo"), aged(1, 600.0, pool="gone"), aged(1, 600.0, Phase.INTENDED)):
        assert (paid_until(each, hourly(), NOW), until_release(each, hourly(), NOW)) == (None, 0.0)


def test_a_clock_that_was_set_back_makes_no_hour_longer() -> None:
    assert paid_until(aged(1, -7200.0), hourly(), NOW) == NOW + HOUR


def test_it_stays_in_service_until_shortly_before_its_next_hour_and_that_is_said() -> None:
    paid = aged(1, 600.0)
    made = planned(world(fleet=[paid]), decision(0, current=1), hourly())
    assert made.actions == ()
    assert made.waiting == (f"{paid.name} is paid for, and leaves in 2700 s, shortly before its next hour begins",)
    due = aged(1, 3400.0)
    assert phases(planned(world(fleet=[due]), decision(0, current=1), hourly())) == {due.name: Phase.DRAINING}


@pytest.mark.parametrize("phase", [Phase.BOOTING, Phase.SYNCING, Phase.STANDBY])
def test_what_does_not_serve_yet_and_a_standby_stay_for_what_was_paid_as_well(phase: Phase) -> None:
    paid = aged(1, 600.0, phase)
    assert phases(planned(world(fleet=[paid]), decision(0, current=1), hourly())).get(paid.name) in {None, Phase.SYNCING}
    due = aged(1, 3400.0, phase)
    assert due.name in phases(planned(world(fleet=[due]), decision(0, current=1), hourly()))


def test_what_was_never_sent_is_dropped_at_once() -> None:
    meant = aged(1, 5.0, Phase.INTENDED)
    assert phases(planned(world(fleet=[meant]), decision(0, current=1), hourly())) == {meant.name: Phase.FAILED}


def test_an_order_and_an_illness_wait_for_no_hour() -> None:
    paid = aged(1, 600.0)
    override = Orders(Override(0, "anna", "", since=NOW))
    assert phases(planned(world(fleet=[paid], orders=override), decision(0, current=1), hourly())) == {paid.name: Phase.DRAINING}
    drained = Orders(drains=frozenset({paid.name}))
    assert phases(planned(world(fleet=[paid], orders=drained), decision(0, current=0), hourly())) == {paid.name: Phase.DRAINING}
    ill = replace(paid, down_since=NOW - 5)
    sick = world(fleet=[ill], gateway=rows(row(ill, ServerStatus.DOWN, passing=False)))
    assert phases(planned(sick, decision(0, current=1), hourly())) == {ill.name: Phase.DRAINING}


def test_whose_hour_is_nearly_over_leaves_first_then_who_costs_by_the_second() -> None:
    fresh, due, by_second = aged(1, 600.0), aged(2, 3400.0), aged(3, 9000.0, pool="oslo")
    fleet = world(fleet=[fresh, due, by_second])
    assert phases(planned(fleet, decision(2, current=3), hourly())) == {due.name: Phase.DRAINING}
    assert phases(planned(fleet, decision(1, current=3), hourly())) == {due.name: Phase.DRAINING, by_second.name: Phase.DRAINING}


def test_of_those_that_wait_only_so_many_are_told_as_are_too_much() -> None:
    early, late = aged(1, 600.0), aged(2, 1200.0)
    made = planned(world(fleet=[early, late]), decision(1, current=2), hourly())
    assert made.waiting == (f"{late.name} is paid for, and leaves in 2100 s, shortly before its next hour begins",)


def test_into_the_reserve_it_goes_without_waiting() -> None:
    paid = aged(1, 600.0)
    assert phases(planned(world(fleet=[paid]), decision(0, current=1), hourly(standby=1))) == {paid.name: Phase.STANDBY}
