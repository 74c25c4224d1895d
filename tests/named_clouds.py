"""Clouds without tags, as their drivers' code and their documents have them: what each is asked, and what it answers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from burstd.adapters.libcloud import CloudPool
from burstd.model.cloud import NodeState
from burstd.model.faults import FaultKind
from burstd.model.naming import instance_name, marked_name
from tests.json_peer import Answered, Asked, JsonPeer, serving

OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
OPERATION = "1" * 32
NAME = instance_name("burst", OWNER, OPERATION)
MARKED = marked_name(NAME, OWNER, OPERATION)
USER_DATA = "#cloud-config\npackages: [nginx]\n"
V4, INNER, V6 = "198.51.100.7", "10.0.0.7", "2001:db8::7"

Machine = dict[str, Any]
Route = tuple[str, str]


class NamedPeer(JsonPeer):
    """A peer that knows CloudStack's way too, where all is one path and a command, and whose answers may change its answers."""

    def answer(self, asked: Asked) -> Answered:
        route = route_of(asked)
        if route in self.then:
            self.answers |= self.then[route]
        return self.answers.get(route, Answered(418, {"message": f"no answer was set for {route}"}))

    def __init__(self) -> None:
        super().__init__()
        self.then: dict[Route, dict[Route, Answered]] = {}

    def changes(self) -> list[Route]:
        """What was asked that changes anything, in order."""
        return [route for route in map(route_of, self.asked) if is_change(route)]


def route_of(asked: Asked) -> Route:
    """What is asked for."""
    return asked.query.get("command", asked.method), asked.path


def is_change(route: Route) -> bool:
    """It is no mere question."""
    return not route[0].startswith(("GET", "list", "query"))


@contextmanager
def named_peer() -> Iterator[NamedPeer]:
    """Such a peer on a free port."""
    peer = NamedPeer()
    with serving(peer):
        yield peer


@dataclass(frozen=True)
class Named:
    """One such cloud.

    Attributes:
        pool: less the endpoint.
        id: the machine's.
        machine: a machine as the API shows it, of this name, in this state of the cloud's own.
        states: the cloud's words for a machine that runs, that stands still, and one that libcloud has not heard of.
        making: answers to all that a create asks, by route; the first is the request that makes the machine.
        sent: what this request carries, beside the name.
        called: where it carries the name.
        many: the route of the list.
        listed: the answer about these machines.
        one: the route of the machine.
        read: the answer about the machine.
        gone: the answer where there is none.
        ending: answers to all that a destroy asks beyond that, by route.
        then: answers that change after a request.
        fresh: the state of a machine that was just made, in burstd's words.
        addresses: in burstd's order.
        refusals: answers to the first request that certainly made nothing, and what they mean.
    """

    pool: CloudPool
    id: str
    machine: Callable[[str, str], Machine]
    states: tuple[str, str, str | None]
    making: Callable[[Machine], dict[Route, Answered]]
    sent: Mapping[str, Any]
    called: str
    many: Route
    listed: Callable[[list[Machine]], Answered]
    one: Route
    read: Callable[[Machine], Answered]
    gone: Answered
    ending: Callable[[Machine], dict[Route, Answered]]
    refusals: tuple[tuple[Answered, FaultKind], ...]
    then: Callable[[Machine], dict[Route, dict[Route, Answered]]] = lambda _machine: {}
    fresh: NodeState = NodeState.RUNNING
    addresses: tuple[str, ...] = (V4, INNER)

    @property
    def first(self) -> Route:
        """The request that makes the machine."""
        return next(iter(self.making(self.machine("", self.states[0]))))

    def at(self, peer: JsonPeer) -> CloudPool:
        """The pool, at this peer."""
        if self.pool.driver == "cloudstack":
            return replace(self.pool, args={**self.pool.args, "url": f"http://{peer.host}:{peer.port}{CLOUDSTACK_PATH}"})
        return replace(self.pool, host=peer.host, port=peer.port, secure=False)

    def live(self, peer: NamedPeer, name: str = MARKED, state: str | None = None) -> None:
        """Let the cloud have one machine of this name."""
        machine = self.machine(name, state or self.states[0])
        peer.answers = {
            **self.ending(machine), **self.making(machine), self.many: self.listed([machine]), self.one: self.read(machine)
        }  # fmt: skip
        peer.then = self.then(machine)


