from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from libcloud.compute.base import NodeImage, NodeSize

from burstd.adapters.clock import SystemClock
from burstd.adapters.lab import register as register_lab
from burstd.adapters.libcloud import CloudPool, LibcloudCloud
from burstd.adapters.libcloud.drivers import DRIVERS
from burstd.adapters.memory import MemoryCloud, MemoryPool, MemoryWorld
from burstd.errors import Retry
from burstd.model.cloud import (
    OPERATION_TAG,
    OWNER_TAG,
    CloudView,
    CreateCall,
    Created,
    CreateFailed,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    LaunchRequest,
    Listing,
    Node,
    NodeState,
    Outcome,
)
from burstd.model.faults import FaultKind
from burstd.model.naming import instance_name, marked_name
from burstd.ports import Clock, Cloud
from tests.ec2_peer import KEYS, Ec2Peer, ec2_peer
from tests.lab_api import LabApi, lab_api
from tests.local_cloud import LocalCloud, local_cloud
from tests.openstack_peer import FLAVOR, IMAGE, NETWORK, OpenStackPeer, openstack_peer
from tests.waiting import wait_until

T = TypeVar("T")

POOL = "dublin"
CAPACITY = 2
OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
STRANGER = "9" * 32


class Stage(ABC):
    """An implementation over an empty pool with room for `CAPACITY` machines."""

    cloud: Cloud
    clock: Clock
    image = "web-1"
    size = "small"

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []
        self._view = CloudView()

    @abstractmethod
    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """Let time pass until the condition is true; its value."""

    @abstractmethod
    def foreign(self, owner: str, operation: str) -> str:
        """The id of a machine with these tags that burstd has not made."""

    def still_there(self, node_id: str) -> bool:
        """The machine is alive, by whatever view shows those of others too."""
        return node_id in self.alive()

    def observe(self) -> CloudView:
        """One cycle's look; outcomes are kept."""
        self._view = self.cloud.observe()
        self._outcomes += self._view.outcomes
        return self._view

    def outcomes(self, operation: str) -> list[Outcome]:
        """What the operation's calls have come to so far."""
        self.observe()
        return [each for each in self._outcomes if each.operation == operation]

    def outcome(self, operation: str) -> Outcome:
        """The operation's one outcome, once it is there; it is taken away."""
        self.until(lambda: self.outcomes(operation) or None, "the call has ended")
        [outcome] = self.outcomes(operation)
        self._outcomes.remove(outcome)
        return outcome

    def creation(self, number: int) -> CreateCall:
        """The numbered create."""
        return creation(number, self.image, self.size)

    def create(self, number: int) -> Outcome:
        """Submit the numbered create; its outcome."""
        self.cloud.submit(self.creation(number))
        return self.outcome(operation_of(number))

    def created(self, number: int) -> Node:
        """The machine of the numbered create."""
        outcome = self.create(number)
        assert isinstance(outcome, Created), outcome
        return outcome.node

    def destroy(self, number: int, node_id: str) -> Outcome:
        """Submit the destroy of that machine as the numbered operation's; its outcome."""
        self.cloud.submit(DestroyCall(operation_of(number), POOL, node_id))
        return self.outcome(operation_of(number))

    def listed(self) -> tuple[Node, ...]:
        """A listing that was asked for after this moment."""
        now = self.clock.now()

        def newer() -> Listing | None:
            listing = self.observe().listing(POOL)
            return listing if listing is not None and listing.asked_at > now else None

        nodes = self.until(newer, "a newer listing").nodes
        assert isinstance(nodes, tuple), nodes
        return nodes

    def alive(self) -> dict[str, Node]:
        """The listing by id, without what is terminated."""
        return {node.id: node for node in self.listed() if node.state is not NodeState.TERMINATED}


