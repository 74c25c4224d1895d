"""`slow_start` on every HAProxy found: a core that comes back gets its share little by little, and nobody does at HAProxy's own start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from burstd.adapters.haproxy.answers import parse_stat
from burstd.render.haproxy import BackendConfig, CoreLine, HAProxyConfig, render
from tests.haproxy_process import BACKEND, HAProxy, haproxy
from tests.haproxy_versions import per_version
from tests.waiting import wait_until
from tests.web import CHECK_PATH, WebServer, web

Site = tuple[HAProxy, WebServer, WebServer]


@pytest.fixture(params=per_version())
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        cores = [stack.enter_context(web(name)) for name in ("core-1", "core-2")]
        gateway = stack.enter_context(haproxy(cores, binary=request.param))
        config = HAProxyConfig(
            bind=f"{gateway.host}:{gateway.port}",
            socket=str(gateway.socket),
            backends=(BackendConfig(BACKEND, tuple(CoreLine(core.name, core.host, core.port) for core in cores)),),
            check_path=CHECK_PATH,
            check_interval=0.1,
            slow_start=600,  # far longer than the test: what is ramped is never at its full share here
        )
        gateway.config.write_text(render(config))
        gateway.stop()
        gateway.start()
        yield gateway, cores[0], cores[1]


def shares(gateway: HAProxy) -> list[tuple[str, str]]:
    """Status and weight in force of each core."""
    header, *rows = [line.lstrip("# ").split(",") for line in gateway.command(f"show stat {BACKEND} 4 -1").splitlines() if line]
    status, weight = header.index("status"), header.index("weight")
    return [(row[status], row[weight]) for row in rows]


UP = ("UP", "100")


def test_a_fresh_haproxy_gives_every_core_its_full_share_at_once(site: Site) -> None:
    gateway, _, _ = site
    assert [weight for _, weight in shares(gateway)] == ["100", "100"]
    wait_until(lambda: shares(gateway) == [UP, UP], "both are checked, and nothing has changed by it")


def test_so_does_one_that_was_reloaded(site: Site) -> None:
    gateway, _, _ = site
    gateway.reload()
    assert [weight for _, weight in shares(gateway)] == ["100", "100"]
    wait_until(lambda: shares(gateway) == [UP, UP], "both are checked, and nothing has changed by it")


def test_a_core_that_was_down_comes_back_with_little_and_the_other_keeps_its_share(site: Site) -> None:
    gateway, _, core = site
    core.stop()
    wait_until(lambda: shares(gateway)[1][0] == "DOWN", "HAProxy has seen it")
    core.start()
    wait_until(lambda: shares(gateway)[1][0] == "UP", "HAProxy has seen it")
    (first, (status, weight)) = shares(gateway)
    assert (first, status) == (UP, "UP")
    assert int(weight) < 20


def test_its_configured_weight_which_burstd_reckons_with_stays_what_it_is(site: Site) -> None:
    gateway, _, core = site
    core.stop()
    wait_until(lambda: shares(gateway)[1][0] == "DOWN", "HAProxy has seen it")
    core.start()
    wait_until(lambda: shares(gateway)[1][0] == "UP", "HAProxy has seen it")
    view = parse_stat(gateway.command(f"show stat {BACKEND} 6 -1"), BACKEND)
    row = view and view.server("core-2")
    assert row
    assert row.weight == 100
