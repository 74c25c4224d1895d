# ruff: noqa: INP001 - it stands beside the bench that imports it, and is no package
"""Other autoscalers, written anew from their public documents, on the world of `burstd simulate`: for comparison, and for nothing else.

Each is given what it has at its best: the exact mean CPU utilisation of the servers in service, no lag, no lost reading. They scale the
whole fleet, the cores included, which are its minimum. An instance that they send away leaves at once; it is billed until then.

- Kubernetes, "Horizontal Pod Autoscaling": desired = ceil(current x metric / target), a tolerance of 10 %, every 15 s; on the way up
  those that do not serve yet count as idle; on the way down the highest wish of the stabilization window (300 s).
- AWS, "Target tracking scaling policies for Amazon EC2 Auto Scaling": minutes of CloudWatch; out after 3 minutes above the target, in
  proportion; in after 15 minutes below 90 % of it, never while instances warm up (300 s).
- AWS, "Step and simple scaling policies": the document's own example, by parts of the capacity; alarms over 2 minutes, the same warm-up.
- burstd's policy `demand` itself, on the exact demand: so that it can be compared with them at their own overload, under the same
  conditions and in seconds. What burstd really does is measured by its real cycle (bench/elasticity).
- HashiCorp, "Nomad Autoscaler: target value strategy": count x metric / target over the last minute, a threshold of 1 %, a cooldown of
  5 minutes.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Protocol

from burstd.decide.demand import follow
from burstd.decide.queueing import utilisation_at
from burstd.decide.signal import Signal
from burstd.decide.situation import Situation
from burstd.decide.workload import Workload
from burstd.model.decision import Memory
from burstd.model.demand import DemandMemory
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Cooldowns
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.simulate import Moment, Trace, WorldSpec, policy_for

STEP = 15.0
"""Seconds of a step: the Kubernetes controller's own, and a quarter of a minute of CloudWatch."""
_SLACK = 1e-9
NOTHING = Fault("haproxy", FaultKind.UNREACHABLE, "there is none")
CALM = Signal(0.0, 0.0, complete=True, missing=(), samples={})


@dataclass(frozen=True)
class Sight:
    """What a peer sees.

    Attributes:
        now: seconds.
        utilisation: mean over the servers in service, 0..1.
        demand: in servers, exactly; for burstd's own policy, which reads it off the requests.
        serving: servers in service, cores included.
        total: with those that boot.
    """

    now: float
    utilisation: float
    demand: float
    serving: int
    total: int


class Peer(Protocol):
    """An autoscaler: servers wanted in all."""

    def wanted(self, sight: Sight) -> int:
        """After each step."""
        ...


@dataclass
class Kubernetes:
    """The Horizontal Pod Autoscaler, v2, on CPU utilisation."""

    target: float
    window: float = 300.0
    tolerance: float = 0.1
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)

    def wanted(self, sight: Sight) -> int:
        """The controller's algorithm."""
        ratio, wish = sight.utilisation / self.target, sight.total
        if abs(ratio - 1) > self.tolerance:
            wish = math.ceil(ratio * sight.serving - _SLACK)
            if ratio > 1 and sight.total > sight.serving:
                # Those that do not serve yet count as idle; where that turns the wish round, nothing is done.
                diluted = ratio * sight.serving / sight.total
                wish = math.ceil(diluted * sight.total - _SLACK) if diluted > 1 + self.tolerance else sight.total
        while self._wishes and self._wishes[0][0] <= sight.now - self.window:
            self._wishes.popleft()
        self._wishes.append((sight.now, wish))
        return wish if wish >= sight.total else min(sight.total, max(count for _, count in self._wishes))


@dataclass
class _Minutes:
    """CloudWatch's minutes: means of the utilisation."""

    kept: int
    means: deque[float] = field(default_factory=deque)
    _now: list[float] = field(default_factory=list)

    def add(self, utilisation: float) -> bool:
        """Whether a minute has ended."""
        self._now.append(utilisation)
        if len(self._now) < round(60 / STEP):
            return False
        self.means.append(fmean(self._now))
        self._now.clear()
        while len(self.means) > self.kept:
            self.means.popleft()
        return True

    def all(self, count: int, holds: Callable[[float], bool]) -> bool:
        """The last so many minutes are there, and it holds for each."""
        return len(self.means) >= count and all(holds(each) for each in list(self.means)[-count:])


@dataclass
class TargetTracking:
    """AWS target tracking."""

    target: float
    warm_up: float = 300.0
    _minutes: _Minutes = field(default_factory=lambda: _Minutes(15))
    _warm: float = -math.inf

    def wanted(self, sight: Sight) -> int:
        """Three minutes above: in proportion; a quarter of an hour below nine tenths: in proportion, not while something warms up."""
        if not self._minutes.add(sight.utilisation):
            return sight.total
        last = self._minutes.means[-1]
        if self._minutes.all(3, lambda each: each > self.target):
            wish = math.ceil(sight.serving * last / self.target - _SLACK)
            if wish > sight.total:
                self._warm = sight.now + self.warm_up
                return wish
        elif self._minutes.all(15, lambda each: each < 0.9 * self.target) and sight.now >= self._warm:
            wish = math.ceil(sight.total * last / self.target - _SLACK)
            if wish < sight.total:
                self._minutes.means.clear()
                return wish
        return sight.total


