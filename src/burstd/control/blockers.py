"""Everything that stands between a fleet and its next scale-in, all at once: the decision names only the first. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from burstd.decide.budget import thrifty
from burstd.decide.comeback import in_words
from burstd.decide.fullness import read_fullness
from burstd.decide.signal import read_signal
from burstd.model.faults import Fault
from burstd.model.fleet import Cooldowns, Pause, Phase
from burstd.model.policy import LoadPolicy, Policy
from burstd.model.turn import Turn
from burstd.plan.renewal import until_release


def cooldowns_left(cooldowns: Cooldowns, load: LoadPolicy, now: float) -> dict[str, float]:
    """Seconds until each direction is free again, 0 where it is; a scale-out holds the next scale-in back as well."""
    ends = {
        "scale_out": [at + load.cooldown_out for at in (cooldowns.scale_out,) if at is not None],
        "scale_in": [at + load.cooldown_in for at in (cooldowns.scale_in, cooldowns.scale_out) if at is not None],
    }
    return {direction: max(0.0, max(times, default=now) - now) for direction, times in ends.items()}


def what_blocks_scale_in(turn: Turn, policy: Policy) -> tuple[str, ...]:
    """One clause for each thing in the way: data, orders, bounds, then the load; empty where one instance less may be wanted."""
    policy = thrifty(policy, turn.decision.purse)
    current = turn.decision.current
    if not current:
        return ("there is no instance to give back",)
    after = turn.after
    override = after.orders.override_at(after.now)
    blockers = [*_missing_data(turn, policy)]
    if after.orders.pause in {Pause.IN, Pause.BOTH}:
        blockers.append("scale-in is paused")
    if override is not None and override.count >= current:
        blockers.append(f"{override.owner} ordered {override.count}")
    if current <= policy.fleet.minimum:
        blockers.append(f"fleet.min is {policy.fleet.minimum}")
    if override is None:  # an order does not wait for the load
        blockers.extend(_load(turn, policy))
        blockers.extend(_paid(turn, policy))
    return tuple(blockers)


def _missing_data(turn: Turn, policy: Policy) -> Iterator[str]:
    signal = read_signal(turn.snapshot, policy)
    yield from (f"no fresh load of {name}" for name in signal.missing)
    yield from in_words(signal.slow)
    if isinstance(turn.snapshot.gateway, Fault):
        yield "HAProxy cannot be read"
    if turn.decision.cores_out and len(turn.decision.cores_out) == len(policy.cores):
        yield "no core server takes traffic in HAProxy"


def _paid(turn: Turn, policy: Policy) -> Iterator[str]:
    """Every instance in service is paid by the hour, and the hour of none is nearly over."""
    serving = [each for each in turn.after.fleet if each.phase is Phase.IN_SERVICE and each.down_since is None]
    waits = [(until_release(each, policy, turn.snapshot.now), each.name) for each in serving]
    if waits and (first := min(waits))[0] > 0:
        yield f"the hour of each is paid, that of {first[1]} for another {first[0]:.0f} s until it may go"


def _load(turn: Turn, policy: Policy) -> Iterator[str]:
    decision, memory, now, load = turn.decision, turn.decision.memory, turn.snapshot.now, policy.load
    fullness = read_fullness(turn.snapshot, policy)
    if fullness.waiting:
        yield f"{fullness.waiting} requests wait in HAProxy"
    if decision.signal is not None and decision.signal >= load.scale_in_below and not fullness.spills:
        yield f"load {decision.signal:.2f} is not below {load.scale_in_below:g}"
    elif decision.signal is not None and decision.signal > load.scale_out_above:
        yield f"load {decision.signal:.2f} is above {load.scale_out_above:g}"
    elif memory.below_since is None and fullness.busy:
        yield f"one instance less would not carry the {fullness.busy} requests that are with the instances"
    elif memory.below_since is not None and now - memory.below_since < load.scale_in_after:
        yield f"the load has been low for {now - memory.below_since:.0f} s of {load.scale_in_after:g} s"
    if (left := cooldowns_left(turn.after.cooldowns, load, now)["scale_in"]) > 0:
        yield f"the scale-in cooldown lasts {left:.0f} s"
    if memory.watched_since is not None and (left := memory.watched_since + load.stabilization - now) > 0:
        yield f"the first full window after the start lasts {left:.0f} s"
    highest = max((count for at, count in memory.proposals if at >= now - load.stabilization), default=0)
    if highest >= decision.current:
        yield f"the last {load.stabilization:g} s wanted {highest}"
