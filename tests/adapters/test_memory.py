"""The fakes' own rules: what can be ordered, and what outlives a crash. What they share with the real ones is in tests/contracts."""

from __future__ import annotations

import pytest

from burstd.adapters.memory import (
    CreateTrouble,
    DestroyTrouble,
    ListTrouble,
    MemoryClock,
    MemoryCloud,
    MemoryContent,
    MemoryGateway,
    MemoryLoad,
    MemoryPool,
    MemoryWorld,
)
from burstd.adapters.memory.cloud import WORKERS
from burstd.errors import Retry, Unreachable
from burstd.model.cloud import (
    OPERATION_TAG,
    OWNER_TAG,
    CreateCall,
    Created,
    CreateFailed,
    CreateUnknown,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    NodeState,
    Outcome,
)
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase
from burstd.model.gateway import AddServer, AdminState, RemoveServer, ServerStatus, SetState, SetWeight
from burstd.model.load import Target
from burstd.model.policy import PoolPolicy
from tests.turns import OWNER, instance

POOL = "dublin"
OURS = "burst-1"


def creation(number: int) -> CreateCall:
    made = instance(number, Phase.REQUESTED)
    tags = ((OWNER_TAG, OWNER), (OPERATION_TAG, made.operation))
    return CreateCall(made.operation, type(made.request)(POOL, made.name, "image", "size", None, tags, made.operation))


def outcomes(cloud: MemoryCloud) -> list[type[Outcome]]:
    return [type(each) for each in cloud.observe().outcomes]


def world(**pool: object) -> MemoryWorld:
    return MemoryWorld([MemoryPool(POOL, **pool)])  # type: ignore[arg-type] # the test's own figures


@pytest.mark.parametrize(
    ("trouble", "told", "made"),
    [
        (None, [Created], 1),
        (CreateTrouble.REFUSED, [CreateFailed], 0),
        (CreateTrouble.REQUEST_LOST, [CreateUnknown], 0),
        (CreateTrouble.ANSWER_LOST, [CreateUnknown], 1),
        (CreateTrouble.TWINS, [Created], 2),
        (CreateTrouble.ENDED, [CreateUnknown], 0),
        (CreateTrouble.ENDED_AND_MADE, [CreateUnknown], 1),
    ],
)
def test_a_create_goes_wrong_as_ordered(trouble: CreateTrouble | None, told: list[type[Outcome]], made: int) -> None:
    there = world(tokens=False)
    there.creates.append(trouble)
    cloud = MemoryCloud(there, OWNER)
    cloud.submit(creation(1))
    assert outcomes(cloud) == told
    assert len(there.machines) == made
    cloud.submit(creation(2))
    assert outcomes(cloud) == [Created]


def test_a_token_makes_one_machine_of_twins() -> None:
    there = world(tokens=True)
    there.creates.append(CreateTrouble.TWINS)
    MemoryCloud(there, OWNER).submit(creation(1))
    assert len(there.machines) == 1


def test_a_late_create_is_unknown_first_and_then_told_after_all() -> None:
    there = world(late=30.0)
    there.creates.append(CreateTrouble.LATE)
    cloud = MemoryCloud(there, OWNER)
    cloud.submit(creation(1))
    assert (outcomes(cloud), there.machines) == ([CreateUnknown], [])
    there.clock.advance(30)
    assert (outcomes(cloud), len(there.machines)) == ([Created], 1)


def test_what_was_sent_happens_though_burstd_is_killed_and_nobody_is_told() -> None:
    there = world(late=30.0, call=5.0)
    there.creates.extend([None, CreateTrouble.LATE])
    dying = MemoryCloud(there, OWNER)
    dying.submit(creation(1))
    dying.submit(creation(2))
    reborn = MemoryCloud(there, OWNER)
    there.clock.advance(30)
    assert outcomes(reborn) == []
    assert [machine.tags[OPERATION_TAG] for machine in there.machines] == [creation(number).operation for number in (1, 2)]


def test_no_more_calls_than_workers_are_under_way() -> None:
    there = world(capacity=99, call=5.0)
    cloud = MemoryCloud(there, OWNER)
    for number in range(WORKERS):
        cloud.submit(creation(number))
    with pytest.raises(Retry):
        cloud.submit(creation(WORKERS))
    assert len(there.machines) == WORKERS


