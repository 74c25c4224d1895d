"""What burstd would have done on a recorded load, and what that would have cost: the real cycle on a simulated world.

    trace = fitted(read_trace(Path("week.csv")), WorldSpec())
    run = simulate(trace, policy_for(WorldSpec(), "threshold"), WorldSpec(), seed=1)
    measures = measure(finely(run.moments, run.trace, run.world), run.world)

Observe, decide, plan, act and the lifecycle are the daemon's own; clouds, HAProxy, exporters and users are the memory adapters'. The pure
parts (traces, measures, the clairvoyant) know nothing of where a timeline comes from, so that other autoscalers can be measured alike.
It asks no daemon, no HAProxy and no cloud, and changes nothing outside its process.
"""

from __future__ import annotations

from burstd.simulate.clairvoyant import clairvoyant_hours
from burstd.simulate.measures import Measures, measure
from burstd.simulate.policies import policy_for, policy_names
from burstd.simulate.run import simulate
from burstd.simulate.scale import demand_of, fitted
from burstd.simulate.timeline import Moment, Run, finely
from burstd.simulate.trace import Kind, Trace
from burstd.simulate.trace_file import read_trace
from burstd.simulate.world import WorldSpec

__all__ = [
    "Kind",
    "Measures",
    "Moment",
    "Run",
    "Trace",
    "WorldSpec",
    "clairvoyant_hours",
    "demand_of",
    "finely",
    "fitted",
    "measure",
    "policy_for",
    "policy_names",
    "read_trace",
    "simulate",
]
