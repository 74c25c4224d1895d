"""Load as it was read: samples of a server's run queue and CPU time."""

from __future__ import annotations

from dataclasses import dataclass

from burstd.model.faults import Fault


@dataclass(frozen=True, slots=True)
class Target:
    """A metrics page to read: a core server's or an instance's exporter."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One good answer of an exporter, stamped on receipt by our own clock (the exporter's clock may be skewed).

    Attributes:
        at: when the answer arrived, seconds on the daemon's timeline.
        load1: the kernel's one-minute load average, in load units (runnable and uninterruptible tasks).
        cpus: number of CPUs; None where the exporter does not say.
        busy_seconds: CPU seconds spent outside idle and iowait, summed over all CPUs since boot; None where unknown.
        idle_seconds: the rest of them: with iowait; None where unknown.
        iowait_seconds: the part of the idle ones in which a task waited for a disk; None where unknown.
    """

    at: float
    load1: float
    cpus: int | None = None
    busy_seconds: float | None = None
    idle_seconds: float | None = None
    iowait_seconds: float | None = None


Reading = Sample | Fault