@pytest.mark.parametrize(
    ("trouble", "told", "alive"),
    [
        (None, Destroyed, False),
        (DestroyTrouble.REFUSED, DestroyFailed, True),
        (DestroyTrouble.ANSWER_LOST, DestroyFailed, False),
        (DestroyTrouble.IGNORED, Destroyed, True),
    ],
)
def test_a_destroy_goes_wrong_as_ordered(trouble: DestroyTrouble | None, told: type[Outcome], alive: bool) -> None:  # noqa: FBT001 - a parameter
    there = world()
    there.destroys.append(trouble)
    cloud = MemoryCloud(there, OWNER)
    cloud.submit(creation(1))
    cloud.observe()
    cloud.submit(DestroyCall(creation(1).operation, POOL, there.machines[0].id))
    assert outcomes(cloud) == [told]
    assert there.machines[0].alive is alive


def test_a_destroy_of_what_is_not_ours_is_remembered() -> None:
    there = world()
    stranger = there.make(POOL, "shop-1", {})
    cloud = MemoryCloud(there, OWNER)
    call = DestroyCall(creation(1).operation, POOL, stranger.id)
    cloud.submit(call)
    assert (cloud.refused, stranger.alive) == ([call], True)


@pytest.mark.parametrize(("trouble", "shown"), [(None, 4), (ListTrouble.EMPTY, 0), (ListTrouble.TRUNCATED, 2), (ListTrouble.FAILED, None)])
def test_a_listing_goes_wrong_as_ordered(trouble: ListTrouble | None, shown: int | None) -> None:
    there = world()
    for number in range(4):
        there.make(POOL, f"machine-{number}", {})
    there.listings[POOL].append(trouble)
    cloud = MemoryCloud(there, OWNER)
    cloud.observe()
    listing = cloud.observe().listing(POOL)
    assert listing is not None
    assert (None if isinstance(listing.nodes, Fault) else len(listing.nodes)) == shown
    again = cloud.observe().listing(POOL)
    assert again is not None
    assert len(again.nodes if isinstance(again.nodes, tuple) else ()) == 4
    assert (listing.serial, again.serial) == (1, 2)


def test_a_listing_is_asked_for_when_it_is_due_and_seen_one_look_later() -> None:
    there = world()
    cloud = MemoryCloud(there, OWNER, listing_interval=10.0)
    assert cloud.observe().listing(POOL) is None
    serials = []
    for _ in range(30):
        there.clock.advance(1)
        listing = cloud.observe().listing(POOL)
        assert listing is not None
        serials.append(listing.serial)
    assert serials == [1] * 10 + [2] * 10 + [3] * 10


def test_a_young_machine_is_missing_and_a_gone_one_is_still_listed() -> None:
    there = world(lag=5.0, tombstone=60.0)
    machine = there.make(POOL, "machine", {})
    assert there.nodes(POOL) == []
    there.clock.advance(5)
    assert [node.state for node in there.nodes(POOL)] == [NodeState.RUNNING]
    machine.destroyed_at = there.clock.now()
    assert [node.state for node in there.nodes(POOL)] == [NodeState.TERMINATED]
    there.clock.advance(60)
    assert there.nodes(POOL) == []


def test_a_machine_boots_syncs_breaks_and_falls_ill() -> None:
    there = world(boot=10.0, sync=5.0)
    machine = there.make(POOL, "machine", {})
    seen = []
    for _ in range(3):
        [node] = there.nodes(POOL)
        seen.append((node.state, len(node.addresses), there.serves(machine.address)))
        there.clock.advance(10)
    assert seen == [(NodeState.PENDING, 0, False), (NodeState.RUNNING, 1, False), (NodeState.RUNNING, 1, True)]
    machine.healthy = False
    assert not there.serves(machine.address)
    machine.broken = True
    assert there.nodes(POOL)[0].state is NodeState.ERROR


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        MemoryClock().advance(-1)


