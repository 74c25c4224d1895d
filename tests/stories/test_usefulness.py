"""Stories of loads that no server mends, on a site under traffic: what is held, what is said, and that requests get their servers."""

from __future__ import annotations

import re

import pytest

from burstd.adapters.memory import Strength
from burstd.model.decision import Futility
from burstd.model.fleet import Phase
from burstd.model.orders import ScaleTo
from burstd.model.policy import Deciding
from burstd.model.window import Window
from tests.given import CORES, policy
from tests.plant import Plant, auto
from tests.stories.test_stories import told

NIGHT = 10.0
"""Requests/s to the site at night: a twentieth of what its CPUs carry."""


def backup(plant: Plant, tasks: float) -> None:
    """From now on so many tasks of a backup wait for the first core's disk."""
    plant.traffic.stations[CORES[0]].blocked = tasks


def held(plant: Plant, since: int = 0) -> list[Futility]:
    """What was held, cycle by cycle."""
    return [turn.decision.held.cause for turn in plant.turns[since:] if turn.decision.held is not None]


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_backup_at_night_buys_nothing_while_it_runs_nor_when_it_ends_and_is_said(seed: int | None) -> None:
    plant = Plant(lambda _seconds: NIGHT, auto(4, least=0), seed=seed)
    plant.run(300)
    backup(plant, 12)
    plant.run(1200)
    assert max(sum(each) / 2 for each in plant.loads) > 5
    assert set(held(plant)) == {Futility.NOT_REQUESTS}
    backup(plant, 0)
    plant.run(600)
    assert plant.world.machines == []
    told(
        plant,
        r"^nothing to do, because load \d\.\d\d is above 4, but more servers would not help: of load .* on core-oslo-01 its CPUs "
        r"\(\d+% busy, \d+% waiting for disks\) explain",
        r"^nothing to do, because load .* is below 2 and there is nothing to give back",
    )


def test_a_burst_of_requests_during_a_backup_gets_its_servers_at_once() -> None:
    plant = Plant(lambda seconds: NIGHT if seconds < 900 else 220.0, auto(4, least=0))
    plant.run(300)
    backup(plant, 12)
    plant.run(600)
    assert plant.world.machines == []
    plant.run(30)
    assert len(plant.world.machines) > 0


@pytest.mark.parametrize(("variability", "seed"), [(1.0, 1), (1.0, 2), (0.5, 3), (2.0, 4)])
def test_no_overload_by_requests_is_ever_held(variability: float, seed: int) -> None:
    """A slow ramp up to what the cores carry, and a step far beyond."""
    strength = Strength(variability=variability)

    def offered(seconds: float) -> float:
        return 60.0 + (200.0 if seconds >= 900 else 60.0 * max(0.0, seconds - 300) / 600)

    plant = Plant(offered, auto(4, least=0), cores=dict.fromkeys(CORES, strength), burst=strength, seed=seed)
    plant.run(1500)
    assert held(plant) == []
    assert len(plant.serving()) > 0


def test_what_is_declared_is_bought_during_a_backup_all_the_same() -> None:
    plant = Plant(lambda _seconds: NIGHT, auto(4, least=0))
    plant.run(100)
    backup(plant, 12)
    plant.run(300)
    plant.calendar.planned.append(Window("sale", 1, plant.clock.now() + 60, plant.clock.now() + 9000))
    plant.run(60)
    assert len(plant.serving()) == 1
    plant.cycle.order(ScaleTo(3, "anna"))
    plant.run(60)
    assert len(plant.serving()) == 3


def test_burst_servers_of_a_broken_image_are_not_multiplied_and_are_once_they_are_mended() -> None:
    plant = Plant(
        lambda seconds: 60.0 if seconds < 100 else 170.0,
        policy(load={"policy": Deciding.THRESHOLD, "cooldown_out": 60.0}, fleet={"maximum": 4}),
    )

    def err(part: float) -> None:
        for line in plant.gateway.servers.values():
            if not line.static:
                line.refusals = round(line.requests * part)

    for _ in range(200):
        err(0.5)
        plant.step()
    serving = [each for each in plant.fleet if each.phase is Phase.IN_SERVICE]
    assert len(serving) == 1
    assert Futility.BURST_ERRORS in held(plant)
    told(plant, r"but more servers would not help: \d+% of the burst servers' requests end in errors, 0.0% of the core's")
    bought = len(plant.world.machines)
    plant.run(300)  # no further error, and the last ones are soon more than a minute old
    assert len(plant.world.machines) > bought


def test_a_gateway_at_its_limit_buys_no_servers_that_would_wait_behind_it() -> None:
    """Its CPUs are full of handshakes, a backup lifts the load beside it, and requests are open that may be anything."""
    plant = Plant(lambda _seconds: 110.0, auto(4, least=0))
    plant.run(100)
    plant.gateway.idle = 0.01
    plant.run(30)
    backup(plant, 9)
    plant.run(300)
    assert plant.world.machines == []
    assert Futility.GATEWAY in held(plant)
    plant.gateway.idle = 0.4
    plant.run(60)
    sentences = " ".join(plant.transcript())
    assert re.search(r"HAProxy itself is at its limit, 1% idle, and no core server's CPUs are", sentences)
    assert len(plant.world.machines) > 0
