"""The ports of one daemon over the simulated world: the daemon is real, its world is not, and time moves with its cycles."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from burstd.adapters.memory import (
    MemoryCalendar,
    MemoryCloud,
    MemoryContent,
    MemoryGateway,
    MemoryLoad,
    MemoryPool,
    MemoryRoster,
    MemoryWorld,
)
from burstd.cli.client import Client
from burstd.daemon import Daemon
from burstd.errors import Bug, InvalidSettings
from burstd.model.fleet import Orders
from burstd.model.naming import is_instance_name
from burstd.model.policy import Policy
from burstd.model.turn import Turn
from burstd.ports import Ports
from burstd.settings import Settings, load
from burstd.wiring.succession import Succession
from tests.waiting import wait_until

CORES = ("core-1", "core-2")
STEP = 5.0
"""Seconds of the world that pass with every cycle, however short the cycles really are."""

TEMPLATE = """
[fleet]
state_dir = "state"
stale_cycle = "1d"
poll_interval = {interval}
max = {maximum}
[load]
stale_after = "1d"
scale_in_after = 20
stabilization = 20
cooldown_in = 20
[haproxy]
burst_weight = {weight}
[[core]]
name = "core-1"
exporter = "http://127.0.0.1:9100/metrics"
[[core]]
name = "core-2"
exporter = "http://127.0.0.2:9100/metrics"
[[pool]]
name = "memory"
driver = "local"
image = "web-1"
size = "small"
[control]
socket = "control.sock"
[metrics]
listen = "127.0.0.1:0"
"""


def write_settings(folder: Path, *, interval: float = 0.02, maximum: int = 4, weight: int = 10, more: str = "") -> Path:
    """A settings file in that folder; `more` is appended."""
    path = folder / "burstd.toml"
    path.write_text(TEMPLATE.format(interval=interval, maximum=maximum, weight=weight) + more)
    return path


class LivingMemoryCloud(MemoryCloud):
    """A memory cloud whose workers can be said to be dead, and that can be asked whether it is closed."""

    dead = False

    def alive(self) -> bool:
        return not self.dead

    @property
    def closed(self) -> bool:
        return self._closed


class BreakableRoster(MemoryRoster):
    """A roster that breaks its contract as often as it is told to, as a bug would: once a cycle."""

    breaks = 0

    def orders(self) -> Orders:
        if self.breaks:
            self.breaks -= 1
            raise Bug("a rule is broken")
        return super().orders()


class World:
    """What outlives the daemon: clouds, HAProxy, loads and the roster."""

    def __init__(self, pool: MemoryPool | None = None) -> None:
        self.world = MemoryWorld([pool or MemoryPool("memory", boot=10.0)])
        self.roster = BreakableRoster("0a1b2c3d" * 4)
        self.load = MemoryLoad(self.world.clock)
        self.gateway = MemoryGateway(self.world, CORES, is_ours=lambda name: is_instance_name("burst", self.roster.owner(), name))
        self.calm()

    def calm(self) -> None:
        for core in CORES:
            self.load.set(core, 1.0, cpus=4)

    def overload(self) -> None:
        for core in CORES:
            self.load.set(core, 6.0, cpus=4)


class MemoryDoors:
    """The `Doors` of the daemon over a `World`."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.settings = settings
        self.world = world
        self.clouds: list[LivingMemoryCloud] = [self.new_cloud()]
        self.closed = False
        self.rotated: set[str] = set()
        self.refused: list[set[str]] = []
        self._cloud = Succession(self.clouds[0])
        content = MemoryContent(world.world)
        self.ports = Ports(world.world.clock, world.load, content, world.gateway, self._cloud, world.roster, MemoryCalendar())

    def new_cloud(self) -> LivingMemoryCloud:
        return LivingMemoryCloud(self.world.world, self.world.roster.owner())

    def rewire(self, settings: Settings) -> None:
        if settings.fleet.name != self.settings.fleet.name:
            raise InvalidSettings(["fleet.name: cannot change"])
        self.clouds.append(self.new_cloud())
        self._cloud.succeed(self.clouds[-1])
        self.ports = replace(self.ports)
        self.settings = settings

    def renew(self, pools: Collection[str]) -> Sequence[str]:
        """Those whose secrets a test says have changed, once."""
        self.refused.append(set(pools))
        changed, self.rotated = sorted(self.rotated & set(pools)), self.rotated - set(pools)
        return changed

    def alive(self) -> bool:
        return self._cloud.alive()

    def settle(self) -> None:
        """Time passes until the calls have ended."""
        ticking = threading.Timer(0.1, lambda: self.world.world.clock.advance(60.0))
        ticking.start()
        self._cloud.settle(pools=1)
        ticking.join()

    def close(self) -> None:
        self.closed = True
        self.ports.close()


class Running:
    """A daemon on a thread of its own, and what it has shown.

    Attributes:
        code: the exit code; None while it runs.
    """

    def __init__(self, folder: Path, world: World, **options: Any) -> None:
        self.turns: list[Turn] = []
        self.code: int | None = None
        self.config = folder / "burstd.toml"
        self.doors = MemoryDoors(world, self.read())
        self.client = Client(str(folder / "control.sock"))
        self.daemon = Daemon(self.doors, self.read, show=self._show, **options)
        self.thread = threading.Thread(target=self._run)

    def read(self) -> Settings:
        return load(self.config, {})

    def _run(self) -> None:
        self.code = self.daemon.run()

    def _show(self, turn: Turn, _policy: Policy) -> None:
        self.turns.append(turn)
        self.doors.world.world.clock.advance(STEP)

    def cycles(self, count: int = 1) -> None:
        """Wait until so many more cycles have finished."""
        until = len(self.turns) + count
        wait_until(lambda: len(self.turns) >= until, f"{count} more cycles")

    def in_service(self, count: int) -> None:
        """Wait until exactly so many instances are in service."""
        wait_until(lambda: self.client.get("/v1/status")["in_service"] == count, f"{count} in service")

    def metrics(self) -> dict[str, float]:
        """The metrics page by series."""
        lines = self.daemon._metrics.render().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def stop(self) -> int | None:
        """Stop it, wait for its end, and return its exit code."""
        self.daemon.stop()
        return self.end()

    def end(self) -> int | None:
        """Wait until it has ended, and return its exit code."""
        self.thread.join(60)
        assert not self.thread.is_alive(), "the daemon has not ended"
        return self.code


@contextmanager
def running(folder: Path, world: World, **options: Any) -> Iterator[Running]:
    """A daemon whose first cycle has finished; it is stopped at the end."""
    if not (folder / "burstd.toml").exists():
        write_settings(folder)
    daemon = Running(folder, world, **options)
    daemon.thread.start()
    try:
        wait_until(lambda: daemon.turns or daemon.code is not None, "the first cycle")
        yield daemon
    finally:
        daemon.stop()