class TestGateway:
    """HAProxy's part of the world, with one server of ours in rotation."""

    @pytest.fixture
    def there(self) -> MemoryWorld:
        return world()

    @pytest.fixture
    def gateway(self, there: MemoryWorld) -> MemoryGateway:
        made = MemoryGateway(there, ["core-1"], is_ours=lambda name: name.startswith("burst"), check_seconds=2.0, removal_grace=5.0)
        edit(
            made,
            AddServer("app_cluster", OURS, there.make(POOL, OURS, {}).address, 80, 10),
            SetState("app_cluster", OURS, AdminState.READY),
        )
        there.clock.advance(2)
        assert made.read().backends[0].servers[1].passing
        return made

    def test_a_removal_before_the_grace_is_over_crashes_it(self, there: MemoryWorld, gateway: MemoryGateway) -> None:
        edit(gateway, SetState("app_cluster", OURS, AdminState.MAINT))
        there.clock.advance(4.9)
        before = gateway.read()
        with pytest.raises(Unreachable):
            edit(gateway, RemoveServer("app_cluster", OURS))
        assert gateway.crashes == 1
        assert [row.name for row in gateway.read().backends[0].servers] == ["core-1"]
        assert gateway.read().pid != before.pid

    def test_a_server_with_sessions_is_not_removed(self, there: MemoryWorld, gateway: MemoryGateway) -> None:
        edit(gateway, SetState("app_cluster", OURS, AdminState.MAINT))
        there.clock.advance(5)
        gateway.servers[OURS].sessions = 1
        [fault] = edit(gateway, RemoveServer("app_cluster", OURS))
        assert fault is not None
        assert fault.kind is FaultKind.THROTTLED
        gateway.servers[OURS].sessions = 0
        assert edit(gateway, RemoveServer("app_cluster", OURS)) == [None]
        assert gateway.crashes == 0

    def test_maintenance_counts_from_its_first_order(self, there: MemoryWorld, gateway: MemoryGateway) -> None:
        edit(gateway, SetState("app_cluster", OURS, AdminState.MAINT))
        there.clock.advance(4)
        edit(gateway, SetState("app_cluster", OURS, AdminState.MAINT))
        there.clock.advance(1)
        assert edit(gateway, RemoveServer("app_cluster", OURS)) == [None]

    def test_it_is_away_as_ordered(self, gateway: MemoryGateway) -> None:
        gateway.failure = Unreachable("away")
        with pytest.raises(Unreachable):
            gateway.read()
        gateway.failure = None
        assert len(gateway.read().backends[0].servers) == 2

    def test_it_breaks_off_in_the_middle_as_ordered(self, gateway: MemoryGateway) -> None:
        gateway.breaks_after = 1
        with pytest.raises(Unreachable):
            edit(gateway, SetWeight("app_cluster", OURS, 20), SetState("app_cluster", OURS, AdminState.DRAIN))
        row = gateway.read().backends[0].server(OURS)
        assert row is not None
        assert (row.weight, row.status) == (20, ServerStatus.UP)

    def test_it_refuses_an_edit_as_ordered(self, gateway: MemoryGateway) -> None:
        no = Fault("haproxy", FaultKind.REJECTED, "no")
        gateway.refuse = lambda each: no if isinstance(each, SetWeight) else None
        assert edit(gateway, SetWeight("app_cluster", OURS, 20), SetState("app_cluster", OURS, AdminState.DRAIN)) == [no, None]
        assert gateway.servers[OURS].weight == 10

    def test_counters_are_the_traffics_and_begin_anew_with_a_process(self, gateway: MemoryGateway) -> None:
        gateway.serve("core-1", 30)
        gateway.serve(OURS, 10)
        view = gateway.read()
        assert (view.backends[0].requests, [row.requests for row in view.backends[0].servers]) == (40, [30, 10])
        gateway.reload()
        assert (gateway.read().backends[0].requests, gateway.read().backends[0].servers[0].requests) == (0, 0)

    def test_a_core_server_falls_ill_and_recovers_by_its_checks(self, there: MemoryWorld, gateway: MemoryGateway) -> None:
        seen = []
        for healthy in (False, False, True, True):
            gateway.servers["core-1"].healthy = healthy
            seen.append(gateway.read().backends[0].servers[0].status)
            there.clock.advance(2)
        assert seen == [ServerStatus.UP, ServerStatus.DOWN, ServerStatus.DOWN, ServerStatus.UP]


def edit(gateway: MemoryGateway, *edits: AddServer | SetState | SetWeight | RemoveServer) -> list[Fault | None]:
    view = gateway.read()
    return list(gateway.apply(edits, (view.pid, view.started)))


def test_a_load_that_nobody_has_set_is_unreachable_and_not_zero() -> None:
    assert isinstance(MemoryLoad(MemoryClock()).read([Target("core", "")])["core"], Fault)


def test_a_check_path_answers_with_the_fault_that_was_ordered() -> None:
    there = world()
    one = instance(1, Phase.SYNCING)
    addressed = type(one)(one.operation, one.request, one.phase, 0.0, 0.0, "", address=there.make(POOL, one.name, {}).address)
    content = MemoryContent(there)
    content.faults[one.name] = Fault(one.name, FaultKind.MISSING, "no token")
    assert content.check([(addressed, PoolPolicy("p", "i", "s"))]) == {one.operation: content.faults[one.name]}
