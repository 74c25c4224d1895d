"""The automatic weight on real HAProxy under real traffic: the share that is solved is the share that its counters show."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from burstd.cli.client import Client
from burstd.demo.scenario import Scenario, Stretch
from burstd.demo.site import Site
from tests.waiting import wait_until

CROWD = Scenario((Stretch("crowd", 1, 40),))
"""About twice as many requests as the cores carry at their target."""
WATCHED = 30
"""Seconds: half of what the load average remembers, enough to undamp it, and some thousand requests."""
THRESHOLD = 4.0


class Glance:
    """What the daemon says at one moment."""

    def __init__(self, site: Site) -> None:
        status: dict[str, Any] = site.ask("/v1/status")
        self.at: float = status["at"]
        self.cores = sum(each["requests"] for each in status["cores"])
        self.bursts = sum(each["requests"] for each in status["instances"])
        self.loads = [each["load1"] for each in status["cores"]]
        told = re.search(r"(\d+)% to the burst servers", site.ask("/v1/explain")["weight"]["reason"])
        self.solved = None if told is None else int(told[1]) / 100
        self.counted: float | None = status["gateway"]["burst_share"]

    @property
    def follows(self) -> bool:
        """What HAProxy has counted of late is what was solved."""
        return self.solved is not None and self.counted is not None and abs(self.counted - self.solved) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
def test_the_share_that_is_solved_is_what_haproxy_counts_and_the_cores_settle_under_the_threshold(balance: str) -> None:
    with Site(lambda path: Client(path).get, without=False, most=2) as site:
        file = site.layout.folder / f"{site.layout.sides['with'].program}.cfg"
        file.write_text(file.read_text().replace("balance roundrobin", f"balance {balance}"))
        site.reload_gateway()
        site.start_daemon()
        wait_until(
            lambda: site.ask("/v1/status")["gateway"]["backends"][0]["balance"] == balance, "HAProxy is reloaded", within=30, every=0.2
        )
        Client(str(site.layout.control)).post("/v1/scale", {"count": 2, "owner": "test", "reason": "", "seconds": None})
        wait_until(lambda: site.ask("/v1/status")["in_service"] == 2, "both instances are in service", within=60, every=0.2)
        _, generators = site.start_traffic(CROWD)
        wait_until(lambda: (Glance(site).solved or 0) > 0.2, "the cores' capacity is learned and exceeded", within=60, every=0.5)
        wait_until(lambda: Glance(site).follows, "HAProxy shares as it was solved", within=60, every=0.5)
        glances = [Glance(site)]

        def watched() -> bool:
            glances.append(Glance(site))
            return glances[-1].at - glances[0].at >= WATCHED

        wait_until(watched, "the site was watched", within=2 * WATCHED, every=1)
        errors = [what for each in generators["with"].read() for what in each.errors]
    first, last = glances[0], glances[-1]
    burst, core = last.bursts - first.bursts, last.cores - first.cores
    solved = [each.solved for each in glances if each.solved is not None]
    assert len(solved) == len(glances)
    assert burst / (burst + core) == pytest.approx(sum(solved) / len(solved), abs=0.05)
    left = math.exp(-(last.at - first.at) / 60)
    for before, after in zip(first.loads, last.loads, strict=True):
        behind = (after - before * left) / (1 - left)  # the run queue behind the load average, as in `burstd.decide.traffic.undamped`
        assert 0.5 < behind < THRESHOLD
    assert errors == []
