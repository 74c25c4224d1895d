from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.adapters.memory import MemoryRoster
from burstd.adapters.sqlite import SqliteRoster
from burstd.model.event import Event
from burstd.model.fleet import Cooldowns, Orders, Override, Pause, Phase, PoolState
from burstd.model.gateway import AdminState
from burstd.ports import Roster
from tests.turns import NOW, instance


class Durable:
    """A roster that can be closed and opened again.

    Attributes:
        roster: the open one.
    """

    def __init__(self, make: Callable[[], Roster]) -> None:
        self._make = make
        self.roster = make()

    def reopened(self) -> Roster:
        """The same roster after a restart of burstd."""
        self.roster.close()
        self.roster = self._make()
        return self.roster

    def now_and_reopened(self) -> Iterator[Roster]:
        """The roster as it is, and then after a restart."""
        yield self.roster
        yield self.reopened()


@pytest.fixture(params=["memory", "sqlite"])
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Durable]:
    """Every implementation, new."""
    memory = MemoryRoster()
    made = Durable(lambda: memory if request.param == "memory" else SqliteRoster(tmp_path / "state"))
    yield made
    made.roster.close()


@pytest.fixture
def roster(durable: Durable) -> Roster:
    return durable.roster


SERVING = replace(
    instance(1, Phase.IN_SERVICE),
    node_id="i-1",
    address="192.0.2.1",
    joined_at=NOW - 5.25,
    maint_at=NOW - 4,
    down_since=NOW - 3,
    up_in=(4711, NOW - 3600),
    by_hand=AdminState.MAINT,
    missed=2,
    missed_since=NOW - 2,
    missed_serial=7,
    attempts=3,
    attempted_at=NOW - 1,
)


def test_a_new_roster_knows_nothing_but_its_owner(roster: Roster) -> None:
    assert len(roster.owner()) == 32
    assert int(roster.owner(), 16) >= 0
    assert (list(roster.fleet()), dict(roster.ended()), dict(roster.pools()), dict(roster.learned()), list(roster.events(9))) == (
        [],
        {},
        {},
        {},
        [],
    )
    assert (roster.orders(), roster.cooldowns()) == (Orders(), Cooldowns())


def test_the_owner_stays_the_same_for_ever(durable: Durable) -> None:
    assert durable.roster.owner() == durable.reopened().owner()


def test_an_instance_comes_back_to_the_letter(durable: Durable) -> None:
    tagged = replace(SERVING, request=replace(SERVING.request, location="eu-1", tags=(("a", "b"), ("c", "")), user_data=None))
    other = replace(instance(2, Phase.UNKNOWN), reason='said "no" \N{EM DASH} twice\n')
    durable.roster.save(tagged, other)
    assert list(durable.roster.fleet()) == [tagged, other]
    assert list(durable.reopened().fleet()) == [tagged, other]


def test_the_fleet_is_listed_oldest_first_whatever_is_saved_again(roster: Roster) -> None:
    roster.save(instance(3, Phase.BOOTING))
    roster.save(instance(1, Phase.INTENDED), instance(2, Phase.BOOTING))
    roster.save(instance(3, Phase.SYNCING))
    assert [(each.operation[-1], each.phase) for each in roster.fleet()] == [
        ("3", Phase.SYNCING),
        ("1", Phase.INTENDED),
        ("2", Phase.BOOTING),
    ]


@pytest.mark.parametrize("phase", [Phase.GONE, Phase.FAILED, Phase.ABANDONED])
def test_an_instance_that_has_ended_leaves_the_fleet_and_its_operation_is_remembered(durable: Durable, phase: Phase) -> None:
    durable.roster.save(SERVING, instance(2, Phase.BOOTING))
    durable.roster.save(replace(SERVING, phase=phase, since=NOW))
    for roster in durable.now_and_reopened():
        assert [each.operation for each in roster.fleet()] == [instance(2, Phase.BOOTING).operation]
        assert dict(roster.ended()) == {SERVING.operation: NOW}


def test_an_instance_that_was_abandoned_and_turns_up_is_live_again(durable: Durable) -> None:
    durable.roster.save(instance(1, Phase.ABANDONED))
    durable.roster.save(instance(1, Phase.DESTROYING))
    for roster in durable.now_and_reopened():
        assert ([each.phase for each in roster.fleet()], dict(roster.ended())) == ([Phase.DESTROYING], {})


def test_an_instance_that_ends_twice_has_ended_the_second_time(roster: Roster) -> None:
    for since in (NOW, NOW + 60):
        roster.save(replace(instance(1, Phase.GONE), since=since))
    assert dict(roster.ended()) == {instance(1, Phase.GONE).operation: NOW + 60}


def test_saving_nothing_changes_nothing(roster: Roster) -> None:
    roster.save(SERVING)
    roster.save()
    assert list(roster.fleet()) == [SERVING]


@pytest.mark.parametrize(
    "orders",
    [
        Orders(),
        Orders(Override(3, "anna", "the sale", NOW, NOW + 7200), Pause.IN, frozenset({"burst-1", "burst-2"})),
        Orders(Override(0, "", "", NOW), Pause.BOTH),
    ],
)
def test_orders_come_back(durable: Durable, orders: Orders) -> None:
    durable.roster.save_orders(Orders(pause=Pause.OUT))
    durable.roster.save_orders(orders)
    assert durable.roster.orders() == durable.reopened().orders() == orders


def test_cooldowns_come_back(durable: Durable) -> None:
    durable.roster.save_cooldowns(Cooldowns(scale_out=NOW, scale_in=NOW - 60))
    durable.roster.save_cooldowns(Cooldowns(scale_out=NOW + 0.125))
    assert durable.roster.cooldowns() == durable.reopened().cooldowns() == Cooldowns(scale_out=NOW + 0.125)


def test_pools_come_back_by_name(durable: Durable) -> None:
    oslo, dublin = PoolState("oslo", 2, NOW + 60, "out of stock"), PoolState("dublin")
    for state in (PoolState("oslo", 1), dublin, oslo):
        durable.roster.save_pool(state)
    assert dict(durable.roster.pools()) == dict(durable.reopened().pools()) == {"oslo": oslo, "dublin": dublin}


def test_what_the_policies_have_learned_comes_back_to_the_letter_by_name(durable: Durable) -> None:
    large = "[" + ",".join(f"{each / 7}" for each in range(12_000)) + "]"  # ring buffers and a forecaster, in about 200 kB
    durable.roster.save_learned("weight", "{}")
    durable.roster.save_learned("demand", large)
    durable.roster.save_learned("weight", '{"said": "no" \N{EM DASH} twice}\n')
    for roster in durable.now_and_reopened():
        assert dict(roster.learned()) == {"demand": large, "weight": '{"said": "no" \N{EM DASH} twice}\n'}


def test_the_newest_events_are_told_oldest_of_them_first(durable: Durable) -> None:
    events = [Event(NOW + each, "cycle", "", f"nothing to do ({each})") for each in range(5)]
    durable.roster.add_events(events[:2])
    durable.roster.add_events([])
    durable.roster.add_events(events[2:])
    for roster in durable.now_and_reopened():
        assert list(roster.events(3)) == events[2:]
        assert list(roster.events(100)) == events
        assert list(roster.events(0)) == []
