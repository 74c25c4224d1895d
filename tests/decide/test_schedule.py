"""A floor under the fleet for certain hours: reached early, never undercut by the load's wishes, and let go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.decision import Decision, Direction
from burstd.model.fleet import Override, Phase
from burstd.model.snapshot import Snapshot
from burstd.model.window import Window
from tests.given import decided, member, policy, world
from tests.turns import NOW

SALE = Window("sale", 2, NOW - 600, NOW + 3600)


def with_windows(*windows: Window, fleet: int = 0, load: float = 3.0) -> Snapshot:
    return world(load=load, fleet=[member(number) for number in range(1, fleet + 1)], windows=windows)


def long_low(snapshot: Snapshot) -> Decision:
    """The decision after the load has been low for so long that the threshold would give one back."""
    memory = decided(snapshot).memory
    later = replace(snapshot, now=NOW + 300, memory=memory, cores=world(load=0.5, now=NOW + 300).cores)
    return decided(later)


def test_an_open_window_wants_its_minimum_and_says_for_how_long() -> None:
    made = decided(with_windows(SALE))
    assert (made.count, made.direction) == (2, Direction.OUT)
    assert made.reasons == ('schedule "sale" wants 2 for another 3600 s',)


def test_a_window_that_soon_opens_wants_its_minimum_already() -> None:
    made = decided(with_windows(replace(SALE, opens_at=NOW + 120)))
    assert (made.count, made.reasons) == (2, ('schedule "sale" wants 2: it opens in 120 s',))


def test_without_a_window_no_schedule_wishes_anything() -> None:
    assert {each.source for each in decided(with_windows()).proposals} == {"threshold"}


def test_instances_on_their_way_count_towards_the_minimum() -> None:
    fleet = [member(1), member(2, Phase.BOOTING)]
    made = decided(world(load=3.0, fleet=fleet, windows=(SALE,)))
    assert (made.count, made.direction) == (2, Direction.HOLD)


def test_at_the_minimum_low_load_takes_nothing_away_and_the_schedule_is_the_reason() -> None:
    assert long_low(with_windows(fleet=2, load=0.5)).count == 1
    made = long_low(with_windows(SALE, fleet=2, load=0.5))
    assert (made.count, made.direction, made.reasons) == (2, Direction.HOLD, ('schedule "sale" wants 2 for another 3300 s',))


def test_above_the_minimum_low_load_gives_back_one_at_a_time_and_never_all_at_once() -> None:
    made = long_low(with_windows(SALE, fleet=4, load=0.5))
    assert (made.count, made.direction) == (3, Direction.IN)
    assert made.reasons[0].startswith("load 0.50 is below 2")


def test_above_the_minimum_a_load_that_is_not_low_keeps_all() -> None:
    assert decided(with_windows(SALE, fleet=4)).count == 4


def test_high_load_wants_more_than_the_minimum() -> None:
    assert decided(with_windows(SALE, fleet=2, load=6.0)).count == 3


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_windows_the_higher_minimum_counts(turned: bool) -> None:  # noqa: FBT001 - a parameter, not an argument
    both = (SALE, Window("launch", 3, NOW - 60, NOW + 60))
    made = decided(with_windows(*(reversed(both) if turned else both)))
    assert (made.count, made.reasons) == (3, ('schedule "launch" wants 3 for another 60 s',))


def test_an_operators_order_and_the_bounds_stand_above_a_schedule() -> None:
    snapshot = with_windows(SALE, fleet=1)
    ordered = replace(snapshot, orders=replace(snapshot.orders, override=Override(1, "anna", "", NOW)))
    assert decided(ordered).count == 1
    assert decided(snapshot, policy(fleet={"maximum": 1})).count == 1


def test_a_blind_burstd_still_opens_its_windows() -> None:
    assert decided(replace(with_windows(SALE), cores={})).count == 2
