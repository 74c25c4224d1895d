"""Clouds that follow one another over reloads: no outcome lost, no call sent to the wrong one, nobody left open."""

from __future__ import annotations

import threading

import pytest

from burstd.adapters.memory import MemoryPool, MemoryWorld
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, CreateCall, Created, LaunchRequest
from burstd.wiring.succession import Succession
from tests.daemon.doors import LivingMemoryCloud
from tests.waiting import wait_until

OWNER = "f" * 32


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld([MemoryPool("memory", call=10.0)])


def cloud(world: MemoryWorld) -> LivingMemoryCloud:
    return LivingMemoryCloud(world, OWNER)


def create(operation: str) -> CreateCall:
    tags = ((OWNER_TAG, OWNER), (OPERATION_TAG, operation))
    return CreateCall(operation, LaunchRequest("memory", f"burst-{operation}", "web-1", "small", None, tags, operation))


def test_an_older_clouds_call_is_in_flight_until_its_outcome_and_then_it_is_closed(world: MemoryWorld) -> None:
    old, new = cloud(world), cloud(world)
    clouds = Succession(old)
    clouds.submit(create("a"))
    clouds.succeed(new)
    assert clouds.observe().in_flight == {"a"}
    world.clock.advance(10.0)
    assert [outcome.operation for outcome in clouds.observe().outcomes] == ["a"]
    wait_until(lambda: old.closed, "the old cloud's end")
    assert not new.closed
    assert clouds.observe().outcomes == ()


def test_new_calls_go_to_the_newest_cloud(world: MemoryWorld) -> None:
    old, new = cloud(world), cloud(world)
    clouds = Succession(old)
    clouds.succeed(new)
    clouds.submit(create("a"))
    assert old.observe().in_flight == frozenset()
    assert new.observe().in_flight == {"a"}


def test_settling_waits_for_the_calls_and_keeps_their_outcomes_for_the_next_look(world: MemoryWorld) -> None:
    clouds = Succession(cloud(world))
    clouds.submit(create("a"))
    timer = threading.Timer(0.1, lambda: world.clock.advance(10.0))
    timer.start()
    clouds.settle(pools=1)
    timer.join()
    (outcome,) = clouds.observe().outcomes
    assert isinstance(outcome, Created)
    assert clouds.observe().outcomes == ()


def test_settling_waits_for_the_first_listing_of_every_pool(world: MemoryWorld) -> None:
    clouds = Succession(cloud(world))
    clouds.settle(pools=1)
    assert clouds.observe().listing("memory") is not None


def test_settling_does_not_wait_for_a_dead_worker(world: MemoryWorld) -> None:
    broken = cloud(world)
    clouds = Succession(broken)
    clouds.submit(create("a"))
    broken.dead = True
    clouds.settle(pools=1)
    assert not clouds.alive()


def test_a_dead_worker_of_any_cloud_is_told(world: MemoryWorld) -> None:
    old, new = cloud(world), cloud(world)
    clouds = Succession(old)
    clouds.submit(create("a"))
    clouds.succeed(new)
    assert clouds.alive()
    old.dead = True
    assert not clouds.alive()


def test_closing_closes_every_cloud(world: MemoryWorld) -> None:
    old, new = cloud(world), cloud(world)
    clouds = Succession(old)
    clouds.succeed(new)
    clouds.close()
    assert (old.closed, new.closed) == (True, True)
