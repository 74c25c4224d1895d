"""The cloud port over the embedded driver: the whole way from a create call to a process that serves, and back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from burstd.adapters.clock import SystemClock
from burstd.adapters.libcloud import CloudPool, LibcloudCloud
from burstd.model.cloud import (
    OPERATION_TAG,
    OWNER_TAG,
    CloudCall,
    CreateCall,
    Created,
    CreateFailed,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    LaunchRequest,
    Node,
    NodeState,
    Outcome,
)
from burstd.model.faults import FaultKind
from tests.local_cloud import LocalCloud, local_cloud
from tests.waiting import wait_until

OWNER = "owner-1"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path, capacity=2) as made:
        yield made


@pytest.fixture
def cloud(local: LocalCloud) -> Iterator[LibcloudCloud]:
    made = port(local)
    yield made
    made.close()


def port(local: LocalCloud, owner: str = OWNER) -> LibcloudCloud:
    return LibcloudCloud([CloudPool("here", "local", local.args, "web-1", "small")], owner, SystemClock(), list_every=0.1)


def create(operation: str, owner: str = OWNER, size: str = "small") -> CreateCall:
    tags = ((OWNER_TAG, owner), (OPERATION_TAG, operation))
    return CreateCall(operation, LaunchRequest("here", f"burst-{operation}", "web-1", size, None, tags, operation, "#cloud-config\n"))


def done(cloud: LibcloudCloud, call: CloudCall) -> Outcome:
    cloud.submit(call)
    (outcome,) = wait_until(lambda: cloud.observe().outcomes, f"the outcome of {type(call).__name__}")
    return outcome


def listed(cloud: LibcloudCloud, node_id: str) -> Node | None:
    listing = cloud.observe().listing("here")
    nodes = listing.nodes if listing and isinstance(listing.nodes, tuple) else ()
    return next((each for each in nodes if each.id == node_id), None)


def seen(cloud: LibcloudCloud, node_id: str) -> Node:
    node = wait_until(lambda: listed(cloud, node_id), f"{node_id} is listed")
    assert node is not None
    return node


def bought(cloud: LibcloudCloud, call: CreateCall) -> Node:
    outcome = done(cloud, call)
    assert isinstance(outcome, Created)
    return outcome.node


def state(cloud: LibcloudCloud, node: Node) -> NodeState | None:
    found = listed(cloud, node.id)
    return found.state if found else None


def test_a_create_ends_in_a_machine_that_serves_and_a_destroy_in_none(local: LocalCloud, cloud: LibcloudCloud) -> None:
    made = bought(cloud, create("op-1"))
    assert (made.pool, made.name, made.owner, made.operation) == ("here", "burst-op-1", OWNER, "op-1")
    node = seen(cloud, made.id)
    assert (node.state, node.owner, node.operation) == (NodeState.RUNNING, OWNER, "op-1")
    url = f"http://{node.addresses[0]}:{local.args['port']}/"

    def served() -> bool:
        try:
            return requests.get(url, timeout=5).headers["X-Served-By"] == "burst-op-1"
        except requests.ConnectionError:
            return False

    wait_until(served, "it serves")
    assert done(cloud, DestroyCall("op-1", "here", made.id)) == Destroyed("op-1", made.id, absent=False)
    assert not served()
    wait_until(lambda: state(cloud, made) is NodeState.TERMINATED, "it is listed as terminated")
    assert done(cloud, DestroyCall("op-1", "here", made.id)) == Destroyed("op-1", made.id, absent=True)
    assert done(cloud, DestroyCall("op-9", "here", "local-never")) == Destroyed("op-9", "local-never", absent=True)


def test_the_same_create_sent_again_is_the_same_machine(cloud: LibcloudCloud) -> None:
    assert bought(cloud, create("op-1")).id == bought(cloud, create("op-1")).id
    assert cloud.observe().resends == {"here"}


def test_strangers_are_listed_as_such_and_cannot_be_destroyed(local: LocalCloud, cloud: LibcloudCloud) -> None:
    driver = local.driver()
    untagged = driver.create_node("burst-op-1", driver.list_sizes()[0], driver.list_images()[0])
    other = port(local, "owner-2")
    foreign = bought(other, create("op-1", "owner-2"))
    other.close()
    for node_id, owner, operation in ((str(untagged.id), None, None), (foreign.id, "owner-2", "op-1")):
        node = seen(cloud, node_id)
        assert (node.owner, node.operation) == (owner, operation)
        outcome = done(cloud, DestroyCall("op-1", "here", node_id))
        assert isinstance(outcome, DestroyFailed)
        assert outcome.fault.kind is FaultKind.REJECTED
        assert state(cloud, node) is NodeState.RUNNING


def test_a_full_cloud_and_an_unknown_size_are_definite_and_told_apart(cloud: LibcloudCloud) -> None:
    unknown = done(cloud, create("op-1", size="huge"))
    assert isinstance(unknown, CreateFailed)
    assert unknown.fault.kind is FaultKind.REJECTED
    bought(cloud, create("op-2"))
    bought(cloud, create("op-3"))
    full = done(cloud, create("op-4"))
    assert isinstance(full, CreateFailed)
    assert full.fault.kind is FaultKind.NO_CAPACITY


def test_a_machine_that_died_is_listed_as_broken_and_can_be_destroyed(local: LocalCloud, cloud: LibcloudCloud) -> None:
    made = bought(cloud, create("op-1"))
    os.kill(local.identity(made.id).pid, signal.SIGKILL)
    wait_until(lambda: state(cloud, made) is NodeState.ERROR, "it is listed as broken")
    assert done(cloud, DestroyCall("op-1", "here", made.id)) == Destroyed("op-1", made.id, absent=False)


def test_machines_are_found_again_by_the_next_daemon(local: LocalCloud, cloud: LibcloudCloud) -> None:
    made = bought(cloud, create("op-1"))
    cloud.close()
    after = port(local)
    node = seen(after, made.id)
    assert (node.state, node.owner, node.operation) == (NodeState.RUNNING, OWNER, "op-1")
    after.close()
