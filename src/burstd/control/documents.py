"""What the API answers, as plain dicts that JSON can carry: status, explain, plan and events; docs/api.md describes every key.

Pure: a finished cycle and the policy that it ran under go in, nothing is read and no clock asked. User data and secrets never appear.
Times named `…_at`, `since`, `until` are seconds since the epoch, other times seconds; loads are load units; what is unknown is null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import burstd
from burstd.control.blockers import cooldowns_left, what_blocks_scale_in
from burstd.control.content import content, instance_content
from burstd.control.cost import budget, cost
from burstd.control.database import document as database
from burstd.control.wording import describe
from burstd.decide.boot_times import PLANNED_WITH, quantile
from burstd.decide.budget import thrifty
from burstd.decide.comeback import coming_back
from burstd.decide.traffic import rate
from burstd.lifecycle import deadline
from burstd.model.event import Event
from burstd.model.faults import Fault
from burstd.model.fleet import ON_ITS_WAY, Instance, Override, Phase
from burstd.model.gateway import GatewayView
from burstd.model.load import Reading, Sample
from burstd.model.plans import Action, Violation, kind
from burstd.model.policy import CoreServer, Mode, Policy, PoolPolicy, RoutingPolicy
from burstd.model.turn import Turn
from burstd.plan.rehearsals import recollect
from burstd.plan.renewal import paid_until

Document = dict[str, Any]


def status(turn: Turn, policy: Policy) -> Document:
    """What is the case: the sentence, the numbers, every server, instance and pool, and what is wrong."""
    after = turn.after
    count = {phase: sum(each.phase is phase and not each.drill for each in after.fleet) for phase in Phase}
    return {
        **_head(turn),
        "cycle": turn.number,
        "cycle_seconds": round(turn.seconds, 6),
        "poll_interval": policy.fleet.poll_interval,
        "fleet": policy.fleet.name,
        "desired": turn.decision.count,
        "current": turn.decision.current,
        "min": policy.fleet.minimum,
        "max": policy.fleet.maximum,
        "in_service": count[Phase.IN_SERVICE],
        "standby": count[Phase.STANDBY],
        "on_the_way": sum(count[phase] for phase in ON_ITS_WAY),
        "drill": _drill(turn),
        "core_lost_since": turn.decision.memory.core_lost_since,
        "leaving": count[Phase.DRAINING] + count[Phase.DESTROYING],
        "pause": str(after.orders.pause),
        "override": _override(after.orders.override_at(after.now), after.now),
        "drains": sorted(after.orders.drains),
        "load": _load(turn, policy),
        "cores": [_core(turn, policy, core) for core in policy.cores],
        "instances": [_instance(turn, policy, each) for each in after.fleet],
        "gateway": _gateway(turn, policy),
        "pools": [_pool(turn, pool) for pool in policy.pools],
        "cost": cost(turn),
        "budget": budget(turn.decision.purse),
        "content": content(after),
        "database": after.database and database(after.database, after.now),
        "faults": [_fault(each) for each in turn.faults],
        "violations": _violations(turn.plan.violations),
    }


def explain(turn: Turn, policy: Policy) -> Document:
    """Why it is the case: this number, this weight, this phase of each instance; what is waited for, and until when."""
    after, decision = turn.after, turn.decision
    blocked_by = what_blocks_scale_in(turn, policy)
    load = thrifty(policy, decision.purse).load
    return {
        **_head(turn),
        "number": {
            "desired": decision.count,
            "current": decision.current,
            "min": policy.fleet.minimum,
            "max": policy.fleet.maximum,
            "direction": decision.direction.name.lower(),
            "reasons": list(decision.reasons),
            "held": decision.held and {"cause": str(decision.held.cause), "text": decision.held.text},
            "proposals": [
                {"source": each.source, "direction": each.direction.name.lower(), "count": each.count, "reason": each.reason}
                for each in decision.proposals
            ],
        },
        "load": _load(turn, policy),
        "weight": {
            "wanted": decision.weight,
            "mode": _weight_mode(policy.routing),
            "reason": decision.weight_reason,
            "core_capacity": _finite(decision.core_capacity),
            "core_rate": _finite(decision.core_rate),
            "burst_rate": _finite(decision.burst_rate),
            "burst_share": _burst_share(turn),
        },
        "waiting": list(turn.plan.waiting),
        "instances": [
            {
                "name": each.name,
                "pool": each.pool,
                "phase": str(each.phase),
                "reason": each.reason,
                "paid_until": paid_until(each, policy, after.now),
                **_patience(each, policy, after.now),
            }
            for each in after.fleet
        ],
        "scale_in": {"allowed": decision.scale_in_allowed, "blocked_by": list(blocked_by)},
        "cooldowns": {name: round(left, 3) for name, left in cooldowns_left(after.cooldowns, load, after.now).items()},
        "pause": str(after.orders.pause),
        "override": _override(after.orders.override_at(after.now), after.now),
        "pools": [_pool(turn, pool) for pool in policy.pools],
        "cost": cost(turn),
        "budget": budget(decision.purse),
        "content": content(after),
        "database": decision.database and {"promotes": decision.database.order is not None, "reason": decision.database.reason},
        "faults": [_fault(each) for each in turn.faults],
        "violations": _violations(turn.plan.violations),
    }


def plan(turn: Turn, policy: Policy) -> Document:
    """What the last cycle planned, action by action, and what came of each; `policy` is there for the sake of one shape for all."""
    done, skipped = list(turn.report.done), list(turn.report.skipped)
    actions = []
    for action in turn.plan.actions:
        outcome, fault = "planned", None
        if done and done[0].action == action:
            fault = done.pop(0).fault
            outcome = "failed" if fault else "done"
        elif skipped and skipped[0] == action:
            skipped.pop(0)
            outcome = "skipped"
        actions.append(_action(action, outcome, fault))
    return {
        **_head(turn),
        "cycle": turn.number,
        "fleet": policy.fleet.name,
        "actions": actions,
        "waiting": list(turn.plan.waiting),
        "violations": _violations(turn.plan.violations),
    }


def events(history: Sequence[Event]) -> Document:
    """What has happened, oldest first."""
    return {"events": [{"at": each.at, "kind": each.kind, "subject": each.subject, "text": each.text} for each in history]}


def _head(turn: Turn) -> Document:
    return {"version": burstd.__version__, "at": turn.snapshot.now, "sentence": turn.sentence}


def _finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity; whoever reads the number gets "unknown" instead."""
    return value if value is not None and math.isfinite(value) else None


