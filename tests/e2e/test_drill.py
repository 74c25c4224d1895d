"""Drills from end to end: the daemon and the verb as processes, real HAProxy under traffic, the local cloud."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from burstd.adapters.haproxy import HAProxyGateway
from burstd.adapters.local.process import alive
from burstd.model.gateway import ServerRow
from tests.site import COMMAND, Site, site
from tests.traffic import traffic
from tests.waiting import wait_until
from tests.web import own_address

APP, STATIC = "app_cluster", "static_cluster"
STEPS = ["create", "boot", "sync", "join", "leave", "destroy"]


@pytest.fixture(params=["weighted", "spillover"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site with two backends; with spillover its core has room for one request at each server, and more than that always come."""
    with socket.create_server((own_address(), 0)) as free:
        port = free.getsockname()[1]
    with site(tmp_path, further_ports=[port], boot_seconds=1.0) as running:
        running.settings["haproxy"]["further"] = [{"name": STATIC, "acl": "path_beg /static/", "port": port}]
        running.settings["load"]["sustain"] = 600  # what waits shall buy nothing here
        if request.param == "spillover":
            running.settings["haproxy"]["maxconn"] = 8
            running.render_gateway(request.param, maxconn=1)
            for core in running.cores:
                core.delay = 0.02
        else:
            running.render_gateway(request.param)
        yield running


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, boot_seconds=3.0) as running:
        yield running


def lines(gateway: Site, *backends: str) -> dict[str, ServerRow]:
    """The instances' lines, by backend."""
    view = HAProxyGateway(gateway.haproxy.socket, *backends, is_ours=lambda _: False).read()
    return {place: row for place, row in view.lines if row.name.startswith("burst-")}


def drill(gateway: Site) -> dict[str, Any]:
    """What the status tells of the drill; empty before the first."""
    return gateway.client.get("/v1/status")["drill"] or {}


def machines(gateway: Site) -> int:
    """Machines that run."""
    return sum(map(alive, gateway.cloud.records.glob("*.lock")))


def verb(gateway: Site, *options: str) -> subprocess.Popen[str]:
    """The verb, left to itself."""
    command = [*COMMAND, "--socket", str(gateway.folder / "control.sock"), "drill", "burst", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_drill_goes_all_the_way_in_every_backend_and_no_request_ever_reaches_it(gateway: Site) -> None:
    spills = gateway.settings["haproxy"]["mode"] == "spillover"
    joined = [f"{name}_cloud" if spills else name for name in (APP, STATIC)]
    host, port = gateway.haproxy.host, gateway.haproxy.port
    seen: dict[str, list[ServerRow]] = {name: [] for name in joined}
    with gateway.daemon():
        with traffic(host, port, threads=6) as app, traffic(host, port, "/static/style.css", threads=6) as static:
            rehearsal = verb(gateway)

            def over() -> bool:
                for place, row in lines(gateway, *joined).items():
                    seen[place].append(row)
                return rehearsal.poll() is not None

            wait_until(over, "the drill is over", within=90, every=0.005)
            said, wrong = rehearsal.communicate()
        assert (rehearsal.returncode, wrong) == (0, "")
        assert (app.errors, static.errors) == ([], [])
        assert {name for flow in (app, static) for name in flow.served_by} == {"core-1", "core-2"}
        assert all(seen.values()), "its line was seen in every backend"
        rows = [row for kept in seen.values() for row in kept]
        assert {(row.weight, row.requests, row.sessions) for row in rows} == {(0, 0, 0)}
        told = drill(gateway)
        assert (told["outcome"], told["failure"], [each["name"] for each in told["steps"]]) == ("done", "", STEPS)
        assert sum(each["seconds"] for each in told["steps"]) <= told["seconds"]
        assert told["steps"][1]["seconds"] >= 0.8  # a second, give or take a cycle
        assert re.findall(r"^  done +[0-9.]+ s  (\w+)", said, re.MULTILINE) == STEPS
        assert said.splitlines()[-1].startswith(f"done in {round(told['seconds'])}s: {told['instance']} in local")
        status = gateway.client.get("/v1/status")
        assert (status["instances"], machines(gateway)) == ([], 0)
        (pool,) = status["pools"]
        assert pool["boots"] == 1
        assert 0.8 <= pool["boot_running"] <= pool["boot_synced"] <= pool["boot_ready"]
        assert lines(gateway, *joined) == {}


def test_a_restart_in_the_middle_goes_on_with_the_drill_and_the_verb_stays_with_it(plain: Site) -> None:
    with plain.daemon() as first:
        rehearsal = verb(plain, "--json")
        wait_until(lambda: drill(plain).get("steps", [])[-1:] and drill(plain)["steps"][-1]["name"] == "boot", "it boots")
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=10)
        with plain.daemon():
            said, _ = rehearsal.communicate(timeout=90)
    found = json.loads(said)
    assert (rehearsal.returncode, found["outcome"], [each["name"] for each in found["steps"]]) == (0, "done", STEPS)
    assert machines(plain) == 0


