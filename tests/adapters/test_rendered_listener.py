"""The rendered listener of the database, on every HAProxy found, in front of two servers that say who they are."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from burstd.adapters.haproxy.answers import parse_stat
from burstd.render.haproxy import BackendConfig, CoreLine, DatabaseListener, HAProxyConfig, render
from tests.haproxy_process import BACKEND, HAProxy, free_port, haproxy
from tests.haproxy_versions import per_version
from tests.mariadb_process import replica_address
from tests.waiting import wait_until
from tests.web import CHECK_PATH, own_address, web

LISTENER = "mysql"


@contextmanager
def server(name: str, host: str, port: int) -> Iterator[None]:
    """Says its name to everyone who connects."""

    class Greeting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(name.encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: a health check hangs up before it is greeted."""

    with Server((host, port), Greeting) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield
        running.shutdown()


@dataclass(frozen=True)
class Site:
    """Attributes: `primary` closes to end that server; `port` is the listener's."""

    gateway: HAProxy
    port: int
    primary: ExitStack

    def ask(self) -> str:
        """Who answers a client; empty where nobody does."""
        with socket.create_connection((self.gateway.host, self.port), timeout=15) as connection:
            try:
                return connection.recv(100).decode()
            except ConnectionResetError:
                return ""

    def set(self, name: str, state: str) -> None:
        assert self.gateway.command(f"set server {LISTENER}/{name} state {state}").strip() == ""

    def status(self, name: str) -> str:
        view = parse_stat(self.gateway.command(f"show stat {LISTENER} 6 -1"), LISTENER)
        row = view and view.server(name)
        assert row
        return row.status


@pytest.fixture(params=per_version())
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        core = stack.enter_context(web())
        port = free_port(own_address())
        primary = stack.enter_context(ExitStack())
        primary.enter_context(server("primary", own_address(), port))
        stack.enter_context(server("replica", replica_address(), port))
        gateway = stack.enter_context(haproxy([core], binary=request.param))
        listen = free_port(gateway.host)
        config = HAProxyConfig(
            bind=f"{gateway.host}:{gateway.port}",
            socket=str(gateway.socket),
            backends=(BackendConfig(BACKEND, (CoreLine(core.name, core.host, core.port),)),),
            check_path=CHECK_PATH,
            check_interval=0.1,
            database=DatabaseListener(LISTENER, f"{gateway.host}:{listen}", own_address(), replica_address(), port),
        )
        gateway.config.write_text(render(config))
        gateway.reload()
        yield Site(gateway, listen, primary)


def test_the_primary_alone_takes_connections(site: Site) -> None:
    assert {site.ask() for _ in range(10)} == {"primary"}


def test_where_the_primary_is_dead_nobody_does(site: Site) -> None:
    site.primary.close()
    wait_until(lambda: site.status("primary").startswith("DOWN"), "HAProxy has seen it")
    assert {site.ask() for _ in range(10)} == {""}


def test_once_the_primary_is_out_and_the_replica_let_in_the_replica_does(site: Site) -> None:
    site.set("primary", "maint")
    assert site.ask() == ""
    site.set("replica", "ready")
    wait_until(lambda: site.status("replica").startswith("UP"), "HAProxy has seen it")
    assert {site.ask() for _ in range(10)} == {"replica"}


def test_never_do_both_even_where_somebody_lets_both_in(site: Site) -> None:
    site.set("replica", "ready")
    wait_until(lambda: site.status("replica").startswith("UP"), "HAProxy has seen it")
    assert {site.ask() for _ in range(10)} == {"primary"}