def _fault(fault: Fault) -> Document:
    return {"peer": fault.peer, "kind": str(fault.kind), "text": fault.text}


def _fault_of(value: object) -> Document | None:
    return _fault(value) if isinstance(value, Fault) else None


def _violations(violations: Iterable[Violation]) -> list[Document]:
    return [{"invariant": each.invariant, "text": each.text} for each in violations]


def _override(override: Override | None, now: float) -> Document | None:
    if override is None:
        return None
    return {
        "count": override.count,
        "owner": override.owner,
        "reason": override.reason,
        "since": override.since,
        "until": override.until,
        "seconds_left": None if override.until is None else round(override.until - now, 3),
    }


def _load(turn: Turn, policy: Policy) -> Document:
    load, memory = policy.load, turn.decision.memory
    return {
        "signal": _finite(turn.decision.signal),
        "aggregate": str(load.aggregate),
        "per_cpu": load.per_cpu,
        "scale_out_above": load.scale_out_above,
        "scale_in_below": load.scale_in_below,
        "above_since": memory.above_since,
        "below_since": memory.below_since,
    }


def _sample(reading: Reading | None, now: float) -> Document:
    if not isinstance(reading, Sample):
        return {"load1": None, "age_seconds": None, "cpus": None}
    return {"load1": _finite(reading.load1), "age_seconds": round(now - reading.at, 3), "cpus": reading.cpus}


def _server(turn: Turn, name: str, *, standby: bool = False) -> Document:
    """What HAProxy says of a server: its line in the main backend, and its requests in all; null where it has none or cannot be read.

    While an instance changes between service and standby it has two lines: the one that it is to keep counts.
    """
    view = turn.snapshot.gateway
    rows = [line.row for line in view.lines_of(name)] if isinstance(view, GatewayView) else []
    rows.sort(key=lambda each: each.backup is not standby)
    row = rows[0] if rows else None
    history = turn.decision.memory.traffic.get(name, ())
    return {
        "weight": row and row.weight,
        "status": row and str(row.status),
        "passing": row and row.passing,
        "backup": row and row.backup,
        "sessions": sum(each.sessions for each in rows) if rows else None,
        "queued": sum(each.queued for each in rows) if rows else None,
        "requests": sum(each.requests for each in rows) if rows else None,
        "errors": sum(each.errors for each in rows) if rows else None,
        "requests_per_second": _finite(rate(history)) if rows else None,
    }


def _core(turn: Turn, policy: Policy, core: CoreServer) -> Document:
    reading = turn.snapshot.cores.get(core.name)
    return {
        "name": core.name,
        "server": core.server,
        **_sample(reading, turn.snapshot.now),
        **_server(turn, core.server),
        "throttle": coming_back(turn.snapshot, policy).get(core.name),
        "fault": _fault_of(reading),
    }


def _patience(instance: Instance, policy: Policy, now: float) -> Document:
    limit = deadline(instance, policy.fleet)
    return {
        "since": instance.since,
        "seconds": round(now - instance.since, 3),
        "deadline_at": limit,
        "deadline_seconds": None if limit is None else round(limit - now, 3),
    }


