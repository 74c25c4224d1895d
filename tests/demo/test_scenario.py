from __future__ import annotations

import pytest

from burstd.demo.scenario import FULL, Scenario, Stretch

HILL = Scenario((Stretch("quiet", 10, 8), Stretch("rise", 5, 48), Stretch("plateau", 20, 48), Stretch("fall", 5, 8)))


@pytest.mark.parametrize(("at", "users"), [(-1, 8), (0, 8), (10, 8), (12.5, 28), (15, 48), (34, 48), (37.5, 28), (40, 8), (1000, 8)])
def test_users_come_and_go_in_straight_lines(at: float, users: float) -> None:
    assert HILL.users_at(at) == users


@pytest.mark.parametrize(("at", "name"), [(-1, "quiet"), (0, "quiet"), (10, "rise"), (20, "plateau"), (39, "fall"), (1000, "fall")])
def test_every_moment_lies_in_one_stretch(at: float, name: str) -> None:
    assert HILL.stretch_at(at).name == name


def test_a_scenario_knows_its_length_and_its_most_users() -> None:
    assert HILL.seconds == 40
    assert HILL.most == 48


def test_the_demos_own_scenario_ends_as_quietly_as_it_began() -> None:
    assert FULL.users_at(0) == FULL.users_at(FULL.seconds) < FULL.most / 4