def body_of(asked: Asked) -> Mapping[str, Any]:
    """What a request carries, wherever: UpCloud wraps it once more."""
    carried = asked.body if isinstance(asked.body, dict) else asked.query
    wrapped = carried.get("server")
    return wrapped if isinstance(wrapped, dict) else carried


CLOUDSTACK_PATH = "/client/api"


def _cloudstack(driver: str, path: str) -> Named:
    def job(machine: Machine) -> dict[Route, Answered]:
        done = {"jobstatus": 1, "jobresult": {"virtualmachine": machine}}
        return {("queryAsyncJobResult", path): Answered(200, {"queryasyncjobresultresponse": done})}

    def refusal(status: int, text: str) -> Answered:
        return Answered(status, {"deployvirtualmachineresponse": {"errorcode": status, "errortext": text}})

    deploy, many = ("deployVirtualMachine", path), ("listVirtualMachines", path)

    def listed(machines: list[Machine]) -> Answered:
        return Answered(200, {"listvirtualmachinesresponse": {"count": len(machines), "virtualmachine": machines}})

    return Named(
        pool=CloudPool("here", driver, {"key": "api-key-1", "secret": "api-secret-1"}, "tpl-1", "off-1", "zone-1",
                       networks=("net-1", "net-2"), keypair="ops", security_groups=("web", "ssh")),
        id="vm-1",
        machine=lambda name, state: {"id": "vm-1", "name": name, "state": state, "nic": [{"ipaddress": INNER}, {"ipaddress": V4}]},
        states=("Running", "Stopped", "Shutdowned"),
        making=lambda machine: {
            deploy: Answered(200, {"deployvirtualmachineresponse": {"id": "vm-1", "jobid": "job-1"}}), **job(machine)
        },
        sent={"serviceofferingid": "off-1", "templateid": "tpl-1", "zoneid": "zone-1", "networkids": "net-1,net-2", "keypair": "ops",
              "securitygroupnames": "web,ssh", "startvm": "True", "userdata": base64.b64encode(USER_DATA.encode()).decode()},
        called="name",
        many=many,
        listed=listed,
        one=many,
        read=lambda machine: listed([machine]),
        gone=Answered(200, {"listvirtualmachinesresponse": {}}),
        ending=lambda machine: {
            ("destroyVirtualMachine", path): Answered(200, {"destroyvirtualmachineresponse": {"jobid": "job-2"}}), **job(machine)
        },
        refusals=(
            (refusal(535, "Maximum number of resources of type 'user_vm' for account shop has been exceeded."), FaultKind.NO_CAPACITY),
            (refusal(431, "Unable to execute API command: templateid entity does not exist"), FaultKind.REJECTED),
            (refusal(401, "unable to verify user credentials"), FaultKind.DENIED),
        ),
    )  # fmt: skip


CLOUDSTACK = _cloudstack("cloudstack", CLOUDSTACK_PATH)
EXOSCALE = _cloudstack("exoscale", "/compute")

