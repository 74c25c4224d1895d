"""A policy's wish, the merged and clamped decision, and what deciding must remember from one cycle to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from burstd.model.boot import Boot
from burstd.model.content import MirrorView
from burstd.model.cost import Ledger, Outlay, Purse
from burstd.model.database import DatabaseDecision, DatabaseMemory
from burstd.model.demand import DemandMemory
from burstd.model.gateway import ServerStatus
from burstd.model.load import Sample


class Direction(IntEnum):
    """Which way a proposal goes; the order is the order of safety: out over hold over in."""

    IN = -1
    HOLD = 0
    OUT = 1


@dataclass(frozen=True, slots=True)
class Proposal:
    """One policy's wish.

    Attributes:
        source: the policy's name.
        count: instances wanted in service.
        reason: one clause with figures.
    """

    source: str
    direction: Direction
    count: int
    reason: str


class Futility(StrEnum):
    """Why more servers would not help; also the label in /metrics."""

    NOT_REQUESTS = "not_requests"
    """What loads the core is not the requests: a backup, a disk."""
    GATEWAY = "gateway"
    """HAProxy itself is at its limit."""
    BURST_ERRORS = "burst_errors"
    """The burst servers answer with errors where the core does not."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why more servers would not help, with figures."""

    cause: Futility
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The merged, clamped wish with all its reasons.

    Attributes:
        count: instances wanted in service.
        current: instances in service or on their way when it was decided.
        direction: what the merged wish was, before clamping.
        reasons: in the order of weight: what won, what clamped, what was overruled.
        proposals: every policy's wish.
        signal: the load that was compared with the threshold; None where nothing usable was read.
        scale_in_allowed: the data is complete and fresh, and nobody has paused it: planning may remove.
        weights: by the backend that they join, the weight wanted for every burst server; a missing one: leave them as they are.
        weight_reason: where the weight comes from.
        core_capacity: requests/s at which a core server stands at its target load; None while unknown.
        memory: what the next cycle must know.
        core_rate: requests/s that the core servers take now; None while unknown.
        burst_rate: requests/s that the burst servers take now; None while unknown.
        learned: what is worth storing of what the policies have learned, as text by policy; empty: nothing new.
        notes: what an operator should hear of how it was decided, once.
        database: what is to be done with the database; None: none is watched.
        cores_out: HAProxy's status of each core server to which it sends no request, by name; empty while it cannot be read.
        held: why a scale-out that the load asked for was not begun; None: none was held back.
        outlay: what is spent.
        purse: the budget and what is left of it; None: there is none.
        warnings: what an operator should hear, once, and act upon.
    """

    count: int
    current: int
    direction: Direction
    reasons: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    signal: float | None
    scale_in_allowed: bool
    weights: Mapping[str, int]
    weight_reason: str
    core_capacity: float | None
    memory: Memory
    core_rate: float | None = None
    burst_rate: float | None = None
    learned: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    cores_out: Mapping[str, ServerStatus] = field(default_factory=dict)
    database: DatabaseDecision | None = None
    held: Doubt | None = None
    outlay: Outlay = field(default_factory=Outlay)
    purse: Purse | None = None
    warnings: tuple[str, ...] = ()

    @property
    def weight(self) -> int | None:
        """The weight wanted in the main backend; None: leave them as they are."""
        return next(iter(self.weights.values()), None)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counters of one server at one moment, for rates.

    Attributes:
        at: seconds on the daemon's timeline.
        requests: requests since the server was added.
        busy_seconds: CPU seconds of its machine; None where unknown.
        load1: load average; None where unknown.
        arrived: by backend, requests since the server was added, those that are not answered yet included.
        idle_seconds: CPU seconds in which it had nothing to do, iowait included; None where unknown.
        cpus: CPUs of its machine; None where unknown.
        iowait_seconds: the part of the idle ones in which a task waited for a disk; None where unknown.
        open: requests that it has not answered yet, waiting ones included.
        errors: requests that ended in an error of its own, since it was added.
    """

    at: float
    requests: int
    busy_seconds: float | None
    load1: float | None
    arrived: Mapping[str, int] = field(default_factory=dict)
    idle_seconds: float | None = None
    cpus: int | None = None
    iowait_seconds: float | None = None
    open: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """What deciding remembers between cycles.

    Lost at a restart on purpose, so that every window starts in full again; but for what was learned (work, trim, weight, boots,
    demand), which is stored in the roster (`burstd.decide.lessons`).

    Attributes:
        samples: the last good sample by core server.
        above_since: since when the signal has stood above the threshold; None: it does not.
        below_since: since when every sample, without a gap, has stood below the scale-in threshold.
        proposals: (time, count) of the threshold policy within the stabilization window, oldest first.
        blind_since: since when no core server's load has been known; None: one is.
        watched_since: first cycle with complete data of this process.
        traffic: by server name, the counters of the last minute and a little, oldest first.
        process: (pid, start) of the HAProxy that the counters belong to.
        work: learned CPU seconds per request, by server name.
        trim: correction of the learned capacity by the load really seen; 1.0: none.
        weighed_at: when the weights were last solved.
        share: the burst servers' share of the requests as it was solved then, 0..1.
        skew: by backend, how many times their weights' worth the burst servers get there; a missing one: just that.
        weights: by backend, the weights decided last; empty before the first.
        cores_out: HAProxy's status of each core server out of rotation, when it was last read.
        boots: by pool, how long the last instances took from their create into service, oldest first.
        windows: (schedule, opening) of the windows that were in force in the last cycle: what was taken up is not put down again.
        gateway_full_since: since when HAProxy itself has been at its limit; None: it is not.
        core_lost_since: since when no core server takes traffic in HAProxy; None while one does.
        mirror: what the last cycle knew of the content's mirror; None: nothing.
        database: of the database.
        ledger: the books.
        demand: of the demand policy.
        new: this process has decided nothing yet, and the roster's times are an earlier one's.
        stored: what the roster holds of what was learned, as text by policy; None: this process has not read it yet.
    """

    samples: Mapping[str, Sample] = field(default_factory=dict)
    above_since: float | None = None
    below_since: float | None = None
    proposals: tuple[tuple[float, int], ...] = ()
    blind_since: float | None = None
    watched_since: float | None = None
    traffic: Mapping[str, tuple[Traffic, ...]] = field(default_factory=dict)
    process: tuple[int, float] | None = None
    work: Mapping[str, float] = field(default_factory=dict)
    trim: float = 1.0
    weighed_at: float | None = None
    share: float = 0.0
    skew: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    cores_out: Mapping[str, ServerStatus] = field(default_factory=dict)
    boots: Mapping[str, tuple[Boot, ...]] = field(default_factory=dict)
    windows: frozenset[tuple[str, float]] = frozenset()
    gateway_full_since: float | None = None
    core_lost_since: float | None = None
    mirror: MirrorView | None = None
    database: DatabaseMemory = field(default_factory=DatabaseMemory)
    ledger: Ledger = field(default_factory=Ledger)
    demand: DemandMemory = field(default_factory=DemandMemory)
    new: bool = False
    stored: Mapping[str, str] | None = field(default_factory=dict)
