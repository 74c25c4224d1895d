"""Spillover from end to end: the rendered file in real HAProxy, the daemon as a process, the local cloud, and slow core servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from burstd.adapters.haproxy import HAProxyGateway
from burstd.model.gateway import ServerRow, ServerStatus
from tests.site import Site, site
from tests.traffic import traffic
from tests.waiting import wait_until

CORE, CLOUD = "app_cluster", "app_cloud"
LIMIT = 2
"""Requests at once for each of the two core servers: the core is full with four."""

FEW, MANY = 3, 16


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, service_ms=20.0) as running:
        for core in running.cores:
            core.delay = 0.02
        running.settings["haproxy"] |= {"maxconn": 8, "overflow": CLOUD}
        # Whatever load this machine has: what is bought and given back here is so by what waits and spills over alone.
        running.settings["load"] |= {"scale_in_after": 2, "cooldown_out": 1, "cooldown_in": 1, "stabilization": 2, "warm_up": 1}
        running.settings["fleet"]["minimum_lifetime"] = 1
        running.render_gateway("spillover", maxconn=LIMIT)
        yield running


def cloud(gateway: Site) -> dict[str, ServerRow]:
    """The servers of the overflow backend."""
    view = HAProxyGateway(gateway.haproxy.socket, CORE, CLOUD, is_ours=lambda _: False).read()
    return {row.name: row for place, row in view.lines if place == CLOUD}


def spilt(served_by: Counter[str]) -> int:
    """Answers by instances."""
    return sum(count for name, count in served_by.items() if name.startswith("burst-"))


def events(gateway: Site) -> list[str]:
    return [each["text"] for each in gateway.client.get("/v1/events")["events"]]


def up(gateway: Site, name: str) -> bool:
    row = cloud(gateway).get(name)
    return row is not None and row.status is ServerStatus.UP


def test_haproxy_spills_over_when_the_core_is_full_and_not_below(gateway: Site) -> None:
    gateway.settings["fleet"]["min"] = 1
    gateway.write(gateway.settings)
    address = gateway.haproxy.host, gateway.haproxy.port
    with gateway.daemon():
        gateway.in_service(1)
        ((name, row),) = wait_until(lambda: cloud(gateway).items(), "the instance is in the overflow backend")
        assert (row.status, row.maxconn) == (ServerStatus.UP, 8)

        with traffic(*address, threads=FEW) as few:
            few.more(300)
        assert (few.errors, spilt(few.served_by)) == ([], 0)
        told = gateway.burstd("status").stdout
        assert "0% spilt over to burst servers" in told

        with traffic(*address, threads=MANY) as many:
            wait_until(lambda: spilt(many.served_by) > 50, "the cloud gets what the core has no room for")

            gateway.haproxy.reload()
            wait_until(lambda: up(gateway, name), "the reload is healed in the overflow backend", within=30)
            gateway.haproxy.command(f"set server {CLOUD}/{name} weight 7")
            wait_until(lambda: cloud(gateway)[name].weight == row.weight, "a weight that somebody has changed is mended")
            before = spilt(many.served_by)
            wait_until(lambda: spilt(many.served_by) > before + 50, "and it serves")
        assert many.errors == []


@pytest.mark.slow
def test_with_a_dead_core_the_cloud_serves_alone_until_it_is_back(gateway: Site) -> None:
    gateway.settings["fleet"]["min"] = 1
    gateway.write(gateway.settings)
    with gateway.daemon():
        gateway.in_service(1)
        with traffic(gateway.haproxy.host, gateway.haproxy.port, threads=FEW) as many:
            for core in gateway.cores:
                core.stop()
            wait_until(lambda: cloud_takes_all(gateway), "HAProxy has found the core dead", within=30)
            errors = len(many.errors)
            many.more(100)
            assert len(many.errors) == errors  # from there on the cloud serves alone
            for core in gateway.cores:
                core.start()
            served = many.served_by["core-1"]
            wait_until(lambda: many.served_by["core-1"] > served, "the core is back", within=30)


def cloud_takes_all(gateway: Site) -> bool:
    view = HAProxyGateway(gateway.haproxy.socket, CORE, CLOUD, is_ours=lambda _: False).read()
    return {row.status for place, row in view.lines if place == CORE} == {ServerStatus.DOWN}


@pytest.mark.slow
def test_what_waits_buys_an_instance_and_when_nothing_spills_over_it_goes_without_an_error(gateway: Site) -> None:
    with gateway.daemon():
        with traffic(gateway.haproxy.host, gateway.haproxy.port, threads=MANY) as many:
            gateway.in_service(1)
            wait_until(lambda: spilt(many.served_by) > 100, "it takes what is too much")
        assert many.errors == []
        assert any(each.startswith("intended: ") and each.endswith("requests wait in HAProxy") for each in events(gateway))
        with traffic(gateway.haproxy.host, gateway.haproxy.port, threads=FEW) as few:
            wait_until(lambda: not cloud(gateway), "nothing spills over, and it leaves", within=60)
            gateway.in_service(0)
        assert few.errors == []
        assert any("nothing spills over, for " in each for each in events(gateway) if each.startswith("draining: "))


def test_check_says_that_nothing_spills_over_from_a_core_without_a_limit(gateway: Site) -> None:
    told = gateway.burstd("check").stdout
    assert "maxconn" not in told
    gateway.haproxy.config.write_text(gateway.haproxy.config.read_text().replace(f" maxconn {LIMIT} ", " "))
    gateway.haproxy.reload()
    del gateway.settings["haproxy"]["maxconn"]
    gateway.write(gateway.settings)
    warnings = [line.removeprefix("warning ") for line in gateway.burstd("check").stdout.splitlines() if "maxconn" in line]
    assert len(warnings) == 2
    assert warnings[0].startswith("haproxy.backend app_cluster: core-1, core-2 without a maxconn, so nothing ever spills over; write it on")
    assert warnings[1].startswith("haproxy.maxconn: not set for app_cloud, so one request there makes the instances count as full; set how")
