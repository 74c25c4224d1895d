"""A fleet in a cloud without tags, among machines with names like its own: what is ours comes and goes, and every stranger's stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libcloud.compute.base import Node as Machine
from libcloud.compute.types import NodeState

from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.adapters.libcloud.workers import Seat
from burstd.model.cloud import CloudView, DestroyCall, Destroyed, DestroyFailed, Listing, Outcome
from burstd.model.fleet import ENDED, Phase
from burstd.model.naming import instance_name, marked_name
from tests.given import calls, member, planned, records, world
from tests.scripted_driver import Script, scripted_pool
from tests.turns import NOW, OWNER

SERVING = member(1)
ORPHANED = "e" * 32


def mark(operation: str, owner: str = OWNER) -> str:
    """The name of that operation's machine, as that owner marks it."""
    return marked_name(instance_name("burst", OWNER, operation), owner, operation)


OURS, ORPHAN = mark(SERVING.operation), mark(ORPHANED)
LIKE_NAMES = [
    mark(SERVING.operation, "9" * 32),
    mark(ORPHANED, "9" * 32),
    f"{ORPHAN}-2",
    f"old-{ORPHAN}",
    ORPHAN[:-1],
    ORPHAN.upper(),
    f"burst-{ORPHANED}-{OURS.rpartition('-')[2]}",
    f"shop-{ORPHAN.partition('-')[2]}",
    SERVING.name,
    "burst-by-hand",
]


class Account:
    """An account at a cloud without tags, with our one live machine, an orphan of ours, and strangers."""

    def __init__(self, script: Script, strangers: list[str]) -> None:
        self.strangers = {f"s-{number}": name for number, name in enumerate(strangers)}
        names = {str(SERVING.node_id): OURS, "i-orphan": ORPHAN, **self.strangers}
        script.nodes = [Machine(each, name, NodeState.RUNNING, ["192.0.2.1"], [], None) for each, name in names.items()]
        self._script = script
        record = record_of(script.pool)
        self._calls = PoolCalls(script.pool, record, OWNER)
        self._seat = Seat(lambda: connect(script.pool, record, 5.0))

    def list(self, serial: int) -> CloudView:
        """What the pool shows."""
        nodes = self._calls.list(self._seat)
        assert isinstance(nodes, tuple), nodes
        return CloudView(listings=(Listing("dublin", NOW - 60 + serial, nodes, serial),))

    def destroy(self, operation: str, node_id: str) -> Outcome:
        """The outcome of that destroy."""
        return self._calls.destroy(self._seat, DestroyCall(operation, "dublin", node_id))

    def machines(self) -> set[str]:
        """Who is there, by id."""
        return {str(each.id) for each in self._script.nodes}


@contextmanager
def account(strangers: list[str]) -> Iterator[Account]:
    """Such an account."""
    with scripted_pool("dublin", by_name=True, tokens=False, launch=lambda _request, _pool: {}) as script:
        yield Account(script, strangers)


@given(st.lists(st.sampled_from(LIKE_NAMES) | st.text(min_size=1), max_size=8))
def test_the_orphan_is_destroyed_and_no_stranger_with_a_name_like_ours_is_ever_touched(strangers: list[str]) -> None:
    with account([each for each in strangers if each not in {OURS, ORPHAN}]) as cloud:
        fleet = {SERVING.name: SERVING}
        for serial in range(1, 4):
            made = planned(world(fleet=fleet.values(), cloud=cloud.list(serial)), 1)
            fleet |= records(made)
            for call in calls(made):
                assert isinstance(call, DestroyCall)
                assert isinstance(cloud.destroy(call.operation, call.node_id), Destroyed)
            fleet = {name: each for name, each in fleet.items() if each.phase not in ENDED}
        assert cloud.machines() == {SERVING.node_id, *cloud.strangers}
        assert fleet[SERVING.name].phase is Phase.IN_SERVICE


@pytest.mark.parametrize("operation", [SERVING.operation, ORPHANED])
def test_not_even_a_record_that_points_at_a_stranger_destroys_it(operation: str) -> None:
    with account(LIKE_NAMES) as cloud:
        for stranger in cloud.strangers:
            assert isinstance(cloud.destroy(operation, stranger), DestroyFailed)
        assert set(cloud.strangers) <= cloud.machines()