@dataclass
class StepScaling:
    """AWS step scaling, by the steps of the document's example: 10 points beyond the middle move 10 % of the capacity, 20 points 30 %."""

    middle: float
    warm_up: float = 300.0
    _minutes: _Minutes = field(default_factory=lambda: _Minutes(2))
    _warm: float = -math.inf

    def wanted(self, sight: Sight) -> int:
        """Two minutes beyond a step."""
        if not self._minutes.add(sight.utilisation) or len(self._minutes.means) < 2:  # noqa: PLR2004 - two minutes
            return sight.total
        high, low = min(self._minutes.means) - self.middle, self.middle - max(self._minutes.means)
        if high >= 0.1:  # noqa: PLR2004 - the example's figures
            wish = sight.serving + max(1, int(sight.serving * (0.3 if high >= 0.2 else 0.1)))  # noqa: PLR2004 - the same
            if wish > sight.total:
                self._warm = sight.now + self.warm_up
                return wish
        elif low >= 0.1 and sight.now >= self._warm:  # noqa: PLR2004 - the same
            self._minutes.means.clear()
            return sight.total - max(1, int(sight.total * (0.3 if low >= 0.2 else 0.1)))  # noqa: PLR2004 - the same
        return sight.total


@dataclass
class Nomad:
    """The target-value strategy."""

    target: float
    cooldown: float = 300.0
    threshold: float = 0.01
    _minute: deque[float] = field(default_factory=lambda: deque(maxlen=round(60 / STEP)))
    _free: float = -math.inf

    def wanted(self, sight: Sight) -> int:
        """In proportion, at most once in a cooldown."""
        self._minute.append(sight.utilisation)
        factor = fmean(self._minute) / self.target
        if sight.now < self._free or abs(factor - 1) <= self.threshold:
            return sight.total
        wish = math.ceil(sight.total * factor - _SLACK)
        if wish != sight.total:
            self._free = sight.now + self.cooldown
        return wish


@dataclass
class Burstd:
    """The policy `demand`, with its stabilization of 300 s."""

    policy: Policy
    world: WorldSpec
    _memory: DemandMemory = field(default_factory=DemandMemory)
    _out: float = -math.inf

    def wanted(self, sight: Sight) -> int:
        """The pure policy, without a cycle around it."""
        workload = Workload(sight.demand, self.world.cores)
        situation = Situation(sight.serving - self.world.cores, sight.total - sight.serving, None, None, None)
        snapshot = Snapshot(
            sight.now,
            (),
            {},
            NOTHING,
            memory=Memory(demand=self._memory, watched_since=-math.inf),
            cooldowns=Cooldowns(scale_out=self._out),
        )
        proposal, self._memory = follow(workload, CALM, situation, snapshot, self.policy)
        count = situation.current if proposal is None else proposal.count
        if count > situation.current:
            self._out = sight.now
        return self.world.cores + count


def sweep() -> Iterator[tuple[str, Callable[[], Peer]]]:
    """Each peer with its defaults and with its main knob moved, by name."""
    for percent in (50, 60, 65, 70, 75, 80):
        for window in (300, 900):
            yield f"HPA {percent} %, {window} s", lambda percent=percent, window=window: Kubernetes(percent / 100, window)
    for percent in (40, 50, 60, 70):
        yield f"AWS target tracking {percent} %", lambda percent=percent: TargetTracking(percent / 100)
    for percent in (40, 50, 60):
        yield f"AWS step scaling around {percent} %", lambda percent=percent: StepScaling(percent / 100)
    for percent in (50, 60, 70, 80):
        yield f"nomad target-value {percent} %", lambda percent=percent: Nomad(percent / 100)


PRICES = (4.0, 11.0, 24.0)
"""`load.overload_price`, from the cheapest that makes sense to one that hardly ever overloads."""


def ours(price: float, world: WorldSpec) -> Burstd:
    """The policy `demand` with that price."""
    policy = policy_for(world, "demand")
    return Burstd(replace(policy, load=replace(policy.load, overload_price=price)), world)


def play(peer: Peer, trace: Trace, world: WorldSpec, seed: int) -> list[Moment]:
    """What the peer does on the trace, in the world of the simulator: the same boots by lot, and the same measures."""
    lots = random.Random(seed)  # noqa: S311 - chance of a simulation, repeatable on purpose
    full = utilisation_at(world.threshold, world.cpus)
    boots: list[float] = []
    serving, moments = 0, []
    for number in range(int(trace.length / STEP)):
        now = number * STEP
        serving += sum(due <= now for due in boots)
        boots = [due for due in boots if due > now]
        demand = trace.at(trace.begin + now) / world.capacity
        ready = world.cores + serving
        sight = Sight(now, min(1.0, demand * full / ready), demand, ready, ready + len(boots))
        wanted = max(0, min(world.maximum, peer.wanted(sight) - world.cores))
        launched = max(0, wanted - serving - len(boots))
        boots += [now + lots.uniform(*world.boot) for _ in range(launched)]
        while serving + len(boots) > wanted and boots:
            boots.pop()
        serving = min(serving, wanted)
        moments.append(Moment(now, STEP, demand, serving, len(boots), wanted, serving + len(boots), launched))
    return moments
