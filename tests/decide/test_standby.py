"""What a standby is to deciding: capacity that needs no boot, not capacity in service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.decision import Direction
from burstd.model.fleet import Orders, Override, Pause, Phase
from burstd.model.gateway import GatewayView
from burstd.model.policy import Deciding
from tests.decide.test_weight import Site
from tests.given import decided, member, policy, standby_row, world
from tests.turns import NOW

ONE = policy(fleet={"standby": 1})
READY = member(1, Phase.STANDBY)


def test_a_standby_and_one_that_is_to_stand_by_are_not_in_service() -> None:
    calm = decided(world(fleet=[READY, member(2, Phase.BOOTING, reserve=True)]), ONE)
    assert (calm.current, calm.count) == (0, 0)
    assert "there is nothing to give back" in calm.reasons[0]


def test_an_overload_asks_for_one_more_in_service_though_a_standby_is_there() -> None:
    made = decided(world(load=5.0, fleet=[READY]), ONE)
    assert (made.current, made.count, made.direction) == (0, 1, Direction.OUT)


def test_a_standby_that_has_just_joined_holds_no_scale_out_back() -> None:
    fresh = member(1, Phase.STANDBY, joined_at=NOW - 1)
    assert decided(world(load=5.0, fleet=[fresh]), ONE).count == 1


def test_while_scale_out_is_paused_the_standby_stays_what_it_is() -> None:
    made = decided(world(load=9.0, fleet=[READY], orders=Orders(pause=Pause.OUT)), ONE)
    assert (made.count, made.reasons[0]) == (0, "scale-out is paused (1 wanted)")


def test_an_order_means_instances_in_service() -> None:
    made = decided(world(fleet=[READY], orders=Orders(Override(1, "anna", "", since=NOW))), ONE)
    assert (made.current, made.count) == (0, 1)


def test_the_minimum_and_the_fallback_mean_instances_in_service() -> None:
    assert decided(world(fleet=[READY]), policy(fleet={"standby": 1, "minimum": 1})).count == 1


def test_the_weight_is_right_in_the_very_cycle_in_which_a_standby_goes_into_service() -> None:
    serving, standby = member(1), member(2, Phase.STANDBY)
    by_load = policy(load={"policy": Deciding.THRESHOLD}, routing={"burst_weight": None}, fleet={"standby": 1})
    site = Site(serving, standby, under=by_load)
    site.watch(60, core=75, burst=40)
    site.load = 9.0
    overload = site.snapshot()
    assert isinstance(overload.gateway, GatewayView)
    (backend,) = overload.gateway.backends
    ready = replace(overload.gateway, backends=(replace(backend, servers=(*backend.servers, standby_row(standby))),))
    alone, both = decided(overload, site.under), decided(replace(overload, gateway=ready), site.under)
    assert (alone.count, both.count) == (2, 2)
    assert alone.weight is not None
    assert both.weight == pytest.approx(alone.weight / 2, rel=0.15)  # within the tolerance of a settled weight
