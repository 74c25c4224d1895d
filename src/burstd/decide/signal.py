"""From the core servers' readings to one load signal, and how far it can be trusted.

A missing sample is missing: it is never counted as zero, and while one is missing nothing may shrink. The load of a core server that
gets no request says nothing of the demand, and is left out: a dead core must not make the others' load look half as high. The same holds of
one that HAProxy brings back slowly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from burstd.decide.comeback import coming_back, in_words
from burstd.model.faults import Fault
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.load import Sample
from burstd.model.policy import Aggregate, LoadPolicy, Policy
from burstd.model.snapshot import Snapshot

_IN_ROTATION = frozenset({ServerStatus.UP, ServerStatus.NO_CHECK})
_AGGREGATES: Final[Mapping[Aggregate, Callable[[Sequence[float]], float]]] = {
    Aggregate.MEAN: fmean,
    Aggregate.MAX: max,
    Aggregate.MIN: min,
}


@dataclass(frozen=True, slots=True)
class Signal:
    """The load that is compared with the thresholds.

    Attributes:
        value: the aggregate over the cores that are known and take traffic, in load units (per CPU where so configured); None: there
            is none.
        highest: the highest of these; None where there is none.
        complete: every core answered in this very cycle.
        missing: "name (why)" of each core without a usable sample in this cycle.
        samples: the last good sample by core, for the memory; empty: blind.
        out: HAProxy's status of each core to which it sends no request, by name.
        slow: percent of its share that each core gets by now that HAProxy brings back slowly, by name.
    """

    value: float | None
    highest: float | None
    complete: bool
    missing: tuple[str, ...]
    samples: Mapping[str, Sample]
    out: Mapping[str, ServerStatus] = field(default_factory=dict)
    slow: Mapping[str, int] = field(default_factory=dict)

    @property
    def unknown(self) -> str:
        """Why there is no value."""
        if not self.out and not self.slow:
            return f"no core server's load is known: {', '.join(self.missing)}"
        out = [f"{name} is {status} in HAProxy" for name, status in self.out.items()]
        return f"no core server that takes traffic shows its load: {', '.join((*self.missing, *out, *in_words(self.slow)))}"


def level_of(sample: Sample, policy: LoadPolicy) -> float | None:
    """The sample in the units of the thresholds; None where it cannot be said."""
    if not math.isfinite(sample.load1) or not 0 <= sample.load1 <= policy.absurd_above:
        return None
    if not policy.per_cpu:
        return sample.load1
    return sample.load1 / sample.cpus if sample.cpus else None


def _out_of_rotation(snapshot: Snapshot, policy: Policy) -> Mapping[str, ServerStatus]:
    """Core servers to which HAProxy sends no request; none where it cannot be read, or does not list them."""
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        return {}
    backend = policy.routing.backends[0].name
    rows = {core.name: view.line(backend, core.server) for core in policy.cores}
    return {name: row.status for name, row in rows.items() if row is not None and row.status not in _IN_ROTATION}


def _counts(level: float, status: ServerStatus | None, policy: LoadPolicy, *, slow: bool) -> bool:
    """Whether a core's load says something of the demand. One that HAProxy calls DOWN under a high load may be down because of it.

    One that comes back slowly gets little: a low load of it says nothing, a high one does.
    """
    return (status is None and not slow) or (status in {None, ServerStatus.DOWN} and level > policy.scale_out_above)


def read_signal(snapshot: Snapshot, policy: Policy) -> Signal:
    """The signal of this cycle; a core's last good sample stands in for a failed one until it is stale."""
    samples: dict[str, Sample] = {}
    missing: list[str] = []
    levels: list[float] = []
    out, slow = _out_of_rotation(snapshot, policy), coming_back(snapshot, policy)
    for core in policy.cores:
        reading = snapshot.cores.get(core.name)
        sample = reading if isinstance(reading, Sample) else snapshot.memory.samples.get(core.name)
        level = None if sample is None else level_of(sample, policy.load)
        fresh = sample is not None and snapshot.now - sample.at <= policy.load.stale_after
        if not isinstance(reading, Sample):
            missing.append(f"{core.name} ({reading.text if isinstance(reading, Fault) else 'not read'})")
        elif level is None:
            missing.append(f"{core.name} (unusable load {reading.load1:g})")
        elif not fresh:
            missing.append(f"{core.name} (stale)")
        if sample is not None and level is not None and fresh:
            samples[core.name] = sample
            if _counts(level, out.get(core.name), policy.load, slow=core.name in slow):
                levels.append(level)
    if not levels:
        return Signal(None, None, complete=False, missing=tuple(missing), samples=samples, out=out, slow=slow)
    value = _AGGREGATES[policy.load.aggregate](levels)
    return Signal(value, max(levels), complete=not missing, missing=tuple(missing), samples=samples, out=out, slow=slow)
