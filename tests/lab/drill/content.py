"""Content: a target that is dark for a minute catches up by itself and the others never notice; stale content never gets a request."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.lab import container, place, wan
from tests.lab.drill import gateway
from tests.lab.drill.observer import observed
from tests.lab.drill.report import Report
from tests.lab.hosts import CORE_1, GATEWAY_HOST
from tests.waiting import wait_until

PROOF: Final = "content"
DARK: Final = 60.0
MAX_DRIFT: Final = 20.0
SLACK: Final = 15.0
"""Seconds beyond `max_drift`: the token's interval, lsyncd's delay, a cycle, and a drain in HAProxy."""

LAG: Final = 20.0
"""Seconds that a target which notices nothing may be behind; usually 5."""

NEWS: Final = "/news.txt"


def prove(report: Report) -> None:
    """Takes three to four minutes."""
    gateway.set_key("fleet", "standby", "0")
    gateway.set_key("fleet", "unhealthy_after", '"10m"')
    gateway.set_key("content", "max_drift", '"10m"')
    gateway.burstd("scale", "--to", "2", "--for", "20m", "--reason", "drill content")
    try:
        with _news():
            pair = wait_until(_two, "two instances are in service", within=240, every=2.0)
            _dark_minute(report, *pair)
            gateway.set_key("content", "max_drift", f'"{MAX_DRIFT:g}s"')
            _stale(report, pair[0])
    finally:
        gateway.burstd("scale", "--auto")
        gateway.set_key("content", "max_drift", '"1m"')
        gateway.set_key("fleet", "unhealthy_after", '"30s"')
    gateway.empty()


def _dark_minute(report: Report, dark: dict[str, Any], other: dict[str, Any]) -> None:
    wan.order(place.CONTROL, "cut", name=dark["name"])
    end = time.monotonic() + DARK
    _write("/late.txt", "written while it was dark")
    lags: list[float] = []
    while time.monotonic() < end:
        lags += _lag(other["name"])
    told = f"it was at most {max(lags):.0f} s behind" if lags else "nobody knows how far behind it was"
    report.note(PROOF, "a target is dark for a minute, the other never notices", told, ok=bool(lags) and max(lags) < LAG)
    unseen = not _has(other, "/late.txt")
    wan.order(place.CONTROL, "heal", name=dark["name"])
    healed = time.monotonic()
    wait_until(lambda: _has(dark, "/late.txt"), "the dark target has caught up", within=120, every=0.5)
    told = f"after {time.monotonic() - healed:.1f} s"
    report.note(PROOF, "it catches up by itself", told, ok=not unseen)


def _stale(report: Report, victim: dict[str, Any]) -> None:
    """Its sshd ends while its web server goes on: nothing new arrives, and only the token tells."""
    with observed(NEWS) as seen:
        stopped = time.monotonic()
        container.call(victim["name"], "sh", "-c", "systemctl stop ssh.socket ssh; pkill -x sshd || true")
        wait_until(lambda: victim["name"] not in _serving(), "it is drained", within=120, every=1.0)
        drained = time.monotonic() + SLACK / 3
        wait_until(lambda: time.monotonic() > drained + 10, "ten more seconds of requests", within=60)
    mine = [each for each in seen.answers if each.server == victim["name"]]
    asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()  # what /proc/uptime has beside the monotonic clock
    oldest = max((each.asked + asleep - float(each.body) for each in mine if each.good), default=0.0)
    after = [each for each in mine if each.asked > drained]
    failed = [each for each in seen.answers if not each.good]
    waited = drained - stopped - SLACK / 3
    told = f"{len(mine)} answers, the oldest content {oldest:.0f} s old; drained after {waited:.0f} s, {len(after)} answers since"
    ok = bool(mine) and oldest <= MAX_DRIFT + SLACK and not after
    report.note(PROOF, f"stale content (over {MAX_DRIFT:g} s) never gets a request", told, ok=ok)
    report.note(PROOF, "nobody else notices: 0 failed requests", f"{len(failed)} of {len(seen.answers)} failed", ok=not failed)


@contextmanager
def _news() -> Iterator[None]:
    """A file on the core that says, every two seconds, what time it is by the machine's monotonic clock."""
    shown = f"/var/www/html{NEWS}"
    body = f"cut -d' ' -f1 /proc/uptime > /tmp/news; install -m 644 /tmp/news {shown}; sleep 2"
    words = f"touch /tmp/tells; while [ -e /tmp/tells ]; do {body}; done; rm {shown}"
    with subprocess.Popen(container.inside(CORE_1.name, "sh", "-c", words)):
        try:
            yield
        finally:
            container.call(CORE_1.name, "rm", "/tmp/tells")  # noqa: S108 - of that host


def _two() -> list[dict[str, Any]]:
    found = gateway.instances("in_service")
    return found if len(found) == 2 else []


def _serving() -> set[str]:
    return {str(each["name"]) for each in gateway.instances("in_service")}


def _lag(name: str) -> list[float]:
    """Seconds by which it is behind the core; none where that is not known at the moment."""
    told = json.loads(gateway.burstd("content", "status", "--json"))["instances"]
    return [each["content_lag_seconds"] for each in told if each["name"] == name and each["content_lag_seconds"] is not None]


def _write(path: str, text: str) -> None:
    container.call(CORE_1.name, "tee", f"/var/www/html{path}", given=text)


def _has(instance: dict[str, Any], path: str) -> bool:
    url = f"http://{instance['address']}{path}"
    words = container.within_network(GATEWAY_HOST.name, "curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null", url)
    return subprocess.run(words, check=False).returncode == 0
