"""`burstd run` as a process against real HAProxy, a real exporter and the local cloud."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from burstd.adapters.local import process
from tests.site import Site, site
from tests.waiting import wait_until
from tests.web import own_address


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        running.settings["fleet"]["min"] = 1
        running.write(running.settings)
        yield running


def machines(gateway: Site) -> list[str]:
    """Ids of the machines that run."""
    return sorted(lock.stem for lock in gateway.cloud.records.glob("*.lock") if process.alive(lock))


def servers(gateway: Site) -> set[str]:
    return {server.name for server in gateway.haproxy.gateway().read().backends[0].servers}


def test_cycles_one_by_one_bring_an_instance_into_service(gateway: Site) -> None:
    first = gateway.burstd("run", "--once")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("launch burst-")
    (machine,) = machines(gateway)

    def sentence() -> str:
        ran = gateway.burstd("run", "--once", "--json")
        assert ran.returncode == 0, ran.stderr
        return str(json.loads(ran.stdout)["sentence"])

    wait_until(lambda: sentence().startswith("put burst-"), "the instance goes into service", within=60)
    assert machines(gateway) == [machine]


def test_a_dry_cycle_says_what_it_would_do_and_does_nothing(gateway: Site) -> None:
    ran = gateway.burstd("run", "--once", "--dry-run", "--json")
    assert ran.returncode == 0
    actions = json.loads(ran.stdout)["actions"]
    assert [(each["kind"], each["outcome"]) for each in actions if each["kind"] == "create"] == [("create", "planned")]
    assert machines(gateway) == []
    assert servers(gateway) == {"core-1", "core-2"}


def test_a_dry_daemon_shows_each_cycles_plan_and_leaves_on_a_signal(gateway: Site) -> None:
    with gateway.daemon("--dry-run", "--json") as daemon:
        wait_until(lambda: (gateway.cycle() or 0) >= 3, "three cycles")
        daemon.send_signal(signal.SIGTERM)
        out, _ = daemon.communicate(timeout=30)
        assert daemon.returncode == 0
    plans = [json.loads(line) for line in out.splitlines()]
    assert [each["cycle"] for each in plans][:3] == [1, 2, 3]
    assert all(action["outcome"] == "planned" for each in plans for action in each["actions"])
    assert machines(gateway) == []


def test_json_without_a_cycle_to_show_is_refused(gateway: Site) -> None:
    ran = gateway.burstd("run", "--json")
    assert ran.returncode == 2
    assert "--once" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_killed_outright_and_started_again_it_takes_over_the_same_instances(gateway: Site) -> None:
    gateway.settings["fleet"]["min"] = 2
    gateway.write(gateway.settings)
    with gateway.daemon() as daemon:
        gateway.in_service(2)
        before, listed = machines(gateway), servers(gateway)
        daemon.kill()
        daemon.wait(timeout=30)
    with gateway.daemon():
        wait_until(lambda: (gateway.cycle() or 0) >= 5, "five cycles")
        status = gateway.client.get("/v1/status")
        assert sorted(each["node_id"] for each in status["instances"]) == before
        assert status["in_service"] == 2
    assert machines(gateway) == before
    assert servers(gateway) == listed


def test_a_reload_puts_new_bounds_in_force_and_refuses_what_cannot_change(gateway: Site) -> None:
    with gateway.daemon() as daemon:
        gateway.in_service(1)
        gateway.settings["fleet"]["min"] = 2
        gateway.write(gateway.settings)
        daemon.send_signal(signal.SIGHUP)
        gateway.in_service(2)
        gateway.settings["control"]["socket"] = "other.sock"
        gateway.settings["fleet"]["max"] = 3
        gateway.write(gateway.settings)
        daemon.send_signal(signal.SIGHUP)

        def refused() -> list[str]:
            return [each["text"] for each in gateway.client.get("/v1/events")["events"] if "reload refused" in each["text"]]

        wait_until(refused, "the refusal")
        assert "control.socket" in refused()[0]
        assert gateway.client.get("/v1/status")["max"] == 4


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say_against_the_live_page(gateway: Site) -> None:
    with socket.create_server((own_address(), 0)) as free:
        port = free.getsockname()[1]
    gateway.settings["metrics"]["listen"] = f"{own_address()}:{port}"
    gateway.write(gateway.settings)
    with gateway.daemon():
        gateway.in_service(1)
        with urlopen(f"http://{own_address()}:{port}/metrics", timeout=10) as answer:
            page = answer.read()
    assert b'burstd_instances{phase="in_service",pool="local"} 1.0' in page
    told = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, b"", b"")
