"""Worlds for deciding and planning, made by hand: two core servers, one pool, and what a test changes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from burstd.decide import decide
from burstd.model.cloud import CloudView, Listing, Node, NodeState
from burstd.model.decision import Decision, Direction, Memory
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import ENDED, SERVING, Instance, Phase
from burstd.model.gateway import GatewayView, ServerRow, ServerStatus
from burstd.model.load import Reading, Sample
from burstd.model.plans import CallCloud, EditGateway, Plan, Record
from burstd.model.policy import BackendPolicy, FleetPolicy, LoadPolicy, Policy, RoutingPolicy
from burstd.model.snapshot import Snapshot
from burstd.plan import plan
from tests.turns import NOW, OWNER, POLICY, gateway, instance, server

CORES = tuple(core.name for core in POLICY.cores)
DARK = Fault("core-oslo-02", FaultKind.UNREACHABLE, "no answer within 2 s")
AWAY = Fault("haproxy", FaultKind.UNREACHABLE, "nothing listens on its socket")


PROCESS = (gateway().pid, gateway().started)
"""The HAProxy that stands in these worlds."""


def policy(
    load: Mapping[str, Any] | None = None, fleet: Mapping[str, Any] | None = None, routing: Mapping[str, Any] | None = None
) -> Policy:
    """The house's policy with some keys changed; the windows are short so that a test's steps are few."""
    short: dict[str, Any] = {"scale_in_after": 60.0, "cooldown_out": 60.0, "cooldown_in": 60.0, "stabilization": 60.0, "warm_up": 30.0}
    routed: dict[str, Any] = {"burst_weight": 10, **(routing or {})}
    backend = BackendPolicy(weight=routed.pop("burst_weight"), maxconn=routed.pop("maxconn", None))
    return replace(
        POLICY,
        load=LoadPolicy(**{**short, **(load or {})}),
        fleet=FleetPolicy(**{"minimum": 0, "maximum": 4, **(fleet or {})}),
        routing=RoutingPolicy(**{"backends": (backend,), **routed}),
    )


def loads(*values: float | Fault, now: float = NOW, cpus: int | None = 4) -> dict[str, Reading]:
    """One reading for each core; a single value is every core's."""
    every = values if len(values) == len(CORES) else values * len(CORES)
    return {name: value if isinstance(value, Fault) else Sample(now, value, cpus) for name, value in zip(CORES, every, strict=True)}


def rows(*bursts: ServerRow) -> GatewayView:
    """HAProxy with both cores up and these burst servers."""
    return gateway(*(server(name, 100) for name in CORES), *bursts)


def row(each: Instance, status: ServerStatus = ServerStatus.UP, **changes: Any) -> ServerRow:
    """An instance's line in HAProxy."""
    return replace(server(each.name, 10, status), **{"address": f"{each.address}:80", "sessions": 0, **changes})


def standby_row(each: Instance, status: ServerStatus = ServerStatus.UP, **changes: Any) -> ServerRow:
    """The instance's line as backup."""
    return row(each, status, name=f"{each.name}-standby", backup=True, **changes)


def member(number: int, phase: Phase = Phase.IN_SERVICE, **changes: Any) -> Instance:
    """The numbered instance, bound and addressed as its phase would have it."""
    made = instance(number, phase)
    bound = phase not in {Phase.INTENDED, Phase.REQUESTED, Phase.UNKNOWN}
    joined = NOW - 600 if phase in {Phase.IN_SERVICE, Phase.STANDBY, Phase.DRAINING, Phase.DESTROYING} else None
    defaults: dict[str, Any] = {
        "node_id": f"i-{number}" if bound else None,
        "address": f"127.1.0.{number}" if bound else None,
        "joined_at": joined,
        "since": NOW - 10,
        "created_at": NOW - 900 + number,
        "attempts": 1,
        "attempted_at": NOW - 700 if bound else NOW - 1,
        "up_in": PROCESS if phase in SERVING else None,
    }
    return replace(made, **{**defaults, **changes})


