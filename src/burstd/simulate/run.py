"""The real cycle, turn after turn, on a simulated site until the trace ends.

While nothing moves a turn comes every `interval` seconds. While an instance is on its way in or out, and while the cores get more than they
carry or are about to, it comes at the poll interval of the daemon: so joining and leaving take as long as they do there, and the weights
follow a burst as soon. Who asks for a shorter interval than the usual one wants it exact: then it comes after a third of the interval while
the demand is near to what is there, or far below it, so that a launch or a leave is hardly later than there. Everything that is drawn by
lot comes from the seed: the same one gives the same run.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from burstd.cycle import Cycle
from burstd.model.decision import Decision
from burstd.model.fleet import Phase
from burstd.model.policy import Policy
from burstd.ports import Calendar
from burstd.simulate.measures import FLAP
from burstd.simulate.timeline import Moment, Run
from burstd.simulate.trace import Trace
from burstd.simulate.world import WorldSpec
from burstd.wiring.simulation import Stage, stage_of

INTERVAL = 30.0
"""Seconds between two turns in which nothing moves: half of what a load average needs to show anything, a sixth of a daemon's turns."""
_START = 1_704_067_200.0
"""A Monday, 2024-01-01 00:00 UTC: when a trace begins that has no time of its own."""
_RECORDED = 1e9
"""A trace that begins later than this tells seconds since the epoch."""
_PATIENT = frozenset({Phase.BOOTING, Phase.SYNCING, Phase.IN_SERVICE, Phase.STANDBY})
"""What is in these phases needs no turn before its machine does, or the load moves."""
_ON_MACHINE_TIME = frozenset({Phase.BOOTING, Phase.SYNCING})
"""What is in these waits for its machine."""
_NEAR = 0.6
"""The part of what is there from which a launch may be near: with the margin of a very restless site."""
_SPARE = 0.7
"""The part of what is left without one of them from which instances may be about to leave."""
_JOINING = 1.5
"""Polls from a machine's first answer into service: it is seen half a poll later in the mean, and takes traffic with the next one."""
_SOONER = 1 / 3
"""The part of the interval after which a turn comes then."""
_AFTER = 0.001
"""Seconds: just after the moment."""
_REPORTS = 200
"""How often the progress is told."""

Progress = Callable[[float], None]
"""Told how much of the run is done, 0..1."""


