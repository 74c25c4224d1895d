"""The page that Prometheus scrapes: what a finished cycle knows, as metrics; docs/metrics.md says what each is for.

Everything is set from a cycle's `Turn` in one go: a scrape in between sees the last finished cycle, whole. A label's values are
bounded by the settings: instances come and go, so one is a label only where it is told apart for an alert, and for as long as it lives.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

import burstd
from burstd.decide.boot_times import PLANNED_WITH, quantile
from burstd.metrics.money import Money
from burstd.model.cloud import Created, CreateFailed, CreateUnknown, Destroyed, DestroyFailed, Outcome
from burstd.model.database import DatabaseView, ListenerView
from burstd.model.decision import Futility
from burstd.model.drill import DrillOutcome
from burstd.model.fleet import ENDED, Pause, Phase
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.load import Sample
from burstd.model.plans import CallCloud, kind
from burstd.model.policy import Policy
from burstd.model.promotion import Stage
from burstd.model.replication import SemiSync, Server, ServerView, ThreadState
from burstd.model.turn import Turn
from burstd.plan.invariants import INVARIANTS as CHECKED
from burstd.plan.rehearsals import recollect

INVARIANTS: Final = (*CHECKED, "override_end", "fixpoint")
"""All ten of the design and the budget: what every plan is checked for, and the two that tests hold up."""

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets of a cycle's length: an idle one takes milliseconds, one that waits for a dead exporter its whole deadline."""

_OUTCOMES: Final[dict[type[Outcome], tuple[str, str]]] = {
    Created: ("create", "done"),
    CreateFailed: ("create", "failed"),
    CreateUnknown: ("create", "unknown"),
    Destroyed: ("destroy", "done"),
    DestroyFailed: ("destroy", "failed"),
}


