"""What stands around the hosts: lxcfs for their load averages and CPU seconds, the WAN's switch, the cloud's API."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from tests.lab import container, place, wan
from tests.lab.hosts import CLOUD_API, CLOUD_API_PORT, DUBLIN, Host
from tests.waiting import wait_until

PROGRAMS = ("lxcfs", "wan", "cloud")
"""Under these names they are recorded; no host is called so."""

CLOUD = Host("cloud", DUBLIN, CLOUD_API, 0.0)
"""The cloud's API is a process of the machine with an interface in Dublin."""

EAGER = -10
"""The switch's niceness: it holds the hosts' clocks together, and takes a tenth of a CPU."""


def start() -> None:
    """Lxcfs and the switch, ready to be used."""
    for folder in (place.LOGS, place.RECORDS, place.LXCFS, place.KEYS, place.NAMESPACES):
        folder.mkdir(parents=True, exist_ok=True)
    place.STATE.chmod(0o700)
    place.spawn("lxcfs", ["lxcfs", "-f", "-l", "--enable-cfs", "-p", str(place.STATE / "lxcfs-own.pid"), str(place.LXCFS)])
    wait_until((place.LXCFS / "proc/loadavg").exists, "lxcfs is mounted")
    switch = place.spawn("wan", [sys.executable, "-m", "tests.lab.wan", str(place.CONTROL)])
    os.setpriority(os.PRIO_PROCESS, switch, EAGER)
    wait_until(_answers, "the switch answers")


def start_cloud() -> None:
    """The cloud's API, reachable in the WAN."""
    space = place.namespace(CLOUD.name)
    place.run(["ip", "netns", "add", space])
    wan.order(place.CONTROL, "plug", name=CLOUD.name, site=CLOUD.site, mac=CLOUD.mac, address=CLOUD.address, namespace=space)
    words = container.within_network(CLOUD.name, sys.executable, "-m", "tests.lab.cloud", CLOUD.address, str(CLOUD_API_PORT))
    place.spawn(CLOUD.name, words)


def stop(name: str) -> None:
    """End one of them; it may be gone already."""
    place.end(name)
    if name == "lxcfs":
        subprocess.run(["umount", "--lazy", str(place.LXCFS)], check=False, capture_output=True)
        with suppress(OSError):
            place.LXCFS.rmdir()
    if name == CLOUD.name:
        subprocess.run(["ip", "netns", "delete", place.namespace(name)], check=False, capture_output=True)


def _answers() -> bool:
    with suppress(OSError, ValueError):
        wan.order(place.CONTROL, "show")
        return True
    return False
