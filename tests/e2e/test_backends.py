"""One fleet that serves two backends, app and static, with a port and a weight for each: the daemon, real HAProxy, the local cloud."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from burstd.adapters.haproxy import HAProxyGateway
from burstd.model.gateway import ServerRow, ServerStatus
from tests.site import Site, site
from tests.traffic import Traffic, traffic
from tests.waiting import wait_until
from tests.web import own_address

APP, STATIC = "app_cluster", "static_cluster"
WEIGHTS = {APP: 40, STATIC: 80}


@pytest.fixture(params=["weighted", pytest.param("spillover", marks=pytest.mark.slow)])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with socket.create_server((own_address(), 0)) as free:
        port = free.getsockname()[1]
    with site(tmp_path, further_ports=[port]) as running:
        running.settings["fleet"]["min"] = 1
        running.settings["haproxy"]["burst_weight"] = WEIGHTS[APP]
        running.settings["haproxy"]["further"] = [
            {"name": STATIC, "acl": "path_beg /static/", "port": port, "burst_weight": WEIGHTS[STATIC]},
        ]
        if request.param == "spillover":  # room for one request at each core server, so that something spills over
            running.settings["haproxy"]["maxconn"] = 8
            running.render_gateway(request.param, maxconn=1)
            for core in running.cores:
                core.delay = 0.02
        else:
            running.render_gateway(request.param)
        yield running


def weights(gateway: Site) -> dict[str, int]:
    """The weight wanted in each backend that the instance joins."""
    spills = gateway.settings["haproxy"]["mode"] == "spillover"
    return {f"{name}_cloud" if spills else name: weight for name, weight in WEIGHTS.items()}


def lines(gateway: Site) -> dict[str, ServerRow]:
    """The instances' lines, by backend."""
    view = HAProxyGateway(gateway.haproxy.socket, *weights(gateway), is_ours=lambda _: False).read()
    return {place: row for place, row in view.lines if row.name.startswith("burst-")}


@contextmanager
def both(gateway: Site) -> Iterator[tuple[Traffic, Traffic]]:
    """Requests for the application and for static files, all of which must be answered well."""
    host, port = gateway.haproxy.host, gateway.haproxy.port
    with traffic(host, port, threads=5) as app, traffic(host, port, "/static/style.css", threads=5) as static:
        yield app, static
    assert (app.errors, static.errors) == ([], [])


def up_in_both(gateway: Site) -> bool:
    found = lines(gateway)
    return found.keys() == weights(gateway).keys() and all(row.status is ServerStatus.UP for row in found.values())


def served(gateway: Site, machine: str, app: Traffic, static: Traffic) -> None:
    """Wait until the instance has answered more requests of each kind."""
    before = {place: row.requests for place, row in lines(gateway).items()}
    told = app.served_by[machine], static.served_by[machine]
    wait_until(
        lambda: app.served_by[machine] > told[0] + 5 and static.served_by[machine] > told[1] + 5,
        f"{machine} serves both; errors: {app.errors[:2]} {static.errors[:2]}",
        within=30,
    )
    assert all(row.requests > before[place] for place, row in lines(gateway).items())


def test_an_instance_joins_both_serves_both_comes_back_to_both_and_leaves_both_before_it_is_destroyed(gateway: Site) -> None:
    with gateway.daemon(), both(gateway) as (app, static):
        gateway.in_service(1)
        wait_until(lambda: up_in_both(gateway), "the instance is up in both backends", within=30)
        (machine,) = {row.name for row in lines(gateway).values()}
        assert {place: row.weight for place, row in lines(gateway).items()} == weights(gateway)
        assert len({row.address for row in lines(gateway).values()}) == 2  # one address, a port for each
        served(gateway, machine, app, static)

        status = gateway.client.get("/v1/status")
        told = {each["name"]: each["burst_weight"] for each in status["gateway"]["backends"] if each["burst_weight"] is not None}
        assert told == weights(gateway)
        if APP in told:
            assert f"weight {WEIGHTS[APP]} in {APP}, {WEIGHTS[STATIC]} in {STATIC}" in gateway.burstd("status").stdout

        gateway.haproxy.reload()
        wait_until(lambda: up_in_both(gateway), "the reload is healed in both", within=30)
        served(gateway, machine, app, static)

        (lock,) = gateway.cloud.records.glob("*.lock")
        process = Path(f"/proc/{gateway.cloud.identity(lock.stem).pid}")
        assert gateway.burstd("drain", machine).returncode == 0
        orphaned = []

        def gone() -> bool:
            runs = process.exists()
            listed = any(row.name == machine for row in lines(gateway).values())
            if listed and not runs:
                orphaned.append(machine)
            return not runs and not listed

        wait_until(gone, "the instance has left, and is destroyed", within=60)
        assert orphaned == []  # it was in neither backend any more when it was destroyed
        app.more(20)
        static.more(20)
