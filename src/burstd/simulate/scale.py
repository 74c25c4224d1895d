"""From a recorded trace to the demand of the simulated site: load averages become requests, and the size is fitted to the world. Pure."""

from __future__ import annotations

from dataclasses import replace

from burstd.decide.queueing import utilisation_at
from burstd.simulate.trace import Kind, Trace
from burstd.simulate.world import WorldSpec

CORE_QUANTILE = 0.6
"""The core is bought for the usual day: it carries the demand of three fifths of the time by itself, and the rest is rented."""
LARGEST_PEAK = 12
"""Servers that the highest peak may need: two cores and ten instances. A trace with a higher one is scaled to fit it."""


def demand_of(trace: Trace, world: WorldSpec) -> Trace:
    """The trace in requests/s to the whole site.

    A load average says how busy a server was by the M/M/c curve, up to the threshold. Above it that curve hardly rises in utilisation while
    the queue grows with time, so a load of twice the threshold is taken for twice the threshold's demand. A load average is damped over a
    minute: what was shorter is not in it, and the true demand was spikier.
    """
    if trace.kind is Kind.REQUESTS:
        return trace
    full = utilisation_at(world.threshold, world.cpus)
    whole = world.cores * world.capacity

    def requests(load: float) -> float:
        return whole * (load / world.threshold if load > world.threshold else utilisation_at(load, world.cpus) / full)

    return replace(trace, values=tuple(map(requests, trace.values)), kind=Kind.REQUESTS)


def scaled(trace: Trace, world: WorldSpec, factor: float | None) -> tuple[Trace, float]:
    """The demand so many times as large, and the factor; None: as `fitted`."""
    demand = demand_of(trace, world)
    chosen = _fit(demand, world) if factor is None else factor
    return demand.times(chosen), chosen


def fitted(trace: Trace, world: WorldSpec) -> Trace:
    """The demand, scaled so that its 60 % quantile is what the cores carry at the threshold, and its peak at most 12 servers."""
    return scaled(trace, world, None)[0]


def _fit(demand: Trace, world: WorldSpec) -> float:
    usual, peak = demand.quantile(CORE_QUANTILE), max(demand.values)
    by_peak = LARGEST_PEAK * world.capacity / peak if peak else 1.0
    by_core = world.cores * world.capacity / usual if usual else by_peak
    return min(by_core, by_peak)
