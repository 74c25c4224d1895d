"""From the core servers' readings to one load signal, and how far it can be trusted.

A missing sample is missing: it is never counted as zero, and while one is missing nothing may shrink.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from burstd.model.faults import Fault
from burstd.model.load import Sample
from burstd.model.policy import Aggregate, LoadPolicy, Policy
from burstd.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Signal:
    """The load that is compared with the thresholds.

    Attributes:
        value: the aggregate over the cores that are known, in load units (per CPU where so configured); None: blind.
        highest: the highest core's, None where blind.
        complete: every core answered in this very cycle.
        missing: "name (why)" of each core without a usable sample in this cycle.
        samples: the last good sample by core, for the memory.
    """

    value: float | None
    highest: float | None
    complete: bool
    missing: tuple[str, ...]
    samples: Mapping[str, Sample]


def _level(sample: Sample, policy: LoadPolicy) -> float | None:
    """The sample in the units of the thresholds; None where it cannot be said."""
    if not math.isfinite(sample.load1) or not 0 <= sample.load1 <= policy.absurd_above:
        return None
    if not policy.per_cpu:
        return sample.load1
    return sample.load1 / sample.cpus if sample.cpus else None


def read_signal(snapshot: Snapshot, policy: Policy) -> Signal:
    """The signal of this cycle; a core's last good sample stands in for a failed one until it is stale."""
    samples: dict[str, Sample] = {}
    missing: list[str] = []
    levels: list[float] = []
    for core in policy.cores:
        reading = snapshot.cores.get(core.name)
        sample = reading if isinstance(reading, Sample) else snapshot.memory.samples.get(core.name)
        level = None if sample is None else _level(sample, policy.load)
        fresh = sample is not None and snapshot.now - sample.at <= policy.load.stale_after
        if not isinstance(reading, Sample):
            missing.append(f"{core.name} ({reading.text if isinstance(reading, Fault) else 'not read'})")
        elif level is None:
            missing.append(f"{core.name} (unusable load {reading.load1:g})")
        elif not fresh:
            missing.append(f"{core.name} (stale)")
        if sample is not None and level is not None and fresh:
            samples[core.name] = sample
            levels.append(level)
    if not levels:
        return Signal(None, None, complete=False, missing=tuple(missing), samples=samples)
    value = {Aggregate.MEAN: fmean(levels), Aggregate.MAX: max(levels), Aggregate.MIN: min(levels)}[policy.load.aggregate]
    return Signal(value, max(levels), complete=not missing, missing=tuple(missing), samples=samples)
