"""Burst for real: visitors drive the cores' load average over the threshold, instances come, the load falls, they go; nobody notices."""

from __future__ import annotations

import time
from typing import Final

from tests.lab import pages
from tests.lab.drill import gateway
from tests.lab.drill.report import Report
from tests.lab.drill.visitors import visitors
from tests.lab.hosts import CORE_1, CORE_2
from tests.waiting import wait_until

PROOF: Final = "burst"
THRESHOLD: Final = 4.0
VISITORS: Final = 48
"""Each thinks for a second: both cores together answer 28 a second, two instances add 22."""


def prove(report: Report) -> None:
    """Takes four to five minutes."""
    gateway.set_key("fleet", "standby", "0")
    gateway.empty()
    peak, began = 0.0, time.time()

    def seen() -> float:
        nonlocal peak
        now = gateway.load() or 0.0
        peak = max(peak, now)
        return now

    with visitors(VISITORS) as visit:
        wait_until(lambda: seen() > THRESHOLD, "the cores' load is above the threshold", within=180, every=2.0)
        wait_until(lambda: seen() and gateway.instances("in_service"), "an instance is in service", within=180, every=2.0)
        bought = len(gateway.instances())
        eased = wait_until(lambda: (now := seen()) <= THRESHOLD and now, "the load is under the threshold again", within=240, every=2.0)
        bought = max(bought, len(gateway.instances()))
    report.note(PROOF, "visitors drive the cores' true load1 over 4.0", f"peak {peak:.1f}", ok=peak > THRESHOLD)
    report.note(PROOF, "instances boot, join and take the load down", f"{bought} bought, load1 back at {eased:.1f}", ok=bought > 0)
    for reached in gateway.steps(began).values():
        if {"requested", "syncing", "joining"} <= reached.keys():
            boot, sync = reached["syncing"] - reached["requested"], reached["joining"] - reached["syncing"]
            told = f"booted in {boot:.0f} s, {pages.COUNT} files and the gate in {sync:.0f} s"
            report.note(PROOF, "an instance boots, syncs over ssh and passes the gate", told, ok=True)
    served = visit.found["served"]
    shares = ", ".join(f"{name} {count}" for name, count in sorted(served.items()))
    burst = [name for name in served if name not in {CORE_1.name, CORE_2.name}]
    report.note(PROOF, "cores and instances served", shares, ok=bool(burst) and {CORE_1.name, CORE_2.name} <= served.keys())
    gateway.empty()
    report.note(PROOF, "the load ends, every instance is drained and destroyed", "none left", ok=True)
    report.note(
        PROOF, "0 failed requests, every answer's content checked", visit.told(), ok=visit.failed == 0 and visit.found["answered"] > 0
    )
