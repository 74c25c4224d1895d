"""Finished cycles made by hand, for whatever looks at them: a quiet one, and one in which everything happens at once."""

from __future__ import annotations

from dataclasses import replace

from burstd.model.boot import Boot
from burstd.model.cloud import (
    CloudView,
    CreateCall,
    Created,
    CreateFailed,
    CreateUnknown,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    LaunchRequest,
    Listing,
    Node,
    NodeState,
)
from burstd.model.content import MirrorTarget, MirrorView, TargetState, Token
from burstd.model.cost import Allowance, Day, Outlay, Purse
from burstd.model.database import DatabaseDecision, DatabaseMemory, DatabaseView
from burstd.model.decision import Decision, Direction, Doubt, Futility, Memory, Proposal
from burstd.model.drill import Drill, DrillOutcome, DrillStep, Rehearsals, StepState
from burstd.model.event import Event
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance, Orders, Override, Pause, Phase, PoolState
from burstd.model.gateway import AddServer, AdminState, BackendView, GatewayView, ServerRow, ServerStatus, SetState
from burstd.model.load import Sample
from burstd.model.plans import CallCloud, Done, EditGateway, Plan, Record, Report, Violation
from burstd.model.policy import CoreServer, FleetPolicy, LoadPolicy, Policy, PoolPolicy, RoutingPolicy
from burstd.model.promotion import Fence, Loss, Stage
from burstd.model.snapshot import Snapshot
from burstd.model.turn import Turn
from burstd.plan.rehearsals import REHEARSALS, write
from tests import databases

NOW = 1_700_000_000.0
OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"

POLICY = Policy(
    owner=OWNER,
    fleet=FleetPolicy(minimum=1, maximum=4),
    load=LoadPolicy(),
    cores=(
        CoreServer("core-oslo-01", "http://127.0.0.1:9100/metrics", "core-oslo-01"),
        CoreServer("core-oslo-02", "http://127.0.0.2:9100/metrics", "core-oslo-02"),
    ),
    routing=RoutingPolicy(),
    pools=(
        PoolPolicy("dublin", image="debian-12", size="small", price=0.0228, currency="EUR"),
        PoolPolicy("oslo", image="debian-12", size="small"),
    ),
)


DRILL = Drill(
    at=NOW - 600,
    owner="anna",
    pool="dublin",
    instance="burst-0a1b-000000000d",
    operation="d" * 32,
    outcome=DrillOutcome.FAILED,
    steps=(
        DrillStep("create", NOW - 600, StepState.DONE, 5.0),
        DrillStep("boot", NOW - 595, StepState.FAILED, 300.0),
        DrillStep("destroy", NOW - 295, StepState.DONE, 15.0),
    ),
    failure="boot: it did not boot in time",
    ended_at=NOW - 280,
)
BOOTS = {"dublin": (Boot(NOW - 900, 40.0, 55.0, 60.0), Boot(NOW - 700, 50.0, 65.0, 70.0))}


def instance(number: int, phase: Phase, pool: str = "dublin") -> Instance:
    """The numbered instance in that phase."""
    operation = f"{number:032x}"
    request = LaunchRequest(
        pool=pool,
        name=f"burst-0a1b-{number:010x}",
        image="debian-12",
        size="small",
        location=None,
        tags=(),
        token=operation,
        user_data="#cloud-config\npassword: hunter2",
    )
    return Instance(operation, request, phase, since=NOW - 60, created_at=NOW - 90, reason="the create is handed to a worker")


def server(name: str, weight: int, status: ServerStatus = ServerStatus.UP) -> ServerRow:
    """A server's line in HAProxy."""
    return ServerRow(name, "127.0.0.1:80", status, passing=True, weight=weight, backup=False, sessions=1, queued=0, requests=100)


def gateway(*servers: ServerRow) -> GatewayView:
    """HAProxy with these servers."""
    return GatewayView((2, 6, 12), 4711, NOW - 3600, (BackendView("app_cluster", servers, requests=200, balance="roundrobin"),))


def quiet_turn(number: int = 1, load: float = 1.25) -> Turn:
    """A cycle in which nothing needed doing."""
    samples = {core.name: Sample(NOW - 1, load, cpus=4, busy_seconds=1000.0) for core in POLICY.cores}
    snapshot = Snapshot(
        now=NOW,
        fleet=(),
        cores=samples,
        gateway=gateway(server("core-oslo-01", 100), server("core-oslo-02", 100)),
        cloud=CloudView(listings=(Listing("dublin", NOW - 10, (), serial=3),)),
    )
    decision = Decision(
        count=0,
        current=0,
        direction=Direction.HOLD,
        reasons=(f"load {load} is below 4.0",),
        proposals=(Proposal("threshold", Direction.HOLD, 0, f"load {load} is below 4.0"),),
        signal=load,
        scale_in_allowed=True,
        weights={},
        weight_reason="no burst server",
        core_capacity=None,
        memory=Memory(samples=samples),
        core_rate=40.0,
        burst_rate=0.0,
    )
    sentence = f"nothing to do, because load {load} is below 4.0"
    return Turn(number, snapshot, decision, Plan(), Report(), sentence, (), seconds=0.012, cpu_seconds=0.004)


