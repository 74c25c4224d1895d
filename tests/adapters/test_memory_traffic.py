"""The simulated traffic: queues that behave like queues, and counters that count what HAProxy's count."""

from __future__ import annotations

import random

import pytest

from burstd.adapters.memory import MemoryGateway, MemoryLoad, MemoryTraffic, MemoryWorld, Strength
from burstd.decide.queueing import mean_load
from burstd.model.load import Sample, Target

CORES = ("core-1", "core-2")
BACKEND = "app_cluster"


class Play:
    """Two cores under a constant demand."""

    def __init__(self, rate: float, strength: Strength = Strength(), lots: random.Random | None = None) -> None:  # noqa: B008 - frozen
        self.world = MemoryWorld()
        self.gateway = MemoryGateway(self.world, CORES, is_ours=lambda _name: False)
        self.load = MemoryLoad(self.world.clock)
        cores = dict.fromkeys(CORES, strength)
        self.traffic = MemoryTraffic(self.world, self.gateway, self.load, {BACKEND: lambda _seconds: rate}, cores=cores, lots=lots)

    def sample(self, name: str = CORES[0]) -> Sample:
        reading = self.load.read([Target(name, "")])[name]
        assert isinstance(reading, Sample)
        return reading


@pytest.mark.parametrize("rate", [20.0, 100.0, 180.0])
def test_below_saturation_a_server_stands_at_the_queue_of_the_textbook(rate: float) -> None:
    play = Play(rate)
    play.traffic.play(600)
    utilisation = rate / 2 * 0.04 / 4
    assert play.sample().load1 == pytest.approx(mean_load(4, utilisation), rel=0.01)
    assert play.sample().busy_seconds == pytest.approx(600 * 4 * utilisation, rel=0.01)
    assert play.gateway.servers["core-1"].requests == pytest.approx(300 * rate, rel=0.01)


def test_beyond_saturation_the_queue_grows_with_time_and_is_worked_off_afterwards() -> None:
    play = Play(240.0)
    play.traffic.play(60)
    queued = play.traffic.stations["core-1"].tasks
    assert queued == pytest.approx(60 * (120 - 100), rel=0.1)
    row = play.gateway.servers["core-1"]
    assert row.requests + row.sessions == pytest.approx(60 * 120, abs=2)  # what is not answered is open
    play.world.clock.advance(0)
    play.gateway.servers["core-1"].weight = 0
    play.traffic.play(30)
    assert play.traffic.stations["core-1"].tasks < 1


def test_the_load_average_forgets_as_the_kernels_does() -> None:
    play = Play(150.0)
    play.traffic.play(600)
    before = play.sample().load1
    play.gateway.servers["core-1"].weight = 0
    play.traffic.play(60)
    assert play.sample().load1 == pytest.approx(before / 2.718, rel=0.05)


def test_weights_share_the_requests_and_a_dead_server_gets_none() -> None:
    play = Play(100.0)
    play.gateway.servers["core-1"].weight = 50
    play.traffic.play(60)
    assert play.gateway.servers["core-2"].requests == pytest.approx(2 * play.gateway.servers["core-1"].requests, abs=5)
    play.gateway.servers["core-2"].healthy = False
    before = play.gateway.servers["core-2"].requests
    play.traffic.play(10)
    assert play.gateway.servers["core-2"].requests == before


def test_with_nobody_there_requests_are_lost() -> None:
    play = Play(100.0)
    for name in CORES:
        play.gateway.servers[name].healthy = False
    play.traffic.play(10)
    assert play.traffic.lost == pytest.approx(1000)


def test_what_else_a_machine_does_is_load_and_no_request() -> None:
    play = Play(40.0, Strength(background=1.0))
    play.traffic.play(600)
    assert play.sample().busy_seconds == pytest.approx(600 * (1 + 20 * 0.04), rel=0.01)
    assert play.gateway.servers["core-1"].requests == pytest.approx(600 * 20, rel=0.01)


def test_lots_scatter_around_the_same_means_and_the_same_seed_plays_the_same() -> None:
    seen = []
    for _ in range(2):
        play = Play(130.0, lots=random.Random(7))
        loads = []
        for _ in range(240):
            play.traffic.play(5)
            loads.append(play.sample().load1)
        seen.append(loads)
    assert seen[0] == seen[1]
    assert sum(seen[0][24:]) / len(seen[0][24:]) == pytest.approx(mean_load(4, 0.65), rel=0.1)
    assert max(seen[0][24:]) - min(seen[0][24:]) > 1


def test_a_backup_is_in_the_load_and_on_no_cpu() -> None:
    play = Play(20.0)
    play.traffic.play(300)
    calm = play.sample()
    play.traffic.stations[CORES[0]].blocked = 3.0
    play.traffic.play(600)
    after, other = play.sample(), play.sample(CORES[1])
    assert after.load1 == pytest.approx(calm.load1 + 3, abs=0.05)
    assert other.load1 == pytest.approx(calm.load1, abs=0.05)
    assert after.busy_seconds == other.busy_seconds
    assert after.iowait_seconds == pytest.approx(1800.0)
    assert other.iowait_seconds == 0.0
