"""A floor under the fleet for certain hours: reached early, never undercut by the load's wishes, and let go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.model.boot import Boot
from burstd.model.decision import Decision, Direction, Memory
from burstd.model.fleet import Override, Phase, PoolState
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.model.window import HORIZON, Window
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


def boots(**ready: float) -> Memory:
    """A memory in which instances took so many seconds, by pool."""
    return Memory(boots={pool: (Boot(NOW - 900, seconds / 2, seconds / 2, seconds),) * 5 for pool, seconds in ready.items()})


def wanted(window: Window, memory: Memory | None = None, under: Policy | None = None, **changes: Any) -> int:
    """How many are wanted because of that window."""
    return decided(replace(with_windows(window, load=1.0), memory=memory or Memory(), **changes), under).count


def test_until_a_boot_was_seen_a_window_is_opened_three_minutes_early() -> None:
    assert wanted(replace(SALE, opens_at=NOW + 180)) == 2
    assert wanted(replace(SALE, opens_at=NOW + 180.5)) == 0


def test_once_boots_were_seen_it_is_opened_as_early_as_four_of_five_need_and_a_cycle() -> None:
    seen = boots(dublin=95.0)
    assert wanted(replace(SALE, opens_at=NOW + 100), seen) == 2
    assert wanted(replace(SALE, opens_at=NOW + 100.5), seen) == 0


def test_a_lead_that_is_fixed_counts_whatever_boots_take() -> None:
    assert wanted(replace(SALE, opens_at=NOW + 600, lead=600.0), boots(dublin=95.0)) == 2
    assert wanted(replace(SALE, opens_at=NOW + 90, lead=60.0), boots(dublin=95.0)) == 0


def test_the_boots_of_the_pool_that_would_be_bought_from_count() -> None:
    seen, opens = boots(dublin=95.0, oslo=295.0), replace(SALE, opens_at=NOW + 300)
    assert wanted(opens, seen) == 0
    barred = {"dublin": PoolState("dublin", 1, NOW + 60, "out of stock")}
    assert wanted(opens, seen, pools=barred) == 2
    assert wanted(opens, seen, pools={"dublin": PoolState("dublin", 1, NOW, "it was out of stock")}) == 0
    assert wanted(opens, seen, pools={**barred, "oslo": PoolState("oslo", 1, NOW + 60, "")}) == 0
    home = replace(policy(fleet={"countries": ("NO",)}), pools=tuple(replace(each, country="NO") for each in policy().pools[1:]))
    assert wanted(opens, seen, home) == 2
    assert wanted(replace(opens, opens_at=NOW + 180), seen, replace(policy(), pools=())) == 2


def test_more_than_one_cycle_can_buy_are_begun_so_many_cycles_earlier() -> None:
    many = replace(SALE, minimum=4, opens_at=NOW + 105)
    assert wanted(many, boots(dublin=95.0), policy(fleet={"max_step": 2})) == 4
    assert wanted(replace(many, opens_at=NOW + 105.5), boots(dublin=95.0), policy(fleet={"max_step": 2})) == 0


def test_no_lead_is_longer_than_calendars_look_ahead() -> None:
    assert wanted(replace(SALE, opens_at=NOW + HORIZON), boots(dublin=9000.0)) == 2
    assert wanted(replace(SALE, opens_at=NOW + HORIZON + 1), boots(dublin=9000.0)) == 0


def test_a_window_that_was_taken_up_is_not_put_down_when_its_boots_turn_out_to_be_quick() -> None:
    window = replace(SALE, opens_at=NOW + 150)
    first = decided(replace(with_windows(window), memory=Memory()))
    assert (first.count, set(first.memory.windows)) == (2, {("sale", NOW + 150)})
    quick = replace(first.memory, boots=boots(dublin=40.0).boots)
    again = decided(replace(with_windows(window, fleet=2), now=NOW + 45, memory=quick))
    assert (again.count, set(again.memory.windows)) == (2, {("sale", NOW + 150)})
    over = decided(replace(with_windows(fleet=2), now=NOW + 45, memory=quick))
    assert over.memory.windows == frozenset()


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
