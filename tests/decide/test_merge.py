"""Orders, bounds and pauses over what the policies wish."""

from __future__ import annotations

import pytest

from burstd.decide.orders import carry_out
from burstd.errors import AskOperator
from burstd.model.decision import Direction
from burstd.model.fleet import Orders, Override, Pause
from burstd.model.orders import DrainInstance, ScaleAuto, ScaleTo, SetPause
from burstd.model.policy import FleetPolicy
from tests.given import DARK, decided, member, policy, world
from tests.turns import NOW

FLEET = FleetPolicy(minimum=1, maximum=4)


def ordered(count: int, until: float | None = None) -> Orders:
    return Orders(override=Override(count, "anna", "the sale", since=NOW - 60, until=until))


def test_an_override_wins_over_every_policy() -> None:
    made = decided(world(load=9.0, orders=ordered(3)))
    assert (made.count, made.direction) == (3, Direction.OUT)
    assert made.reasons[0] == "anna ordered 3 until it is taken back: the sale"
    assert "load 9.00 is above 4" in made.reasons[1]


def test_an_override_ends_when_it_said() -> None:
    assert decided(world(load=1.0, orders=ordered(3, until=NOW + 90))).reasons[0].startswith("anna ordered 3 for another 90 s")
    assert decided(world(load=1.0, orders=ordered(3, until=NOW))).count == 0


def test_the_number_is_clamped_to_max_and_says_so() -> None:
    made = decided(world(load=9.0, fleet=[member(1), member(2)]), policy(fleet={"maximum": 2}))
    assert (made.count, made.reasons[0]) == (2, "fleet.max is 2 (3 wanted)")


def test_the_number_is_clamped_to_min_and_says_so() -> None:
    made = decided(world(load=1.0), policy(fleet={"minimum": 1}))
    assert (made.count, made.direction, made.reasons[0]) == (1, Direction.OUT, "fleet.min is 1 (0 wanted)")


@pytest.mark.parametrize("pause", [Pause.OUT, Pause.BOTH])
def test_while_scale_out_is_paused_nothing_is_launched(pause: Pause) -> None:
    made = decided(world(load=9.0, orders=Orders(pause=pause)))
    assert (made.count, made.reasons[0]) == (0, "scale-out is paused (1 wanted)")


@pytest.mark.parametrize("pause", [Pause.IN, Pause.BOTH])
def test_while_scale_in_is_paused_even_an_override_gives_nothing_back(pause: Pause) -> None:
    override = Override(0, "anna", "", since=NOW - 60)
    made = decided(world(load=1.0, fleet=[member(1)], orders=Orders(override, pause)))
    assert (made.count, made.scale_in_allowed) == (1, False)
    assert made.reasons[0] == "scale-in waits (0 wanted): scale-in is paused"


def test_an_override_gives_nothing_back_on_partial_data() -> None:
    made = decided(world(load=(1.0, DARK), fleet=[member(1)], orders=ordered(0)))
    assert made.count == 1
    assert "scale-in waits (0 wanted): no fresh load of core-oslo-02" in made.reasons[0]


def test_scale_to_a_number_is_in_force_until_its_end() -> None:
    orders, told = carry_out(ScaleTo(2, "anna", "the sale", seconds=7200), Orders(), FLEET, (), NOW)
    assert orders.override == Override(2, "anna", "the sale", since=NOW, until=NOW + 7200)
    assert told == "2 instances wanted for 7200 s, then the policies decide"
    assert carry_out(ScaleTo(2, "anna"), Orders(), FLEET, (), NOW)[1] == "2 instances wanted until `burstd scale --auto`"


@pytest.mark.parametrize("order", [ScaleTo(0, "anna"), ScaleTo(-1, "anna"), ScaleTo(999, "anna"), ScaleTo(2, "anna", seconds=0)])
def test_an_order_out_of_bounds_is_refused_in_one_line_with_the_mend(order: ScaleTo) -> None:
    with pytest.raises(AskOperator, match="expected") as refused:
        carry_out(order, Orders(), FLEET, (), NOW)
    assert "\n" not in str(refused.value)


def test_scale_auto_takes_the_override_back() -> None:
    assert carry_out(ScaleAuto("anna"), ordered(3), FLEET, (), NOW)[0] == Orders()


def test_pausing_both_directions_one_after_the_other_pauses_both() -> None:
    orders, _ = carry_out(SetPause(Pause.OUT, "anna"), Orders(), FLEET, (), NOW)
    orders, told = carry_out(SetPause(Pause.IN, "anna"), orders, FLEET, (), NOW)
    assert (orders.pause, told) == (Pause.BOTH, "scale-out and scale-in are paused until `burstd resume`")
    assert carry_out(SetPause(Pause.NONE, "anna"), orders, FLEET, (), NOW) == (Orders(), "nothing is paused")


def test_draining_names_an_instance_that_is_there() -> None:
    first = member(1)
    orders, told = carry_out(DrainInstance(first.name, "anna"), Orders(), FLEET, (first,), NOW)
    assert orders.drains == {first.name}
    assert told.startswith(first.name)
    with pytest.raises(AskOperator, match=f"name one of: {first.name}"):
        carry_out(DrainInstance("core-oslo-01", "anna"), Orders(), FLEET, (first,), NOW)
    with pytest.raises(AskOperator, match="there are none"):
        carry_out(DrainInstance(first.name, "anna"), Orders(), FLEET, (), NOW)
