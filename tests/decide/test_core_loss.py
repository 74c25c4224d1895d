"""A core server that HAProxy calls dead is no overload: what it shows, what is wanted for it, and what is never done meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.decision import Direction, Memory
from burstd.model.gateway import GatewayView, ServerStatus
from tests.given import AWAY, CORES, DARK, decided, member, policy, row, rows, world
from tests.turns import NOW, gateway, server

DECLARED = policy(fleet={"on_core_loss": 3})
UP, DOWN, MAINT = ServerStatus.UP, ServerStatus.DOWN, ServerStatus.MAINT


def cores(first: ServerStatus, second: ServerStatus, *bursts: GatewayView) -> GatewayView:
    """HAProxy with the core servers in these states, and the burst servers of another view."""
    others = [each for view in bursts for each in view.backends[0].servers if each.name not in CORES]
    return gateway(*(server(name, 100, status) for name, status in zip(CORES, (first, second), strict=True)), *others)


@pytest.mark.parametrize("status", [DOWN, MAINT, ServerStatus.DRAIN, ServerStatus.NOLB])
def test_when_no_core_takes_traffic_the_declared_number_is_wanted(status: ServerStatus) -> None:
    made = decided(world(load=0.0, gateway=cores(status, DOWN)), DECLARED)
    assert (made.count, made.direction) == (3, Direction.OUT)
    assert made.reasons[0] == "no core server takes traffic in HAProxy: fleet.on_core_loss is 3"


def test_without_a_declared_number_what_there_is_is_held_whatever_the_dead_cores_load() -> None:
    fleet = [member(1), member(2)]
    memory = Memory(below_since=NOW - 900, watched_since=NOW - 900, proposals=((NOW - 1, 0),))
    dead = world(load=0.0, fleet=fleet, memory=memory)
    assert decided(dead).count == 1  # as it would be if they served
    made = decided(replace(dead, gateway=cores(DOWN, MAINT, rows(*map(row, fleet)))))
    assert (made.count, made.direction, made.signal) == (2, Direction.HOLD, None)
    assert made.reasons[0] == "no core server takes traffic in HAProxy: nothing is given back"


def test_the_declared_number_never_makes_the_fleet_smaller() -> None:
    fleet = [member(number) for number in (1, 2, 3, 4)]
    assert decided(world(load=0.0, fleet=fleet, gateway=cores(DOWN, DOWN, rows(*map(row, fleet)))), DECLARED).count == 4


def test_one_core_that_serves_is_enough() -> None:
    made = decided(world(load=(1.0, DARK), gateway=cores(UP, DOWN)), DECLARED)
    assert (made.count, made.signal) == (0, 1.0)


def test_whether_the_core_is_dead_is_not_known_while_haproxy_is_away_and_what_was_known_stays() -> None:
    memory = decided(world(load=0.0, gateway=cores(DOWN, DOWN))).memory
    made = decided(world(load=0.0, fleet=[member(1)], gateway=AWAY, memory=memory), DECLARED)
    assert (made.count, made.cores_out, made.notes) == (1, {}, ())
    assert made.memory.cores_out == memory.cores_out


def test_a_core_that_haproxy_does_not_list_is_not_called_dead() -> None:
    assert decided(world(load=1.0, gateway=gateway()), DECLARED).cores_out == {}


def test_the_low_load_of_a_dead_core_does_not_hide_that_the_other_one_is_overloaded() -> None:
    assert decided(world(load=(6.0, 0.0))).signal == 3.0
    made = decided(world(load=(6.0, 0.0), gateway=cores(UP, DOWN)))
    assert (made.signal, made.direction) == (6.0, Direction.OUT)


def test_a_core_that_is_down_under_a_high_load_is_down_because_of_it_and_counts() -> None:
    assert decided(world(load=(3.0, 40.0), gateway=cores(UP, DOWN))).signal == 21.5
    assert decided(world(load=(3.0, 40.0), gateway=cores(UP, MAINT))).signal == 3.0
    made = decided(world(load=40.0, gateway=cores(DOWN, DOWN)))
    assert (made.count, made.reasons[0]) == (1, "load 40.00 is above 4")


def test_a_dead_core_whose_exporter_is_silent_keeps_everything_from_being_given_back() -> None:
    fleet = [member(1)]
    memory = Memory(below_since=NOW - 900, watched_since=NOW - 900)
    made = decided(world(load=(1.0, DARK), fleet=fleet, gateway=cores(UP, DOWN, rows(row(fleet[0]))), memory=memory))
    assert (made.count, made.scale_in_allowed) == (1, False)


def test_a_change_is_told_once() -> None:
    first = decided(world(gateway=cores(UP, DOWN)))
    assert first.notes == ("core-oslo-02 is DOWN in HAProxy",)
    assert dict(first.cores_out) == {"core-oslo-02": DOWN}
    second = decided(world(gateway=cores(UP, DOWN), memory=first.memory))
    assert second.notes == ()
    third = decided(world(gateway=cores(UP, MAINT), memory=second.memory))
    assert third.notes == ("core-oslo-02 is MAINT in HAProxy",)
    assert decided(world(gateway=cores(UP, UP), memory=third.memory)).notes == ("core-oslo-02 takes traffic in HAProxy again",)


def test_a_dead_core_that_shows_its_load_is_not_blindness_and_the_fallback_waits_for_that() -> None:
    both = policy(fleet={"fallback": 2, "fallback_after": 300.0})
    made = decided(world(load=0.0, gateway=cores(DOWN, DOWN), memory=Memory(blind_since=NOW - 900)), both)
    assert (made.count, made.memory.blind_since) == (0, None)
    silent = decided(world(load=(DARK, DARK), gateway=cores(DOWN, DOWN), memory=Memory(blind_since=NOW - 900)), both)
    assert silent.count == 2
