"""The coarse traffic: a queue's mean below saturation, growth beyond, clients that give up, and the kernel's own damping."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from burstd.adapters.memory import MemoryFlow, MemoryGateway, MemoryLoad, MemoryServer, MemoryWorld, Strength
from burstd.adapters.memory.flow import ROOM, Basin
from burstd.decide.queueing import mean_load
from burstd.model.gateway import AdminState
from burstd.model.load import Sample, Target

MADE = Strength(cpus=4, work=0.04)
FULL = 100.0
"""Requests/s with which all CPUs of such a server are busy."""


class Site:
    """Two cores, and users who ask at one rate."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.world = MemoryWorld()
        self.load = MemoryLoad(self.world.clock)
        self.gateway = MemoryGateway(self.world, ["oslo-1", "oslo-2"], is_ours=lambda _name: True)
        cores = [("core-1", "oslo-1"), ("core-2", "oslo-2")]
        self.flow = MemoryFlow(self.world, self.gateway, self.load, lambda _at: self.rate, cores=cores, made=MADE)

    def sample(self, name: str = "core-1") -> Sample:
        found = self.load.read([Target(name, "")])[name]
        assert isinstance(found, Sample)
        return found

    def requests(self) -> int:
        return self.gateway.read().backends[0].requests


@pytest.mark.parametrize("utilisation", [0.1, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_below_saturation_a_queue_stands_at_its_mean(utilisation: float, seconds: float) -> None:
    basin = Basin(MADE)
    for _ in range(40):
        basin.pass_time(utilisation * FULL * seconds, seconds)
    assert basin.tasks == pytest.approx(mean_load(4, utilisation), rel=0.01)
    assert basin.busy_seconds / (basin.busy_seconds + basin.idle_seconds) == pytest.approx(utilisation, rel=0.02)


def test_a_load_average_forgets_with_its_minute_whatever_the_step() -> None:
    long, short = Basin(MADE, load1=10.0), Basin(MADE, load1=10.0)
    long.pass_time(0.0, 60.0)
    for _ in range(12):
        short.pass_time(0.0, 5.0)
    assert long.load1 == pytest.approx(10 / math.e, rel=0.01)
    assert short.load1 == pytest.approx(10 / math.e, rel=0.01)


def test_beyond_saturation_the_queue_grows_by_what_is_too_much() -> None:
    basin = Basin(MADE, tasks=50.0)
    basin.pass_time(1.3 * FULL, 1.0)
    assert basin.tasks == pytest.approx(50 + 0.3 * FULL, abs=2)


def test_who_finds_no_room_gives_up_and_counts_as_a_request_that_has_ended() -> None:
    basin = Basin(MADE)
    ended = basin.pass_time(3 * FULL * 10, 10.0)
    assert basin.tasks == ROOM * 4
    assert basin.given_up == pytest.approx(2 * FULL * 10 - ROOM * 4)
    assert ended == pytest.approx(3 * FULL * 10 - ROOM * 4)


def test_a_site_has_stood_at_its_first_rate_for_long() -> None:
    site = Site(150.0)
    assert site.sample().load1 == pytest.approx(mean_load(4, 0.75), rel=1e-6)
    assert site.flow.core_tasks == pytest.approx(site.sample().load1)
    assert site.sample().cpus == 4


def test_haproxys_counters_count_every_request_once() -> None:
    site = Site(150.0)
    for _ in range(10):
        site.flow.play(30.0)
    assert site.requests() == pytest.approx(150 * 300, abs=20)
    assert (site.flow.requests, site.flow.given_up) == (45_000, 0)


def test_a_server_that_joins_gets_its_weights_worth() -> None:
    site = Site(150.0)
    machine = site.world.make("memory", "burst-1", {})
    site.gateway.servers["burst-1"] = MemoryServer("burst-1", f"{machine.address}:80", weight=100, passing=True)
    before = [each.requests for each in site.gateway.servers.values()]
    site.flow.play(30.0)
    site.flow.play(30.0)
    came = [each.requests - earlier for each, earlier in zip(site.gateway.servers.values(), before, strict=True)]
    assert all(first == pytest.approx(second, abs=5) for first, second in pairwise(came))
    assert site.flow.core_rate(0.0) == pytest.approx(50.0)
    assert site.sample("burst-1").load1 > 0


def test_a_drained_server_gets_nothing_and_its_queue_empties() -> None:
    site = Site(150.0)
    machine = site.world.make("memory", "burst-1", {})
    line = MemoryServer("burst-1", f"{machine.address}:80", weight=100, passing=True)
    site.gateway.servers["burst-1"] = line
    site.flow.play(30.0)
    line.put(AdminState.DRAIN, site.world.clock.now())
    assert line.sessions > 0
    site.flow.play(5.0)
    site.flow.play(5.0)
    assert line.sessions == 0
    del site.gateway.servers["burst-1"]
    site.flow.play(5.0)
    assert "burst-1" not in site.flow.basins


def test_a_standby_gets_nothing_while_a_core_serves() -> None:
    site = Site(150.0)
    machine = site.world.make("memory", "burst-1", {})
    site.gateway.servers["burst-1"] = MemoryServer("burst-1", f"{machine.address}:80", weight=100, passing=True, backup=True)
    site.flow.play(30.0)
    assert site.gateway.servers["burst-1"].requests == 0


def test_where_no_server_is_left_everybody_gives_up() -> None:
    site = Site(150.0)
    for server in site.gateway.servers.values():
        server.healthy = False
    site.flow.play(10.0)
    assert site.flow.given_up == 1500
    assert site.flow.core_load < mean_load(4, 0.75)