SCALEWAY = Named(
    pool=CloudPool("here", "scaleway", {"key": "org-1-secret", "secret": "token-1-secret"}, "img-1", "DEV1-S"),
    id="srv-1",
    machine=lambda name, state: {
        "id": "srv-1", "name": name, "state": state, "public_ip": {"address": V4}, "private_ip": INNER, "location": None, "tags": [],
        "volumes": {"0": {"id": "vol-1"}, "1": {"id": "vol-2"}}, "arch": "x86_64", "organization": "org",
        "creation_date": "2026-01-01T00:00:00+00:00",
    },
    states=("running", "stopped", "stopped in place"),
    making=lambda machine: {
        ("POST", "/servers"): Answered(201, {"server": machine}),
        ("POST", "/servers/srv-1/action"): Answered(202, {"task": {"id": "task-1"}}),
    },
    sent={"image": "img-1", "commercial_type": "DEV1-S", "volumes": {}, "tags": []},
    called="name",
    many=("GET", "/servers"),
    listed=lambda machines: Answered(200, {"servers": machines}),
    one=("GET", "/servers/srv-1"),
    read=lambda machine: Answered(200, {"server": machine}),
    gone=Answered(404, {"type": "unknown_resource", "message": '"srv-1" not found'}),
    ending=lambda _machine: {("POST", "/servers/srv-1/action"): Answered(202, {"task": {"id": "task-2"}})},
    refusals=(
        (Answered(403, {"type": "quotas_exceeded", "message": "Quota exceeded for this resource."}), FaultKind.NO_CAPACITY),
        (Answered(401, {"type": "denied_authentication", "message": "Authentication is denied"}), FaultKind.DENIED),
        (Answered(400, {"type": "invalid_request_error", "message": "image is not valid"}), FaultKind.REJECTED),
    ),
)  # fmt: skip

EQUINIXMETAL = Named(
    pool=CloudPool("here", "equinixmetal", {"key": "token-1-secret"}, "debian_12", "c3.small.x86", "am", create={"ex_project_id": "proj-1"},
                   keypair="key-1"),
    id="dev-1",
    machine=lambda name, state: {
        "id": "dev-1", "hostname": name, "state": state,
        "ip_addresses": [{"address": INNER, "public": False}, {"address": V4, "public": True}],
    },
    states=("active", "inactive", "dreaming"),
    making=lambda machine: {("POST", "/metal/v1/projects/proj-1/devices"): Answered(201, machine)},
    sent={"plan": "c3.small.x86", "operating_system": "debian_12", "metro": "am", "userdata": USER_DATA, "project_ssh_keys": ["key-1"]},
    called="hostname",
    many=("GET", "/metal/v1/projects/proj-1/devices"),
    listed=lambda machines: Answered(200, {"devices": machines, "meta": {"last_page": 1}}),
    one=("GET", "/metal/v1/devices/dev-1"),
    read=lambda machine: Answered(200, machine),
    gone=Answered(404, {"errors": ["Not found"]}),
    ending=lambda _machine: {("DELETE", "/metal/v1/devices/dev-1"): Answered(204)},
    refusals=(
        (Answered(422, {"errors": ["The facility am has not enough servers of this plan"]}), FaultKind.NO_CAPACITY),
        (Answered(401, {"error": "Invalid authentication token"}), FaultKind.DENIED),
        (Answered(422, {"errors": ["operating_system is not valid"]}), FaultKind.REJECTED),
    ),
)  # fmt: skip


def _upcloud_error(status: int, code: str) -> Answered:
    return Answered(status, {"error": {"error_code": code, "error_message": "As it says."}})