class MemoryStage(Stage):
    def __init__(self) -> None:
        super().__init__()
        self._world = MemoryWorld([MemoryPool(POOL, capacity=CAPACITY, boot=5.0, call=1.0)])
        self.clock = self._world.clock
        self.cloud = MemoryCloud(self._world, OWNER)

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        for _ in range(100):
            if (value := condition()) is not None:
                return value
            self._world.clock.advance(1.0)
        raise AssertionError(f"not within 100 s of the world's time: {what}")

    def foreign(self, owner: str, operation: str) -> str:
        return self._world.make(POOL, "burst-0a1b-0000000001", {OWNER_TAG: owner, OPERATION_TAG: operation}).id


class ClockedStage(Stage):
    """Real time passes by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SystemClock()

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        found: list[T] = []

        def there() -> bool:
            value = condition()
            found.extend([] if value is None else [value])
            return value is not None

        wait_until(there, what, every=0.05)
        return found[0]


class LocalStage(ClockedStage):
    def __init__(self, held: ExitStack, folder: Path) -> None:
        super().__init__()
        self._local: LocalCloud = held.enter_context(local_cloud(folder, capacity=CAPACITY))
        pool = CloudPool(POOL, "local", self._local.args, image="web-1", size="small")
        self.cloud = LibcloudCloud([pool], OWNER, self.clock, list_every=0.1)
        held.callback(self.cloud.close)

    def foreign(self, owner: str, operation: str) -> str:
        driver = self._local.driver()
        size, image = NodeSize("small", "small", 0, 0, None, 0.0, driver), NodeImage("web-1", "web-1", driver)
        return str(driver.create_node("burst-0a1b-0000000001", size, image, ex_tags={OWNER_TAG: owner, OPERATION_TAG: operation}).id)


class NamedStage(ClockedStage):
    """The same cloud, told of no tag and no token, as those that have none: the name is all there is."""

    def __init__(self, held: ExitStack, folder: Path) -> None:
        super().__init__()
        self._local: LocalCloud = held.enter_context(local_cloud(folder, capacity=CAPACITY))
        DRIVERS["untagged"] = replace(DRIVERS["local"], by_name=True, tokens=False, launch=lambda _request, _pool: {})
        held.callback(DRIVERS.pop, "untagged")
        pool = CloudPool(POOL, "untagged", self._local.args, image="web-1", size="small")
        self.cloud = LibcloudCloud([pool], OWNER, self.clock, list_every=0.1)
        held.callback(self.cloud.close)

    def foreign(self, owner: str, operation: str) -> str:
        driver = self._local.driver()
        size, image = NodeSize("small", "small", 0, 0, None, 0.0, driver), NodeImage("web-1", "web-1", driver)
        return str(driver.create_node(marked_name(instance_name("burst", OWNER, operation), owner, operation), size, image).id)


class LabStage(ClockedStage):
    """The lab's cloud over the wire; its machines are made of nothing (tests/lab runs it with hosts)."""

    def __init__(self, held: ExitStack) -> None:
        super().__init__()
        register_lab()
        self._api: LabApi = held.enter_context(lab_api(CAPACITY))
        pool = CloudPool(POOL, "lab", {"key": self._api.key}, "web-1", "small", host=self._api.host, port=self._api.port, secure=False)
        self.cloud = LibcloudCloud([pool], OWNER, self.clock, list_every=0.1)
        held.callback(self.cloud.close)

    def foreign(self, owner: str, operation: str) -> str:
        return self._api.start("burst-0a1b-0000000001", {OWNER_TAG: owner, OPERATION_TAG: operation})

    def still_there(self, node_id: str) -> bool:
        return node_id in self._api.alive()


class Ec2Stage(ClockedStage):
    """EC2 over the wire: moto."""

    def __init__(self, held: ExitStack, peer: Ec2Peer) -> None:
        super().__init__()
        self._peer = peer
        self._subnet = peer.reset(CAPACITY)
        pool = CloudPool(
            POOL, "ec2", KEYS, "ami-1", "t3.small", create={"ex_subnet": self._subnet}, host=peer.host, port=peer.port, secure=False
        )
        self.cloud = LibcloudCloud([pool], OWNER, self.clock, list_every=0.1)
        held.callback(self.cloud.close)

    def foreign(self, owner: str, operation: str) -> str:
        return self._peer.start(self._subnet, "burst-0a1b-0000000001", {OWNER_TAG: owner, OPERATION_TAG: operation})

    def still_there(self, node_id: str) -> bool:
        return node_id in self._peer.alive()


