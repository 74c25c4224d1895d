from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from burstd.adapters.haproxy import HAProxyGateway
from burstd.adapters.memory import MemoryGateway, MemoryWorld
from burstd.errors import Bug, Retry
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import (
    AddServer,
    AdminState,
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
from burstd.ports import Gateway
from tests.haproxy_process import BACKEND, HAProxy, haproxy, is_ours
from tests.haproxy_versions import per_version
from tests.waiting import wait_until
from tests.web import WebServer, web

OURS = "burst-1"
OTHER = "burst-2"


class Stage(ABC):
    """An implementation over a backend with two core servers, and machines to add.

    Attributes:
        cores: the core servers' names.
    """

    gateway: Gateway
    cores: tuple[str, ...]

    @abstractmethod
    def machine(self) -> tuple[str, int]:
        """Address and port of a new machine that serves."""

    @abstractmethod
    def kill(self, machine: tuple[str, int]) -> None:
        """The machine serves no more."""

    @abstractmethod
    def reload(self) -> None:
        """As `systemctl reload haproxy` does."""

    @abstractmethod
    def let(self, seconds: float) -> None:
        """Let so much time pass."""

    @abstractmethod
    def until(self, condition: Callable[[], object], what: str) -> None:
        """Let time pass until the condition is true."""

    def edit(self, *edits: GatewayEdit) -> Sequence[Fault | None]:
        """Apply on the process that runs now."""
        view = self.gateway.read()
        return self.gateway.apply(edits, (view.pid, view.started))

    def row(self, name: str = OURS) -> ServerRow | None:
        """The server's line."""
        return self.gateway.read().backends[0].server(name)

    def added(self, name: str = OURS) -> tuple[str, int]:
        """A machine, added under that name."""
        address, port = self.machine()
        assert self.edit(AddServer(BACKEND, name, address, port, 10)) == [None]
        return address, port

    def joined(self, name: str = OURS) -> tuple[str, int]:
        """A machine, added and in rotation."""
        machine = self.added(name)
        self.until(lambda: (row := self.row(name)) is not None and row.passing, "its check passes")
        assert self.edit(SetState(BACKEND, name, AdminState.READY)) == [None]
        self.until(lambda: self.status(name) is ServerStatus.UP, "it is up")
        return machine

    def status(self, name: str = OURS) -> ServerStatus | None:
        """The server's status."""
        row = self.row(name)
        return None if row is None else row.status


class MemoryStage(Stage):
    def __init__(self) -> None:
        self._world = MemoryWorld()
        self.cores = ("core-1", "core-2")
        self._memory = MemoryGateway(self._world, self.cores, is_ours=is_ours)
        self.gateway = self._memory

    def machine(self) -> tuple[str, int]:
        return self._world.make("memory", "machine", {}).address, 80

    def kill(self, machine: tuple[str, int]) -> None:
        for each in self._world.machines:
            each.healthy = each.healthy and each.address != machine[0]

    def reload(self) -> None:
        self.let(1)
        self._memory.reload()

    def let(self, seconds: float) -> None:
        self._world.clock.advance(seconds)

    def until(self, condition: Callable[[], object], what: str) -> None:
        for _ in range(100):
            if condition():
                return
            self.let(0.5)
        raise AssertionError(f"not within 50 s of the world's time: {what}")


class HAProxyStage(Stage):
    def __init__(self, held: ExitStack, binary: str) -> None:
        self._held = held
        self._machines: dict[tuple[str, int], WebServer] = {}
        cores = [held.enter_context(web()) for _ in range(2)]
        self.cores = tuple(core.name for core in cores)
        self._haproxy: HAProxy = held.enter_context(haproxy(cores, binary=binary))
        # No retries: the grace before a removal follows from them, and is the same rule when it is short.
        self.gateway = HAProxyGateway(self._haproxy.socket, BACKEND, is_ours=is_ours, deadline=5.0, retries=0, check_interval=0.2)

    def machine(self) -> tuple[str, int]:
        server = self._held.enter_context(web())
        self._machines[server.host, server.port] = server
        return server.host, server.port

    def kill(self, machine: tuple[str, int]) -> None:
        self._machines[machine].stop()

    def reload(self) -> None:
        self._haproxy.reload()

    def let(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end, f"{seconds:g} s are over")

    def until(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, what, every=0.05)


@pytest.fixture(params=["memory", *per_version()])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Every implementation, the real one on every version of HAProxy that is found."""
    with ExitStack() as held:
        yield MemoryStage() if request.param == "memory" else HAProxyStage(held, request.param)


def process(view: GatewayView) -> tuple[int, float]:
    return view.pid, view.started


def test_a_reading_shows_the_core_servers_and_names_its_process(stage: Stage) -> None:
    view = stage.gateway.read()
    assert [row.name for row in view.backends[0].servers] == list(stage.cores)
    assert [(row.weight, row.backup, row.sessions) for row in view.backends[0].servers] == [(100, False, 0)] * 2
    assert view.backends[0].balance == "roundrobin"
    assert view.version >= (2, 6, 0)
    assert process(stage.gateway.read()) == process(view)
    stage.until(lambda: all(row.status is ServerStatus.UP for row in stage.gateway.read().backends[0].servers), "the cores are up")


def test_an_added_server_is_there_as_ordered_and_takes_no_traffic(stage: Stage) -> None:
    address, port = stage.machine()
    assert stage.edit(
        AddServer(BACKEND, OURS, address, port, 25, maxconn=7), AddServer(BACKEND, OTHER, address, port, 256, backup=True)
    ) == [None, None]
    row, other = stage.row(OURS), stage.row(OTHER)
    assert row is not None
    assert other is not None
    assert (row.address, row.status, row.weight, row.maxconn, row.backup) == (f"{address}:{port}", ServerStatus.DRAIN, 25, 7, False)
    assert (other.weight, other.maxconn, other.backup) == (256, None, True)


def test_a_server_joins_through_its_check_and_then_takes_traffic(stage: Stage) -> None:
    stage.added()
    stage.until(lambda: (row := stage.row()) is not None and row.passing, "its check passes")
    assert stage.status() is ServerStatus.DRAIN
    assert stage.edit(SetState(BACKEND, OURS, AdminState.READY)) == [None]
    assert stage.status() is ServerStatus.UP


def test_a_server_whose_machine_does_not_serve_never_passes(stage: Stage) -> None:
    machine = stage.machine()
    stage.kill(machine)
    stage.edit(AddServer(BACKEND, OURS, *machine, 10))
    stage.until(lambda: stage.status() is ServerStatus.DOWN, "HAProxy calls it down")
    row = stage.row()
    assert row is not None
    assert not row.passing


def test_a_server_whose_machine_dies_is_down(stage: Stage) -> None:
    machine = stage.joined()
    stage.kill(machine)
    stage.until(lambda: stage.status() is ServerStatus.DOWN, "HAProxy calls it down")


def test_adding_what_is_there_with_that_address_is_done(stage: Stage) -> None:
    address, port = stage.joined()
    assert stage.edit(AddServer(BACKEND, OURS, address, port, 10)) == [None]
    assert stage.status() is ServerStatus.UP
    assert len(stage.gateway.read().backends[0].servers) == 3


def test_adding_what_is_there_in_maintenance_begins_its_join_again(stage: Stage) -> None:
    address, port = stage.joined()
    stage.edit(SetState(BACKEND, OURS, AdminState.MAINT))
    assert stage.edit(AddServer(BACKEND, OURS, address, port, 10)) == [None]
    stage.until(lambda: (row := stage.row()) is not None and row.passing, "its check passes")
    assert stage.status() is ServerStatus.DRAIN


def test_adding_another_address_under_a_name_that_is_taken_is_refused(stage: Stage) -> None:
    address, port = stage.added()
    [fault] = stage.edit(AddServer(BACKEND, OURS, *stage.machine(), 10))
    assert fault is not None
    assert fault.kind is FaultKind.REJECTED
    row = stage.row()
    assert row is not None
    assert row.address == f"{address}:{port}"


def test_a_weight_is_set_absolutely(stage: Stage) -> None:
    stage.joined()
    for weight in (200, 1, 0):
        assert stage.edit(SetWeight(BACKEND, OURS, weight)) == [None]
        row = stage.row()
        assert row is not None
        assert (row.weight, row.status) == (weight, ServerStatus.UP)  # a weight of 0 is no drain


def test_a_limit_of_connections_is_set_and_lifted(stage: Stage) -> None:
    stage.joined()
    for limit in (7, None):
        assert stage.edit(SetMaxconn(BACKEND, OURS, limit)) == [None]
        row = stage.row()
        assert row is not None
        assert row.maxconn == limit
    [fault] = stage.edit(SetMaxconn(BACKEND, OTHER, 7))
    assert fault is not None
    assert fault.kind is FaultKind.MISSING


def test_a_server_is_drained_and_returns(stage: Stage) -> None:
    stage.joined()
    assert stage.edit(SetState(BACKEND, OURS, AdminState.DRAIN)) == [None]
    assert stage.status() is ServerStatus.DRAIN
    assert stage.edit(SetState(BACKEND, OURS, AdminState.READY)) == [None]
    assert stage.status() is ServerStatus.UP


def test_a_server_leaves_through_maintenance_and_its_grace(stage: Stage) -> None:
    stage.joined()
    assert stage.edit(SetState(BACKEND, OURS, AdminState.DRAIN), SetState(BACKEND, OURS, AdminState.MAINT)) == [None, None]
    assert stage.status() is ServerStatus.MAINT
    stage.let(stage.gateway.read().removal_grace)
    assert stage.edit(RemoveServer(BACKEND, OURS)) == [None]
    assert stage.row() is None


def test_a_server_that_is_not_in_maintenance_is_not_removed(stage: Stage) -> None:
    stage.joined()
    [fault] = stage.edit(RemoveServer(BACKEND, OURS))
    assert fault is not None
    assert fault.kind is FaultKind.REJECTED
    assert stage.status() is ServerStatus.UP


def test_what_is_done_already_counts_as_done(stage: Stage) -> None:
    assert stage.edit(RemoveServer(BACKEND, OURS), CutSessions(BACKEND, OURS)) == [None, None]
    stage.joined()
    assert stage.edit(CutSessions(BACKEND, OURS), EnableHealth(BACKEND, OURS), SetState(BACKEND, OURS, AdminState.READY)) == [
        None,
        None,
        None,
    ]
    assert stage.status() is ServerStatus.UP


def test_an_edit_that_fails_does_not_stop_the_others(stage: Stage) -> None:
    stage.joined()
    faults = stage.edit(
        SetWeight(BACKEND, OURS, 5),
        SetWeight(BACKEND, OTHER, 5),
        SetState(BACKEND, OTHER, AdminState.READY),
        EnableHealth(BACKEND, OTHER),
        SetWeight(BACKEND, OURS, 6),
    )
    assert [None if fault is None else fault.kind for fault in faults] == [None, *[FaultKind.MISSING] * 3, None]
    row = stage.row()
    assert row is not None
    assert row.weight == 6


def test_no_edits_are_no_answers(stage: Stage) -> None:
    assert list(stage.edit()) == []


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_server_that_is_not_ours_is_never_edited(stage: Stage, ours_first: bool) -> None:  # noqa: FBT001 - a parameter of the test
    stage.joined()
    core = stage.cores[0]
    edits = [SetWeight(BACKEND, OURS, 77), SetState(BACKEND, core, AdminState.MAINT)]
    with pytest.raises(Bug, match=core):
        stage.edit(*(edits if ours_first else reversed(edits)))
    assert stage.status(core) is not ServerStatus.MAINT
    row = stage.row()
    assert row is not None
    assert row.weight == 10


def test_a_reload_is_another_process_that_has_lost_what_was_added(stage: Stage) -> None:
    stage.joined()
    before = stage.gateway.read()
    stage.reload()
    after = stage.gateway.read()
    assert process(after) != process(before)
    assert [row.name for row in after.backends[0].servers] == list(stage.cores)


def test_edits_for_another_process_are_not_carried_out(stage: Stage) -> None:
    before = process(stage.gateway.read())
    stage.reload()
    with pytest.raises(Retry):
        stage.gateway.apply([AddServer(BACKEND, OURS, *stage.machine(), 10)], before)
    assert stage.row() is None
