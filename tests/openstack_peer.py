"""An OpenStack for tests: Keystone v3 and Nova's servers over real HTTP, as strict about each request as Nova's published schema is.

Not a model of a cloud: no images, networks or flavors are kept beyond their names. What libcloud must get right is checked: required
fields, types, unknown fields, lengths, tokens and the microversion; what burstd must bear happens: machines that build for a while
without an address, end in ERROR, are busy, are gone; quotas, throttles, tokens that die, lists in pages.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.json_peer import Answered, Asked, JsonPeer, serving

USER, PASSWORD, PROJECT, REGION = "burstd", "correct-horse-battery", "web", "Oslo"
IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
FLAVOR = "m1.small"
NETWORK = "f5d2a1e6-4b1a-4d0f-8b43-1c0a9c3b7e55"
KEYPAIR, SECURITY_GROUP, ZONE = "ops", "web-in", "nova"
NEWEST = 96

_PAGE = 2
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NAMED_ERRORS = {400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest", 413: "overLimit"}


class Refused(Exception):
    """A request that the API does not take; the answer says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answered = Answered(status, {_NAMED_ERRORS[status]: {"code": status, "message": message}})


@dataclass
class Server:
    """A machine; `looks` counts how often it was shown, which is what its time goes by."""

    id: str
    name: str
    metadata: dict[str, str]
    asked: Mapping[str, Any]
    looks: int = 0
    status: str = "BUILD"
    busy: bool = False
    address: str = field(default="")


