"""The lab itself: its hosts, its WAN, its way down. Skipped, with the reason, on a machine that cannot hold it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import cgroups, container, lab, machine, place, wan
from tests.lab.hosts import CORE_1, CORE_2, GATEWAY_HOST, HOSTS
from tests.waiting import wait_until

LACKING = machine.lacking()

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(LACKING), reason="; ".join(f"this machine lacks {each}" for each in LACKING) or "it lacks nothing"),
]


@pytest.fixture(scope="module")
def up() -> Iterator[None]:
    with Path("/run/burstd-lab-tests.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # another worker may have some of these tests, and its own lab
        if place.STATE.exists():
            pytest.skip("a lab is up on this machine already, and is somebody's")
        lab.up()
        try:
            yield
        finally:
            lab.down()


def script(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.lab", *words], check=False, capture_output=True, text=True, cwd=place.ROOT, timeout=60
    )


def ping(address: str, count: int = 1) -> bool:
    words = container.inside(GATEWAY_HOST.name, "ping", "-q", "-c", str(count), "-W", "2", address)
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_the_hosts_boot_systemd_and_nothing_in_them_has_failed(up: None) -> None:
    document = json.loads(script("status", "--json").stdout)
    assert document["up"]
    assert {host["name"] for host in document["hosts"] if host["running"]} >= {host.name for host in HOSTS}
    for host in HOSTS:
        assert container.call(host.name, "systemctl", "list-units", "--failed", "--no-legend") == "", host.name
        assert container.call(host.name, "hostname").strip() == host.name


def test_each_host_has_a_load_average_of_its_own_from_the_unmodified_exporter(up: None) -> None:
    burn = subprocess.Popen(container.inside(CORE_1.name, "timeout", "60", "sh", "-c", "while :; do :; done & while :; do :; done & wait"))
    try:
        wait_until(lambda: (container.load1(CORE_1.name) or 0.0) > 0.4, "core-oslo-01 is loaded", within=60, every=2.0)
        assert (container.load1(CORE_1.name) or 0.0) > 2 * (container.load1(CORE_2.name) or 0.0)
    finally:
        burn.terminate()
        burn.wait()


def test_a_cut_host_is_a_black_hole_until_it_is_healed(up: None) -> None:
    assert ping(CORE_2.address, 2)
    assert script("cut", CORE_2.name).returncode == 0
    try:
        assert not ping(CORE_2.address, 2)
        assert ping(CORE_1.address, 2)
    finally:
        assert script("heal", CORE_2.name).returncode == 0
    assert ping(CORE_2.address, 2)


def test_what_the_wan_does_not_know_is_refused_in_one_line(up: None) -> None:
    refused = script("cut", "bergen")
    assert refused.returncode == 2
    assert refused.stderr.startswith("lab: bergen: expected a host (cloud, core-oslo-01, core-oslo-02, gateway, ")
    assert len(refused.stderr.splitlines()) == 1


def test_burstd_runs_on_the_gateway_as_its_unit_and_sees_both_cores(up: None) -> None:
    def seen() -> bool:
        document = json.loads(container.call(GATEWAY_HOST.name, "burstd", "status", "--json"))
        return {core["name"] for core in document["cores"] if core["status"] == "UP"} == {CORE_1.name, CORE_2.name} and not document[
            "faults"
        ]

    wait_until(seen, "burstd sees both cores UP, and no fault", within=60, every=1.0)
    assert container.call(GATEWAY_HOST.name, "systemctl", "show", "burstd", "--property=Type,ActiveState").split() == [
        "Type=notify",
        "ActiveState=active",
    ]


def test_down_leaves_nothing_behind_even_after_the_switch_was_killed(up: None) -> None:
    switch = place.noted("wan")
    assert switch is not None
    os.kill(switch, signal.SIGKILL)
    wait_until(lambda: not lab.whole(), "the lab is seen to be broken")
    lab.down()
    assert cgroups.named() == set()
    assert not place.STATE.exists()
    assert [each for each in place.run(["ip", "netns", "list"]).split() if each.startswith("burstd-lab")] == []
    assert "burstd-lab" not in Path("/proc/mounts").read_text()
    with pytest.raises(OSError, match=r"No such file|refused"):
        wan.order(place.CONTROL, "show")
