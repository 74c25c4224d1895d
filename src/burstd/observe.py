"""Observe: read everything once and give it to deciding as one snapshot.

A peer's failure becomes a fault in the snapshot, never an exception and never a zero. Only the roster's own failure is raised:
without its record burstd must not act at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from burstd.errors import BurstdError
from burstd.model.decision import Memory
from burstd.model.faults import GATEWAY_PEER, Fault
from burstd.model.fleet import MIRRORED, SERVING, Instance, Phase
from burstd.model.gateway import GatewayView
from burstd.model.load import Target
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.ports import Gateway, Ports


def observe(ports: Ports, policy: Policy, memory: Memory) -> Snapshot:
    """One cycle's view of the world, in the order in which it ages: the record first, the load last.

    Raises:
        BurstdError: the roster cannot be read.
    """
    roster = ports.roster
    fleet = tuple(roster.fleet())
    cloud = ports.cloud.observe()
    checks = ports.content.check([(each, pool) for each in fleet if each.phase is Phase.SYNCING and (pool := policy.pool(each.pool))])
    tokens = _read_tokens(ports, policy, fleet, checks)
    gateway = read_gateway(ports.gateway)
    bursts = [target for each in fleet if (target := _exporter(each, policy))]
    readings = ports.load.read([*(Target(core.name, core.exporter) for core in policy.cores), *bursts])
    now = ports.clock.now()
    return Snapshot(
        now=now,
        fleet=fleet,
        ended=roster.ended(),
        cores={core.name: readings[core.name] for core in policy.cores},
        bursts={target.name: readings[target.name] for target in bursts},
        gateway=gateway,
        cloud=cloud,
        checks=checks,
        round_trips=_measure(ports, policy, fleet, checks),
        orders=roster.orders(),
        cooldowns=roster.cooldowns(),
        pools=roster.pools(),
        memory=memory,
        windows=tuple(ports.calendar.windows(now)),
        drill_due=ports.calendar.drill_due(now),
        days=ports.calendar.days(now),
        database=None if ports.database is None else ports.database.view(fresh=False, promoter=ports.promoter),
        learned=roster.learned() if memory.stored is None else None,
        mirror=ports.mirror.observe() if ports.mirror and policy.content else None,
        tokens=tokens,
    )


def _read_tokens(ports: Ports, policy: Policy, fleet: Iterable[Instance], checks: Mapping[str, Fault | None]) -> Mapping[str, str | Fault]:
    """What those serve that have content: who has just failed its check path is not asked for more."""
    if policy.content is None:
        return {}
    answering = [each for each in fleet if each.phase in MIRRORED and checks.get(each.operation) is None]
    asked = [(each, pool) for each in answering if each.address is not None and (pool := policy.pool(each.pool))]
    return ports.content.tokens(asked, policy.content.token_path)


def _measure(ports: Ports, policy: Policy, fleet: Iterable[Instance], checks: Mapping[str, Fault | None]) -> Mapping[str, float | Fault]:
    """How far away those are that are at the gate, answer, and must not be too far."""
    at_gate = [(each, pool) for each in fleet if each.phase is Phase.SYNCING and (pool := policy.pool(each.pool))]
    asked = [(each, pool) for each, pool in at_gate if pool.max_rtt is not None and checks.get(each.operation) is None]
    return ports.distance.round_trips(asked) if asked and ports.distance is not None else {}


def read_gateway(gateway: Gateway) -> GatewayView | Fault:
    """HAProxy, or why it cannot be read."""
    try:
        return gateway.read()
    except BurstdError as error:
        return Fault.of(GATEWAY_PEER, error)


def _exporter(instance: Instance, policy: Policy) -> Target | None:
    pool = policy.pool(instance.pool)
    if instance.phase not in SERVING or pool is None or pool.metrics_port is None or instance.address is None:
        return None
    host = f"[{instance.address}]" if ":" in instance.address else instance.address
    return Target(instance.name, f"http://{host}:{pool.metrics_port}/metrics")