class Metrics:
    """Every metric of one daemon, in a registry of its own."""

    def __init__(self) -> None:  # noqa: PLR0915 - one line for each metric
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has not annotated it
        self._lock = threading.Lock()
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"burstd_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"burstd_{name}", text, labels, registry=registry)

        self._load = gauge("core_load1", "One-minute load average of a core server, as read in the last cycle.", "core")
        self._age = gauge("core_sample_age_seconds", "Age of a core server's newest good sample.", "core")
        self._scraped = gauge("core_scrape_success", "1 where the last cycle read the core server's exporter.", "core")
        self._core_up = gauge("core_up", "1 where HAProxy sends requests to the core server, 0 where it does not.", "core")
        self._core_lost = gauge("core_lost", "1 while HAProxy sends requests to no core server.")
        self._core_lost_seconds = gauge("core_lost_seconds", "For how long that has been so; 0 while one core server takes requests.")
        self._signal = gauge("load_signal", "The load over all core servers that is compared with the thresholds; NaN while blind.")
        self._threshold = gauge("load_threshold", "The configured thresholds, in the signal's unit.", "direction")

        self._desired = gauge("instances_desired", "Instances wanted in service.")
        self._held = gauge("scale_out_held", "1 while a scale-out that the load asks for is held back: it would not help.", "cause")
        self._current = gauge("instances_current", "Instances in service or on their way.")
        self._minimum = gauge("instances_min", "Lower bound of the fleet.")
        self._maximum = gauge("instances_max", "Upper bound of the fleet.")
        self._instances = gauge("instances", "Instances by pool and phase of life.", "pool", "phase")
        self._by_hand = gauge("instances_by_hand", "Instances that somebody holds out of rotation in HAProxy by hand.", "pool")
        self._barred = gauge("pool_barred", "1 while a pool is barred after failures.", "pool")
        self._barred_seconds = gauge("pool_barred_seconds", "Seconds until a barred pool is tried again; 0 where it is free.", "pool")
        self._stopped = gauge("pool_stopped", "1 while a pool is barred for what somebody must mend.", "pool")
        self._pool_failures = gauge("pool_consecutive_failures", "Failures of a pool in a row.", "pool")
        self._rehearsals = _Rehearsals(gauge)

        self._weight = gauge("rotation_weight", "Sum of the weights of the servers that take traffic now.", "backend", "role")
        self._burst_weight = gauge("burst_weight", "The weight wanted for every burst server; NaN while they are left alone.")
        self._rate = gauge("requests_per_second", "Requests per second that a role's servers take, over the last seconds.", "role")
        self._share = gauge("burst_traffic_ratio", "Share of the requests that the burst servers take, 0 to 1; NaN while unknown.")
        self._capacity = gauge("core_capacity_requests_per_second", "What one core server takes at its target load; NaN until learned.")
        self._haproxy = gauge("haproxy_info", "The HAProxy that was read last.", "version")
        self._haproxy_age = gauge("haproxy_age_seconds", "Time since HAProxy was last read in full; NaN before the first time.")

        self._lag = gauge("content_lag_seconds", "How far what an instance serves may be behind the core's content.", "instance")
        self._mirror_up = gauge("content_mirror_up", "1 where the core answered the last exchange about its content.")
        self._mirror_held = gauge("content_mirror_held", "1 while nothing is pushed until somebody has looked.")
        self._files = gauge("content_files", "Files of the content on the core; NaN while unknown.")

        self._actions = counter("actions_total", "Actions by kind and what came of them.", "kind", "outcome")
        for call in ("create", "destroy"):
            for outcome in ("started", "done", "failed", "unknown"):
                self._actions.labels(call, outcome)
        self._failures = counter("failures_total", "Failed readings and actions by peer and kind of fault.", "peer", "kind")
        self._broken = counter("invariants_broken_total", "Actions taken out of a plan because they would break an invariant.", "invariant")
        for name in INVARIANTS:
            self._broken.labels(name)

        self._database = _Database(registry)
        self._money = Money(registry)

        self._override = gauge("override_active", "1 while an operator's number is in force.")
        self._override_count = gauge("override_instances", "The number that an operator ordered; NaN while there is none.")
        self._paused = gauge("paused", "1 while an operator has stopped this direction.", "direction")

        self._cycles = counter("cycles_total", "Cycles by how they ended.", "outcome")
        for outcome in ("finished", "failed"):
            self._cycles.labels(outcome)
        self._duration = Histogram("burstd_cycle_duration_seconds", "Length of a finished cycle.", buckets=_SECONDS, registry=registry)
        self._cpu = counter("cycle_cpu_seconds_total", "CPU time of the loop's thread in finished cycles.")
        self._last = gauge("last_cycle_timestamp_seconds", "When the last finished cycle began, seconds since the epoch.")
        self._reload_failed = gauge("reload_failed", "1 after a reload of the settings was refused, until one succeeds.")
        gauge("build_info", "The burstd that runs.", "version", "python").labels(burstd.__version__, platform.python_version()).set(1)
        self._listed: dict[str, int] = {}
        self._haproxy_at: float | None = None

    def render(self) -> bytes:
        """The page in the text format 0.0.4."""
        with self._lock:
            return generate_latest(self.registry)

    def reload(self, *, failed: bool) -> None:
        """Say how the last reload of the settings ended."""
        self._reload_failed.set(failed)

    def cycle_failed(self) -> None:
        """Count a cycle that a bug of burstd has ended."""
        self._cycles.labels("failed").inc()

    def record(self, turn: Turn, policy: Policy) -> None:
        """Set everything from a finished cycle."""
        with self._lock:
            self._record_load(turn, policy)
            self._record_fleet(turn, policy)
            self._record_gateway(turn, policy)
            self._record_content(turn)
            self._database.record(turn.snapshot.database)
            self._money.record(turn.decision, policy)
            self._record_orders(turn)
            self._rehearsals.record(turn, policy)
            self._count_actions(turn)
            self._count_failures(turn)
            self._cycles.labels("finished").inc()
            self._duration.observe(turn.seconds)
            self._cpu.inc(turn.cpu_seconds)
            self._last.set(turn.snapshot.now)

    def _record_load(self, turn: Turn, policy: Policy) -> None:
        for gauge in (self._load, self._age, self._scraped, self._core_up):
            gauge.clear()
        view = turn.snapshot.gateway
        for core in policy.cores:
            reading = turn.snapshot.cores.get(core.name)
            self._scraped.labels(core.name).set(isinstance(reading, Sample))
            if isinstance(view, GatewayView) and view.line(policy.routing.backends[0].name, core.server):
                self._core_up.labels(core.name).set(core.name not in turn.decision.cores_out)
            if isinstance(reading, Sample):
                self._load.labels(core.name).set(reading.load1)
            last = turn.decision.memory.samples.get(core.name)
            if last is not None:
                self._age.labels(core.name).set(max(0.0, turn.snapshot.now - last.at))
        since = turn.decision.memory.core_lost_since
        self._core_lost.set(since is not None)
        self._core_lost_seconds.set(0.0 if since is None else turn.snapshot.now - since)
        self._signal.set(_known(turn.decision.signal))
        self._threshold.labels("out").set(policy.load.scale_out_above)
        self._threshold.labels("in").set(policy.load.scale_in_below)

    def _record_fleet(self, turn: Turn, policy: Policy) -> None:
        after = turn.after
        self._desired.set(turn.decision.count)
        self._current.set(turn.decision.current)
        for cause in Futility:
            self._held.labels(str(cause)).set(turn.decision.held is not None and turn.decision.held.cause is cause)
        self._minimum.set(policy.fleet.minimum)
        self._maximum.set(policy.fleet.maximum)
        for gauge in (self._instances, self._by_hand, self._barred, self._barred_seconds, self._stopped, self._pool_failures):
            gauge.clear()
        for pool in policy.pools:
            self._by_hand.labels(pool.name)
            for phase in Phase:
                if phase not in ENDED:
                    self._instances.labels(pool.name, phase.value)
            state = after.pools.get(pool.name)
            barred = max(0.0, state.barred_until - after.now) if state else 0.0
            self._barred.labels(pool.name).set(barred > 0)
            self._barred_seconds.labels(pool.name).set(barred)
            self._stopped.labels(pool.name).set(state is not None and state.stopped and barred > 0)
            self._pool_failures.labels(pool.name).set(state.failures if state else 0)
        for instance in after.fleet:
            self._instances.labels(instance.pool, instance.phase.value).inc()
            self._by_hand.labels(instance.pool).inc(instance.by_hand is not None)

    def _record_gateway(self, turn: Turn, policy: Policy) -> None:
        view, now = turn.snapshot.gateway, turn.snapshot.now
        if isinstance(view, GatewayView):
            self._haproxy_at = now
            self._haproxy.clear()
            self._haproxy.labels(".".join(map(str, view.version))).set(1)
            cores = {core.server for core in policy.cores}
            ours = {each.name for each in turn.snapshot.fleet}
            for backend in view.backends:
                turning = [row for row in backend.servers if row.status in {ServerStatus.UP, ServerStatus.NO_CHECK} and not row.backup]
                for role, names in (("core", cores), ("burst", ours)):
                    self._weight.labels(backend.name, role).set(sum(row.weight for row in turning if row.name in names))
        self._haproxy_age.set(_known(None if self._haproxy_at is None else now - self._haproxy_at))
        decision = turn.decision
        self._burst_weight.set(_known(decision.weight))
        self._capacity.set(_known(decision.core_capacity))
        rates = {"core": decision.core_rate, "burst": decision.burst_rate}
        for role, rate in rates.items():
            self._rate.labels(role).set(_known(rate))
        total = sum(_known(rate) for rate in rates.values())
        self._share.set(_known(decision.burst_rate) / total if total else float("nan"))

    def _record_content(self, turn: Turn) -> None:
        """Without a mirror nothing is told but that there are no figures."""
        view = turn.snapshot.mirror
        self._lag.clear()
        for instance in turn.after.fleet:
            if (lag := turn.snapshot.content_lag(instance)) is not None:
                self._lag.labels(instance.name).set(lag)
        self._mirror_up.set(_known(None if view is None else float(view.fault is None and view.answered_at is not None)))
        self._mirror_held.set(_known(None if view is None else float(bool(view.held))))
        self._files.set(_known(view.files if view else None))

    def _record_orders(self, turn: Turn) -> None:
        orders = turn.after.orders
        override = orders.override
        active = override is not None and (override.until is None or override.until > turn.snapshot.now)
        self._override.set(active)
        self._override_count.set(_known(override.count if override is not None and active else None))
        self._paused.labels("out").set(orders.pause in {Pause.OUT, Pause.BOTH})
        self._paused.labels("in").set(orders.pause in {Pause.IN, Pause.BOTH})

    def _count_actions(self, turn: Turn) -> None:
        for done in turn.report.done:
            good = "started" if isinstance(done.action, CallCloud) else "done"
            self._actions.labels(kind(done.action), "failed" if done.fault else good).inc()
        for skipped in turn.report.skipped:
            self._actions.labels(kind(skipped), "skipped").inc()
        for outcome in turn.snapshot.cloud.outcomes:
            self._actions.labels(*_OUTCOMES[type(outcome)]).inc()
        for broken in turn.plan.violations:
            self._broken.labels(broken.invariant).inc()

    def _count_failures(self, turn: Turn) -> None:
        """A failed listing stands in every cycle until the next one: it counts once. Instances count as one peer."""
        listings = turn.snapshot.cloud.listings
        counted = [each.nodes for each in listings if self._listed.get(each.pool) == each.serial]
        self._listed = {each.pool: each.serial for each in listings}
        instances = {each.name for each in turn.snapshot.fleet}
        for fault in turn.faults:
            if not any(fault is each for each in counted):
                self._failures.labels("instances" if fault.peer in instances else fault.peer, fault.kind.value).inc()


