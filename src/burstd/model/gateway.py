"""HAProxy as it was read through its runtime socket, and the edits that can be made there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One consistent reading of the backend: the process was the same before and after.

    Attributes:
        version: (major, minor, patch).
        pid: the worker's process id.
        started: the worker's start, seconds since the epoch as HAProxy says it. With pid it names one process for ever.
        servers: every server of the backend, in HAProxy's order.
        requests: requests to the whole backend since its start; goes back to 0 at a reload.
        queued: requests waiting in the backend's own queue.
        balance: the backend's algorithm ("roundrobin"); empty where the socket's level hides it.
        removal_grace: seconds that a server must stay in MAINT without sessions before its removal is safe on this version.
    """

    version: tuple[int, int, int]
    pid: int
    started: float
    servers: tuple[ServerRow, ...]
    requests: int
    queued: int = 0
    balance: str = ""
    removal_grace: float = 0.0

    def server(self, name: str) -> ServerRow | None:
        """The server of that name, or None."""
        return next((row for row in self.servers if row.name == name), None)


class AdminState(StrEnum):
    """What `set server … state` accepts."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


@dataclass(frozen=True, slots=True)
class AddServer:
    """Add a dynamic server, enable its checks and put it in DRAIN: it takes no traffic before `SetState(READY)`."""

    name: str
    address: str
    port: int
    weight: int
    maxconn: int | None = None
    backup: bool = False


@dataclass(frozen=True, slots=True)
class SetState:
    """Make one of our servers ready, drained or in maintenance."""

    name: str
    state: AdminState


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give one of our servers an absolute weight, 0..256."""

    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class EnableHealth:
    """Start the checks of one of our servers that HAProxy shows as `no check`."""

    name: str


@dataclass(frozen=True, slots=True)
class CutSessions:
    """Close the sessions that one of our servers still has: the drain's deadline is over."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveServer:
    """Delete one of our servers from the backend; it must be in MAINT, without sessions, past the grace."""

    name: str


GatewayEdit = AddServer | SetState | SetWeight | EnableHealth | CutSessions | RemoveServer