def _instance(turn: Turn, policy: Policy, instance: Instance) -> Document:
    now = turn.snapshot.now
    reading = turn.snapshot.bursts.get(instance.name)
    return {
        "name": instance.name,
        "pool": instance.pool,
        "phase": str(instance.phase),
        "reason": instance.reason,
        **_patience(instance, policy, now),
        "created_at": instance.created_at,
        "paid_until": paid_until(instance, policy, now),
        "joined_at": instance.joined_at,
        "address": instance.address,
        "node_id": instance.node_id,
        "attempts": instance.attempts,
        "by_hand": instance.by_hand and str(instance.by_hand),
        "drill": instance.drill,
        "round_trip": _finite(trip) if isinstance(trip := turn.snapshot.round_trips.get(instance.operation), float) else None,
        **instance_content(turn.snapshot, instance),
        **_sample(reading, now),
        **_server(turn, instance.name, standby=instance.phase is Phase.STANDBY),
        "fault": _fault_of(reading),
    }


def _burst_share(turn: Turn) -> float | None:
    """The burst servers' part of the requests, 0..1; None while a rate is unknown or nothing flows."""
    core, burst = _finite(turn.decision.core_rate), _finite(turn.decision.burst_rate)
    return None if core is None or burst is None or core + burst <= 0 else round(burst / (core + burst), 4)


def _weight_mode(routing: RoutingPolicy) -> str:
    if routing.mode is Mode.SPILLOVER:
        return str(routing.mode)
    return "fixed" if all(each.weight is not None for each in routing.backends) else "auto"


def _gateway(turn: Turn, policy: Policy) -> Document:
    view = turn.snapshot.gateway
    known: Mapping[str, Any] = {}
    if isinstance(view, GatewayView):
        known = {
            "version": ".".join(map(str, view.version)),
            "pid": view.pid,
            "started_at": view.started,
            "requests": sum(each.requests for each in view.backends),
            "queued": sum(each.queued for each in view.backends),
            "backends": [
                {
                    "name": backend.name,
                    "balance": backend.balance or None,
                    "requests": backend.requests,
                    "queued": backend.queued,
                    "burst_weight": turn.decision.weights.get(backend.name),
                    "weights": {row.name: row.weight for row in backend.servers},
                }
                for backend in view.backends
            ],
        }
    unknown = dict.fromkeys(("version", "pid", "started_at", "requests", "queued"))
    return {
        "mode": str(policy.routing.mode),
        "backends": [],
        **unknown,
        **known,
        "burst_weight": turn.decision.weight,
        "core_rate": _finite(turn.decision.core_rate),
        "burst_rate": _finite(turn.decision.burst_rate),
        "burst_share": _burst_share(turn),
        "fault": _fault_of(view),
    }


def _drill(turn: Turn) -> Document | None:
    """The drill that runs, else the last one; a step under way shows how long it has taken so far."""
    remembered, now = recollect(turn.learned), turn.snapshot.now
    drill = remembered.last
    if drill is None:
        return None
    return {
        "at": drill.at,
        "owner": drill.owner,
        "pool": drill.pool,
        "instance": drill.instance,
        "outcome": str(drill.outcome),
        "failure": drill.failure,
        "seconds": round(now - drill.at if drill.seconds is None else drill.seconds, 3),
        "ended_at": drill.ended_at,
        "succeeded_at": remembered.succeeded_at,
        "steps": [
            {"name": each.name, "state": str(each.state), "seconds": round(now - each.at if each.seconds is None else each.seconds, 3)}
            for each in drill.steps
        ],
    }


def _boots(turn: Turn, pool: str) -> Document:
    """How many boots are known of the pool, and how long four of five take at most: to run, to sync, and to be ready."""
    boots = turn.decision.memory.boots.get(pool, ())
    legs = ("running", "synced", "ready")
    times = {f"boot_{leg}": quantile([getattr(each, leg) for each in boots], PLANNED_WITH) for leg in legs}
    return {"boots": len(boots), **{name: None if value is None else round(value, 3) for name, value in times.items()}}


def _pool(turn: Turn, pool: PoolPolicy) -> Document:
    after = turn.after
    state, listing = after.pools.get(pool.name), after.cloud.listing(pool.name)
    barred = state is not None and state.barred_until > after.now
    nodes = listing.nodes if listing else None
    return {
        "name": pool.name,
        "failures": state.failures if state else 0,
        "barred_until": state.barred_until if state and barred else None,
        "barred_seconds": round(state.barred_until - after.now, 3) if state and barred else None,
        "stopped": state is not None and state.stopped and barred,
        "reason": state.reason if state else "",
        "listing_age_seconds": round(after.now - listing.asked_at, 3) if listing else None,
        "nodes": len(nodes) if isinstance(nodes, tuple) else None,
        "instances": sum(each.pool == pool.name for each in after.fleet),
        "fault": _fault_of(nodes),
        **_boots(turn, pool.name),
        "country": pool.country,
        "max_rtt": pool.max_rtt,
        "price": pool.price,
        "currency": pool.currency,
        "billing": str(pool.billing),
    }


def _action(action: Action, outcome: str, fault: Fault | None) -> Document:
    subject, text = describe(action)
    return {"kind": kind(action), "subject": subject, "text": text, "outcome": outcome, "fault": fault and _fault(fault)}
