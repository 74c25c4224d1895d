"""The traffic of a simulated site: users ask, HAProxy's weights share the requests, and every server has CPUs and a queue.

Deterministic; with lots (a seeded `random.Random`) the arrivals and the tasks that the kernel counts scatter as real ones do. It
moves the gateway's counters, each machine's load average and CPU seconds, and the clock.

A server is an M/M/c queue in the pointwise stationary fluid approximation (Wang, Tipper and Banerjee, INFOCOM 1996): a mean of L tasks
is served as fast as a queue that stands at L for ever, dL/dt = arrivals - rate(L). Below saturation it settles within a second; beyond
it the queue grows with time, and no faster. The load average is the kernel's: it counts the tasks every 5 s and forgets with e^(-5/60).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from burstd.adapters.memory.gateway import MemoryGateway, MemoryServer
from burstd.adapters.memory.readings import MemoryLoad
from burstd.adapters.memory.world import MemoryWorld
from burstd.decide.queueing import mean_load
from burstd.model.gateway import ServerStatus
from burstd.model.naming import instance_of

_STEP: Final = 1.0
"""Seconds of one step: users see nothing finer, and the fluid is stable at any step."""
_FOLD: Final = 5
"""Steps between two counts of the kernel (include/linux/sched/loadavg.h)."""
_KEPT: Final = math.exp(-_FOLD * _STEP / 60)
_HALVINGS: Final = 24
_DIGITS: Final = 6
"""Of a task: a steady state repeats itself exactly, and is reckoned once."""
_SERVING: Final = frozenset({ServerStatus.UP, ServerStatus.NO_CHECK})
_WAY: Final = 0.005
"""Seconds that a request is open beside its time on the machine."""
_CALM: Final = 0.95
"""Above this utilisation a queue is made of what has piled up, and no draw scatters it."""


@dataclass(frozen=True, slots=True)
class Strength:
    """What a machine is made of.

    Attributes:
        work: CPU seconds that one request costs.
        variability: how much longer than M/M/c's the queue of those who wait is: about 0.5 where all requests cost the same.
        background: CPUs that are busy with something else.
    """

    cpus: int = 4
    work: float = 0.04
    variability: float = 1.0
    background: float = 0.0

    def mean_tasks(self, utilisation: float) -> float:
        """Tasks of a queue that stands at this utilisation, 0..1."""
        running = self.cpus * utilisation
        return running + self.variability * (mean_load(self.cpus, min(utilisation, 1 - 1e-9)) - running)


@lru_cache(maxsize=4096)
def _utilisation(made: Strength, held: float, seconds: float) -> float:
    """The utilisation at which this many tasks are there after some have been worked off at it for `seconds`."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if made.mean_tasks(middle) + seconds * middle * made.cpus / made.work < held:
            low = middle
        else:
            high = middle
    return low


@dataclass(slots=True)
class Station:
    """A machine in motion.

    Attributes:
        tasks: mean number that run or wait now.
        load1: the load average.
        busy_seconds: CPU seconds since the start.
        idle_seconds: the rest of its CPUs' time.
        iowait_seconds: the part of that in which a task waited for a disk.
        blocked: tasks of something else that wait for a disk, as a backup's do: in the load average, and on no CPU.
        stay: seconds that a request is open, of late.
    """

    strength: Strength
    tasks: float = 0.0
    load1: float = 0.0
    busy_seconds: float = 0.0
    idle_seconds: float = 0.0
    iowait_seconds: float = 0.0
    blocked: float = 0.0
    stay: float = 0.0

    def serve(self, arrivals: float) -> float:
        """Let one step pass with so many new requests; how many are answered in it."""
        made = self.strength
        held = self.tasks + arrivals + _STEP * made.background / made.work
        # The fluid's implicit step: what is held is still there, or was worked off at the utilisation that the rest goes with.
        worked = _STEP * _utilisation(made, round(held, _DIGITS), _STEP) * made.cpus / made.work
        self.tasks = max(0.0, held - worked)
        self.busy_seconds += worked * made.work
        idle = max(0.0, _STEP * made.cpus - worked * made.work)
        self.idle_seconds += idle
        self.iowait_seconds += min(idle, _STEP * self.blocked)
        answered = max(0.0, worked - _STEP * made.background / made.work)
        # Little's law, damped: all requests of a step are shared out at once, and would otherwise run from one server to the other.
        self.stay = (self.stay + self.open / max(answered / _STEP, 1.0)) / 2
        return answered

    @property
    def open(self) -> float:
        """Requests that are not answered yet."""
        return max(0.0, self.tasks - self.strength.background)

    def fold(self, lots: random.Random | None) -> None:
        """Let the kernel count once."""
        seen = self.tasks if lots is None else self._drawn(lots)
        self.load1 = self.load1 * _KEPT + (seen + self.blocked) * (1 - _KEPT)

    def _drawn(self, lots: random.Random) -> float:
        """The number of tasks at one moment, drawn from the stationary queue with the mean of now."""
        cpus, low = self.strength.cpus, _utilisation(self.strength, round(self.tasks, _DIGITS), 0.0)
        if low > _CALM:
            return self.tasks
        odds = [(cpus * low) ** number / math.factorial(number) for number in range(cpus)]
        queue = (cpus * low) ** cpus / math.factorial(cpus) / (1 - low)
        found = lots.choices(range(cpus + 1), [*odds, queue])[0]
        waiting = 0 if found < cpus or low == 0 else math.floor(math.log(1 - lots.random()) / math.log(low))
        return found + self.strength.variability * waiting


