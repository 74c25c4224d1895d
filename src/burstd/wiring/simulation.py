"""The ports of a simulated site: a fake of every one, over one world. It asks no peer anything, and reads no settings and no file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from burstd.adapters.memory import (
    MemoryCalendar,
    MemoryClock,
    MemoryCloud,
    MemoryContent,
    MemoryFlow,
    MemoryGateway,
    MemoryLoad,
    MemoryPool,
    MemoryRoster,
    MemoryWorld,
    Strength,
)
from burstd.model.fleet import Instance, Phase
from burstd.model.naming import is_server_name
from burstd.model.policy import Policy
from burstd.ports import Calendar, Ports

_RUNS_BY = 0.5
"""Of a boot, the part after which the machine runs and has an address; in the rest its services start."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A simulated site with the doors that burstd has to it.

    Attributes:
        ports: for the cycle.
        flow: users and servers; playing it moves the time.
    """

    ports: Ports
    flow: MemoryFlow
    _world: MemoryWorld

    @property
    def billed(self) -> int:
        """Machines that somebody pays for now."""
        return len(self._world.alive)

    @property
    def made(self) -> int:
        """Machines that were ever made."""
        return len(self._world.machines)

    def due(self, instance: Instance) -> float:
        """When its machine will run, while it boots, or serve, while it syncs; infinite: never, or it has none."""
        machine = self._world.machine(instance.node_id or "")
        if machine is None:
            return math.inf
        return machine.runs_at if instance.phase is Phase.BOOTING else machine.serves_at


def stage_of(  # noqa: PLR0913 - each is a part of the site that is played
    policy: Policy,
    *,
    cpus: int,
    work: float,
    offered: Callable[[float], float],
    boot: Callable[[], float],
    start: float,
    calendar: Calendar | None = None,
) -> Stage:
    """A site whose core has stood at its first rate for long, and no instance.

    Args:
        policy: its cores, its fleet's name and owner, its pools and its main backend are the site's.
        cpus: of every server.
        work: CPU seconds that a request costs.
        offered: requests/s of the users, at a time of the site's clock.
        boot: draws the seconds from a create to the first answer of the check path; infinite: it never answers.
        start: the time at which it begins, seconds since the epoch.
        calendar: the schedules; None: there is none.
    """
    pools = [
        MemoryPool(each.name, capacity=policy.fleet.maximum + 1, boot=_RUNS_BY, sync=1 - _RUNS_BY, stretch=boot) for each in policy.pools
    ]
    world = MemoryWorld(pools, MemoryClock(start))
    load = MemoryLoad(world.clock)
    gateway = MemoryGateway(
        world,
        [each.server for each in policy.cores],
        is_ours=partial(is_server_name, policy.fleet.name, policy.owner),
        backends=[policy.routing.backends[0].joined],
    )
    flow = MemoryFlow(world, gateway, load, offered, cores=[(each.name, each.server) for each in policy.cores], made=Strength(cpus, work))
    ports = Ports(
        world.clock,
        load,
        MemoryContent(world),
        gateway,
        MemoryCloud(world, policy.owner),
        MemoryRoster(policy.owner),
        calendar or MemoryCalendar(),
    )
    return Stage(ports, flow, world)


def read_history(url: str, query: str, start: float, end: float, step: float) -> Sequence[tuple[float, float]]:
    """What a Prometheus has recorded (see `burstd.adapters.prometheus.read_range`)."""
    from burstd.adapters.prometheus import read_range

    return read_range(url, query, start, end, step)
