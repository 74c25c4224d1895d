"""A site under traffic: the real cycle on the memory adapters, with users, queues and load averages that answer to its weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from burstd.adapters.memory import MemoryPool, MemoryTraffic, Strength
from burstd.model.policy import Deciding, Policy
from burstd.model.turn import Turn
from tests.given import CORES, policy
from tests.theatre import STEP, Theatre

TARGET = 3.5
FULL = 4.0
CAPACITY = 67.4
"""Requests/s at which a core of the house's strength (4 CPUs, 40 ms a request) stands at the target load."""


def auto(bursts: int, *, least: int | None = None, **changes: Any) -> Policy:
    """The automatic weight, and so many burst servers, from the start unless fewer are enough."""
    load: dict[str, Any] = {"policy": Deciding.THRESHOLD, "scale_in_after": 120.0, "cooldown_in": 120.0, "stabilization": 300.0}
    fleet = {"minimum": bursts if least is None else least, "maximum": bursts}
    return policy(load=load, fleet=fleet, routing={"burst_weight": None, **changes})


class Plant(Theatre):
    """Cores and burst servers under traffic.

    Attributes:
        traffic: what plays on them.
        loads: after each cycle, every core's load average.
        weights: after each cycle, the burst weight wanted in the main backend.
        backlogs: before each cycle, the tasks of the fullest core beyond what stands there at load 4.
    """

    def __init__(  # noqa: PLR0913 - each is a property of the site that is played
        self,
        offered: Callable[[float], float],
        under: Policy,
        *,
        cores: Mapping[str, Strength] | None = None,
        burst: Strength | None = None,
        boot: float = 20.0,
        seed: int | None = None,
    ) -> None:
        self.loads: list[tuple[float, ...]] = []
        self.weights: list[int] = []
        self.backlogs: list[float] = []
        super().__init__(MemoryPool("dublin", boot=boot, sync=5), under=under)
        self.policy = replace(self.policy, pools=tuple(replace(each, metrics_port=9100) for each in self.policy.pools))
        self.restart()
        made = cores or dict.fromkeys(CORES, Strength())
        lots = None if seed is None else random.Random(seed)
        self.traffic = MemoryTraffic(
            self.world, self.gateway, self.load, {"app_cluster": offered}, cores=made, burst=burst or Strength(), lots=lots
        )

    def step(self, seconds: float = STEP) -> Turn:
        self.backlogs.append(max(self.traffic.stations[name].tasks for name in CORES) - FULL)
        self.turns.append(self.cycle.turn())
        self.traffic.play(seconds)
        self.loads.append(tuple(self.traffic.stations[name].load1 for name in CORES))
        self.weights.append(self.turns[-1].decision.weight or 0)
        return self.turns[-1]

    def above(self, limit: float = FULL, since: float = 0.0) -> float:
        """Seconds for which the mean load of the cores stood above the limit."""
        return STEP * sum(sum(each) / len(each) > limit for each in self.loads[int(since / STEP) :])

    def turnings(self, since: float = 0.0) -> int:
        """How often the weight changed its direction."""
        steps = [after - before for before, after in pairwise(self.weights[int(since / STEP) :]) if after != before]
        return sum(one * other < 0 for one, other in pairwise(steps))
