"""The traffic of a simulated site in coarse steps, for weeks of it: as `burstd.adapters.memory.traffic`, a step for each cycle.

Users ask at a known rate, HAProxy's weights share the requests, and every server is the same kind of M/M/c queue in the fluid
approximation named there: below saturation it stands at its mean within a step; beyond, it grows. HAProxy's counters, load averages and CPU
seconds move with it. Nothing scatters, and nothing is drawn by lot.

A server holds `ROOM` requests for each CPU at most. Who comes beyond gives up: it costs no CPU time, and HAProxy counts it as it counts
every request that ends without an answer. Without that bound a long overload would leave a queue that nobody waits in any more.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from burstd.adapters.memory.gateway import MemoryGateway, MemoryServer
from burstd.adapters.memory.readings import MemoryLoad
from burstd.adapters.memory.traffic import Strength
from burstd.adapters.memory.world import MemoryWorld
from burstd.model.gateway import ServerStatus
from burstd.model.naming import instance_of

ROOM: Final = 25
"""Requests for each CPU, waiting ones included: a web server's usual limit of workers (Apache's 150, PHP-FPM's 50 and more) on four CPUs. A
larger one would let a load average rise into the thousands, and stay high for minutes after the overload."""
_DAMPING: Final = 60.0
"""Time constant of the kernel's load1, seconds (include/linux/sched/loadavg.h)."""
_POINTS: Final = 400
"""Of the queue's curve: between two of them it is taken for straight, which is wrong by less than 0.01 load units up to a load of 20."""
_FULLEST: Final = 0.998
"""The utilisation at which the curve ends and a standing queue begins to be one that grows."""
_DIGITS: Final = 6
"""Of a request: what servers of one weight hold differs by less, and shall not set them apart."""
_SERVING: Final = frozenset({ServerStatus.UP, ServerStatus.NO_CHECK})


@dataclass(frozen=True, slots=True)
class _Curve:
    """The tasks that a step can hold, those that stay and those that are worked off, by utilisation."""

    utilisations: tuple[float, ...]
    tasks: tuple[float, ...]

    def utilisation(self, held: float) -> float:
        """Where what stays and what is worked off make up what is held; 1 where they cannot."""
        places, tasks = self.utilisations, self.tasks
        after = bisect_left(tasks, held)
        if after == 0:
            return 0.0
        if after == len(places):
            return 1.0
        low, high = tasks[after - 1], tasks[after]
        return places[after - 1] + (places[after] - places[after - 1]) * (held - low) / (high - low)


@lru_cache(maxsize=64)
def _curve(made: Strength, seconds: float) -> _Curve:
    """Of a step that lasts so long: few steps are of a length of their own."""
    utilisations = tuple(_FULLEST * each / _POINTS for each in range(_POINTS + 1))
    rate = seconds * made.cpus / made.work
    return _Curve(utilisations, tuple(made.mean_tasks(each) + rate * each for each in utilisations))


@dataclass(slots=True)
class Basin:
    """One server: what is in its queue, and what its kernel has counted.

    Attributes:
        tasks: that run or wait now.
        load1: the load average.
        busy_seconds: CPU seconds since the start.
        idle_seconds: the rest of its CPUs' time.
        given_up: requests whose clients gave up.
    """

    strength: Strength
    tasks: float = 0.0
    load1: float = 0.0
    busy_seconds: float = 0.0
    idle_seconds: float = 0.0
    given_up: float = 0.0

    def pass_time(self, arrivals: float, seconds: float) -> float:
        """Let so many requests come, evenly over these seconds; how many have ended in them, answered or given up."""
        made, held = self.strength, self.tasks + arrivals
        utilisation = _curve(made, seconds).utilisation(round(held, _DIGITS))
        left = max(0.0, held - seconds * made.cpus / made.work * utilisation)
        lost = max(0.0, left - ROOM * made.cpus)
        left -= lost
        ended = self.tasks + arrivals - left
        self.tasks, self.given_up = left, self.given_up + lost
        self.busy_seconds += seconds * made.cpus * utilisation
        self.idle_seconds += seconds * made.cpus * (1 - utilisation)
        kept = math.exp(-seconds / _DAMPING)
        self.load1 = self.load1 * kept + left * (1 - kept)
        return ended


