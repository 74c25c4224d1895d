"""The `Load`, `Content` and `Distance` ports on the simulated world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from burstd.adapters.memory.world import MemoryWorld
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance
from burstd.model.load import Reading, Sample, Target
from burstd.model.policy import PoolPolicy
from burstd.ports import Clock


class _Level(NamedTuple):
    load1: float
    cpus: int | None
    busy_seconds: float | None
    idle_seconds: float | None
    iowait_seconds: float | None


class MemoryLoad:
    """The `Load` port: what was set last, by target's name; a target that nobody has set is unreachable."""

    def __init__(self, clock: Clock) -> None:
        """Samples are stamped by `clock`."""
        self._clock = clock
        self._levels: dict[str, _Level | Fault] = {}

    def set(  # noqa: PLR0913 - each is a figure of the page that is played
        self,
        name: str,
        load1: float,
        *,
        cpus: int | None = None,
        busy_seconds: float | None = None,
        idle_seconds: float | None = None,
        iowait_seconds: float | None = None,
    ) -> None:
        """From now on the target shows this load (load units) and these CPU seconds."""
        self._levels[name] = _Level(load1, cpus, busy_seconds, idle_seconds, iowait_seconds)

    def fail(self, name: str, kind: FaultKind = FaultKind.UNREACHABLE) -> None:
        """From now on the target cannot be read."""
        self._levels[name] = Fault(name, kind, f"{kind}, as ordered")

    def read(self, targets: Sequence[Target]) -> Mapping[str, Reading]:
        """One reading for every target's name."""
        return {target.name: self._reading(target.name) for target in targets}

    def _reading(self, name: str) -> Reading:
        level = self._levels.get(name)
        if level is None:
            return Fault(name, FaultKind.UNREACHABLE, "nobody has set its load")
        if isinstance(level, Fault):
            return level
        return Sample(self._clock.now(), level.load1, level.cpus, level.busy_seconds, level.idle_seconds, level.iowait_seconds)


class MemoryDistance:
    """The `Distance` port: a machine is as far away as its instance or its pool was put.

    Attributes:
        seconds: by the name of an instance, or of a pool, the round trip, or a fault; who is not in it is next door.
    """

    def __init__(self, world: MemoryWorld) -> None:
        """Ask the machines of `world`."""
        self.seconds: dict[str, float | Fault] = {}
        self._world = world

    def round_trips(self, instances: Sequence[tuple[Instance, PoolPolicy]]) -> Mapping[str, float | Fault]:
        """By operation: the round trip, else what is wrong."""
        return {each.operation: self._trip(each) for each, _ in instances}

    def _trip(self, instance: Instance) -> float | Fault:
        if instance.address is None:
            return Fault(instance.name, FaultKind.MISSING, "has no address yet")
        if not self._world.serves(instance.address):
            return Fault(instance.name, FaultKind.UNREACHABLE, "no round trip: refused: nothing listens on that port")
        return self.seconds.get(instance.name, self.seconds.get(instance.pool, 0.001))


class MemoryContent:
    """The `Content` port: a machine answers as it serves.

    Attributes:
        faults: by instance name, a fault that its check path answers with, whatever the machine does.
    """

    def __init__(self, world: MemoryWorld) -> None:
        """Ask the machines of `world`."""
        self.faults: dict[str, Fault] = {}
        self._world = world

    def check(self, instances: Sequence[tuple[Instance, PoolPolicy]]) -> Mapping[str, Fault | None]:
        """By operation: None where it serves, else what is wrong."""
        return {each.operation: self._answer(each) for each, _ in instances}

    def tokens(self, instances: Sequence[tuple[Instance, PoolPolicy]], path: str) -> Mapping[str, str | Fault]:
        """By operation: the token that it serves, else what is wrong."""
        return {each.operation: self._token(each, path) for each, _ in instances}

    def _token(self, instance: Instance, path: str) -> str | Fault:
        fault = self._answer(instance)
        if fault is not None:
            return fault
        token = self._world.tokens.get(instance.address or "")
        return token or Fault(instance.name, FaultKind.MISSING, f"{path} is not there")

    def _answer(self, instance: Instance) -> Fault | None:
        if instance.address is None:
            return Fault(instance.name, FaultKind.MISSING, "has no address yet")
        if instance.name in self.faults:
            return self.faults[instance.name]
        if self._world.serves(instance.address):
            return None
        return Fault(instance.name, FaultKind.UNREACHABLE, f"nothing listens on {instance.address}")
