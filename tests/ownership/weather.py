"""Chance for the storm: seeded, so that every run can be played again, and biased to where the rules of the ownership protocol matter."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from burstd.adapters.memory import CreateTrouble, DestroyTrouble, ListTrouble, MemoryPool
from burstd.errors import Unreachable
from burstd.model.fleet import Pause
from burstd.model.orders import ScaleAuto, ScaleTo, SetPause
from tests.given import CORES
from tests.ownership.storm import Storm

CREATES: Final = (None, *CreateTrouble, CreateTrouble.LATE, CreateTrouble.ANSWER_LOST, CreateTrouble.TWINS)
DESTROYS: Final = (None, *DestroyTrouble, DestroyTrouble.IGNORED)
LISTS: Final = (None, ListTrouble.FAILED, ListTrouble.EMPTY, ListTrouble.TRUNCATED)


def site(random: Random, standby: int, *, content: bool = False) -> Storm:
    """A site as unkind as they come: small max, pools that know no token, calls that come after the settle time."""
    pools = [
        MemoryPool(
            name,
            capacity=random.choice((1, 4, 10)) + 3,
            boot=random.choice((0.0, 0.0, 12.0, 400.0)) if name == "dublin" else 5.0,
            sync=random.choice((0.0, 0.0, 10.0)),
            tokens=random.random() < 0.4,
            call=random.choice((0.0, 3.0, 20.0)),
            late=random.choice((20.0, 100.0, 700.0)),
            lag=random.choice((0.0, 11.0, 40.0)),
            tombstone=random.choice((0.0, 60.0)),
        )
        for name in ("dublin", "oslo")
    ]
    return Storm(*pools, maximum=random.choice((1, 2, 3)), max_step=random.choice((1, 2)), standby=standby, content=content)


def blow(storm: Storm, random: Random) -> None:
    """One step: a trouble, and a cycle."""
    random.choices(_KINDS, _WEIGHTS)[0](storm, random)
    kill = random.randrange(26) if random.random() < 0.3 else None
    storm.turn(random.choice((1.0, 5.0, 5.0, 5.0, 20.0, 70.0)), kill_before=kill, jump=_jump(random))


def _jump(random: Random) -> float:
    return random.choice((0.0, 0.0, 0.0, 0.5, 30.0, -30.0, -3600.0, 400.0))


def _creates(storm: Storm, random: Random) -> None:
    storm.world.creates.extend(random.choices(CREATES, k=random.randint(1, 3)))


def _destroys(storm: Storm, random: Random) -> None:
    storm.world.destroys.extend(random.choices(DESTROYS, k=random.randint(1, 3)))


def _lists(storm: Storm, random: Random) -> None:
    same = random.random() < 0.4
    troubles = [random.choice(LISTS[1:])] * random.randint(4, 9) if same else random.choices(LISTS, k=random.randint(1, 4))
    storm.world.listings[random.choice(("dublin", "oslo"))].extend(troubles)


def _load(storm: Storm, random: Random) -> None:
    storm.set_load(random.choice((0.1, 0.1, 1.0, 3.0, 4.5, 9.0, 9.0, float("nan"))))


def _scale(storm: Storm, random: Random) -> None:
    count = random.randint(0, storm.policy.fleet.maximum)
    storm.order(ScaleTo(count, "anna", seconds=random.choice((None, 30.0, 200.0))))


def _pause(storm: Storm, random: Random) -> None:
    storm.order(SetPause(random.choice((Pause.NONE, Pause.NONE, *Pause)), "anna"))


def _away(storm: Storm, random: Random) -> None:
    storm.gateway.failure = random.choice((None, None, Unreachable("nothing listens on its socket")))


def _break_off(storm: Storm, random: Random) -> None:
    storm.gateway.breaks_after = random.randint(0, 2)


_MOVES: Final[dict[Callable[[Storm, Random], None], int]] = {
    lambda _storm, _random: None: 16,
    _load: 8,
    _creates: 10,
    _destroys: 8,
    _lists: 10,
    _scale: 10,
    lambda storm, _random: storm.order(ScaleAuto("anna")): 3,
    _pause: 3,
    lambda storm, random: storm.dark(random.choice(CORES)): 2,
    lambda storm, _random: storm.gateway.reload(): 2,
    _away: 4,
    _break_off: 3,
    lambda storm, random: storm.drain(random.randrange(4)): 3,
    lambda storm, random: storm.hurt(random.randrange(4), random.choice(("breaks", "hangs", "vanishes"))): 3,
    lambda storm, _random: storm.drill(): 5,
    lambda storm, random: storm.busy(random.randrange(4), random.choice((0, 0, 3))): 3,
}
_STANDBYS: Final = (0, 1, 0, 2)
_KINDS: Final = tuple(_MOVES)
_WEIGHTS: Final = tuple(_MOVES.values())


def play(seed: int, steps: int, *, content: bool = False) -> Storm:
    """A whole storm and the calm after it; what breaks is told with the seed."""
    random = Random(seed)
    storm = site(random, standby=_STANDBYS[seed % len(_STANDBYS)], content=content)
    for _ in range(steps):
        if content and random.random() < 0.2:
            storm.mirror_trouble(random.choice(("away", "held", "released", "dark", "well", "well")), random.randrange(4))
        blow(storm, random)
    storm.calm()
    return storm
