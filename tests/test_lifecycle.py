"""The table of an instance's phases."""

from __future__ import annotations

import pytest

from burstd.errors import IllegalTransition
from burstd.lifecycle import TRANSITIONS, advance, deadline, overdue
from burstd.model.fleet import ENDED, ON_ITS_WAY, SERVING, Phase
from burstd.model.policy import FleetPolicy
from tests.given import member
from tests.turns import NOW


def test_every_phase_stands_in_the_table_and_every_way_has_its_cause() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert all(cause for ways in TRANSITIONS.values() for cause in ways.values())


@pytest.mark.parametrize("phase", sorted(set(Phase) - ENDED))
def test_anything_that_has_not_ended_may_become_gone(phase: Phase) -> None:
    gone = advance(member(1, phase), Phase.GONE, NOW, "lost")
    assert (gone.phase, gone.since, gone.reason) == (Phase.GONE, NOW, "lost")


@pytest.mark.parametrize("phase", sorted(ENDED))
def test_what_has_ended_never_lives_again_under_the_same_record(phase: Phase) -> None:
    with pytest.raises(IllegalTransition, match=f"{phase} cannot become booting"):
        advance(member(1, phase), Phase.BOOTING, NOW, "back from the dead")


def test_no_way_leads_to_a_destroy_past_the_drain() -> None:
    assert {phase for phase in SERVING | {Phase.JOINING} if Phase.DESTROYING in TRANSITIONS[phase]} == set()


def test_every_phase_can_come_to_its_end() -> None:
    for start in ON_ITS_WAY | SERVING:
        reached, ways = {start}, [start]
        while ways:
            ways = [each for each in TRANSITIONS[ways.pop()] if each not in reached] + ways
            reached.update(ways)
        assert reached & {Phase.DESTROYING, Phase.FAILED}


@pytest.mark.parametrize("phase", [Phase.UNKNOWN, Phase.BOOTING, Phase.SYNCING, Phase.JOINING, Phase.DRAINING])
def test_every_waiting_phase_has_a_deadline(phase: Phase) -> None:
    limit = deadline(member(1, phase, since=NOW), FleetPolicy())
    assert limit is not None
    assert not overdue(member(1, phase, since=NOW), FleetPolicy(), limit)
    assert overdue(member(1, phase, since=NOW), FleetPolicy(), limit + 1)


def test_an_instance_in_service_may_stay_for_ever() -> None:
    assert deadline(member(1), FleetPolicy()) is None
    assert not overdue(member(1), FleetPolicy(), NOW * 2)
