"""Oslo goes dark, once cut off and once killed: the site answers from the standby in Dublin; Oslo returns, and traffic goes back."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

from tests.lab import container, place, provision, wan
from tests.lab.drill import database, gateway
from tests.lab.drill.observer import Answer, Observation, observed
from tests.lab.drill.report import Report
from tests.lab.drill.writers import writing
from tests.lab.hosts import CORE_1, CORE_2, GATEWAY_HOST, OSLO, REPLICA
from tests.waiting import wait_until

PROOF: Final = "dark"
PAGE: Final = "/pages/page-0007.txt"
SLOWEST: Final = 15.0
NORMAL: Final = 30.0
"""Seconds; seen are 4 and 6. A machine that others use as well takes its time."""

FRESH: Final = "/fresh.txt"
FRESH_FOR: Final = 5.0

FIRST: Final = 1
SECOND: Final = 500_000_000
"""Ids of the writers before and after the promotion."""

CORES: Final = frozenset({CORE_1.name, CORE_2.name})


def prove(report: Report) -> None:
    """Takes four to five minutes."""
    gateway.set_key("fleet", "standby", "1")
    try:
        for how, dark, light, semi_sync in (("cut", _cut, _heal, True), ("kill", _kill, _boot, False)):
            wait_until(lambda: gateway.instances("standby", "in_service"), "an instance stands by", within=240, every=2.0)
            _wait_for_cores()
            _round(report, how, dark, light, semi_sync=semi_sync)
            provision.database_anew()
    finally:
        _heal()
        wan.order(place.CONTROL, "heal", name=REPLICA.name)
        _boot()
        gateway.set_key("fleet", "standby", "0")


def _round(report: Report, how: str, dark: Callable[[], None], light: Callable[[], None], *, semi_sync: bool) -> None:
    """Dark, a promotion meanwhile, light again: under a visitor and four writers."""
    with observed(PAGE) as seen, ExitStack() as clients:
        writes = clients.enter_context(writing(FIRST))
        database.wait_for_writes(writes)
        if not semi_sync:
            database.leave_the_replica_behind(writes)
            clients.close()  # the writers end before the primary does: what burstd has seen is then all that can be lost
            database.seen_by_burstd()
        container.call(CORE_1.name, "tee", f"/var/www/html{FRESH}", given=how)
        _pause(FRESH_FOR)
        gone = time.monotonic()
        dark()
        wan.order(place.CONTROL, "heal", name=REPLICA.name)
        wait_until(lambda: not _up(), "HAProxy has called both cores DOWN", within=60, every=1.0)
        _tell_of_fresh(report, how)
        said = database.promote()
        clients.close()
        database.tell(report, f"{how}: ", set(writes.acknowledged), said, semi_sync=semi_sync)
        with writing(SECOND) as later:
            database.wait_for_writes(later)
            back = time.monotonic()
            light()
            _wait_for_cores()
            database.tell_of_the_return(report, f"{how}: ", later)
        _pause(10.0)
    _tell(report, how, seen, gone, back)


def _tell_of_fresh(report: Report, how: str) -> None:
    """The newest file, by the gateway, while the core is dark."""
    words = container.within_network(GATEWAY_HOST.name, "curl", "--silent", "--max-time", "20", f"http://{GATEWAY_HOST.address}{FRESH}")
    body = subprocess.run(words, check=False, capture_output=True, text=True).stdout
    told = "there" if body == how else f"not there: {body[:40]!r}"
    report.note(PROOF, f"{how}: a file written {FRESH_FOR:g} s before is there", told, ok=body == how)


def _tell(report: Report, how: str, seen: Observation, gone: float, back: float) -> None:
    after = seen.since(gone)
    failed = [each for each in after if not each.good]
    slowest = max((each.seconds for each in after), default=0.0)
    served = {each.server for each in after if each.good}
    normal = Observation(each for each in after if each.asked < back).normal_after(gone, served - CORES)
    told = f"{len(failed)} of {len(after)} failed{_kinds(failed)}"
    report.note(PROOF, f"{how}: the site goes on, 0 failed requests", told, ok=bool(after) and not failed)
    report.note(PROOF, f"{how}: the slowest request", f"{slowest:.1f} s", ok=slowest < SLOWEST)
    quick = "never" if normal is None else f"after {normal:.1f} s"
    report.note(PROOF, f"{how}: the standby alone answers, within a second", quick, ok=normal is not None and normal < NORMAL)
    returned = {each.server for each in after if each.asked > back and each.good} & CORES
    report.note(PROOF, f"{how}: Oslo returns, and gets its traffic back", ", ".join(sorted(returned)) or "nothing", ok=returned == CORES)


def _kinds(failed: list[Answer]) -> str:
    kinds = Counter(f"status {each.status}" if each.status else each.body for each in failed)
    return f" ({', '.join(f'{kind}: {count}' for kind, count in kinds.items())})" if kinds else ""


def _up() -> set[str]:
    return {core["name"] for core in gateway.status().get("cores", []) if str(core["status"]).startswith("UP")}


def _wait_for_cores() -> None:
    wait_until(lambda: _up() == CORES, "HAProxy has both cores UP", within=120, every=1.0)


def _pause(seconds: float) -> None:
    """Let so much of the observation pass."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "a stretch of the observation is over", within=seconds + 5)


def _cut() -> None:
    wan.order(place.CONTROL, "cut", name=OSLO)


def _heal() -> None:
    wan.order(place.CONTROL, "heal", name=OSLO)


def _kill() -> None:
    for host in (CORE_1, CORE_2):
        container.kill(host.name)


def _boot() -> None:
    with ThreadPoolExecutor(2) as pool:
        killed = [host for host in (CORE_1, CORE_2) if place.noted(host.name) is None]
        for booted in [pool.submit(container.again, host, provision.binds(host)) for host in killed]:
            booted.result()
