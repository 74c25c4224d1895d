"""The gateway against a real HAProxy: joining, leaving, repairing, and what it refuses to touch."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from burstd.adapters.haproxy import HAProxyGateway
from burstd.errors import Bug, Misconfigured, Unreachable
from burstd.model.faults import FaultKind
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
    SetState,
    SetWeight,
)
from tests.haproxy_process import BACKEND, HAProxy, haproxy, is_ours
from tests.haproxy_versions import per_version
from tests.traffic import traffic
from tests.waiting import wait_until
from tests.web import WebServer, web


@pytest.fixture
def core() -> Iterator[WebServer]:
    with web("core-1") as server:
        yield server


@pytest.fixture
def burst() -> Iterator[WebServer]:
    with web("burst-1") as server:
        yield server


@pytest.fixture(params=per_version(others_are_slow=True))
def proxy(core: WebServer, request: pytest.FixtureRequest) -> Iterator[HAProxy]:
    with haproxy([core], binary=request.param) as running:
        yield running


@pytest.fixture
def gateway(proxy: HAProxy) -> HAProxyGateway:
    return proxy.gateway()


def adding(server: WebServer, *, weight: int = 100, maxconn: int | None = None, backup: bool = False) -> AddServer:
    return AddServer(BACKEND, server.name, server.host, server.port, weight, maxconn, backup)


def process(view: GatewayView) -> tuple[int, float]:
    return view.pid, view.started


def apply(gateway: HAProxyGateway, *edits: GatewayEdit) -> None:
    """Apply edits all of which must succeed."""
    assert list(gateway.apply(edits, process(gateway.read()))) == [None] * len(edits)


def row(gateway: HAProxyGateway, name: str) -> ServerRow:
    found = gateway.read().backends[0].server(name)
    assert found is not None
    return found


def takes_traffic(server: WebServer) -> None:
    served = server.served
    wait_until(lambda: server.served > served, f"{server.name} takes traffic")


def join(gateway: HAProxyGateway, server: WebServer, *, weight: int = 100, maxconn: int | None = None, backup: bool = False) -> None:
    """The whole joining sequence."""
    apply(gateway, adding(server, weight=weight, maxconn=maxconn, backup=backup))
    wait_until(lambda: row(gateway, server.name).passing, f"{server.name} passes its check")
    apply(gateway, SetState(BACKEND, server.name, AdminState.READY))


def test_a_reading_tells_what_haproxy_has(gateway: HAProxyGateway, core: WebServer) -> None:
    wait_until(lambda: row(gateway, "core-1").passing, "the core passes its check")
    view = gateway.read()
    assert view.version >= (2, 6, 0)
    assert view.backends[0].balance == "roundrobin"
    assert view.backends[0].requests == 0
    assert view.backends[0].queued == 0
    assert view.removal_grace == (5.0 if view.version < (3, 0, 0) else 0.0)
    assert view.backends[0].servers == (
        ServerRow(
            name="core-1",
            address=f"{core.host}:{core.port}",
            status=ServerStatus.UP,
            passing=True,
            weight=100,
            backup=False,
            sessions=0,
            queued=0,
            requests=0,
            maxconn=None,
            errors=0,
        ),
    )


def test_requests_are_counted_by_server_and_for_the_backend(proxy: HAProxy, gateway: HAProxyGateway) -> None:
    with traffic(proxy.host, proxy.port) as flow:
        flow.more(20)
    view = gateway.read()
    assert view.backends[0].requests == row(gateway, "core-1").requests >= 20


def test_a_joining_server_takes_no_request_before_it_is_made_ready(proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer) -> None:
    with traffic(proxy.host, proxy.port) as flow:
        apply(gateway, adding(burst))
        wait_until(lambda: row(gateway, burst.name).passing, "its check passes")
        flow.more(30)
        assert row(gateway, burst.name).status is ServerStatus.DRAIN
        assert burst.served == 0
        apply(gateway, SetState(BACKEND, burst.name, AdminState.READY))
        wait_until(lambda: burst.served, "it takes traffic")
    assert flow.errors == []
    assert row(gateway, burst.name).status is ServerStatus.UP


def test_a_joining_server_that_never_listens_never_passes(gateway: HAProxyGateway, burst: WebServer) -> None:
    burst.stop()
    apply(gateway, adding(burst))
    wait_until(lambda: row(gateway, burst.name).status is ServerStatus.DOWN, "its check has failed")
    assert not row(gateway, burst.name).passing


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "close"])
def test_a_server_joins_and_leaves_under_load_without_one_lost_request(
    proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer, *, keep_alive: bool
) -> None:
    burst.delay = 0.02
    before = process(gateway.read())
    with traffic(proxy.host, proxy.port, keep_alive=keep_alive) as flow:
        join(gateway, burst)
        wait_until(lambda: burst.served > 10, "it takes traffic")
        apply(gateway, SetState(BACKEND, burst.name, AdminState.DRAIN))
        wait_until(lambda: row(gateway, burst.name).sessions == 0, "its requests in flight have finished")
        served = burst.served
        flow.more(30)
        assert burst.served == served
        apply(gateway, SetState(BACKEND, burst.name, AdminState.MAINT))
        remove = RemoveServer(BACKEND, burst.name)
        wait_until(lambda: list(gateway.apply([remove], process(gateway.read()))) == [None], "HAProxy lets go of it")
        burst.stop()
        flow.more(30)
    assert flow.errors == []
    assert gateway.read().backends[0].server(burst.name) is None
    assert process(gateway.read()) == before  # no reload, neither out nor in


def test_traffic_follows_the_weights(proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer) -> None:
    join(gateway, burst, weight=1)
    apply(gateway, SetWeight(BACKEND, burst.name, 50))
    assert row(gateway, burst.name).weight == 50
    with traffic(proxy.host, proxy.port) as flow:
        flow.more(300)
    assert 0.25 < flow.served_by[burst.name] / flow.requests < 0.42  # 50 of 150
    assert flow.errors == []


def test_the_weight_of_a_server_in_maintenance_is_the_one_that_was_set(gateway: HAProxyGateway, burst: WebServer) -> None:
    apply(gateway, adding(burst, weight=70), SetState(BACKEND, burst.name, AdminState.MAINT))
    assert row(gateway, burst.name).weight == 70
    assert row(gateway, burst.name).status is ServerStatus.MAINT


def test_a_connection_limit_reaches_haproxy(gateway: HAProxyGateway, burst: WebServer) -> None:
    apply(gateway, adding(burst, maxconn=7))
    assert row(gateway, burst.name).maxconn == 7


def test_a_backup_serves_when_the_core_is_dead_and_not_before(
    proxy: HAProxy, gateway: HAProxyGateway, core: WebServer, burst: WebServer
) -> None:
    join(gateway, burst, backup=True)
    assert row(gateway, burst.name).backup
    with traffic(proxy.host, proxy.port) as flow:
        flow.more(30)
        assert burst.served == 0
        core.stop()
        wait_until(lambda: burst.served > 5, "the backup serves")


def test_a_server_that_dies_undrained_is_marked_down(proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer) -> None:
    join(gateway, burst)
    burst.stop()
    wait_until(lambda: row(gateway, burst.name).status is ServerStatus.DOWN, "HAProxy has noticed")
    assert not row(gateway, burst.name).passing


def test_added_servers_are_gone_after_a_reload_and_the_reading_names_another_process(
    proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer
) -> None:
    join(gateway, burst)
    before = gateway.read()
    proxy.reload()
    after = gateway.read()
    assert process(after) != process(before)
    assert after.backends[0].server(burst.name) is None


def test_edits_meant_for_a_replaced_process_are_not_made(proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer) -> None:
    before = gateway.read()
    proxy.reload()
    with pytest.raises(Unreachable, match="reloaded or restarted"):
        gateway.apply([adding(burst)], process(before))
    assert gateway.read().backends[0].server(burst.name) is None


def test_the_pid_alone_does_not_make_it_the_same_process(gateway: HAProxyGateway, burst: WebServer) -> None:
    view = gateway.read()
    with pytest.raises(Unreachable, match="reloaded or restarted"):
        gateway.apply([adding(burst)], (view.pid, view.started - 1))


def test_three_reloads_under_load_lose_no_request_and_the_server_comes_back_each_time(
    proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer
) -> None:
    with traffic(proxy.host, proxy.port) as flow:
        for _ in range(3):
            join(gateway, burst)
            takes_traffic(burst)
            proxy.reload()
        flow.more(20)
    assert flow.errors == []


def test_a_restarted_haproxy_is_read_again(proxy: HAProxy, gateway: HAProxyGateway) -> None:
    before = gateway.read()
    proxy.stop()
    with pytest.raises(Unreachable):
        gateway.read()
    proxy.start()
    assert process(gateway.read()) != process(before)


def test_adding_what_is_there_is_done_and_leaves_it_as_it_is(gateway: HAProxyGateway, burst: WebServer) -> None:
    join(gateway, burst)
    apply(gateway, adding(burst))
    assert row(gateway, burst.name).status is ServerStatus.UP


def test_an_add_that_broke_off_half_way_is_completed(proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer) -> None:
    proxy.command(f"add server {BACKEND}/{burst.name} {burst.host}:{burst.port} check inter 200ms")
    assert row(gateway, burst.name).status is ServerStatus.MAINT
    apply(gateway, adding(burst))
    wait_until(lambda: row(gateway, burst.name).passing, "its checks run")
    assert row(gateway, burst.name).status is ServerStatus.DRAIN


def test_a_name_that_is_taken_by_another_address_is_a_fault_and_that_server_stays_as_it_is(
    gateway: HAProxyGateway, burst: WebServer
) -> None:
    join(gateway, burst)
    other = AddServer(BACKEND, burst.name, "127.0.0.9", burst.port, 100)
    fault = gateway.apply([other], process(gateway.read()))[0]
    assert fault is not None
    assert fault.kind is FaultKind.REJECTED
    assert fault.peer == "haproxy"
    assert row(gateway, burst.name).status is ServerStatus.UP
    assert row(gateway, burst.name).address == f"{burst.host}:{burst.port}"


def test_edits_are_made_in_their_order(gateway: HAProxyGateway, burst: WebServer) -> None:
    apply(gateway, adding(burst))
    moved = AddServer(BACKEND, burst.name, "127.0.0.9", 81, 30)
    apply(
        gateway,
        SetState(BACKEND, burst.name, AdminState.MAINT),
        RemoveServer(BACKEND, burst.name),
        moved,
        SetWeight(BACKEND, burst.name, 31),
    )
    assert row(gateway, burst.name).address == "127.0.0.9:81"
    assert row(gateway, burst.name).weight == 31


def test_removing_what_is_not_there_is_done(gateway: HAProxyGateway) -> None:
    apply(gateway, RemoveServer(BACKEND, "burst-9"), CutSessions(BACKEND, "burst-9"))


def test_changing_what_is_not_there_is_a_fault_and_does_not_stop_the_rest(gateway: HAProxyGateway, burst: WebServer) -> None:
    edits: list[GatewayEdit] = [
        SetWeight(BACKEND, "burst-9", 5),
        EnableHealth(BACKEND, "burst-9"),
        SetState(BACKEND, "burst-9", AdminState.READY),
        adding(burst),
    ]
    faults = gateway.apply(edits, process(gateway.read()))
    assert [fault and fault.kind for fault in faults] == [FaultKind.MISSING] * 3 + [None]
    assert gateway.read().backends[0].server(burst.name) is not None


def test_a_server_outside_maintenance_is_not_removed(gateway: HAProxyGateway, burst: WebServer) -> None:
    join(gateway, burst)
    fault = gateway.apply([RemoveServer(BACKEND, burst.name)], process(gateway.read()))[0]
    assert fault is not None
    assert fault.kind is FaultKind.REJECTED
    assert row(gateway, burst.name).status is ServerStatus.UP


def test_a_server_with_a_request_in_flight_is_removed_only_after_its_sessions_are_cut(
    proxy: HAProxy, gateway: HAProxyGateway, core: WebServer, burst: WebServer
) -> None:
    join(gateway, burst)
    with traffic(proxy.host, proxy.port, threads=1) as flow:
        burst.delay = 60.0
        wait_until(lambda: row(gateway, burst.name).sessions == 1, "a request is in flight")
        apply(gateway, SetState(BACKEND, burst.name, AdminState.MAINT))
        fault = gateway.apply([RemoveServer(BACKEND, burst.name)], process(gateway.read()))[0]
        assert fault is not None
        assert fault.kind is FaultKind.THROTTLED
        assert "still has connections" in fault.text
        apply(gateway, CutSessions(BACKEND, burst.name))
        wait_until(lambda: row(gateway, burst.name).sessions == 0, "its session is cut")
        wait_until(lambda: list(gateway.apply([RemoveServer(BACKEND, burst.name)], process(gateway.read()))) == [None], "it can be removed")
        flow.more(10)


def test_a_server_without_checks_is_seen_and_mended(proxy: HAProxy, gateway: HAProxyGateway, burst: WebServer) -> None:
    proxy.command(f"add server {BACKEND}/{burst.name} {burst.host}:{burst.port} check inter 200ms")
    proxy.command(f"set server {BACKEND}/{burst.name} state ready")
    assert row(gateway, burst.name).status is ServerStatus.NO_CHECK
    apply(gateway, EnableHealth(BACKEND, burst.name))
    wait_until(lambda: row(gateway, burst.name).passing, "its checks run")
    assert row(gateway, burst.name).status is ServerStatus.UP


@pytest.mark.parametrize(
    "edit",
    [
        AddServer(BACKEND, "core-1", "127.0.0.9", 80, 100),
        SetState(BACKEND, "core-1", AdminState.MAINT),
        SetWeight(BACKEND, "core-1", 0),
        EnableHealth(BACKEND, "core-1"),
        CutSessions(BACKEND, "core-1"),
        RemoveServer(BACKEND, "core-1"),
    ],
    ids=lambda edit: type(edit).__name__,
)
def test_a_server_that_is_not_ours_is_never_edited_nor_anything_sent_with_it(
    gateway: HAProxyGateway, burst: WebServer, edit: GatewayEdit
) -> None:
    wait_until(lambda: row(gateway, "core-1").passing, "the core passes its check")
    before = gateway.read()
    with pytest.raises(Bug, match="core-1"):
        gateway.apply([adding(burst), edit], process(before))
    assert gateway.read().backends[0].servers == before.backends[0].servers


def test_an_edit_that_could_say_something_else_is_refused_and_the_rest_is_made(gateway: HAProxyGateway, burst: WebServer) -> None:
    bad = AddServer(BACKEND, "burst-2;del server app_cluster/core-1", burst.host, burst.port, 1)
    faults = gateway.apply([bad, adding(burst)], process(gateway.read()))
    assert [fault and fault.kind for fault in faults] == [FaultKind.REJECTED, None]
    assert [server.name for server in gateway.read().backends[0].servers] == ["core-1", "burst-1"]


def test_many_servers_are_added_in_one_exchange(gateway: HAProxyGateway) -> None:
    edits = [AddServer(BACKEND, f"burst-{number}", f"127.1.0.{number}", 9, 10) for number in range(1, 121)]
    apply(gateway, *edits)
    added = [server for server in gateway.read().backends[0].servers if is_ours(server.name)]
    assert [server.name for server in added] == [edit.name for edit in edits]
    assert {server.status for server in added} <= {ServerStatus.DRAIN, ServerStatus.DOWN}
    for state in (AdminState.MAINT, None):
        apply(gateway, *(SetState(BACKEND, edit.name, state) if state else RemoveServer(BACKEND, edit.name) for edit in edits))
    assert len(gateway.read().backends[0].servers) == 1


def test_an_ipv6_server_is_added_and_found_again(gateway: HAProxyGateway) -> None:
    edit = AddServer(BACKEND, "burst-6", "2001:db8:0::6", 80, 10)
    apply(gateway, edit)
    apply(gateway, edit)
    assert row(gateway, "burst-6").address == "[2001:db8::6]:80"


def test_a_socket_of_user_level_can_be_read_and_says_what_to_mend_when_it_comes_to_edits(proxy: HAProxy, burst: WebServer) -> None:
    gateway = HAProxyGateway(proxy.user_socket, BACKEND, is_ours=is_ours)
    view = gateway.read()
    assert view.backends[0].servers[0].address == ""
    assert view.backends[0].balance == ""
    with pytest.raises(Misconfigured, match="level admin"):
        gateway.apply([adding(burst)], process(view))


def test_a_backend_that_is_missing_is_named(proxy: HAProxy) -> None:
    gateway = HAProxyGateway(proxy.socket, "app_clutser", is_ours=is_ours)
    with pytest.raises(Misconfigured, match=r"haproxy\.backend app_clutser: HAProxy has no such backend"):
        gateway.read()


def test_a_frontend_of_the_same_name_is_named_as_what_hides_the_backend(proxy: HAProxy, gateway: HAProxyGateway) -> None:
    proxy.config.write_text(proxy.config.read_text().replace("frontend web", f"frontend {BACKEND}"))
    proxy.reload()
    with pytest.raises(Misconfigured, match="a frontend has the same name"):
        gateway.read()


def test_a_static_balance_is_named(core: WebServer, burst: WebServer) -> None:
    with haproxy([core], balance="static-rr") as proxy:
        gateway = proxy.gateway()
        with pytest.raises(Misconfigured, match="balance is static"):
            gateway.apply([adding(burst)], process(gateway.read()))


def test_a_name_that_no_backend_can_have_is_refused_at_once(proxy: HAProxy) -> None:
    with pytest.raises(Misconfigured, match=r"haproxy\.backend"):
        HAProxyGateway(proxy.socket, "app;show info", is_ours=is_ours)


def test_in_tcp_mode_sessions_are_what_is_counted(proxy: HAProxy, gateway: HAProxyGateway) -> None:
    proxy.config.write_text(proxy.config.read_text().replace("mode http", "mode tcp"))
    proxy.reload()
    with traffic(proxy.host, proxy.port, keep_alive=False) as flow:
        flow.more(10)
    assert gateway.read().backends[0].requests >= 10


def test_a_quiet_haproxy_takes_many_servers_without_a_pause(
    gateway: HAProxyGateway, burst: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    view = gateway.read()
    adds = [replace(adding(burst), name=f"{burst.name}{number}") for number in range(100)]
    assert list(gateway.apply(adds, process(view))) == [None] * 100
    assert pauses == [0.0] * 3  # before 25, 50, and the rest


def test_no_edit_needs_no_haproxy(gateway: HAProxyGateway, proxy: HAProxy) -> None:
    proxy.stop()
    assert list(gateway.apply([], (1, 1.0))) == []


def test_a_haproxy_whose_command_lines_are_all_taken_is_unreachable_for_now(proxy: HAProxy, gateway: HAProxyGateway) -> None:
    busy = proxy.gateway(deadline=0.3)
    with ExitStack() as held:
        for _ in range(12):
            connection = held.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(proxy.socket))
            connection.sendall(b"prompt\n")
        with pytest.raises(Unreachable):
            busy.read()
    wait_until(lambda: gateway.read().backends[0].servers, "it answers again")


def test_a_haproxy_that_hangs_does_not_hang_us(proxy: HAProxy, burst: WebServer) -> None:
    gateway = proxy.gateway(deadline=0.3)
    view = gateway.read()
    with proxy.suspended():
        with pytest.raises(Unreachable, match=r"within 0\.3 s"):
            gateway.read()
        with pytest.raises(Unreachable, match=r"within 0\.3 s"):
            gateway.apply([adding(burst)], process(view))
    assert process(gateway.read()) == process(view)