Offered = Callable[[float], float]
"""Requests/s of the users, at a time in seconds since the play began."""


class MemoryTraffic:
    """What plays on the servers.

    Attributes:
        stations: the machines in motion, by server name.
        machines: by instance name, what it is made of where that is not what every instance is.
        lost: requests that no server was there for.
    """

    def __init__(  # noqa: PLR0913 - each is a property of the site that is played
        self,
        world: MemoryWorld,
        gateway: MemoryGateway,
        load: MemoryLoad,
        offered: Mapping[str, Offered],
        *,
        cores: Mapping[str, Strength],
        burst: Strength = Strength(),
        lots: random.Random | None = None,
    ) -> None:
        """Users by backend; cores by name; what every instance is made of; what scatters."""
        self.stations: dict[str, Station] = {name: Station(made) for name, made in cores.items()}
        self.machines: dict[str, Strength] = {}
        self.lost = 0.0
        self._world, self._gateway, self._load = world, gateway, load
        self._offered = offered
        self._burst, self._lots = burst, lots
        self._seconds = 0
        self._owed: dict[tuple[str, str], float] = {}
        self._show()

    def play(self, seconds: float) -> None:
        """Let that many whole seconds pass."""
        for _ in range(round(seconds / _STEP)):
            self._pass()

    def _pass(self) -> None:
        arrivals: dict[str, dict[str, float]] = {}
        for backend, offered in self._offered.items():
            for name, rate in self._split(backend, self._scatter(offered(self._seconds) * _STEP)).items():
                arrivals.setdefault(name, {})[backend] = rate
        self._seconds += 1
        self._world.clock.advance(_STEP)
        for name in arrivals.keys() - self.stations.keys():
            self.stations[name] = Station(self.machines.get(name, self._burst))
        for name, station in self.stations.items():
            came = arrivals.get(name, {})
            total = sum(came.values())
            answered = station.serve(total)
            for backend, rate in came.items():
                self._answer(backend, name, answered * rate / total if total else 0.0, station)
            if self._seconds % _FOLD == 0:
                station.fold(self._lots)
        self._show()

    def _split(self, backend: str, requests: float) -> dict[str, float]:
        """Who gets how many of them, by weight: roundrobin shares the requests, leastconn those that are open.

        A backup gets none while another server is there.
        """
        up = [each for each in self._gateway.backends[backend].values() if each.status in _SERVING and self._alive(each)]
        up = [each for each in up if not each.backup] or up
        parts = {
            instance_of(each.name): each.weight
            * (100 if each.throttle is None else each.throttle)
            / 100
            / self._stay(instance_of(each.name))
            for each in up
        }
        total = sum(parts.values())
        if not total:
            self.lost += requests
            return {}
        return {name: requests * part / total for name, part in parts.items()}

    def _stay(self, name: str) -> float:
        """For how long a request is open there, seconds, under leastconn; else 1."""
        station = self.stations.get(name)
        if self._gateway.balance != "leastconn":
            return 1.0
        return _WAY + (station.stay if station else 0.0)

    def _alive(self, server: MemoryServer) -> bool:
        """It answers; what is sent to one that does not goes to another at once (`option redispatch`)."""
        return server.healthy if server.static else self._world.serves(server.address.rpartition(":")[0])

    def _scatter(self, mean: float) -> float:
        """A Poisson number with this mean, by the normal one that is close to it."""
        return mean if self._lots is None or mean <= 0 else max(0.0, self._lots.gauss(mean, math.sqrt(mean)))

    def _answer(self, backend: str, name: str, answered: float, station: Station) -> None:
        """Count whole requests in HAProxy, which counts those that are answered, and those that are open."""
        line = next(each for each in self._gateway.backends[backend].values() if instance_of(each.name) == name)
        owed = self._owed.get((backend, name), 0.0) + answered
        self._owed[backend, name] = owed % 1
        self._gateway.serve(line.name, int(owed), backend)
        line.sessions = round(station.open)

    def _show(self) -> None:
        for name, each in self.stations.items():
            self._load.set(
                name,
                each.load1,
                cpus=each.strength.cpus,
                busy_seconds=each.busy_seconds,
                idle_seconds=each.idle_seconds,
                iowait_seconds=each.iowait_seconds,
            )