UPCLOUD = Named(
    pool=CloudPool("here", "upcloud", {"username": "burstd", "password": "pass-1-word"}, "tpl-1", "1xCPU-2GB/50", "fi-hel1",
                   keypair="ssh-ed25519 AAAA ops"),
    id="up-1",
    machine=lambda name, state: {
        "uuid": "up-1", "title": name, "state": state, "vnc_password": "x",
        "ip_addresses": {"ip_address": [{"access": "public", "address": V6}, {"access": "public", "address": V4}]},
        "storage_devices": {"storage_device": [
            {"storage": "disk-1", "storage_title": "burstd", "type": "disk"},
            {"storage": "disk-2", "storage_title": "backups", "type": "disk"},
            {"storage": "cd-1", "storage_title": "burstd", "type": "cdrom"},
        ]},
    },
    states=("started", "stopped", "hibernating"),
    making=lambda machine: {("POST", "/1.2/server"): Answered(202, {"server": machine})},
    sent={"hostname": NAME, "plan": "1xCPU-2GB", "zone": "fi-hel1",
          "login_user": {"username": "root", "ssh_keys": {"ssh_key": ["ssh-ed25519 AAAA ops"]}},
          "storage_devices": {"storage_device": [
              {"action": "clone", "storage": "tpl-1", "title": "burstd", "size": 50, "tier": "maxiops"}
          ]}},
    called="title",
    many=("GET", "/1.2/server"),
    listed=lambda machines: Answered(200, {"servers": {"server": [
        {key: each[key] for key in ("uuid", "title", "state")} for each in machines
    ]}}),
    one=("GET", "/1.2/server/up-1"),
    read=lambda machine: Answered(200, {"server": machine}),
    gone=_upcloud_error(404, "SERVER_NOT_FOUND"),
    ending=lambda machine: {
        ("POST", "/1.2/server/up-1/stop"): Answered(200, {"server": machine}),
        ("DELETE", "/1.2/server/up-1"): Answered(204),
        ("DELETE", "/1.2/storage/disk-1"): Answered(204),
    },
    then=lambda machine: {
        ("POST", "/1.2/server/up-1/stop"): {("GET", "/1.2/server/up-1"): Answered(200, {"server": {**machine, "state": "stopped"}})}
    },
    refusals=(
        (_upcloud_error(401, "AUTHENTICATION_FAILED"), FaultKind.DENIED),
        (_upcloud_error(400, "PLAN_INVALID"), FaultKind.REJECTED),
    ),
    fresh=NodeState.PENDING,
    addresses=(V4, V6),
)  # fmt: skip

OVH_PROJECT = "/1.0/cloud/project/proj-1"


def _ovh_error(status: int, code: str, message: str) -> Answered:
    return Answered(status, {"errorCode": code, "httpCode": f"{status} said", "message": message})


OVH = Named(
    pool=CloudPool("here", "ovh",
                   {"key": "app-key-1", "secret": "app-secret-1", "ex_project_id": "proj-1", "ex_consumer_key": "consumer-1"},
                   "img-1", "flavor-1", "GRA1", keypair="ops"),
    id="ovh-1",
    machine=lambda name, state: {
        "id": "ovh-1", "name": name, "status": state, "region": "GRA1", "ipAddresses": [{"ip": V6}, {"ip": V4}],
    },
    states=("ACTIVE", "SHUTOFF", "DREAMING"),
    making=lambda machine: {
        ("POST", f"{OVH_PROJECT}/instance"): Answered(200, machine),
        ("GET", f"{OVH_PROJECT}/sshkey"): Answered(200, [{"id": "k-1", "name": "ops", "publicKey": "ssh-ed25519 A", "regions": ["GRA1"]}]),
    },
    sent={"imageId": "img-1", "flavorId": "flavor-1", "region": "GRA1", "sshKeyId": "k-1"},
    called="name",
    many=("GET", f"{OVH_PROJECT}/instance"),
    listed=lambda machines: Answered(200, machines),
    one=("GET", f"{OVH_PROJECT}/instance/ovh-1"),
    read=lambda machine: Answered(200, machine),
    gone=_ovh_error(404, "NOT_FOUND", "Instance not found"),
    ending=lambda _machine: {("DELETE", f"{OVH_PROJECT}/instance/ovh-1"): Answered(200, "null")},
    refusals=(
        (_ovh_error(403, "OVERQUOTA", "Quota exceeded for instances"), FaultKind.NO_CAPACITY),
        (_ovh_error(403, "INVALID_CREDENTIAL", "This credential is not valid"), FaultKind.DENIED),
        (_ovh_error(400, "INVALID_FLAVOR", "Flavor not found"), FaultKind.REJECTED),
    ),
    addresses=(V4, V6),
)  # fmt: skip


