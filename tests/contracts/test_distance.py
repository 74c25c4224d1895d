"""The `Distance` port: over real TCP connections, and in the simulated world."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from burstd.adapters.memory import MemoryDistance, MemoryWorld
from burstd.adapters.round_trip import TcpDistance
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance, Phase
from burstd.model.policy import PoolPolicy
from burstd.ports import Distance
from tests.haproxy_process import free_port
from tests.turns import instance
from tests.web import own_address


class Stage:
    """An implementation, one instance that serves, and one that does not."""

    def __init__(self, distance: Distance, there: tuple[Instance, PoolPolicy], away: tuple[Instance, PoolPolicy]) -> None:
        self.distance, self.there, self.away = distance, there, away


@pytest.fixture(params=["memory", "tcp"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with ExitStack() as held:
        there, away = instance(1, Phase.SYNCING), instance(2, Phase.SYNCING)
        if request.param == "memory":
            world = MemoryWorld()
            pool = PoolPolicy("p", "i", "s")
            there = replace(there, address=world.make("memory", "1", {}).address)
            away = replace(away, address=world.make("memory", "2", {}).address)
            world.machines[-1].healthy = False
            yield Stage(MemoryDistance(world), (there, pool), (away, pool))
        else:
            door = held.enter_context(socket.create_server((own_address(), 0)))
            there, away = replace(there, address=own_address()), replace(away, address=own_address())
            open_, closed = PoolPolicy("p", "i", "s", port=door.getsockname()[1]), PoolPolicy("q", "i", "s", port=free_port(own_address()))
            yield Stage(TcpDistance(5.0), (there, open_), (away, closed))


def test_who_serves_is_some_seconds_away_and_who_does_not_is_a_fault_by_name(stage: Stage) -> None:
    found = stage.distance.round_trips([stage.there, stage.away])
    near, away = found[stage.there[0].operation], found[stage.away[0].operation]
    assert isinstance(near, float)
    assert 0 < near < 5
    assert away == Fault(stage.away[0].name, FaultKind.UNREACHABLE, "no round trip: refused: nothing listens on that port")


def test_one_without_an_address_is_a_fault_and_keeps_nobody_from_an_answer(stage: Stage) -> None:
    nowhere = replace(stage.away[0], address=None)
    found = stage.distance.round_trips([(nowhere, stage.away[1]), stage.there])
    assert found[nowhere.operation] == Fault(nowhere.name, FaultKind.MISSING, "has no address yet")
    assert isinstance(found[stage.there[0].operation], float)


def test_nobody_to_ask_is_no_answer(stage: Stage) -> None:
    assert stage.distance.round_trips([]) == {}