class MemoryFlow:
    """What plays on the servers of the main backend.

    Attributes:
        basins: the servers, by name.
        requests: all that have come so far.
        given_up: those whose clients gave up.
    """

    def __init__(  # noqa: PLR0913 - each is a part of the site that is played
        self,
        world: MemoryWorld,
        gateway: MemoryGateway,
        load: MemoryLoad,
        offered: Callable[[float], float],
        *,
        cores: Sequence[tuple[str, str]],
        made: Strength,
    ) -> None:
        """Users by their requests/s at a time of the world's clock; cores by name and server name; what every server is made of.

        The site has stood at its first rate for long.
        """
        self.requests = self.given_up = 0.0
        self._world, self._gateway, self._load, self._offered, self._made = world, gateway, load, offered, made
        self._names = {server: name for name, server in cores}
        self.basins = {server: Basin(made) for server in self._names}
        self._owed: dict[str, float] = {}
        arrivals = offered(world.clock.now()) / len(self.basins)
        for basin in self.basins.values():
            utilisation = min(_FULLEST, arrivals * made.work / made.cpus)
            basin.tasks = basin.load1 = min(made.mean_tasks(utilisation), ROOM * made.cpus)
        self._show()

    def play(self, seconds: float) -> None:
        """Let so many seconds pass in one step, at the rate of their middle."""
        came = self._offered(self._world.clock.now() + seconds / 2) * seconds
        self.requests += came
        lines = {instance_of(each.name): each for each in self._gateway.servers.values()}
        taking = {name: each for name, each in lines.items() if each.status in _SERVING and self._alive(each)}
        taking = {name: each for name, each in taking.items() if not each.backup} or taking
        weights = sum(each.weight for each in taking.values())
        self._world.clock.advance(seconds)
        if not weights:
            self.given_up += came
        for name in self.basins.keys() - lines.keys():
            del self.basins[name]
        for name, line in lines.items():
            basin = self.basins.setdefault(name, Basin(self._made))
            lost = basin.given_up
            ended = basin.pass_time(came * line.weight / weights if name in taking and weights else 0.0, seconds)
            self.given_up += basin.given_up - lost
            owed = self._owed.get(name, 0.0) + ended
            self._owed[name] = owed % 1
            self._gateway.serve(line.name, int(owed))
            line.sessions = round(basin.tasks)
        self._show()

    def rate(self, seconds: float) -> float:
        """Requests/s of all users so many seconds from now."""
        return self._offered(self._world.clock.now() + seconds)

    def core_rate(self, seconds: float) -> float:
        """Requests/s that the mean core server will get so many seconds from now, if the weights stay as they are."""
        came = self.rate(seconds)
        servers = self._gateway.servers.values()
        cores = sum([each.weight for each in servers if each.static])
        taking = sum([each.weight for each in servers if not each.backup and each.status in _SERVING])
        return came * cores / max(taking, 1) / len(self._names)

    @property
    def core_tasks(self) -> float:
        """Tasks that run or wait on the mean core server now."""
        return sum(self.basins[name].tasks for name in self._names) / len(self._names)

    @property
    def core_load(self) -> float:
        """The mean load average of the core servers."""
        return sum(self.basins[name].load1 for name in self._names) / len(self._names)

    def _alive(self, server: MemoryServer) -> bool:
        return server.healthy if server.static else self._world.serves(server.address.rpartition(":")[0])

    def _show(self) -> None:
        for name, each in self.basins.items():
            shown = self._names.get(name, name)
            self._load.set(shown, each.load1, cpus=each.strength.cpus, busy_seconds=each.busy_seconds, idle_seconds=each.idle_seconds)
