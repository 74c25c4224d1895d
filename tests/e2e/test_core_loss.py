"""The core is lost and comes back, on real HAProxy under traffic: who serves meanwhile, what is said, how the traffic goes back."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from burstd.cli.client import _Connection
from tests.site import Site, site
from tests.traffic import Traffic, traffic
from tests.waiting import wait_until
from tests.web import own_address

STATIC = "static_cluster"
RAMP = 6
"""Seconds of `slowstart`."""
WANTED = 2
"""`fleet.on_core_loss`."""
CORES = ("core-1", "core-2")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Site]:
    with socket.create_server((own_address(), 0)) as free:
        port = free.getsockname()[1]
    with site(tmp_path, further_ports=[port]) as running:
        running.settings["fleet"] |= {"on_core_loss": WANTED, "standby": 1, "minimum_lifetime": 1}
        running.settings["haproxy"]["further"] = [{"name": STATIC, "acl": "path_beg /static/", "port": port}]
        # Whatever load this machine has, it is low: an instance that nothing holds goes.
        windows = {"scale_in_after": 2, "cooldown_out": 1, "cooldown_in": 1, "stabilization": 2, "warm_up": 1}
        running.settings["load"] |= {"scale_in_below": 999, **windows}
        running.render_gateway("weighted")
        file = running.haproxy.config
        text, slow = re.subn(r"slowstart \S+", f"slowstart {RAMP}s", file.read_text())
        assert slow == 2 * len(CORES)
        file.write_text(text)
        running.haproxy.reload()
        yield running


def status(gateway: Site) -> dict[str, Any]:
    return gateway.client.get("/v1/status")


def metric(gateway: Site, name: str) -> float:
    connection = _Connection(str(gateway.folder / "control.sock"), time.monotonic() + 10)
    try:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    assert found is not None
    return float(found[1])


def events(gateway: Site) -> list[str]:
    return [each["text"] for each in gateway.client.get("/v1/events?limit=500")["events"]]


def by_core(flow: Traffic) -> int:
    return sum(flow.served_by[name] for name in CORES)


def test_the_site_is_served_without_the_core_and_what_comes_back_gets_its_traffic_gradually(gateway: Site) -> None:
    host, port = gateway.haproxy.host, gateway.haproxy.port
    with gateway.daemon():
        wait_until(lambda: status(gateway)["standby"] == 1, "the standby stands by", within=60)
        with traffic(host, port) as app, traffic(host, port, "/static/style.css") as static:
            lose_the_core(gateway, app, static)
            errors = len(app.errors) + len(static.errors)
            bring_it_back(gateway, app, static)
            gateway.in_service(0)
            wait_until(lambda: status(gateway)["leaving"] == 0, "they have gone", within=60)
            app.more(20)
            static.more(20)
        assert len(app.errors) + len(static.errors) == errors  # none from the moment on when HAProxy had found the core dead
        told = events(gateway)
    lost = next(number for number, each in enumerate(told) if each.startswith("the core is lost: no core server takes traffic in HAProxy"))
    back = next(number for number, each in enumerate(told) if re.match(r"the core is back after \d+ s", each))
    first = next(number for number, each in enumerate(told) if each.startswith("draining: load"))
    assert lost < back < first  # what on_core_loss brought has left by the load, like any other


def lose_the_core(gateway: Site, app: Traffic, static: Traffic) -> None:
    for core in gateway.cores:
        core.stop()
    wait_until(lambda: {each["status"] for each in status(gateway)["cores"]} == {"DOWN"}, "HAProxy has found the core dead")
    served = app.requests, static.requests
    wait_until(lambda: app.requests > served[0] + 20 and static.requests > served[1] + 20, "both kinds are served by the standby at once")
    gateway.in_service(WANTED)
    wait_until(lambda: {each["weight"] for each in status(gateway)["instances"] if each["phase"] == "in_service"} == {256}, "they have all")
    now = status(gateway)
    assert now["core_lost_since"] is not None
    assert any(each.startswith(f"in_service: from standby: no core server takes traffic in HAProxy: fleet.on_core_loss is {WANTED}")
               for each in events(gateway))  # fmt: skip
    assert metric(gateway, "burstd_core_lost") == 1
    assert metric(gateway, "burstd_core_lost_seconds") > 0


def bring_it_back(gateway: Site, app: Traffic, static: Traffic) -> None:
    """Watch the share of the core while HAProxy raises it; the weights must leave that alone, and nobody may leave."""
    for core in gateway.cores:
        core.start()
    wait_until(lambda: any(each["throttle"] for each in status(gateway)["cores"]), "HAProxy brings the core back slowly")
    parts: list[int] = []
    weights: list[set[int]] = []
    serving: set[int] = set()
    counts: list[tuple[int, int]] = []

    def there() -> bool:
        now = status(gateway)
        throttles = [each["throttle"] for each in now["cores"] if each["throttle"] is not None]
        if not throttles:
            return True
        parts.append(min(throttles))
        weights.append({each["weight"] for each in now["instances"] if each["phase"] == "in_service"})
        serving.add(now["in_service"])
        counts.append((by_core(app) + by_core(static), app.requests + static.requests))
        return False

    wait_until(there, "the core is back in full", within=60, every=0.1)
    assert parts[0] < 50 <= parts[-1]
    assert serving == {WANTED}
    assert all(each == {256} for each in weights)
    quarter = len(counts) // 4
    marks = [counts[0], counts[quarter], counts[2 * quarter], counts[3 * quarter], counts[-1]]
    shares = [(core - core_before) / max(1, total - before) for (core_before, before), (core, total) in pairwise(marks)]
    assert shares[0] < shares[1] < shares[2] < shares[3], shares
    assert shares[0] < 0.15  # 25 % of 200 beside 512 would be 9 %
    assert shares[3] < 0.35
    wait_until(lambda: status(gateway)["core_lost_since"] is None, "the core is back")
    assert metric(gateway, "burstd_core_lost") == 0