def promoted_database() -> DatabaseView:
    """A promotion that has lost something, while the new primary replicates by mistake."""
    lost = Loss(3, NOW - 300, 1, acknowledged=True, reason="the primary did not wait for the replica", kept="0-1-10", missed="0-1-13")
    return databases.view(
        promotion=databases.record(Stage.PROMOTED, fence=Fence.SILENT, loss=lost),
        primary=databases.primary(read_only=True),
        listener=databases.FLIPPED,
    )


def rich_turn(number: int = 2) -> Turn:
    """A cycle in which nearly everything happens at once."""
    calm = quiet_turn(number)
    serving, syncing, leaving = instance(1, Phase.IN_SERVICE), instance(2, Phase.SYNCING), instance(3, Phase.DESTROYING, "oslo")
    database = promoted_database()
    down = Fault("core-oslo-02", FaultKind.UNREACHABLE, "no answer within 2 s")
    snapshot = replace(
        calm.snapshot,
        fleet=(serving, syncing, leaving),
        cores={**calm.snapshot.cores, "core-oslo-01": Sample(NOW - 1, 6.5, cpus=4), "core-oslo-02": down},
        bursts={serving.name: Fault(serving.name, FaultKind.ABSURD, "load NaN")},
        checks={syncing.operation: Fault(syncing.name, FaultKind.UNREACHABLE, "refused")},
        gateway=gateway(server("core-oslo-01", 100), server("core-oslo-02", 100, ServerStatus.DOWN), server(serving.name, 40)),
        cloud=CloudView(
            listings=(
                Listing("dublin", NOW - 10, (), serial=3),
                Listing("oslo", NOW - 10, Fault("pool oslo", FaultKind.DENIED, "the key is not known"), serial=1),
            ),
            outcomes=(
                Created(serving.operation, Node("dublin", "i-1", serving.name, NodeState.RUNNING)),
                CreateFailed("b" * 32, "oslo", Fault("pool oslo", FaultKind.NO_CAPACITY, "out of stock")),
                CreateUnknown("c" * 32, "oslo", Fault("pool oslo", FaultKind.UNKNOWN, "the answer was lost")),
                Destroyed("d" * 32, "i-4", absent=False),
                DestroyFailed(leaving.operation, "i-3", Fault("pool oslo", FaultKind.UNREACHABLE, "refused")),
            ),
        ),
        orders=Orders(Override(3, "anna", "the sale", NOW - 60, NOW + 3600), Pause.IN),
        mirror=MirrorView(
            told=(MirrorTarget("127.1.0.1", "ssh-ed25519 AAAA"),),
            tokens=(Token("one", NOW - 40), Token("two", NOW - 30)),
            states={"127.1.0.1": TargetState("127.1.0.1", "active", synced=False, error="Connection refused")},
            files=1000,
            held="900 of 1000 files were deleted within 60 s",
            answered_at=NOW - 30,
            fault=Fault("mirror", FaultKind.UNREACHABLE, "it gave no answer within 10 s"),
        ),
        tokens={serving.operation: "one"},
        database=database,
        days=(Day("2023-11-14", NOW - 80_000.0),),
        pools={"oslo": PoolState("oslo", failures=2, barred_until=NOW + 60, reason="out of stock")},
    )
    create, destroy = CallCloud(CreateCall(syncing.operation, syncing.request)), CallCloud(DestroyCall(leaving.operation, "oslo", "i-3"))
    add = EditGateway(AddServer("app_cluster", serving.name, "127.1.0.1", 80, 40))
    ready = EditGateway(SetState("app_cluster", serving.name, AdminState.READY))
    refused = Fault("haproxy", FaultKind.REJECTED, "no such server")
    plan = Plan(
        (Record(syncing), create, destroy, add, ready),
        violations=(Violation("max", "5 launches would exceed max = 4"),),
        waiting=(f"{syncing.name} is syncing",),
    )
    return replace(
        calm,
        snapshot=snapshot,
        decision=replace(
            calm.decision,
            count=3,
            current=2,
            direction=Direction.OUT,
            signal=6.5,
            weights={"app_cluster": 40},
            held=Doubt(Futility.GATEWAY, "HAProxy itself is at its limit, 1% idle, and no core server's CPUs are"),
            core_rate=60.0,
            burst_rate=20.0,
            core_capacity=35.0,
            outlay=Outlay(
                per_hour={("dublin", "EUR"): 0.0228, ("oslo", ""): 1.0},
                today={("dublin", "EUR"): 1.25},
                month={("dublin", "EUR"): 8.5, ("oslo", ""): 3.0},
                total={("dublin", "EUR"): 40.5, ("oslo", ""): 9.0},
            ),
            purse=Purse("EUR", (Allowance("day", "2023-11-14", 1.25, 1.0, 12.0), Allowance("month", "2023-11", 8.5, 100.0)), 0.0228),
            database=DatabaseDecision(None, "the replica is promoted", (), DatabaseMemory()),
            memory=replace(calm.decision.memory, stored={REHEARSALS: write(Rehearsals(DRILL, succeeded_at=NOW - 86_400.0))}, boots=BOOTS),
        ),
        plan=plan,
        report=Report((Done(Record(syncing)), Done(create), Done(destroy), Done(add, refused)), skipped=(ready,)),
        sentence="launching 1 in dublin, because load 6.5 is above 4.0",
        events=(Event(NOW, "instance", syncing.name, "requested, because the create is handed to a worker"),),
        seconds=0.2,
        cpu_seconds=0.01,
    )
