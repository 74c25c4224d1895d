"""A fake of every port over one small simulated world: for tests, the model test and the simulator.

Pure Python, one thread, deterministic: time moves when `MemoryClock.advance` says so, and a fault happens when it was ordered. The
rules are those that the real peers were seen to have (HAProxy's joins and removals, EC2's tokens and terminated machines); what is
not ordered behaves well. It never sleeps, draws no lots and touches nothing outside the process.

The world, the gateway and the roster outlive a crash of burstd, as the cloud, HAProxy and the disk do; `MemoryCloud` does not: after
a crash make a new one over the same world.
"""

from burstd.adapters.memory.calendar import MemoryCalendar
from burstd.adapters.memory.cloud import MemoryCloud
from burstd.adapters.memory.database import MemoryDatabase, MemoryFence, MemoryListener, MemoryRecord
from burstd.adapters.memory.flow import MemoryFlow
from burstd.adapters.memory.gateway import MemoryGateway, MemoryServer
from burstd.adapters.memory.mirror import MemoryMirror
from burstd.adapters.memory.readings import MemoryContent, MemoryDistance, MemoryLoad
from burstd.adapters.memory.roster import MemoryRoster
from burstd.adapters.memory.traffic import MemoryTraffic, Strength
from burstd.adapters.memory.world import CreateTrouble, DestroyTrouble, ListTrouble, Machine, MemoryClock, MemoryPool, MemoryWorld

__all__ = [
    "CreateTrouble",
    "DestroyTrouble",
    "ListTrouble",
    "Machine",
    "MemoryCalendar",
    "MemoryClock",
    "MemoryCloud",
    "MemoryContent",
    "MemoryDatabase",
    "MemoryDistance",
    "MemoryFence",
    "MemoryFlow",
    "MemoryGateway",
    "MemoryListener",
    "MemoryLoad",
    "MemoryMirror",
    "MemoryPool",
    "MemoryRecord",
    "MemoryRoster",
    "MemoryServer",
    "MemoryTraffic",
    "MemoryWorld",
    "Strength",
]
