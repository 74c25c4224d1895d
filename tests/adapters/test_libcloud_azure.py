"""Azure's real driver in front of a scripted Resource Manager, less the login: libcloud knows no address for it but Azure's."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from libcloud.common.azure_arm import AzureResourceManagementConnection
from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.drivers import azure_arm

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
TAGS = {OWNER_TAG: OWNER, OPERATION_TAG: OPERATION, "team": "web"}
GROUP = "/subscriptions/sub-1/resourceGroups/burst/providers"
MACHINES = f"{GROUP}/Microsoft.Compute/virtualMachines"
MACHINE = f"{MACHINES}/{NAME}"
NIC = f"{GROUP}/Microsoft.Network/networkInterfaces/{NAME}-nic"
DISK = f"{GROUP}/Microsoft.Compute/disks/{NAME}"


def error(status: int, code: str, message: str = "as it says", **headers: str) -> Answered:
    return Answered(status, {"error": {"code": code, "message": message}}, {name.replace("_", "-"): text for name, text in headers.items()})


def machine(tags: dict[str, str]) -> dict[str, Any]:
    return {
        "id": MACHINE, "name": NAME, "location": "northeurope", "tags": tags,
        "properties": {
            "networkProfile": {"networkInterfaces": [{"id": NIC}]},
            "storageProfile": {"osDisk": {"name": NAME, "managedDisk": {"id": DISK}}},
            "provisioningState": "Creating",
        },
    }  # fmt: skip


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    def logged_in(connection: Any) -> None:  # noqa: ANN401 - libcloud's class is not annotated
        connection.access_token, connection.expires_on = "token-1", "9999999999"

    monkeypatch.setattr(AzureResourceManagementConnection, "get_token_from_credentials", logged_in)
    monkeypatch.setattr(azure_arm, "time", SimpleNamespace(sleep=lambda _seconds: None, time=time.time))


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as made:
        alive(made, TAGS)
        yield made


def alive(peer: JsonPeer, tags: dict[str, str]) -> None:
    nic = {"id": NIC, "name": "nic", "location": "northeurope",
           "properties": {"ipConfigurations": [{"properties": {"privateIPAddress": "10.1.0.4"}}]}}  # fmt: skip
    peer.answers = {
        ("PUT", NIC): Answered(201, nic),
        ("GET", NIC): Answered(200, nic),
        ("DELETE", NIC): Answered(202),
        ("PUT", MACHINE): Answered(201, machine(tags)),
        ("GET", MACHINE): Answered(200, machine(tags)),
        ("DELETE", MACHINE): Answered(202),
        ("GET", MACHINES): Answered(200, {"value": [machine(tags)]}),
        ("GET", f"{MACHINE}/InstanceView"): Answered(
            200, {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]}
        ),
        ("DELETE", DISK): Answered(202),
    }


def pool(peer: JsonPeer) -> CloudPool:
    return CloudPool(
        "here", "azure_arm", {"tenant_id": "t-1", "subscription_id": "sub-1", "key": "app-1", "secret": "app-secret"},
        "Debian:debian-12:12:latest", "Standard_B1s", "northeurope", create={"ex_resource_group": "burst"}, networks=("vnet-1/web",),
        keypair="ssh-ed25519 AAAA ops", host=peer.host, port=peer.port, secure=False,
    )  # fmt: skip


def calls(the_pool: CloudPool) -> tuple[PoolCalls, Seat]:
    record = record_of(the_pool)
    return PoolCalls(the_pool, record, OWNER), Seat(lambda: connect(the_pool, record, 5.0))


def creation(the_pool: CloudPool, user_data: str | None = USER_DATA) -> CreateCall:
    request = LaunchRequest("here", NAME, the_pool.image, the_pool.size, the_pool.location, tuple(TAGS.items()), OPERATION, user_data)
    return CreateCall(OPERATION, request)


def test_a_create_puts_the_interface_then_the_machine_with_all_in_one(peer: JsonPeer) -> None:
    to, seat = calls(pool(peer))
    outcome = to.create(seat, creation(pool(peer)))
    assert isinstance(outcome, Created), outcome
    interface, put = [each for each in peer.asked if each.method == "PUT"]
    assert interface.path == NIC
    subnet = interface.body["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    assert subnet.endswith("/resourceGroups/burst/providers/Microsoft.Network/virtualnetworks/vnet-1/subnets/web")
    assert (put.path, put.body["location"], put.body["tags"]) == (MACHINE, "northeurope", TAGS)
    properties = put.body["properties"]
    assert properties["hardwareProfile"] == {"vmSize": "Standard_B1s"}
    assert properties["storageProfile"]["imageReference"] == {"publisher": "Debian", "offer": "debian-12", "sku": "12", "version": "latest"}
    assert properties["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert base64.b64decode(properties["osProfile"]["customData"]).decode() == USER_DATA
    assert properties["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"] == "ssh-ed25519 AAAA ops"
    node = outcome.node
    assert (node.id, node.name, node.owner, node.operation) == (MACHINE, NAME, OWNER, OPERATION)
    assert (node.state, node.addresses) == (NodeState.RUNNING, ("10.1.0.4",))


def test_an_image_of_ones_own_and_no_user_data_and_no_key(peer: JsonPeer) -> None:
    image = f"{GROUP}/Microsoft.Compute/galleries/g/images/web"
    plain = replace(
        pool(peer), image=image, keypair=None, networks=("vnet-1",), create={"ex_resource_group": "burst", "ex_os_disk_delete": False}
    )
    to, seat = calls(plain)
    assert isinstance(to.create(seat, creation(plain, None)), Created)
    body = peer.bodies("PUT")[1]
    assert body["properties"]["storageProfile"]["imageReference"] == {"id": image}
    assert "deleteOption" not in body["properties"]["storageProfile"]["osDisk"]
    assert "customData" not in body["properties"]["osProfile"]
    assert len(body["properties"]["osProfile"]["adminPassword"]) == 32


@pytest.mark.parametrize(
    ("answered", "kind", "retry_after"),
    [
        (error(409, "SkuNotAvailable"), FaultKind.NO_CAPACITY, None),
        (error(409, "OperationNotAllowed", "Operation could not be completed as it results in exceeding approved Total Cores quota."),
         FaultKind.NO_CAPACITY, None),
        (error(429, "TooManyRequests", Retry_After="17"), FaultKind.THROTTLED, 17.0),
        (error(401, "ExpiredAuthenticationToken"), FaultKind.UNREACHABLE, None),
        (error(403, "AuthorizationFailed"), FaultKind.DENIED, None),
        (error(400, "InvalidParameter"), FaultKind.REJECTED, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [NIC, MACHINE])
def test_a_refused_create_has_certainly_made_no_machine(
    peer: JsonPeer, answered: Answered, kind: FaultKind, retry_after: float | None, path: str
) -> None:
    peer.answers["PUT", path] = answered
    to, seat = calls(pool(peer))
    outcome = to.create(seat, creation(pool(peer)))
    assert isinstance(outcome, CreateFailed), outcome
    assert (outcome.fault.kind, outcome.retry_after) == (kind, retry_after)


def test_a_failed_question_after_the_create_leaves_it_open(peer: JsonPeer) -> None:
    peer.answers["GET", f"{MACHINE}/InstanceView"] = Answered(200, "<html>")
    to, seat = calls(pool(peer))
    assert isinstance(to.create(seat, creation(pool(peer))), CreateUnknown)


def test_the_listing_is_of_the_pools_own_resource_group(peer: JsonPeer) -> None:
    to, seat = calls(pool(peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [(each.id, each.owner, each.operation) for each in nodes] == [(MACHINE, OWNER, OPERATION)]
    for broken in (Answered(200, {}), Answered(200, "<html>"), error(404, "ResourceGroupNotFound")):
        peer.answers["GET", MACHINES] = broken
        assert isinstance(to.list(seat), Verdict)


def test_a_machine_is_destroyed_with_its_interface_and_disk(peer: JsonPeer) -> None:
    shown = iter([Answered(200, machine(TAGS)), error(404, "ResourceNotFound")])
    answer = peer.answer
    peer.answer = lambda asked: next(shown) if asked.route == ("GET", MACHINE) else answer(asked)  # type: ignore[method-assign] # it changes
    to, seat = calls(pool(peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", MACHINE)) == Destroyed(OPERATION, MACHINE, absent=False)
    assert [each.path for each in peer.asked if each.method == "DELETE"] == [MACHINE, NIC, DISK]


def test_only_resource_managers_own_not_found_means_gone(peer: JsonPeer) -> None:
    to, seat = calls(pool(peer))
    peer.answers["GET", MACHINE] = Answered(404, {"message": "no such route"})
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", MACHINE)), DestroyFailed)
    peer.answers["GET", MACHINE] = error(404, "ResourceNotFound")
    assert to.destroy(seat, DestroyCall(OPERATION, "here", MACHINE)) == Destroyed(OPERATION, MACHINE, absent=True)


def test_a_strangers_machine_is_never_destroyed(peer: JsonPeer) -> None:
    alive(peer, {**TAGS, OWNER_TAG: "9" * 32})
    to, seat = calls(pool(peer))
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", MACHINE)), DestroyFailed)
    assert "DELETE" not in {each.method for each in peer.asked}


def test_a_login_that_fails_is_a_matter_of_credentials(peer: JsonPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_connection: object) -> None:
        raise BaseHTTPError(401, "AADSTS7000215: Invalid client secret provided.")  # type: ignore[no-untyped-call] # libcloud's class

    monkeypatch.setattr(AzureResourceManagementConnection, "get_token_from_credentials", refused)
    to, seat = calls(pool(peer))
    outcome = to.create(seat, creation(pool(peer)))
    assert isinstance(outcome, CreateFailed)
    assert outcome.fault.kind is FaultKind.DENIED
