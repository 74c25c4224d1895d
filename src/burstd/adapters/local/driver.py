"""A libcloud driver whose machines are processes on this host; `burstd.adapters.local.register` makes it known to libcloud.

It behaves as a cloud does: machines boot for a while, carry tags, are known by client token, run out, die, stay listed for a minute
when terminated; errors come as EC2 words them, so that they are told apart as EC2's are. It never imports anything of the daemon's.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from libcloud.common.base import ConnectionUserAndKey
from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import Node, NodeDriver, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import InvalidCredsError, NodeState

import burstd
from burstd.adapters.local import process
from burstd.adapters.local.machines import Machine, Machines, account_secret

SIZES: Final = {"small": (2, 512, 0.01), "medium": (4, 1024, 0.02)}
"""Workers (CPUs), RAM in MB, price of an hour in no currency at all."""

IMAGES: Final = ("web-1",)


class LocalConnection(ConnectionUserAndKey):
    """No network: the calls of this driver are function calls."""

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to connect to."""


class LocalNodeDriver(NodeDriver):
    """Machines that are processes.

    Any number of drivers, in any number of threads and processes, may share a state folder.
    """

    type = "local"
    name = "Local processes"
    website = "https://libcloud.apache.org"
    connectionCls = LocalConnection  # noqa: N815 - libcloud's name
    features: dict[str, list[str]] = {"create_node": []}  # noqa: RUF012 - as libcloud declares it

    def __init__(  # noqa: PLR0913 - the pool's `args` of the settings, one by one
        self,
        key: str = "local",
        secret: str = "",
        *,
        state_dir: str,
        network: str = "127.1.0.0/24",
        port: int = 8080,
        metrics_port: int = 9100,
        further_ports: Sequence[int] = (),
        capacity: int = 8,
        boot_seconds: float = 5.0,
        service_ms: float = 40.0,
        content_dir: str | None = None,
    ) -> None:
        """Describe the cloud; nothing is read or written yet.

        Args:
            key: the account's name, for form's sake.
            secret: must be what `account.json` in the state folder says, where that file exists.
            state_dir: the folder that holds the machines' records.
            network: loopback addresses to give to machines, one each.
            port: on which every machine serves.
            metrics_port: on which every machine publishes its metrics.
            further_ports: on which every machine serves too, for a fleet that serves several backends.
            capacity: machines at once; beyond it the cloud is out of stock.
            boot_seconds: from the create to an address and an open port.
            service_ms: mean time that a request holds one of a machine's workers, milliseconds.
            content_dir: where each machine has a folder named after its address: its user-data is put there, and it serves the files of
                `content` in it.

        Raises:
            ValueError: the network is not one of loopback addresses.
        """
        super().__init__(key, secret)  # type: ignore[no-untyped-call] # libcloud's base is not annotated
        self.network = ipaddress.IPv4Network(network)
        if not self.network.is_loopback:
            raise ValueError(f"network {network} is not one of loopback addresses (127.0.0.0/8)")
        self._folder = Path(state_dir).absolute()
        self._machines = Machines(self._folder)
        self._ports = (port, *further_ports)
        self._metrics_port = metrics_port
        self._capacity = capacity
        self._boot_seconds = boot_seconds
        self._service_ms = service_ms
        self._content_dir = Path(content_dir).absolute() if content_dir else None

    def list_nodes(self, ex_node_ids: Sequence[str] | None = None) -> list[Node]:
        """Every machine, or those asked for by id; an id that is not on record is an error, as with EC2."""
        with self._account():
            machines = self._machines.all()
        if ex_node_ids is None:
            return [self._node(each) for each in machines]
        return [self._node(self._find(machines, wanted)) for wanted in ex_node_ids]

    def create_node(  # type: ignore[override] # drivers add arguments  # noqa: PLR0913, PLR0917 - libcloud's signature
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: None = None,
        ex_tags: Mapping[str, str] | None = None,
        ex_clienttoken: str = "",
        ex_userdata: str | None = None,
    ) -> Node:
        """One machine, tagged from its first moment; the same token gives the same machine again. The user-data is taken and not run."""
        del location, auth
        if size.id not in SIZES:
            raise _refusal(400, f"InvalidParameterValue: there is no size {size.id}")
        if image.id not in IMAGES:
            raise _refusal(400, f"InvalidAMIID.NotFound: there is no image {image.id}")
        with self._account(), self._machines.changing():
            machines = self._machines.all()
            again = next((each for each in machines if ex_clienttoken and each.token == ex_clienttoken), None)
            if again is not None:
                if (again.name, again.size, again.image, again.tags) != (name, size.id, image.id, dict(ex_tags or {})):
                    raise _refusal(400, "IdempotentParameterMismatch: this token has made another machine")
                return self._node(again)
            now = time.time()
            machine = Machine(
                id=f"local-{uuid.uuid4().hex[:12]}",
                name=name,
                size=size.id,
                image=image.id,
                tags=dict(ex_tags or {}),
                token=ex_clienttoken,
                address=self._place(machines),
                created_at=now,
                ready_at=now + self._boot_seconds,
            )
            if self._content_dir is not None:
                self._furnish(self._content_dir / machine.address, ex_userdata or "")
            self._start(machine)
            return self._node(machine)

    def destroy_node(self, node: Node) -> bool:
        """End the machine's process; False where it could not be ended yet. A terminated machine is terminated once more."""
        with self._account():
            machine = self._find(self._machines.all(), node.id)
        lock = self._machines.lock(machine)
        identity = process.holder(lock)
        if process.alive(lock) and (identity is None or not process.end(identity, process.PATIENCE) or process.alive(lock)):
            return False
        with self._account(), self._machines.changing():
            machine = self._find(self._machines.all(), node.id)
            if machine.terminated_at is None:
                self._machines.save(replace(machine, terminated_at=time.time()))
        return True

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """The two sizes; disk and bandwidth say nothing."""
        del location
        with self._account():
            return [NodeSize(each, each, ram, 0, 0, price, self, {"workers": workers}) for each, (workers, ram, price) in SIZES.items()]

    def list_images(self, location: NodeLocation | None = None) -> list[NodeImage]:
        """The one image."""
        del location
        with self._account():
            return [NodeImage(each, each, self) for each in IMAGES]

    def list_locations(self) -> list[NodeLocation]:
        """This host."""
        return [NodeLocation("here", "this host", "", self)]

    @contextmanager
    def _account(self) -> Iterator[None]:
        """Let in who knows the secret, and word trouble with the state folder as a cloud's errors."""
        try:
            wanted = account_secret(self._folder)
            if wanted is not None and not hmac.compare_digest(wanted.encode(), (self.secret or "").encode()):
                raise InvalidCredsError("AuthFailure: the secret is not the one in account.json", driver=self)
            yield
        except OSError as error:
            raise _refusal(400, f"InvalidStateFolder: {error}") from error
        except ValueError as error:
            raise _refusal(500, f"InternalError: {error}") from error

    def _find(self, machines: list[Machine], wanted: str | None) -> Machine:
        for machine in machines:
            if machine.id == wanted:
                return machine
        raise _refusal(400, f"InvalidInstanceID.NotFound: there is no machine {wanted}")

    def _furnish(self, folder: Path, user_data: str) -> None:
        """A new machine's disk: what an earlier one under its address has left goes."""
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "content").mkdir(parents=True)
        document = folder / "user-data"
        document.touch(0o600)
        document.write_text(user_data, encoding="utf-8")

    def _place(self, machines: list[Machine]) -> str:
        """An address that no machine on record has."""
        if sum(each.terminated_at is None for each in machines) >= self._capacity:
            raise _refusal(500, f"InsufficientInstanceCapacity: all {self._capacity} machines are taken")
        taken = {each.address for each in machines}
        for address in self.network.hosts():
            if str(address) not in taken:
                return str(address)
        raise _refusal(400, f"InsufficientFreeAddressesInSubnet: all addresses of {self.network} are taken")

    def _start(self, machine: Machine) -> None:
        """Lock, record, process, in this order: from a kill in between a record is left whose machine shows as dead, and is destroyed."""
        with process.locked(self._machines.lock(machine)) as lock:
            self._machines.save(machine)
            try:
                process.start(self._command(machine, lock), lock, self._machines.log(machine), _environment())
            except OSError as error:
                self._machines.drop(machine)
                raise _refusal(500, f"InsufficientInstanceCapacity: this host cannot start a process: {error}") from error

    def _command(self, machine: Machine, lock: int) -> list[str]:
        options = {
            "--name": machine.name,
            "--address": machine.address,
            "--metrics-port": self._metrics_port,
            "--workers": SIZES[machine.size][0],
            "--service-ms": self._service_ms,
            "--boot-seconds": self._boot_seconds,
            "--lock-fd": lock,
        }
        if self._content_dir is not None:
            options["--content"] = str(self._content_dir / machine.address / "content")
        ports = (("--port", port) for port in self._ports)
        words = [str(word) for pair in (*options.items(), *ports) for word in pair]
        return [sys.executable, "-P", "-m", "burstd.adapters.local.server", *words]

    def _node(self, machine: Machine) -> Node:
        booting = time.time() < machine.ready_at
        if machine.terminated_at is not None:
            state = NodeState.TERMINATED
        elif not process.alive(self._machines.lock(machine)):
            state = NodeState.ERROR
        else:
            state = NodeState.PENDING if booting else NodeState.RUNNING
        return Node(
            id=machine.id,
            name=machine.name,
            state=state,
            public_ips=[] if booting or state is NodeState.TERMINATED else [machine.address],
            private_ips=[],
            driver=self,
            extra={"tags": dict(machine.tags), "size": machine.size, "image": machine.image},
            created_at=datetime.fromtimestamp(machine.created_at, UTC),
        )


def _refusal(code: int, text: str) -> BaseHTTPError:
    """An error as EC2's driver would raise it: the HTTP status, and `Code: message`."""
    return BaseHTTPError(code, text)  # type: ignore[no-untyped-call] # libcloud's class is not annotated


def _environment() -> dict[str, str]:
    """What a machine needs to find Python and burstd; the daemon's own environment may hold secrets."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL", "TZ") if key in os.environ}
    return {**kept, "PYTHONPATH": str(Path(burstd.__file__).parents[1])}