class OpenStackPeer(JsonPeer):
    """What `openstack_peer` yields.

    Attributes:
        quota: how many servers the project may have.
        builds: how often a server is shown as BUILD, without an address, before it is ACTIVE.
        fails: whether new servers end in ERROR.
        servers: those that there are.
        tokens: those that are alive; clear it to let them die.
        faults: answers for the next requests to Nova, in the place of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quota = 10
        self.builds = 2
        self.fails = False
        self.servers: dict[str, Server] = {}
        self.tokens: set[str] = set()
        self.faults: list[Answered] = []
        self._addresses = (f"10.20.0.{number}" for number in itertools.count(4))
        self._one_at_a_time = threading.Lock()

    @property
    def url(self) -> str:
        """Keystone's and Nova's root."""
        return f"http://{self.host}:{self.port}"

    @property
    def args(self) -> dict[str, object]:
        """The driver's arguments."""
        return {
            "key": USER, "secret": PASSWORD, "ex_tenant_name": PROJECT, "ex_force_auth_url": self.url, "ex_force_service_region": REGION,
        }  # fmt: skip

    def start(self, name: str, metadata: dict[str, str]) -> str:
        """Let there be a server; its id."""
        server = Server(str(uuid.uuid4()), name, metadata, {})
        self.servers[server.id] = server
        return server.id

    def answer(self, asked: Asked) -> Answered:
        """As Keystone and Nova do."""
        with self._one_at_a_time:
            try:
                if asked.path.startswith("/v3/"):
                    return self._keystone(asked)
                return self._nova(asked)
            except Refused as refused:
                return refused.answered

    def _keystone(self, asked: Asked) -> Answered:
        body = asked.body if isinstance(asked.body, dict) else {}
        expected = {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": USER, "domain": {"name": "Default"}, "password": PASSWORD}},
                },
                "scope": {"project": {"name": PROJECT, "domain": {"id": "default"}}},
            }
        }
        if asked.route != ("POST", "/v3/auth/tokens"):
            return Answered(404, {"error": {"code": 404, "title": "Not Found", "message": "The resource could not be found."}})
        if body != expected:
            said = "The request you have made requires authentication."
            return Answered(401, {"error": {"code": 401, "title": "Unauthorized", "message": said}})
        token = uuid.uuid4().hex
        self.tokens.add(token)
        endpoint = {"id": "1", "interface": "public", "region": REGION, "region_id": REGION, "url": f"{self.url}/compute/v2.1"}
        issued = {
            "methods": ["password"], "user": {"id": "u1", "name": USER, "domain": {"id": "default", "name": "Default"}},
            "issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2099-01-01T00:00:00.000000Z",
            "roles": [{"id": "r1", "name": "member"}],
            "project": {"id": "p1", "name": PROJECT, "domain": {"id": "default", "name": "Default"}},
            "catalog": [{"id": "c1", "type": "compute", "name": "nova", "endpoints": [endpoint]}],
        }  # fmt: skip
        return Answered(201, {"token": issued}, {"X-Subject-Token": token})

    def _nova(self, asked: Asked) -> Answered:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        if headers.get("x-auth-token") not in self.tokens:
            return Answered(401, "Authentication required", {"Content-Type": "text/plain", "WWW-Authenticate": "Keystone uri=/"})
        if self.faults:
            return self.faults.pop(0)
        _check_microversion(headers.get("openstack-api-version"))
        path = asked.path.removeprefix("/compute/v2.1")
        match asked.method, path.split("/")[1:]:
            case "POST", ["servers"]:
                return self._create(asked, headers)
            case "GET", ["servers", "detail"]:
                return self._list(asked)
            case "GET", ["servers", server_id]:
                return Answered(200, {"server": self._shown(self._found(server_id))})
            case "DELETE", ["servers", server_id]:
                if self._found(server_id).busy:
                    raise Refused(409, f"Cannot 'delete' instance {server_id} while it is in task_state migrating")
                del self.servers[server_id]
                return Answered(204)
        raise Refused(404, "The resource could not be found.")

    def _found(self, server_id: str) -> Server:
        if server_id not in self.servers:
            raise Refused(404, f"Instance {server_id} could not be found.")
        return self.servers[server_id]

    def _create(self, asked: Asked, headers: Mapping[str, str]) -> Answered:
        if not headers.get("content-type", "").startswith("application/json"):
            raise Refused(400, "The Content-Type is not application/json")
        body = asked.body
        _only(body, {"server", "os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"}, "body")
        server = body.get("server")
        check_server(server)
        if len(self.servers) >= self.quota:
            raise Refused(403, f"Quota exceeded for instances: Requested 1, but already used {len(self.servers)} of {self.quota} instances")
        made = self.servers[self.start(server["name"], dict(server.get("metadata", {})))]
        made.asked = server
        made.status = "ERROR" if self.fails else "BUILD"
        links = [{"rel": "self", "href": f"{self.url}/compute/v2.1/servers/{made.id}"}]
        return Answered(202, {"server": {"id": made.id, "links": links, "OS-DCF:diskConfig": "MANUAL", "adminPass": "zPnp2GseTqG4"}})

    def _list(self, asked: Asked) -> Answered:
        unknown = asked.query.keys() - {"limit", "marker"}
        if unknown:
            raise Refused(400, f"Additional properties are not allowed ({unknown})")
        ids = list(self.servers)
        begin = ids.index(asked.query["marker"]) + 1 if "marker" in asked.query else 0
        page = ids[begin : begin + _PAGE]
        body: dict[str, Any] = {"servers": [self._shown(self.servers[each]) for each in page]}
        if begin + _PAGE < len(ids):
            href = f"{self.url}/compute/v2.1/servers/detail?marker={page[-1]}"
            body["servers_links"] = [{"rel": "next", "href": href}]
        return Answered(200, body)

    def _shown(self, server: Server) -> dict[str, Any]:
        server.looks += 1
        if server.status == "BUILD" and server.looks > self.builds:
            server.status, server.address = "ACTIVE", next(self._addresses)
        addresses = [{"addr": server.address, "version": 4, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"}]
        shown = {
            "id": server.id, "name": server.name, "status": server.status, "metadata": server.metadata, "tenant_id": "p1", "user_id": "u1",
            "addresses": {"web-net": addresses} if server.address else {}, "hostId": "", "created": "2026-01-01T00:00:00Z",
            "updated": "2026-01-01T00:00:00Z", "links": [{"rel": "self", "href": f"{self.url}/compute/v2.1/servers/{server.id}"}],
            "image": {"id": IMAGE}, "flavor": {"id": "1"}, "key_name": None, "accessIPv4": "", "accessIPv6": "",
            "OS-EXT-STS:task_state": "migrating" if server.busy else None, "OS-EXT-AZ:availability_zone": ZONE,
        }  # fmt: skip
        return shown | ({"fault": {"code": 500, "message": "No valid host was found."}} if server.status == "ERROR" else {})


@contextmanager
def openstack_peer() -> Iterator[OpenStackPeer]:
    """An empty OpenStack on a free port."""
    peer = OpenStackPeer()
    with serving(peer):
        yield peer


def check_server(server: object) -> None:
    """Judge a create's `server` as Nova's schema of microversion 2.1 does, then its references.

    Raises:
        Refused: with Nova's status, and what is wrong.
    """
    _only(server, set(_FIELDS), "server")
    assert isinstance(server, dict)
    for name in ("name", "flavorRef"):
        if name not in server:
            raise Refused(400, f"Invalid input for field/attribute server. '{name}' is a required property")
    for name, value in server.items():
        if not _FIELDS[name](value):
            raise Refused(400, f"Invalid input for field/attribute {name}. Value: {str(value)[:80]}")
    if len(server.get("metadata", {})) > 128:
        raise Refused(403, "Maximum number of metadata items exceeds 128")
    networks = [each.get("uuid") for each in server.get("networks", ())]
    groups = {each["name"] for each in server.get("security_groups", ())}
    for there, said in (
        (str(server["flavorRef"]) == FLAVOR, "Invalid flavorRef provided."),
        (server.get("imageRef") == IMAGE, "Can not find requested image"),
        (networks in ([], [NETWORK]), f"Network {networks} could not be found."),
        (groups <= {"default", SECURITY_GROUP}, f"Security group {groups} not found for project p1."),
        (server.get("key_name", KEYPAIR) == KEYPAIR, "Invalid key_name provided."),
        (server.get("availability_zone", ZONE) == ZONE, "The requested availability zone is not available"),
    ):
        if not there:
            raise Refused(400, said)


def _only(value: object, known: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise Refused(400, f"Invalid input for field/attribute {where}: not an object")
    if unknown := value.keys() - known:
        raise Refused(400, f"Additional properties are not allowed ({', '.join(sorted(map(str, unknown)))} was unexpected)")


def _text(longest: int, shortest: int = 1) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and shortest <= len(value) <= longest


def _name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 255 and value == value.strip() and value.isprintable()


def _metadata(value: object) -> bool:
    legal = re.compile(r"[a-zA-Z0-9-_:. ]{1,255}")
    return isinstance(value, dict) and all(
        isinstance(each, str) and legal.fullmatch(key) is not None and len(each) <= 255 for key, each in value.items()
    )


def _user_data(value: object) -> bool:
    try:
        return isinstance(value, str) and len(value) <= 65535 and bool(base64.b64decode(value, validate=True))
    except binascii.Error:
        return False


def _networks(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict) and not each.keys() - {"uuid", "port", "fixed_ip"} and _UUID.fullmatch(str(each.get("uuid", NETWORK)))
        for each in value
    )


def _groups(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and each.keys() == {"name"} and _name(each["name"]) for each in value)


_FIELDS: dict[str, Any] = {
    "name": _name,
    "flavorRef": lambda value: isinstance(value, str | int) and str(value) != "",
    "imageRef": lambda value: isinstance(value, str) and (value == "" or _UUID.fullmatch(value) is not None),
    "metadata": _metadata,
    "networks": _networks,
    "security_groups": _groups,
    "user_data": _user_data,
    "key_name": _name,
    "availability_zone": _name,
    "adminPass": _text(255, 0),
    "config_drive": lambda value: value in {True, False, "True", "False", "true", "false"},
    "OS-DCF:diskConfig": lambda value: value in {"AUTO", "MANUAL"},
    "accessIPv4": _text(15),
    "accessIPv6": _text(45),
    "personality": lambda value: isinstance(value, list),
    "block_device_mapping": lambda value: isinstance(value, list),
    "block_device_mapping_v2": lambda value: isinstance(value, list),
    "min_count": lambda value: str(value) == "1",
    "max_count": lambda value: str(value) == "1",
    "return_reservation_id": lambda value: isinstance(value, bool),
}


def _check_microversion(asked: str | None) -> None:
    """None means 2.1; what is asked for must be one that Nova has."""
    found = re.fullmatch(r"compute 2\.(\d+)", asked) if asked is not None else None
    if asked is not None and (found is None or not 1 <= int(found[1]) <= NEWEST):
        raise Refused(400, f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum.")
