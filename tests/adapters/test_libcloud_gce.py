"""Google's real driver in front of a scripted Compute Engine, less the login: the token comes from libcloud's own cache file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from burstd.adapters.libcloud import CloudPool
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.adapters.libcloud.faults import Verdict
from burstd.adapters.libcloud.workers import Seat
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
    LaunchRequest,
    NodeState,
)
from burstd.model.faults import FaultKind
from tests.json_peer import Answered, JsonPeer, json_peer

OWNER, OPERATION, NAME = "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "1" * 32, "burst-0a1b-1111111111"
USER_DATA = "#cloud-config\npackages: [nginx]\n"
TAGS = ((OWNER_TAG, OWNER), (OPERATION_TAG, OPERATION), ("Team", "web shop"))
PROJECT = "/compute/v1/projects/shop"
ZONE = f"{PROJECT}/zones/europe-north1-a"
HOST = "https://www.googleapis.com"


def error(status: int, reason: str, message: str = "as it says") -> Answered:
    return Answered(status, {"error": {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}})


def machine(labels: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "compute#instance", "id": "4242", "name": NAME, "status": "RUNNING", "zone": f"{HOST}{ZONE}", "labels": labels,
        "machineType": f"{HOST}{ZONE}/machineTypes/e2-small", "tags": {"fingerprint": "f"}, "disks": [],
        "networkInterfaces": [{"networkIP": "10.0.0.7", "accessConfigs": [{"natIP": "198.51.100.7"}]}],
    }  # fmt: skip


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as made:
        alive(made, {OWNER_TAG: OWNER, OPERATION_TAG: OPERATION})
        yield made


def alive(peer: JsonPeer, labels: dict[str, str]) -> None:
    operation = {"kind": "compute#operation", "status": "DONE", "selfLink": f"{HOST}{ZONE}/operations/op-1"}
    zone = {"kind": "compute#zone", "id": "1", "name": "europe-north1-a", "status": "UP", "selfLink": f"{HOST}{ZONE}",
            "region": f"{HOST}{PROJECT}/regions/europe-north1"}  # fmt: skip
    peer.answers = {
        ("GET", f"{PROJECT}/zones"): Answered(200, {"kind": "compute#zoneList", "items": [zone]}),
        ("GET", f"{PROJECT}/aggregated/disks"): Answered(200, {"kind": "compute#diskAggregatedList", "items": {}}),
        ("POST", f"{ZONE}/instances"): Answered(200, {**operation, "status": "RUNNING"}),
        ("GET", f"{ZONE}/operations/op-1"): Answered(200, operation),
        ("GET", f"{ZONE}/instances"): Answered(200, {"kind": "compute#instanceList", "items": [machine(labels)]}),
        ("GET", f"{ZONE}/instances/{NAME}"): Answered(200, machine(labels)),
        ("GET", f"{ZONE}/instances/4242"): Answered(200, machine(labels)),
        ("DELETE", f"{ZONE}/instances/{NAME}"): Answered(200, operation),
    }


@pytest.fixture
def pool(peer: JsonPeer, tmp_path: Path) -> CloudPool:
    token = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600, "expire_time": "2099-01-01T00:00:00Z"}
    (tmp_path / "token").write_text(json.dumps(token))
    args = {"user_id": "app-1", "key": "app-secret", "project": "shop", "auth_type": "IA", "credential_file": str(tmp_path / "token")}
    return CloudPool("here", "gce", args, "projects/debian-cloud/global/images/family/debian-12", "e2-small", "europe-north1-a",
                     networks=("shop-net/web",), keypair="ops:ssh-ed25519 AAAA", security_groups=("http",),
                     host=peer.host, port=peer.port, secure=False)  # fmt: skip


def calls(pool: CloudPool) -> tuple[PoolCalls, Seat]:
    record = record_of(pool)
    return PoolCalls(pool, record, OWNER), Seat(lambda: connect(pool, record, 5.0))


def creation(pool: CloudPool, user_data: str | None = USER_DATA) -> CreateCall:
    return CreateCall(OPERATION, LaunchRequest("here", NAME, pool.image, pool.size, pool.location, TAGS, OPERATION, user_data))


def test_a_create_sends_all_in_its_first_request_and_reads_the_machine_back(peer: JsonPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, Created), outcome
    asked = peer.asked[0]
    assert asked.route == ("POST", f"{ZONE}/instances")
    body = asked.body
    assert (body["name"], body["machineType"]) == (NAME, "zones/europe-north1-a/machineTypes/e2-small")
    assert body["labels"] == {OWNER_TAG: OWNER, OPERATION_TAG: OPERATION, "_54eam": "web_20shop"}
    [disk] = body["disks"]
    assert disk["initializeParams"]["sourceImage"] == pool.image
    assert disk["initializeParams"]["diskType"] == "zones/europe-north1-a/diskTypes/pd-balanced"
    assert disk["autoDelete"] is True
    [interface] = body["networkInterfaces"]
    assert (interface["network"], interface["subnetwork"]) == ("global/networks/shop-net", "regions/europe-north1/subnetworks/web")
    assert body["tags"] == {"items": ["http"]}
    assert {each["key"]: each["value"] for each in body["metadata"]["items"]} == {
        "user-data": USER_DATA,
        "ssh-keys": "ops:ssh-ed25519 AAAA",
    }
    node = outcome.node
    assert (node.id, node.name, node.owner, node.operation) == ("4242", NAME, OWNER, OPERATION)
    assert (node.state, node.addresses) == (NodeState.RUNNING, ("198.51.100.7", "10.0.0.7"))


def test_a_plain_pool_takes_the_default_network_and_an_image_of_the_project(peer: JsonPeer, pool: CloudPool) -> None:
    plain = replace(pool, image="web-1", networks=(), keypair=None, security_groups=())
    to, seat = calls(plain)
    assert isinstance(to.create(seat, creation(plain, None)), Created)
    [body] = peer.bodies("POST")
    assert body["disks"][0]["initializeParams"]["sourceImage"] == "global/images/web-1"
    assert body["networkInterfaces"][0]["network"] == "global/networks/default"
    assert not body.get("metadata", {}).get("items")


@pytest.mark.parametrize(
    ("answered", "kind"),
    [
        (error(403, "quotaExceeded"), FaultKind.NO_CAPACITY),
        (error(403, "rateLimitExceeded"), FaultKind.THROTTLED),
        (error(401, "authError"), FaultKind.DENIED),
        (error(403, "forbidden"), FaultKind.DENIED),
        (error(400, "invalid"), FaultKind.REJECTED),
        (error(404, "notFound"), FaultKind.REJECTED),
    ],
)
def test_a_refused_create_has_certainly_made_nothing(peer: JsonPeer, pool: CloudPool, answered: Answered, kind: FaultKind) -> None:
    peer.answers["POST", f"{ZONE}/instances"] = answered
    to, seat = calls(pool)
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, CreateFailed), outcome
    assert outcome.fault.kind is kind


def test_a_name_that_is_taken_or_an_operation_that_failed_leaves_the_create_open(peer: JsonPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    peer.answers["POST", f"{ZONE}/instances"] = error(409, "alreadyExists")
    assert isinstance(to.create(seat, creation(pool)), CreateUnknown)
    alive(peer, {})
    failed = {
        "kind": "compute#operation",
        "status": "DONE",
        "error": {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "none"}]},
    }
    peer.answers["GET", f"{ZONE}/operations/op-1"] = Answered(200, failed)
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, CreateUnknown)
    assert outcome.fault.kind is FaultKind.NO_CAPACITY


def test_a_listing_is_of_the_pools_zone_and_no_answer_without_a_kind_is_one(peer: JsonPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [(each.id, each.owner, each.operation) for each in nodes] == [("4242", OWNER, OPERATION)]
    peer.answers["GET", f"{ZONE}/instances"] = Answered(200, {"kind": "compute#instanceList"})
    assert to.list(seat) == ()
    for broken in (Answered(200, {}), Answered(200, "<html>"), Answered(404, "<html>"), error(404, "notFound"), Answered(500, "oops")):
        peer.answers["GET", f"{ZONE}/instances"] = broken
        assert isinstance(to.list(seat), Verdict), broken


def test_a_machine_is_read_by_id_and_its_destroy_is_not_waited_for(peer: JsonPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    assert to.destroy(seat, DestroyCall(OPERATION, "here", "4242")) == Destroyed(OPERATION, "4242", absent=False)
    assert [each.path for each in peer.asked if "/instances" in each.path or "/operations" in each.path] == [
        f"{ZONE}/instances/4242",
        f"{ZONE}/instances/{NAME}",
    ]
    peer.answers["GET", f"{ZONE}/instances/4242"] = Answered(404, "<html>")
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", "4242")), DestroyFailed)
    peer.answers["GET", f"{ZONE}/instances/4242"] = error(404, "notFound")
    assert to.destroy(seat, DestroyCall(OPERATION, "here", "4242")) == Destroyed(OPERATION, "4242", absent=True)


def test_a_strangers_machine_is_never_destroyed(peer: JsonPeer, pool: CloudPool) -> None:
    alive(peer, {OWNER_TAG: "9" * 32, OPERATION_TAG: OPERATION})
    to, seat = calls(pool)
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", "4242")), DestroyFailed)
    assert "DELETE" not in {each.method for each in peer.asked}


def test_no_token_is_left_in_a_file_unless_the_settings_say_so() -> None:
    assert record_of(CloudPool("here", "gce", {"project": "shop"}, "i", "s", "z")).args == {"credential_file": "/dev/null"}