def _gridscale_making(machine: Machine) -> dict[Route, Answered]:
    def begun(made: str) -> Answered:
        return Answered(202, {"object_uuid": made, "request_uuid": "rq-1"})

    return {
        ("POST", "/objects/servers/"): begun("gs-1"),
        ("GET", "/requests/rq-1"): Answered(200, {"rq-1": {"status": "done"}}),
        ("GET", "/objects/servers/gs-1"): Answered(200, {"server": machine}),
        ("POST", "/objects/storages/"): begun("disk-1"),
        ("GET", "/objects/storages/disk-1"): Answered(200, {"storage": _gridscale_disk("disk-1", "burstd")}),
        ("POST", "/objects/ips/"): begun("ip-1"),
        ("GET", "/objects/ips/ip-1"): Answered(200, {"ip": _gridscale_ip("ip-1", f"{MARKED}_ip")}),
        ("POST", "/objects/servers/gs-1/storages/"): Answered(204),
        ("POST", "/objects/servers/gs-1/ips/"): Answered(204),
        ("GET", "/objects/networks/"): Answered(200, {"networks": {"net-1": {
            "object_uuid": "net-1", "name": "Public", "create_time": "2026-01-01T00:00:00Z", "status": "active", "relations": {}
        }}}),
        ("POST", "/objects/servers/gs-1/networks/"): Answered(204),
        ("PATCH", "/objects/servers/gs-1/power"): Answered(204),
    }  # fmt: skip


def _gridscale_disk(uuid: str, name: str) -> Machine:
    return {"object_uuid": uuid, "name": name, "capacity": 20, "create_time": "2026-01-01T00:00:00Z", "current_price": 0,
            "storage_type": "storage", "relations": {"servers": [{"object_uuid": "gs-1"}]}}  # fmt: skip


def _gridscale_ip(uuid: str, name: str) -> Machine:
    return {"object_uuid": uuid, "name": name, "family": 4, "prefix": "198.51.100.0/24", "ip": V4, "create_time": "2026-01-01T00:00:00Z",
            "current_price": 0, "reverse_dns": "", "status": "active", "relations": {"servers": [{"server_uuid": "gs-1"}]}}  # fmt: skip


def _gridscale_ending(_machine: Machine) -> dict[Route, Answered]:
    disks = (_gridscale_disk("disk-1", "burstd"), _gridscale_disk("disk-2", "backups"))
    addresses = (_gridscale_ip("ip-1", f"{MARKED}_ip"), _gridscale_ip("ip-2", "shop"))
    return {
        ("GET", "/objects/storages/"): Answered(200, {"storages": {each["object_uuid"]: each for each in disks}}),
        ("GET", "/objects/ips/"): Answered(200, {"ips": {each["object_uuid"]: each for each in addresses}}),
        ("DELETE", "/objects/servers/gs-1"): Answered(204),
        ("DELETE", "/objects/storages/disk-1"): Answered(204),
        ("DELETE", "/objects/ips/ip-1"): Answered(204),
    }


GRIDSCALE = Named(
    pool=CloudPool("here", "gridscale", {"user_id": "user-1-secret", "key": "token-1-secret"}, "tpl-1", "2-4-20", "loc-1", keypair="key-1"),
    id="gs-1",
    machine=lambda name, state: {
        "object_uuid": "gs-1", "name": name, "power": state == "on", "cores": 2, "memory": 4, "current_price": 0, "status": state,
        "relations": {"public_ips": [{"ip": V4}]}, "create_time": "2026-01-01T00:00:00Z",
    },
    states=("on", "off", None),
    making=_gridscale_making,
    sent={"cores": 2, "memory": 4, "location_uuid": "loc-1"},
    called="name",
    many=("GET", "/objects/servers/"),
    listed=lambda machines: Answered(200, {"servers": {str(number): each for number, each in enumerate(machines)}}),
    one=("GET", "/objects/servers/gs-1"),
    read=lambda machine: Answered(200, {"server": machine}),
    gone=Answered(404, {"title": "Not Found", "message": "The requested resource was not found."}),
    ending=_gridscale_ending,
    refusals=(
        (Answered(401, {"message": "wrong token"}), FaultKind.DENIED),
        (Answered(400, {"message": "location_uuid is not valid"}), FaultKind.REJECTED),
    ),
    addresses=(V4,),
)  # fmt: skip

NAMED: Mapping[str, Named] = {
    each.pool.driver: each for each in (CLOUDSTACK, EQUINIXMETAL, EXOSCALE, GRIDSCALE, OVH, SCALEWAY, UPCLOUD)
}  # fmt: skip