class _Rehearsals:
    """What boots and drills have shown."""

    def __init__(self, gauge: Callable[..., Gauge]) -> None:
        self._boot = gauge("boot_seconds", "From a create to this moment of the boot, over the last boots.", "pool", "until", "statistic")
        self._success = gauge("drill_last_success_timestamp_seconds", "When a drill last went through; NaN before the first.")
        self._seconds = gauge("drill_last_duration_seconds", "How long the last drill took; NaN before the first.")
        self._failed = gauge("drill_last_failed", "1 where the last drill that has ended failed.")
        self._steps = gauge("drill_last_step_seconds", "The steps of the last drill that has ended.", "step", "result")
        self._seconds.set(float("nan"))

    def record(self, turn: Turn, policy: Policy) -> None:
        """Set everything from a finished cycle."""
        self._boot.clear()
        for pool in policy.pools:
            boots = turn.decision.memory.boots.get(pool.name, ())
            for until in ("running", "synced", "ready"):
                for statistic, part in (("median", 0.5), ("q80", PLANNED_WITH)):
                    times = [getattr(each, until) for each in boots]
                    self._boot.labels(pool.name, until, statistic).set(_known(quantile(times, part)))
        remembered = recollect(turn.learned)
        self._success.set(_known(remembered.succeeded_at))
        last = remembered.last
        if last is not None and last.outcome is not DrillOutcome.RUNNING:
            self._failed.set(last.outcome is DrillOutcome.FAILED)
            self._steps.clear()
            for step in last.steps:
                self._steps.labels(step.name, step.state.value).set(_known(step.seconds))
            self._seconds.set(_known(last.seconds))


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