def test_a_step_that_fails_is_named_and_the_machine_goes(plain: Site) -> None:
    plain.settings["fleet"]["boot_deadline"] = 1
    plain.write(plain.settings)
    with plain.daemon():
        ran = plain.burstd("drill", "burst", "--pool", "local")
        assert ran.returncode == 1
        assert re.search(r"^failed after \d+s: burst-\S+ in local: boot: it did not boot in time$", ran.stdout, re.MULTILINE)
        assert re.findall(r"^  (\w+) +[0-9.]+ s  (\w+)", ran.stdout, re.MULTILINE) == [
            ("done", "create"),
            ("failed", "boot"),
            ("done", "destroy"),
        ]
        assert machines(plain) == 0
        (pool,) = plain.client.get("/v1/status")["pools"]
        assert (pool["failures"], pool["boots"]) == (1, 0)
        again = plain.burstd("drill", "burst")
        assert (again.returncode, again.stdout) == (1, "")
        assert again.stderr.startswith("burstd: drill: pool local is barred for ")


def test_when_the_load_asks_the_drills_instance_serves_and_nothing_else_is_bought(plain: Site) -> None:
    plain.settings["fleet"]["max"] = 1
    plain.write(plain.settings)
    with plain.daemon(), traffic(plain.haproxy.host, plain.haproxy.port) as flow:
        rehearsal = verb(plain)
        name = str(wait_until(lambda: drill(plain).get("instance"), "it has begun"))
        assert plain.burstd("scale", "--to", "1").returncode == 0
        plain.in_service(1)
        said, _ = rehearsal.communicate(timeout=60)
        wait_until(lambda: flow.served_by[name] > 10, "it serves")
        assert rehearsal.returncode == 1
        assert "the load asks for the instance, which is taken into service" in said
        assert [each["name"] for each in plain.client.get("/v1/status")["instances"]] == [name]
    assert flow.errors == []


def test_what_is_in_the_way_is_said_in_one_line(plain: Site) -> None:
    plain.settings["fleet"]["max"] = 0
    plain.write(plain.settings)
    with plain.daemon():
        full = plain.burstd("drill", "burst")
        assert (full.returncode, full.stdout) == (2, "")
        assert full.stderr == (
            "burstd: drill: no room for one more: fleet.max is 0 and 0 are billed; wait until one has gone, or raise fleet.max and reload\n"
        )
        assert plain.burstd("pause", "out").returncode == 0
        assert "scale-out is paused" in plain.burstd("drill", "burst").stderr
        unknown = plain.burstd("drill", "burst", "--pool", "paris")
        assert (unknown.returncode, unknown.stderr) == (
            2,
            "burstd: drill --pool paris: expected a pool of the settings; name one of: local\n",
        )


def test_ping_goes_to_the_core_and_to_the_instances_that_live(plain: Site) -> None:
    plain.settings["fleet"]["min"] = 1
    plain.settings["pool"][0]["args"]["boot_seconds"] = 0.0
    plain.write(plain.settings)
    with plain.daemon():
        plain.in_service(1)
        told = plain.burstd("ping", "--json", "--count", "2")
        assert (told.returncode, told.stderr) == (0, "")
        found = json.loads(told.stdout)["targets"]
        assert [each["kind"] for each in found] == ["core", "core", "instance"]
        assert all(each["lost"] == 0 for each in found)
