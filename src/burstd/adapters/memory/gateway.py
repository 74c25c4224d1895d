"""The `Gateway` port on a simulated HAProxy backend, with the rules that the real one was seen to have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from burstd.adapters.memory.world import MemoryWorld
from burstd.errors import Bug, BurstdError, Misconfigured, Unreachable
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import (
    AddServer,
    AdminState,
    BackendView,
    CutSessions,
    EnableHealth,
    GatewayEdit,
    GatewayView,
    RemoveServer,
    ServerRow,
    ServerStatus,
    SetMaxconn,
    SetState,
    SetWeight,
)


@dataclass(slots=True)
class MemoryServer:
    """One line of the backend; whoever plays the traffic sets the counters.

    Attributes:
        address: "IP:port".
        healthy: of a static server; a dynamic one is as healthy as the machine behind its address.
        passing: what the checks have found; None while the first is not over.
        turning_since: since when the checks find something else than `passing`.
        maint_at: since when it is in MAINT.
        throttle: percent of its weight that it gets by now, while HAProxy brings it back slowly.
    """

    name: str
    address: str
    static: bool = False
    weight: int = 100
    maxconn: int | None = None
    backup: bool = False
    healthy: bool = True
    admin: AdminState = AdminState.READY
    checked: bool = True
    passing: bool | None = None
    turning_since: float | None = None
    maint_at: float | None = None
    sessions: int = 0
    queued: int = 0
    requests: int = 0
    errors: int = 0
    refusals: int = 0
    throttle: int | None = None

    @property
    def status(self) -> ServerStatus:
        """As HAProxy shows it."""
        if self.admin is AdminState.MAINT:
            return ServerStatus.MAINT
        if not self.checked:
            return ServerStatus.NO_CHECK
        if self.passing is False:
            return ServerStatus.DOWN
        return ServerStatus.DRAIN if self.admin is AdminState.DRAIN else ServerStatus.UP

    def put(self, state: AdminState, now: float) -> None:
        """Give it another administrative state; MAINT counts from its first order."""
        if state is not AdminState.MAINT:
            self.maint_at = None
        elif self.admin is not AdminState.MAINT:
            self.maint_at = now
        self.admin = state


class MemoryGateway:
    """Backends of static core servers and of what burstd adds.

    Attributes:
        backends: by name, and in each the servers by name, in HAProxy's order.
        queued: requests in the main backend's own queue.
        balance: the algorithm of all of them.
        idle: the part of its time in which it has nothing to do.
        connections: clients' connections now.
        most_connections: so many of them it takes.
        failure: raised by every reading and edit while it is set: HAProxy is away, or not set up.
        refuse: asked for each edit; a fault it returns is that edit's answer, and the edit is not carried out.
        breaks_after: carry out so many edits, then lose the connection; None: do not.
        crashes: how often a removal before the grace was over has crashed HAProxy, as it can 2.6.12.
    """

    def __init__(  # noqa: PLR0913 - each is a property of the HAProxy that is played
        self,
        world: MemoryWorld,
        cores: Iterable[str],
        *,
        is_ours: Callable[[str], bool],
        check_seconds: float = 2.0,
        removal_grace: float = 5.0,
        backends: Sequence[str] = ("app_cluster",),
    ) -> None:
        """The cores are up; a health check needs `check_seconds` to find what is new, and a removal `removal_grace` in MAINT.

        The cores stand in the first of the backends.
        """
        self.backends: dict[str, dict[str, MemoryServer]] = {name: {} for name in backends}
        self.queued = 0
        self.balance = "roundrobin"
        self.idle = 1.0
        self.connections = 0
        self.most_connections = 4096
        self.failure: BurstdError | None = None
        self.refuse: Callable[[GatewayEdit], Fault | None] = lambda _edit: None
        self.breaks_after: int | None = None
        self.crashes = 0
        self._world = world
        self._is_ours = is_ours
        self._check_seconds = check_seconds
        self._grace = removal_grace
        self._requests = dict.fromkeys(backends, 0)
        self._pids = count(1000)
        for number, name in enumerate(cores, start=1):
            self.servers[name] = MemoryServer(name, f"192.0.2.{number}:80", static=True, passing=True)
        self.reload()

    def reload(self) -> None:
        """A new process: dynamic servers and counters are gone, static ones are as in the file."""
        self._process = (next(self._pids), self._world.clock.now())
        self._requests = dict.fromkeys(self.backends, 0)
        self.backends = {
            backend: {
                each.name: MemoryServer(each.name, each.address, static=True, healthy=each.healthy, passing=True)
                for each in servers.values()
                if each.static
            }
            for backend, servers in self.backends.items()
        }

    @property
    def servers(self) -> dict[str, MemoryServer]:
        """The main backend's servers, by name."""
        return next(iter(self.backends.values()))

    def serve(self, name: str, requests: int, backend: str | None = None) -> None:
        """Let a server of the main backend, or of another, have served so many requests more."""
        place = next(iter(self.backends)) if backend is None else backend
        self.backends[place][name].requests += requests
        self._requests[place] += requests

    def read(self) -> GatewayView:
        """One reading."""
        self._reach()
        pid, started = self._process
        return GatewayView(
            version=(2, 6, 12),
            pid=pid,
            started=started,
            backends=tuple(
                BackendView(
                    name,
                    tuple(_row(each) for each in servers.values()),
                    requests=self._requests[name],
                    queued=self.queued if servers is self.servers else 0,
                    balance=self.balance,
                )
                for name, servers in self.backends.items()
            ),
            removal_grace=self._grace,
            idle=self.idle,
            connections=self.connections,
            most_connections=self.most_connections,
        )

    def apply(self, edits: Sequence[GatewayEdit], process: tuple[int, float]) -> Sequence[Fault | None]:
        """Carry the edits out in order.

        Raises:
            Retry: HAProxy is away, another process, or the connection was lost on the way.
            Bug: an edit names a server that is not ours.
        """
        self._reach()
        strangers = [edit.name for edit in edits if not self._is_ours(edit.name)]
        if strangers:
            raise Bug(f"an edit of a server that is not ours: {', '.join(strangers)}")
        if process != self._process:
            raise Unreachable("HAProxy was reloaded or restarted meanwhile")
        answers: list[Fault | None] = []
        for edit in edits:
            if self.breaks_after is not None and len(answers) >= self.breaks_after:
                self.breaks_after = None
                raise Unreachable("HAProxy closed the connection, as ordered")
            answers.append(self.refuse(edit) or self._carry_out(edit))
        return answers

    def _carry_out(self, edit: GatewayEdit) -> Fault | None:
        servers = self.backends.get(edit.backend)
        if servers is None:
            raise Misconfigured(f"haproxy.backend {edit.backend}: HAProxy has no such backend")
        server = servers.get(edit.name)
        if isinstance(edit, AddServer):
            return self._add(edit, server)
        if server is None:
            if isinstance(edit, RemoveServer | CutSessions):
                return None
            return _fault(FaultKind.MISSING, edit, "No such server.")
        if isinstance(edit, RemoveServer):
            return self._remove(edit, server)
        self._set(edit, server)
        return None

    def _set(self, edit: GatewayEdit, server: MemoryServer) -> None:
        match edit:
            case SetState(state=state):
                server.put(state, self._world.clock.now())
            case SetWeight(weight=weight):
                server.weight = weight
            case SetMaxconn(maxconn=maxconn):
                server.maxconn = maxconn
            case EnableHealth():
                server.checked = True
            case CutSessions():
                server.sessions = 0

    def _add(self, edit: AddServer, server: MemoryServer | None) -> Fault | None:
        address = f"{edit.address}:{edit.port}"
        if server is None:
            self.backends[edit.backend][edit.name] = MemoryServer(
                edit.name,
                address,
                weight=edit.weight,
                maxconn=edit.maxconn,
                backup=edit.backup,
                admin=AdminState.DRAIN,
                turning_since=self._world.clock.now(),
            )
        elif server.address != address:
            return _fault(FaultKind.REJECTED, edit, "Already exists a server with the same name in backend.")
        elif server.admin is AdminState.MAINT:
            server.put(AdminState.DRAIN, self._world.clock.now())
            server.checked = True
        return None

    def _remove(self, edit: RemoveServer, server: MemoryServer) -> Fault | None:
        if server.admin is not AdminState.MAINT or server.maint_at is None:
            return _fault(FaultKind.REJECTED, edit, "Only servers in maintenance mode can be deleted.")
        if server.sessions or server.queued:
            return _fault(FaultKind.THROTTLED, edit, "Server still has connections attached to it, cannot remove it.")
        if self._world.clock.now() < server.maint_at + self._grace:
            self.crashes += 1
            self.reload()
            raise Unreachable("HAProxy closed the connection")
        del self.backends[edit.backend][edit.name]
        return None

    def _reach(self) -> None:
        """Be there or not, and let the health checks see what has changed."""
        if self.failure is not None:
            raise self.failure
        now = self._world.clock.now()
        for each in [server for servers in self.backends.values() for server in servers.values()]:
            good = each.healthy if each.static else self._world.serves(each.address.rpartition(":")[0])
            if not each.checked or each.admin is AdminState.MAINT or each.passing is good:
                each.turning_since = None
            elif each.turning_since is None:
                each.turning_since = now
            elif now >= each.turning_since + self._check_seconds:
                each.passing, each.turning_since = good, None


def _row(server: MemoryServer) -> ServerRow:
    return ServerRow(
        name=server.name,
        address=server.address,
        status=server.status,
        passing=server.passing is True,
        weight=server.weight,
        backup=server.backup,
        sessions=server.sessions,
        queued=server.queued,
        requests=server.requests,
        maxconn=server.maxconn,
        errors=server.errors,
        refusals=server.refusals,
        throttle=server.throttle,
    )


def _fault(kind: FaultKind, edit: GatewayEdit, answer: str) -> Fault:
    return Fault("haproxy", kind, f"{edit.name}: {answer}")
