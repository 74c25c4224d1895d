"""The lab's cloud: an API of HTTP and JSON that sells hosts of the lab. The `lab` driver of libcloud speaks to it.

    python -m tests.lab.cloud ADDRESS PORT

    GET    /v1/machines[?tag=KEY=VALUE]…   {"machines": […]}      GET  /v1/sizes      {"sizes": […]}
    GET    /v1/machines/ID                 {"machine": {…}}       GET  /v1/images     {"images": […]}
    POST   /v1/machines                    {"machine": {…}}       GET  /v1/locations  {"locations": […]}
    DELETE /v1/machines/ID                 {"machine": {…}}       anything else       {"error": {"code", "message"}}

What a machine is made of is behind `Hoster`: hosts of the lab, or, for the contract of the cloud port, nothing at all.
"""

from __future__ import annotations

import hmac
import json
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from tests.lab.hosts import CAPACITY, DUBLIN, INSTANCE_ADDRESSES

SIZES: Final = ({"id": "small", "ram_mb": 512, "price": 0.0228},)
IMAGES: Final = ({"id": "web-1"},)
LOCATIONS: Final = ({"id": DUBLIN, "country": "IE"},)

REMEMBERED: Final = 60.0
"""Seconds that a terminated machine stays listed, its token taken, its address not given to another."""


class Refusal(Exception):
    """The API's no: a status, a code, a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(slots=True)
class Machine:
    """One machine, in the API's own words; the token and the user-data are never shown."""

    id: str
    name: str
    size: str
    image: str
    location: str
    tags: dict[str, str]
    token: str
    user_data: str = field(repr=False)
    place: str
    state: str = "pending"
    created_at: float = field(default_factory=time.time)
    terminated_at: float | None = None

    def shown(self) -> dict[str, Any]:
        """As the API shows it: its address only while it runs."""
        told = {key: value for key, value in asdict(self).items() if key not in {"token", "user_data", "place", "terminated_at"}}
        return {**told, "address": self.place if self.state == "running" else None}


class Hoster(Protocol):
    """What machines are made of."""

    def boot(self, machine: Machine) -> None:
        """Make it; returns when it is up, and raises where it cannot be."""
        ...

    def halt(self, machine: Machine) -> None:
        """Take it away, whatever state it is in."""
        ...