def simulate(  # noqa: PLR0913 - what is run, on what, and how
    trace: Trace,
    policy: Policy,
    world: WorldSpec,
    *,
    seed: int = 0,
    interval: float = INTERVAL,
    name: str = "",
    calendar: Calendar | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run one policy over the trace, and return all that came of it.

    Args:
        trace: in requests/s (see `burstd.simulate.demand_of` and `fitted`).
        policy: as `burstd.simulate.policy_for` makes it.
        world: what the site is made of; its `threshold` should be the policy's.
        seed: of the boot times and the failed launches, and of nothing else.
        interval: longest time between two turns, seconds; never shorter than `fleet.poll_interval`.
        name: the policy's, for tables and titles.
        calendar: the schedules; None: none.
        progress: told now and then how far it has come.
    """
    collecting = gc.isenabled()
    gc.disable()  # the cycle's values hold no circles, and looking for some among all the moments takes a seventh of the time
    try:
        return _Play(trace, policy, world, seed=seed, interval=interval, name=name, calendar=calendar).run(progress or (lambda _done: None))
    finally:
        if collecting:
            gc.enable()


@dataclass(frozen=True)
class _Pace:
    """How far it is to the next turn."""

    fine: float
    coarse: float
    world: WorldSpec

    def seconds(self, stage: Stage) -> float:
        """By what is under way."""
        flow = stage.flow
        if flow.core_tasks > self.world.threshold or flow.core_rate(self.coarse) > self.world.capacity:
            return self.fine
        now, fleet = stage.ports.clock.now(), stage.ports.roster.fleet()
        out = stage.ports.roster.cooldowns().scale_out
        free = -math.inf if out is None else out + FLAP + _AFTER - now
        sooner = self.coarse < INTERVAL and self._stirs(stage, len(fleet), may_leave=free <= 0)
        seconds = max(self.fine, self.coarse * _SOONER) if sooner else self.coarse
        if fleet and free > 0:
            seconds = min(seconds, self._polls(free))
        for instance in fleet:
            if instance.phase not in _PATIENT:
                return self.fine
            if instance.phase in _ON_MACHINE_TIME:
                due = stage.due(instance)
                if due <= now:
                    return self.fine
                seconds = min(seconds, self._polls(due - now)) if math.isfinite(due) else seconds
        return seconds

    def _stirs(self, stage: Stage, instances: int, *, may_leave: bool) -> bool:
        """The demand comes near to what is there, or is far below it while instances may leave."""
        there = self.world.capacity * (self.world.cores + instances)
        if stage.flow.rate(self.coarse) > _NEAR * there:
            return True
        return instances > 0 and may_leave and stage.flow.rate(0.0) < _SPARE * (there - self.world.capacity)

    def _polls(self, seconds: float) -> float:
        """Until the first poll after so long."""
        return self.fine * max(1, math.ceil(seconds / self.fine))


class _Play:
    """One run under way."""

    def __init__(  # noqa: PLR0913 - what is run, on what, and how
        self, trace: Trace, policy: Policy, world: WorldSpec, *, seed: int, interval: float, name: str, calendar: Calendar | None
    ) -> None:
        self._trace, self._world, self._seed, self._name = trace, world, seed, name
        self._lots = random.Random(seed)  # noqa: S311 - chance of a simulation, repeatable on purpose
        names = random.Random(f"operations {seed}")  # noqa: S311 - the same
        self._start = trace.begin if trace.begin > _RECORDED else _START
        self._stage = stage_of(
            policy, cpus=world.cpus, work=world.work, offered=self._offered, boot=self._boot, start=self._start, calendar=calendar
        )
        self._cycle = Cycle(self._stage.ports, policy, lambda: f"{names.getrandbits(128):032x}")
        self._pace = _Pace(policy.fleet.poll_interval, max(policy.fleet.poll_interval, interval), world)
        self._made = 0

    def run(self, progress: Progress) -> Run:
        """To the end of the trace."""
        clock, flow, length = self._stage.ports.clock, self._stage.flow, self._trace.length
        moments, told = [], 0.0
        while (gone := clock.now() - self._start) < length:
            decision = self._cycle.silent_turn()
            seconds = min(self._pace.seconds(self._stage), length - gone)
            moments.append(self._moment(decision, gone, seconds))
            flow.play(seconds)
            if gone >= told:
                progress(gone / length)
                told += length / _REPORTS
        progress(1.0)
        return Run(self._name, self._trace, self._world, self._seed, moments, flow.given_up, flow.requests)

    def _moment(self, decision: Decision, gone: float, seconds: float) -> Moment:
        fleet, made = self._stage.ports.roster.fleet(), self._stage.made
        launched, self._made = made - self._made, made
        return Moment(
            at=gone,
            seconds=seconds,
            demand=self._trace.at(self._trace.begin + gone) / self._world.capacity,
            in_service=sum(each.phase is Phase.IN_SERVICE for each in fleet),
            booting=sum(each.on_its_way for each in fleet),
            desired=decision.count,
            billed=self._stage.billed,
            launched=launched,
            load1=self._stage.flow.core_load,
            reason=decision.reasons[0],
        )

    def _offered(self, now: float) -> float:
        return self._trace.at(self._trace.begin + now - self._start)

    def _boot(self) -> float:
        seconds = self._lots.uniform(*self._world.boot) - _JOINING * self._pace.fine
        return math.inf if self._lots.random() < self._world.failures else max(0.0, seconds)
