"""The article's policy: launch when the load average crosses a threshold, give back when it has long been low.

A queue that stands in HAProxy counts like a load above the threshold: where a `maxconn` caps the load, it is what shows that the core is
full. With spillover an instance is given back when the others carry what spills over, and another one is bought only where they do not.

It needs nothing learned and always works. It only wishes; bounds, orders and pauses come after it (`burstd.decide.merge`).
"""

from __future__ import annotations

from dataclasses import dataclass

from burstd.decide.signal import Signal
from burstd.decide.situation import Situation, window
from burstd.model.decision import Direction, Proposal
from burstd.model.fleet import Cooldowns
from burstd.model.policy import LoadPolicy
from burstd.model.snapshot import Snapshot

SOURCE = "threshold"

_QUEUE_STANDS = 10.0
"""Seconds that requests must wait, in every reading, before that counts: a queue of a moment is what a `maxconn` is there for."""


@dataclass(frozen=True, slots=True)
class Timers:
    """The policy's part of the memory, brought up to this cycle."""

    above_since: float | None
    below_since: float | None
    watched_since: float | None
    proposals: tuple[tuple[float, int], ...]


_STUBBORN = 300.0
"""Seconds that the load must stand above, and that the last one to join must have served: five times the load average's own minute, after
which it has forgotten all but a hundredth of an overload."""


def propose(signal: Signal, situation: Situation, snapshot: Snapshot, policy: LoadPolicy) -> tuple[Proposal, Timers]:
    """The policy's wish and its timers for the next cycle."""
    wish = _raw_wish(signal, situation, policy)
    timers = _timers(signal, situation, policy, snapshot, wish)
    direction, count, reason = _Judgement(signal, situation, timers, policy, snapshot.cooldowns, snapshot.now).pass_it()
    return Proposal(SOURCE, direction, count, reason), timers


def floor(proposal: Proposal, timers: Timers, situation: Situation, now: float) -> Proposal | None:
    """What counts of the wish beside a policy that knows the demand: an overload that lasts though by that policy it cannot be one.

    A load average is late: minutes after the cure it still stands above the threshold, and who buys for that must sell again.
    """
    since = max((each for each in (timers.above_since, situation.last_join) if each is not None), default=now)
    return proposal if proposal.direction is Direction.OUT and now - since >= _STUBBORN else None


def _timers(signal: Signal, situation: Situation, policy: LoadPolicy, snapshot: Snapshot, wish: int) -> Timers:
    memory, now, fullness = snapshot.memory, snapshot.now, situation.fullness
    above = signal.value is not None and (signal.value > policy.scale_out_above or fullness.waiting > 0)
    # A gap in the data ends the low period: what was not seen may have been a spike.
    low = signal.complete and signal.value is not None and (fullness.spills or signal.value < policy.scale_in_below)
    below = low and not above and signal.highest is not None and signal.highest <= policy.scale_out_above
    below = below and (not fullness.spills or fullness.carried_by(situation.in_service - 1))
    return Timers(
        above_since=(now if memory.above_since is None else memory.above_since) if above else None,
        below_since=(now if memory.below_since is None else memory.below_since) if below else None,
        watched_since=now if memory.watched_since is None and signal.complete else memory.watched_since,
        proposals=window(memory.proposals, now, wish, policy.stabilization),
    )


def _step(value: float, policy: LoadPolicy) -> int:
    # It is overload that asks for a step: a queue under a load that is capped counts as one just at the threshold.
    reached = [step.count for step in policy.steps if max(value, policy.scale_out_above) >= step.ratio * policy.scale_out_above]
    return reached[-1] if reached else 1


def _raw_wish(signal: Signal, situation: Situation, policy: LoadPolicy) -> int:
    """What the load of this moment alone would want; the stabilization window takes the highest of these."""
    fullness = situation.fullness
    if signal.value is None:
        return situation.current
    if signal.value > policy.scale_out_above or fullness.waiting:
        return situation.current if situation.has_room else max(situation.current, situation.in_service + _step(signal.value, policy))
    if fullness.spills:
        return next((count for count in range(situation.current) if fullness.carried_by(count)), situation.current)
    if signal.value >= policy.scale_in_below:
        return situation.current
    # Half way between the thresholds: a run queue grows faster than the rate that feeds it, and the projection is a straight line.
    ceiling = (policy.scale_in_below + policy.scale_out_above) / 2
    return next((count for count in range(situation.current) if _projected(signal.value, situation, count) < ceiling), situation.current)