class _Database:
    """Of the database and its replica; NaN, or no series, where none is watched."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"burstd_database_{name}", text, labels, registry=registry)

        self._up = gauge("up", "1 where the server lets burstd in.", "server")
        self._read_only = gauge("read_only", "1 where the server takes no writes.", "server")
        self._serving = gauge("serving", "1 where the listener gives the server connections.", "server")
        self._running = gauge("replication_running", "1 while the replica's thread works.", "thread")
        self._lag = gauge("lag_seconds", "Seconds that the replica is behind; NaN while unknown.")
        self._behind = gauge("lag_transactions", "Transactions that the replica lacks; NaN while unknown.")
        self._semi_sync = gauge("semi_sync", "1 for the state that the primary's semi-sync is in.", "state")
        self._diverged = gauge("diverged", "1 where the replica cannot follow any more; NaN while unknown.")
        self._promoted = gauge("promoted", "1 from a promotion until the settings name the new primary.")
        self.record(None)

    def record(self, view: DatabaseView | None) -> None:
        """Set everything anew."""
        for gauge in (self._up, self._read_only, self._serving, self._running, self._semi_sync):
            gauge.clear()
        for alone in (self._lag, self._behind, self._diverged, self._promoted):
            alone.set(_known(None))
        if view is None:
            return
        for server in Server:
            reading = view.server(server)
            self._up.labels(server.value).set(isinstance(reading, ServerView))
            if isinstance(reading, ServerView):
                self._read_only.labels(server.value).set(reading.restricted)
            if isinstance(view.listener, ListenerView):
                self._serving.labels(server.value).set(server in view.listener.serving)
        self._behind.set(_known(view.lag))
        self._promoted.set(view.promotion is not None and view.promotion.stage is Stage.PROMOTED)
        self._record_replication(view)

    def _record_replication(self, view: DatabaseView) -> None:
        if isinstance(view.primary, ServerView):
            for state in SemiSync:
                self._semi_sync.labels(state.value).set(view.primary.semi_sync.state is state)
        if isinstance(view.replica, ServerView) and (replication := view.replica.replication):
            for name, thread in (("receiving", replication.io), ("applying", replication.sql)):
                self._running.labels(name).set(thread.state is ThreadState.RUNNING)
            self._lag.set(_known(replication.lag))
            self._diverged.set(replication.diverged)