class Account:
    """The machines of the lab's one account. Thread-safe."""

    def __init__(self, hoster: Hoster, capacity: int = CAPACITY) -> None:
        self._hoster = hoster
        self._capacity = capacity
        self._machines: dict[str, Machine] = {}
        self._lock = threading.Lock()

    def all(self, tags: Mapping[str, str]) -> list[Machine]:
        """Those that bear all of these tags."""
        with self._lock:
            self._forget()
            return [each for each in self._machines.values() if tags.items() <= each.tags.items()]

    def one(self, machine_id: str) -> Machine:
        """This one."""
        with self._lock:
            self._forget()
            if machine_id not in self._machines:
                raise Refusal(404, "MachineNotFound", f"there is no machine {machine_id}")
            return self._machines[machine_id]

    def make(self, wanted: Mapping[str, Any]) -> Machine:
        """A new one, which boots from now on; or the one of this token."""
        try:
            named = {key: str(wanted[key]) for key in ("name", "size", "image", "token", "user_data")}
            tags = {str(key): str(value) for key, value in wanted["tags"].items()}
            location = str(wanted.get("location") or DUBLIN)
        except (KeyError, AttributeError, TypeError) as error:
            raise Refusal(400, "InvalidParameter", f"not a create: {error!r}") from error
        for kind, there, asked in (("size", SIZES, named["size"]), ("image", IMAGES, named["image"]), ("location", LOCATIONS, location)):
            if asked not in {each["id"] for each in there}:
                raise Refusal(400, "InvalidParameter", f"there is no {kind} {asked}")
        with self._lock:
            self._forget()
            again = next((each for each in self._machines.values() if named["token"] and each.token == named["token"]), None)
            if again is not None:
                if {key: getattr(again, key) for key in named} != named or again.tags != tags:
                    raise Refusal(400, "IdempotentParameterMismatch", "this token has made another machine")
                return again
            machine = Machine(
                id=f"m-{uuid.uuid4().hex[:12]}",
                name=named["name"],
                size=named["size"],
                image=named["image"],
                location=location,
                tags=tags,
                token=named["token"],
                user_data=named["user_data"],
                place=self._place(),
            )
            self._machines[machine.id] = machine
        threading.Thread(target=self._boot, args=(machine,), daemon=True).start()
        return machine

    def end(self, machine_id: str) -> Machine:
        """Take it away; it is gone when this returns."""
        machine = self.one(machine_id)
        with self._lock:
            was, machine.state = machine.state, "error" if machine.state != "terminated" else machine.state
        if was != "terminated":
            self._hoster.halt(machine)
            with self._lock:
                machine.state, machine.terminated_at = "terminated", time.time()
        return machine

    def close(self) -> None:
        """Take all of them away."""
        for machine in self.all({}):
            self.end(machine.id)

    def _boot(self, machine: Machine) -> None:
        try:
            self._hoster.boot(machine)
            state = "running"
        except Exception as error:  # noqa: BLE001 - whatever it is, the machine shows it
            sys.stderr.write(f"{machine.name}: {error}\n")
            state = "error"
        with self._lock:
            if machine.state == "pending":
                machine.state = state

    def _place(self) -> str:
        alive = [each for each in self._machines.values() if each.state != "terminated"]
        free = [each for each in INSTANCE_ADDRESSES if each not in {machine.place for machine in self._machines.values()}]
        if len(alive) >= self._capacity or not free:
            raise Refusal(409, "InsufficientInstanceCapacity", f"all {self._capacity} machines are taken")
        return free[0]

    def _forget(self) -> None:
        old = time.time() - REMEMBERED
        self._machines = {key: each for key, each in self._machines.items() if each.terminated_at is None or each.terminated_at > old}


class Api(ThreadingHTTPServer):
    """The account over HTTP."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], account: Account, key: str) -> None:
        self.account = account
        self.key = key
        super().__init__(address, Exchange)

    def server_bind(self) -> None:
        """Bind without asking the DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class Exchange(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Api

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: a create's body holds the user-data."""

    def do_GET(self) -> None:
        """Answer."""
        status = 200
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not hmac.compare_digest(self.headers.get("Authorization") or "", f"Bearer {self.server.key}"):
                raise Refusal(401, "AuthFailure", "the token is not this account's")  # noqa: TRY301 - one place words all refusals
            answer = self._answer(body)
        except Refusal as refusal:
            status, answer = refusal.status, {"error": {"code": refusal.code, "message": str(refusal)}}
        except ValueError as error:
            status, answer = 400, {"error": {"code": "InvalidParameter", "message": str(error)}}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _answer(self, body: bytes) -> dict[str, Any]:
        account, asked = self.server.account, urlsplit(self.path)
        match self.command, asked.path.strip("/").split("/"):
            case "GET", ["v1", "machines"]:
                tags = dict(each.partition("=")[::2] for each in parse_qs(asked.query).get("tag", []))
                return {"machines": [each.shown() for each in account.all(tags)]}
            case "POST", ["v1", "machines"]:
                return {"machine": account.make(json.loads(body)).shown()}
            case "GET", ["v1", "machines", machine_id]:
                return {"machine": account.one(unquote(machine_id)).shown()}
            case "DELETE", ["v1", "machines", machine_id]:
                return {"machine": account.end(unquote(machine_id)).shown()}
            case "GET", ["v1", ("sizes" | "images" | "locations") as kind]:
                return {kind: {"sizes": SIZES, "images": IMAGES, "locations": LOCATIONS}[kind]}
        raise Refusal(404, "NoSuchCall", f"{self.command} {asked.path}")


def main(address: str, port: int) -> None:
    """Sell hosts of the lab."""
    from tests.lab.instances import Instances
    from tests.lab.place import KEYS

    Api((address, port), Account(Instances()), (KEYS / "cloud").read_text().strip()).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