def _projected(value: float, situation: Situation, count: int) -> float:
    """The cores' load if only `count` instances were left and the cores took all that the others serve now."""
    serving = situation.in_service
    if not serving or not situation.core_rate or situation.burst_rate is None:
        return value
    returned = situation.burst_rate * max(0, serving - count) / serving
    return value * (situation.core_rate + returned) / situation.core_rate


@dataclass(frozen=True, slots=True)
class _Judgement:
    """Which way to go, how far, and why."""

    signal: Signal
    situation: Situation
    timers: Timers
    policy: LoadPolicy
    cooldowns: Cooldowns
    now: float

    def pass_it(self) -> tuple[Direction, int, str]:
        current, value = self.situation.current, self.signal.value
        if value is None:
            return Direction.HOLD, current, self.signal.unknown
        if self.timers.above_since is not None:
            return self._out(value, self.timers.above_since)
        if self.situation.fullness.spills:
            return self._in(f"load {value:.2f} is not above {self.policy.scale_out_above:g} and {self._spilt()}")
        if value >= self.policy.scale_in_below:
            return Direction.HOLD, current, f"load {value:.2f} is not above {self.policy.scale_out_above:g}"
        return self._in(f"load {value:.2f} is below {self.policy.scale_in_below:g}")

    def _spilt(self) -> str:
        busy = self.situation.fullness.busy
        return f"{busy} {'request is' if busy == 1 else 'requests are'} with the instances" if busy else "nothing spills over"

    def _out(self, value: float, above_since: float) -> tuple[Direction, int, str]:
        current, policy = self.situation.current, self.policy
        load, sustain = f"load {value:.2f} is above {policy.scale_out_above:g}", policy.sustain
        if value <= policy.scale_out_above:
            load, sustain = f"{self.situation.fullness.waiting} requests wait in HAProxy", max(sustain, _QUEUE_STANDS)
        if self.now - above_since < sustain:
            return Direction.HOLD, current, f"{load}, for {self.now - above_since:.0f} s of {sustain:g} s"
        if self.situation.has_room:
            return Direction.HOLD, current, f"{load}, but the instances have room: {self._spilt()}"
        wanted = self.situation.in_service + _step(value, policy)
        if wanted <= current:
            return Direction.HOLD, current, f"{load}, and {self.situation.on_the_way} on the way"
        if (left := self._left(self.situation.last_join, policy.warm_up)) > 0:
            return Direction.HOLD, current, f"{load}, and the last one to join warms up for {left:.0f} s"
        if (left := self._left(self.cooldowns.scale_out, policy.cooldown_out)) > 0:
            return Direction.HOLD, current, f"{load}, and the scale-out cooldown lasts {left:.0f} s"
        return Direction.OUT, wanted, load

    def _in(self, load: str) -> tuple[Direction, int, str]:
        current, policy = self.situation.current, self.policy
        if current == 0:
            return Direction.HOLD, 0, f"{load} and there is nothing to give back"
        if self.timers.below_since is None:
            return Direction.HOLD, current, f"{load}, but {self._needed()}"
        low_for = self.now - self.timers.below_since
        if low_for < policy.scale_in_after:
            return Direction.HOLD, current, f"{load}, for {low_for:.0f} s of {policy.scale_in_after:g} s"
        for since, length, what in (
            (self.cooldowns.scale_in, policy.cooldown_in, "scale-in cooldown"),
            (self.cooldowns.scale_out, policy.cooldown_in, "scale-in cooldown after a scale-out"),
            (self.timers.watched_since, policy.stabilization, "first full window after the start"),
        ):
            if (left := self._left(since, length)) > 0:
                return Direction.HOLD, current, f"{load}, and the {what} lasts {left:.0f} s"
        highest = self.timers.proposals[0][1]
        if highest >= current:
            return Direction.HOLD, current, f"{load}, but the last {policy.stabilization:g} s wanted {highest}"
        return Direction.IN, current - 1, f"{load}, for {low_for:.0f} s"

    def _needed(self) -> str:
        """Why it does not count as low."""
        if self.signal.missing:
            return f"not every core answered: {', '.join(self.signal.missing)}"
        if self.signal.highest is not None and self.signal.highest > self.policy.scale_out_above:
            return "one core is above the threshold"
        if self.situation.fullness.places is None:
            return "HAProxy cannot be read"
        return "one instance less would not carry it"

    def _left(self, since: float | None, length: float) -> float:
        """Seconds until `length` has passed since then; 0 where nothing is running."""
        return 0.0 if since is None else max(0.0, since + length - self.now)