def node(each: Instance, state: NodeState = NodeState.RUNNING, **changes: Any) -> Node:
    """An instance's machine as its pool lists it."""
    made = Node(each.pool, each.node_id or "i-new", each.name, state, (each.address or "127.1.0.99",), OWNER, each.operation)
    return replace(made, **changes)


def listing(*nodes: Node, serial: int = 1, asked_at: float = NOW - 1) -> CloudView:
    """One pool's listing."""
    return CloudView(listings=(Listing("dublin", asked_at, nodes, serial),))


def world(load: float | Sequence[float | Fault] = 1.0, fleet: Iterable[Instance] = (), now: float = NOW, **changes: Any) -> Snapshot:
    """A snapshot in which all is well: every instance is listed, and in HAProxy as its phase would have it."""
    members = tuple(fleet)
    values = (load,) if isinstance(load, int | float) else tuple(load)
    listed = {Phase.IN_SERVICE: ServerStatus.UP, Phase.DRAINING: ServerStatus.DRAIN}
    bound = [node(each) for each in members if each.node_id]
    made = Snapshot(
        now=now,
        fleet=members,
        cores=loads(*values, now=now),
        gateway=rows(
            *(row(each, listed[each.phase]) for each in members if each.phase in listed),
            *(standby_row(each) for each in members if each.phase is Phase.STANDBY),
        ),
        cloud=replace(listing(*bound, asked_at=now - 1), in_flight=frozenset(each.operation for each in members if not each.node_id)),
    )
    return replace(made, **changes)


def decision(count: int, *, current: int | None = None, weight: int | None = 10, allowed: bool = True) -> Decision:
    """A decision for `count` instances."""
    current = count if current is None else current
    return Decision(
        count=count,
        current=current,
        direction=Direction((count > current) - (count < current)),
        reasons=("the test wants it",),
        proposals=(),
        signal=1.0,
        scale_in_allowed=allowed,
        weights={} if weight is None else {"app_cluster": weight},
        weight_reason="the test's",
        core_capacity=None,
        memory=Memory(),
    )


def fresh() -> Iterable[str]:
    """Operation ids that no instance of a test has."""
    return (f"{number:032x}" for number in range(0xF000, 0xFFFF))


def planned(snapshot: Snapshot, wanted: int | Decision | None = None, under: Policy | None = None) -> Plan:
    """The plan for that many instances (None: as many as there are), which broke no invariant."""
    under = under or policy(fleet={"standby": sum(each.stands_by for each in snapshot.fleet)})
    if wanted is None:
        leaving = {Phase.DRAINING, Phase.DESTROYING, *ENDED}
        serving = [each for each in snapshot.fleet if each.phase not in leaving and not each.stands_by]
        wanted = sum(each.name not in snapshot.orders.drains for each in serving)
    made = plan(snapshot, wanted if isinstance(wanted, Decision) else decision(wanted), under, fresh())
    assert made.violations == ()
    return made


def decided(snapshot: Snapshot, under: Policy | None = None) -> Decision:
    """The decision under the house's policy."""
    return decide(snapshot, under or policy())


def phases(made: Plan) -> dict[str, Phase]:
    """The last phase that a plan records for each instance, by name."""
    return {each.instance.name: each.instance.phase for each in made.actions if isinstance(each, Record)}


def records(made: Plan) -> dict[str, Instance]:
    """The last record of each instance in a plan, by name."""
    return {each.instance.name: each.instance for each in made.actions if isinstance(each, Record)}


def edits(made: Plan) -> list[object]:
    """A plan's edits in HAProxy, in order."""
    return [each.edit for each in made.actions if isinstance(each, EditGateway)]


def calls(made: Plan) -> list[object]:
    """A plan's calls to the clouds, in order."""
    return [each.call for each in made.actions if isinstance(each, CallCloud)]
