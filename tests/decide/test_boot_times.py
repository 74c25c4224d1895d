"""What boots teach: which count, how many are kept, the quantile to plan with, and the text over a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.decide.boot_times import BOOTS, KEPT, boot_time, learn_boots, quantile, read_boots, write_boots
from burstd.model.boot import Boot
from burstd.model.decision import Memory
from burstd.model.fleet import Instance, Phase
from tests.given import decided, member, policy, world
from tests.turns import NOW

WAY = ((Phase.REQUESTED, NOW - 100), (Phase.BOOTING, NOW - 98), (Phase.SYNCING, NOW - 60), (Phase.JOINING, NOW - 50))


def booted(number: int, at: float = NOW - 45, phase: Phase = Phase.IN_SERVICE, **changes: Any) -> Instance:
    return replace(member(number, phase), **{"entered": (*WAY, (phase, at)), **changes})


def test_a_launch_teaches_how_long_it_took_to_run_to_sync_and_to_serve() -> None:
    made = decided(world(fleet=[booted(1)]))
    assert made.memory.boots == {"dublin": (Boot(NOW - 45, 40.0, 50.0, 55.0),)}
    assert boot_time(made.memory.boots, "dublin") == 55.0
    assert boot_time(made.memory.boots, "oslo") is None


def test_a_standby_and_a_drill_teach_the_same() -> None:
    standby = booted(1, phase=Phase.STANDBY)
    drill = booted(2, phase=Phase.DRAINING, drill=True, joined_at=NOW - 45)
    for each in (standby, drill):
        assert learn_boots({}, world(fleet=[each]), policy())["dublin"] == (Boot(NOW - 45, 40.0, 50.0, 55.0),)


def test_a_boot_is_learned_once() -> None:
    first = decided(world(fleet=[booted(1)]))
    second = decided(world(fleet=[booted(1), booted(2, NOW - 40)], memory=first.memory))
    assert [each.at for each in second.memory.boots["dublin"]] == [NOW - 45, NOW - 40]
    assert decided(world(fleet=[booted(1), booted(2, NOW - 40)], memory=second.memory)).memory.boots == second.memory.boots


@pytest.mark.parametrize(
    "odd",
    [
        booted(1, entered=()),  # adopted
        booted(1, entered=WAY, phase=Phase.JOINING),
        booted(1, entered=(*WAY[:2], (Phase.IN_SERVICE, NOW - 45))),
        booted(1, entered=(*WAY[:3], (Phase.IN_SERVICE, NOW - 45))),
        booted(1, entered=(*WAY, (Phase.DRAINING, NOW - 48), (Phase.IN_SERVICE, NOW - 45)), drill=False),
        booted(1, entered=((Phase.REQUESTED, NOW), *WAY[1:], (Phase.IN_SERVICE, NOW - 45))),
        booted(1, entered=((Phase.REQUESTED, NOW - 1e6), *WAY[1:], (Phase.IN_SERVICE, NOW - 45))),
        booted(1, phase=Phase.DRAINING, drill=True, joined_at=None),
    ],
    ids=["adopted", "joining", "no sync", "no join", "returned from a drain", "clock set back", "clock set forth", "drill that failed"],
)
def test_what_was_not_seen_whole_or_was_broken_off_teaches_nothing(odd: Instance) -> None:
    assert learn_boots({}, world(fleet=[odd]), policy()) == {}


def test_the_last_ones_of_each_pool_are_kept_and_none_of_a_pool_that_is_gone() -> None:
    many = tuple(Boot(NOW - 900 + number, 1.0, 2.0, float(number)) for number in range(KEPT))
    found = learn_boots({"dublin": many, "gone": many}, world(fleet=[booted(1)]), policy())
    assert found == {"dublin": (*many[1:], Boot(NOW - 45, 40.0, 50.0, 55.0))}


def test_what_a_wall_clock_had_ahead_does_not_stop_the_learning() -> None:
    ahead = {"dublin": (Boot(NOW + 9000, 1.0, 2.0, 3.0),)}
    known = read_boots(write_boots(ahead), NOW)
    assert known is not None
    assert known["dublin"][0].at == NOW
    later = learn_boots(known, world(fleet=[booted(1, NOW + 5)], now=NOW + 10), policy())
    assert len(later["dublin"]) == 2


def test_four_of_five_boots_are_not_longer_than_the_boot_time() -> None:
    boots = {"dublin": tuple(Boot(NOW, 0.0, 0.0, float(value)) for value in (50, 10, 40, 20, 30))}
    assert boot_time(boots, "dublin") == 40.0
    assert (quantile([1, 2, 3, 4], 0.5), quantile([7], 0.8), quantile([], 0.8)) == (2, 7, None)


def test_the_text_comes_back_as_it_was() -> None:
    boots = {"dublin": (Boot(NOW, 40.0, 50.0, 55.5),), "oslo": ()}
    assert read_boots(write_boots(boots), NOW) == boots


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        '{"version": 2, "pools": {}}',
        '{"version": 1, "pools": []}',
        '{"version": 1, "pools": {"dublin": [[1, 2, 3]]}}',
        '{"version": 1, "pools": {"dublin": [[1, 2, 3, NaN]]}}',
        '{"version": 1, "pools": {"dublin": [["x", 2, 3, 4]]}}',
        "[" * 9999,
    ],
)
def test_strange_text_is_no_boot(text: str) -> None:
    assert read_boots(text, NOW) is None


def test_boots_are_stored_when_they_are_new_and_known_after_a_restart() -> None:
    first = decided(world(fleet=[booted(1)]))
    again = decided(world(fleet=[booted(1)], memory=replace(first.memory, stored=first.learned)))
    assert again.learned == {}
    restarted = decided(world(fleet=[booted(1)], memory=Memory(stored=None), learned=first.learned))
    assert BOOTS in first.learned
    assert (restarted.memory.boots, restarted.notes, restarted.learned) == (first.memory.boots, (), {})


def test_damaged_boots_are_dropped_and_said() -> None:
    made = decided(world(memory=Memory(stored=None), learned={BOOTS: "{"}))
    assert made.notes == ('what the roster holds as learned by "boot times" cannot be read: it is dropped, and learned anew',)
    assert made.memory.boots == {}
