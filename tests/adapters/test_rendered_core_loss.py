"""Core servers that die, on every HAProxy found and before any check has failed: the standby has the very first request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import pytest

from burstd.render.haproxy import BackendConfig, CoreLine, HAProxyConfig, render
from tests.canned_peer import canned_peer, http
from tests.haproxy_process import BACKEND, Core, HAProxy, haproxy
from tests.haproxy_versions import per_version
from tests.web import CHECK_PATH, web

NEVER = 600.0
"""Seconds between two checks: longer than a test, so that nothing but the requests themselves can show a death."""


def dies(request: str, connection: socket.socket, over: threading.Event) -> None:
    """HAProxy's check is answered, and in the middle of any other request the process is gone: the system closes its connections."""
    if request.startswith(f"GET {CHECK_PATH} "):
        http("200 OK")(request, connection, over)


@contextmanager
def gateway(cores: Sequence[Core], binary: str) -> Iterator[HAProxy]:
    """HAProxy with the rendered file, and these core servers in it."""
    with haproxy([], binary=binary) as proxy:
        config = HAProxyConfig(
            bind=f"{proxy.host}:{proxy.port}",
            socket=str(proxy.socket),
            backends=(BackendConfig(BACKEND, tuple(CoreLine(core.name, core.host, core.port) for core in cores)),),
            check_path=CHECK_PATH,
            check_interval=NEVER,
        )
        proxy.config.write_text(render(config))
        proxy.stop()
        proxy.start()
        yield proxy


def ask(proxy: HAProxy, method: str) -> tuple[int, str]:
    """The status, and who served it."""
    connection = HTTPConnection(proxy.host, proxy.port, timeout=30)
    try:
        connection.request(method, "/")
        answer = connection.getresponse()
        return answer.status, answer.getheader("X-Served-By", "")
    finally:
        connection.close()


@pytest.mark.parametrize("binary", per_version())
@pytest.mark.parametrize("number", [1, 2, 3])
def test_core_servers_that_all_refuse_at_once_lose_no_request(number: int, binary: str) -> None:
    with ExitStack() as stack:
        cores = [stack.enter_context(web(f"core-{each}")) for each in range(number)]
        standby = stack.enter_context(web("standby"))
        proxy = stack.enter_context(gateway(cores, binary))
        proxy.command(f"add server {BACKEND}/standby {standby.host}:{standby.port} backup")
        proxy.command(f"set server {BACKEND}/standby state ready")
        assert {ask(proxy, "GET")[0] for _ in cores} == {200}
        for core in cores:
            core.stop()
        assert [ask(proxy, method) for method in ("GET", "POST", "GET")] == [(200, "standby")] * 3


@pytest.mark.parametrize("binary", per_version())
def test_only_what_reads_is_asked_again_where_a_server_dies_before_its_answer(binary: str) -> None:
    with canned_peer(dies) as dying, web("alive") as alive, gateway([dying, alive], binary) as proxy:
        assert {ask(proxy, "POST")[0] for _ in range(2)} == {200, 502}
        assert [ask(proxy, "GET") for _ in range(4)] == [(200, "alive")] * 4
