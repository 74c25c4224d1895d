"""HAProxy as it was read through its runtime socket, and the edits that can be made there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple

from burstd.model.naming import instance_of


class ServerStatus(StrEnum):
    """A server's line as HAProxy sees it, without the counters that its `status` column carries in passing ("UP 1/3")."""

    UP = "UP"
    DOWN = "DOWN"
    DRAIN = "DRAIN"
    MAINT = "MAINT"
    NO_CHECK = "no check"
    NOLB = "NOLB"


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server of the backend, static or ours.

    Attributes:
        name: the server's name in HAProxy.
        address: "IP:port" as HAProxy has it; empty where the socket's level hides it.
        status: what HAProxy does with it now.
        passing: the last finished health check succeeded.
        weight: the weight as set (`uweight`), 0..256; the `weight` column lies for a server in maintenance.
        backup: listed as `backup`.
        sessions: sessions in flight now.
        queued: requests waiting for this very server.
        requests: requests (sessions, where the mode is tcp) since the server was added; can go backwards when it is added anew.
        maxconn: the server's connection limit; None where it has none.
        errors: connection and response errors since the server was added.
        refusals: answers of status 5xx that it gave since then; 0 where the mode is tcp.
        throttle: percent of its weight and of its connections that it gets by now, while HAProxy brings it back slowly (`slowstart`);
            None: all.
    """

    name: str
    address: str
    status: ServerStatus
    passing: bool
    weight: int
    backup: bool
    sessions: int
    queued: int
    requests: int
    maxconn: int | None = None
    errors: int = 0
    refusals: int = 0
    throttle: int | None = None


@dataclass(frozen=True, slots=True)
class BackendView:
    """One backend.

    Attributes:
        servers: every server of it, in HAProxy's order.
        requests: requests to the whole backend since HAProxy's start; goes back to 0 at a reload.
        queued: requests waiting in the backend's own queue.
        balance: the backend's algorithm ("roundrobin"); empty where the socket's level hides it.
    """

    name: str
    servers: tuple[ServerRow, ...]
    requests: int
    queued: int = 0
    balance: str = ""

    def server(self, name: str) -> ServerRow | None:
        """The server of that name, or None."""
        return next((row for row in self.servers if row.name == name), None)


class Line(NamedTuple):
    """A server's line in one backend."""

    backend: str
    row: ServerRow


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One consistent reading of all backends that concern the fleet: the process was the same before and after.

    Attributes:
        version: (major, minor, patch).
        pid: the worker's process id.
        started: the worker's start, seconds since the epoch as HAProxy says it. With pid it names one process for ever.
        backends: in the order of the settings; the first is the core's own.
        removal_grace: seconds that a server must stay in MAINT without sessions before its removal is safe on this version.
        idle: the part of its time in which the thread that answered had nothing to do, 0..1; None where it does not say.
        connections: clients' connections now.
        most_connections: so many of them it takes; None where it does not say.
        lines: every server's line in every backend.
    """

    version: tuple[int, int, int]
    pid: int
    started: float
    backends: tuple[BackendView, ...]
    removal_grace: float = 0.0
    idle: float | None = None
    connections: int = 0
    most_connections: int | None = None
    lines: tuple[Line, ...] = field(init=False, repr=False, compare=False)
    _by_instance: Mapping[str, tuple[Line, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """List the lines once, and sort them by instance: each of a thousand instances asks for its own."""
        lines = tuple([Line(backend.name, row) for backend in self.backends for row in backend.servers])
        found: dict[str, tuple[Line, ...]] = {}
        for line in lines:
            name = instance_of(line.row.name)
            found[name] = (*found.get(name, ()), line)
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "_by_instance", found)

    def lines_of(self, instance: str) -> tuple[Line, ...]:
        """An instance's lines, or a static server's: in service and as the standby, in whichever backend."""
        return self._by_instance.get(instance, ())

    def line(self, backend: str, name: str) -> ServerRow | None:
        """The server of that very name in that backend, or None."""
        for place, row in self.lines_of(instance_of(name)):
            if place == backend and row.name == name:
                return row
        return None


class AdminState(StrEnum):
    """What `set server … state` accepts."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


@dataclass(frozen=True, slots=True)
class AddServer:
    """Add a dynamic server, enable its checks and put it in DRAIN: it takes no traffic before `SetState(READY)`."""

    backend: str
    name: str
    address: str
    port: int
    weight: int
    maxconn: int | None = None
    backup: bool = False

    def is_at(self, address: str) -> bool:
        """HAProxy's `address` ("IP:port", "[IP]:port") is this one."""
        if address == f"{self.address}:{self.port}":  # as nearly always; to parse it costs fifty times as much
            return True
        host, _, port = address.rpartition(":")
        try:
            return ip_address(host.strip("[]")) == ip_address(self.address) and int(port) == self.port
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class SetState:
    """Make one of our servers ready, drained or in maintenance."""

    backend: str
    name: str
    state: AdminState


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give one of our servers an absolute weight, 0..256."""

    backend: str
    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class SetMaxconn:
    """Give one of our servers another connection limit; None: none."""

    backend: str
    name: str
    maxconn: int | None


@dataclass(frozen=True, slots=True)
class EnableHealth:
    """Start the checks of one of our servers that HAProxy shows as `no check`."""

    backend: str
    name: str


@dataclass(frozen=True, slots=True)
class CutSessions:
    """Close the sessions that one of our servers still has: the drain's deadline is over."""

    backend: str
    name: str


@dataclass(frozen=True, slots=True)
class RemoveServer:
    """Delete one of our servers from the backend; it must be in MAINT, without sessions, past the grace."""

    backend: str
    name: str


GatewayEdit = AddServer | SetState | SetWeight | SetMaxconn | EnableHealth | CutSessions | RemoveServer
