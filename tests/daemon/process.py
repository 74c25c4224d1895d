"""A daemon of its own process over the simulated world, for what only a process has: signals, exit codes, systemd's socket.

`python -m tests.daemon.process FOLDER [GOOD_CYCLES]`
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from burstd.daemon import run
from burstd.model.policy import Policy
from burstd.model.turn import Turn
from burstd.settings import load
from tests.daemon.doors import STEP, MemoryDoors, World

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    world = World()
    world.overload()
    good_cycles = int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize
    world.roster.breaks = 0 if good_cycles else sys.maxsize
    numbers = count(1)

    def show(_turn: Turn, _policy: Policy) -> None:
        world.world.clock.advance(STEP)
        if next(numbers) == good_cycles:
            world.roster.breaks = sys.maxsize

    code = run(lambda: load(folder / "burstd.toml", {}), lambda settings: MemoryDoors(world, settings), show=show)
    sys.stdout.write(f"{sum(machine.alive for machine in world.world.machines)} machines alive\n")
    sys.exit(code)
