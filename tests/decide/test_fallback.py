"""Blind for long: the declared size, exactly when it was declared to count."""

from __future__ import annotations

from dataclasses import replace

from burstd.model.decision import Decision, Direction
from burstd.model.fleet import Instance
from burstd.model.policy import Policy
from tests.given import DARK, decided, member, policy, world
from tests.turns import NOW

DECLARED = policy(fleet={"fallback": 2, "fallback_after": 300.0})


def blind_for(seconds: float, *fleet: Instance, under: Policy = DECLARED) -> Decision:
    """The decision when no core has answered for that long, after one good cycle."""
    memory = decided(world(load=1.0, fleet=fleet), under).memory
    dark = world(load=(DARK, DARK), fleet=fleet, now=NOW + 60, memory=memory)
    memory = decided(dark, under).memory
    return decided(replace(dark, now=NOW + 60 + seconds, memory=memory), under)


def test_after_the_declared_time_and_not_a_moment_earlier_the_declared_size_is_wanted() -> None:
    assert blind_for(299.9).count == 0
    made = blind_for(300)
    assert (made.count, made.direction) == (2, Direction.OUT)
    assert made.reasons[0] == "no core server's load has been known for 300 s: the declared fallback is 2"


def test_the_fallback_never_makes_the_fleet_smaller() -> None:
    fleet = [member(number) for number in (1, 2, 3)]
    assert blind_for(900, *fleet).count == 3


def test_without_a_declared_size_a_blind_burstd_holds() -> None:
    assert blind_for(9000, member(1), under=policy()).count == 1


def test_one_sample_ends_the_blindness() -> None:
    memory = blind_for(900).memory
    assert decided(world(load=1.0, now=NOW + 2000, memory=memory), DECLARED).memory.blind_since is None