class OpenStackStage(ClockedStage):
    """Nova and Keystone over the wire: a peer that checks every request."""

    image, size = IMAGE, FLAVOR

    def __init__(self, held: ExitStack) -> None:
        super().__init__()
        self._peer: OpenStackPeer = held.enter_context(openstack_peer())
        self._peer.quota = CAPACITY
        pool = CloudPool(POOL, "openstack", self._peer.args, self.image, self.size, networks=(NETWORK,))
        self.cloud = LibcloudCloud([pool], OWNER, self.clock, list_every=0.1)
        held.callback(self.cloud.close)

    def foreign(self, owner: str, operation: str) -> str:
        return self._peer.start("burst-0a1b-0000000001", {OWNER_TAG: owner, OPERATION_TAG: operation})


@pytest.fixture(scope="module")
def ec2() -> Iterator[Ec2Peer]:
    with ec2_peer() as peer:
        yield peer


@pytest.fixture(params=["memory", "local", "named", "lab", "ec2", "openstack"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Every implementation."""
    with ExitStack() as held:
        match request.param:
            case "memory":
                yield MemoryStage()
            case "local":
                yield LocalStage(held, tmp_path)
            case "named":
                yield NamedStage(held, tmp_path)
            case "lab":
                yield LabStage(held)
            case "openstack":
                yield OpenStackStage(held)
            case _:
                yield Ec2Stage(held, request.getfixturevalue("ec2"))


def operation_of(number: int) -> str:
    return f"{number:010x}" + "0" * 22


def creation(number: int, image: str, size: str) -> CreateCall:
    operation = operation_of(number)
    request = LaunchRequest(
        pool=POOL,
        name=f"burst-0a1b-{number:010x}",
        image=image,
        size=size,
        location=None,
        tags=((OWNER_TAG, OWNER), (OPERATION_TAG, operation), ("site", "dublin")),
        token=operation,
    )
    return CreateCall(operation, request)


def test_a_new_cloud_has_nothing_in_flight_and_lists_an_empty_pool(stage: Stage) -> None:
    view = stage.observe()
    assert (view.outcomes, view.in_flight) == ((), frozenset())
    assert stage.listed() == ()


def test_a_create_ends_in_one_outcome_and_no_second_follows(stage: Stage) -> None:
    stage.cloud.submit(stage.creation(1))
    assert isinstance(stage.outcome(operation_of(1)), Created)
    stage.listed()
    stage.listed()
    assert stage.outcomes(operation_of(1)) == []
    assert stage.observe().in_flight == frozenset()


def test_a_call_is_in_flight_until_its_outcome_is_told(stage: Stage) -> None:
    stage.cloud.submit(stage.creation(1))

    def told() -> bool:
        view = stage.observe()
        ended = any(each.operation == operation_of(1) for each in view.outcomes)
        assert ended is (operation_of(1) not in view.in_flight)
        return ended

    stage.until(lambda: told() or None, "the call has ended")


def test_a_created_machine_is_listed_with_owner_operation_and_name(stage: Stage) -> None:
    node = stage.created(1)
    [listed] = stage.listed()
    for each in (node, listed):
        assert (each.id, each.pool, each.name) == (node.id, POOL, "burst-0a1b-0000000001")
        assert (each.owner, each.operation) == (OWNER, operation_of(1))


def test_a_machine_boots_until_it_runs_with_an_address(stage: Stage) -> None:
    node = stage.created(1)
    running = stage.until(lambda: [each for each in stage.listed() if each.state is NodeState.RUNNING] or None, "it runs")
    assert [(each.id, len(each.addresses)) for each in running] == [(node.id, 1)]


def test_the_same_create_sent_twice_makes_one_machine_where_tokens_are_known(stage: Stage) -> None:
    if POOL not in stage.observe().resends:
        pytest.skip("this cloud knows no tokens, and says so: nothing is sent twice there")
    assert stage.created(1).id == stage.created(1).id
    assert len(stage.alive()) == 1


def test_two_operations_are_two_machines_at_once(stage: Stage) -> None:
    stage.cloud.submit(stage.creation(1))
    stage.cloud.submit(stage.creation(2))
    outcomes = [stage.outcome(operation_of(number)) for number in (1, 2)]
    assert [type(each) for each in outcomes] == [Created, Created]
    assert len(stage.alive()) == 2


def test_a_create_beyond_the_capacity_has_failed_for_that_reason_and_made_nothing(stage: Stage) -> None:
    kept = {stage.created(1).id, stage.created(2).id}
    outcome = stage.create(3)
    assert isinstance(outcome, CreateFailed)
    assert (outcome.pool, outcome.fault.kind) == (POOL, FaultKind.NO_CAPACITY)
    assert stage.alive().keys() == kept


def test_what_was_given_back_makes_room(stage: Stage) -> None:
    nodes = [stage.created(1), stage.created(2)]
    stage.destroy(1, nodes[0].id)
    assert stage.created(3).id in stage.alive()


def test_a_destroyed_machine_is_listed_no_more_or_as_terminated(stage: Stage) -> None:
    node = stage.created(1)
    assert stage.destroy(1, node.id) == Destroyed(operation_of(1), node.id, absent=False)
    assert stage.alive() == {}


def test_destroying_what_is_gone_is_success(stage: Stage) -> None:
    node = stage.created(1)
    stage.destroy(1, node.id)
    assert stage.destroy(1, node.id) == Destroyed(operation_of(1), node.id, absent=True)


def test_destroying_what_never_was_is_success(stage: Stage) -> None:
    assert stage.destroy(1, "no-such-machine") == Destroyed(operation_of(1), "no-such-machine", absent=True)


@pytest.mark.parametrize(("owner", "operation"), [(STRANGER, operation_of(1)), (OWNER, operation_of(7))], ids=["owner", "operation"])
def test_a_machine_that_is_not_ours_or_not_that_operations_is_not_destroyed(stage: Stage, owner: str, operation: str) -> None:
    foreign = stage.foreign(owner, operation)
    outcome = stage.destroy(1, foreign)
    assert isinstance(outcome, DestroyFailed)
    assert (outcome.node_id, outcome.fault.kind) == (foreign, FaultKind.REJECTED)
    assert stage.still_there(foreign)


def test_a_machine_of_ours_that_nobody_here_made_is_listed_with_its_tags(stage: Stage) -> None:
    orphan = stage.foreign(OWNER, operation_of(7))
    assert [(each.id, each.owner, each.operation) for each in stage.listed()] == [(orphan, OWNER, operation_of(7))]


def test_an_operation_has_one_call_under_way(stage: Stage) -> None:
    stage.cloud.submit(stage.creation(1))
    with pytest.raises(Retry):
        stage.cloud.submit(stage.creation(1))
    assert isinstance(stage.outcome(operation_of(1)), Created)
    assert len(stage.alive()) == 1


def test_every_listing_has_its_own_serial(stage: Stage) -> None:
    seen: list[int] = []
    for _ in range(3):
        stage.listed()
        listing = stage._view.listing(POOL)
        assert listing is not None
        seen.append(listing.serial)
    assert sorted(set(seen)) == seen


def test_a_closed_cloud_takes_no_call_and_has_told_of_those_before(stage: Stage) -> None:
    stage.cloud.submit(stage.creation(1))
    stage.cloud.close()
    with pytest.raises(Retry):
        stage.cloud.submit(stage.creation(2))
    assert isinstance(stage.outcome(operation_of(1)), Created)
