"""One simulated site on the memory adapters: time, load and faults are ordered, and the real cycle plays on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, groupby

from burstd.adapters.memory import (
    MemoryCalendar,
    MemoryCloud,
    MemoryContent,
    MemoryDistance,
    MemoryGateway,
    MemoryLoad,
    MemoryMirror,
    MemoryPool,
    MemoryRoster,
    MemoryServer,
    MemoryWorld,
)
from burstd.cycle import Cycle
from burstd.model.cloud import OWNER_TAG
from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import ServerStatus
from burstd.model.naming import instance_of, is_server_name
from burstd.model.policy import Policy, PoolPolicy
from burstd.model.turn import Turn
from burstd.ports import Clock, Ports
from tests.given import CORES, policy

STEP = 5.0
OWNER = "f" * 32


class Timeline:
    """burstd's own `Clock`: the world's time, and what the wall clock was wrong by when burstd was last started.

    Attributes:
        offset: seconds that it is ahead of the world's time.
    """

    def __init__(self, world: Clock) -> None:
        self.offset = 0.0
        self._world = world

    def now(self) -> float:
        return self._world.now() + self.offset


class Theatre:
    """Two cores, the pools "dublin" and "oslo", an HAProxy, and a burstd that can crash and come back.

    Attributes:
        turns: every cycle so far, oldest first.
    """

    def __init__(self, *pools: MemoryPool, under: Policy | None = None) -> None:
        chosen = pools or (MemoryPool("dublin", boot=20, sync=5),)
        self.world = MemoryWorld(chosen)
        self.policy = replace(
            under or policy(), owner=OWNER, pools=tuple(PoolPolicy(each.name, "web-1", "small", metrics_port=None) for each in chosen)
        )
        self.clock = Timeline(self.world.clock)
        self.load = MemoryLoad(self.clock)
        self.content = MemoryContent(self.world)
        self.distance = MemoryDistance(self.world)
        self.gateway = MemoryGateway(self.world, CORES, is_ours=lambda name: is_server_name("burst", OWNER, name))
        self.roster = MemoryRoster(OWNER)
        self.calendar = MemoryCalendar()
        self.mirror: MemoryMirror | None = None
        self.turns: list[Turn] = []
        self._ids = count(0xABC0000000)
        self.set_load(1.0)
        self.restart()

    def restart(self, jump: float = 0.0) -> None:
        """End at once, as by kill -9, and start again: the memory and the calls in flight are lost, the roster is not.

        Whoever set the wall clock meanwhile has moved it by `jump` seconds.
        """
        self.clock.offset += jump
        self.cloud = MemoryCloud(self.world, OWNER, clock=self.clock)
        if self.policy.content is not None:
            self.mirror = MemoryMirror(self.world, self.clock, before=self.mirror)
        self.cycle = Cycle(self.ports(), self.policy, self._operation)

    def ports(self) -> Ports:
        """The doors of the burstd that is started next."""
        doors = (self.clock, self.load, self.content, self.gateway, self.cloud, self.roster, self.calendar, self.mirror)
        return Ports(*doors, distance=self.distance)

    def _operation(self) -> str:
        return f"{next(self._ids):010x}" + "0" * 22

    def set_load(self, *values: float) -> None:
        """Every core's load, or one each."""
        for name, value in zip(CORES, values if len(values) == len(CORES) else values * len(CORES), strict=True):
            self.load.set(name, value, cpus=4)

    def step(self, seconds: float = STEP) -> Turn:
        """One cycle, and the time until the next one."""
        self.turns.append(self.cycle.turn())
        self.world.clock.advance(seconds)
        return self.turns[-1]

    def run(self, seconds: float) -> None:
        """As many cycles as fit."""
        for _ in range(int(seconds / STEP)):
            self.step()

    @property
    def fleet(self) -> list[Instance]:
        """Live records."""
        return list(self.roster.fleet())

    def phases(self) -> list[Phase]:
        """The phases of the live records, oldest first."""
        return [each.phase for each in self.fleet]

    def billed(self) -> list[str]:
        """Machines of ours that somebody pays for, known to burstd or not, by id."""
        return [each.id for each in self.world.machines if each.alive and each.tags.get(OWNER_TAG) == OWNER]

    def serving(self) -> list[str]:
        """Burst servers that HAProxy sends requests to."""
        return [each.name for each in self._up() if not each.backup]

    def standing_by(self) -> list[str]:
        """Burst servers that HAProxy would send requests to if the core were dead, by the name of their instance."""
        return [instance_of(each.name) for each in self._up() if each.backup]

    def _up(self) -> list[MemoryServer]:
        return [each for each in self.gateway.servers.values() if not each.static and each.status is ServerStatus.UP]

    def transcript(self) -> list[str]:
        """The sentences of all cycles, each run of equal ones told once."""
        return [sentence for sentence, _ in groupby(turn.sentence for turn in self.turns)]
