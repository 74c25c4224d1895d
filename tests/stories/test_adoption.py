"""A roster lost at any moment of a fleet's life, and adopted from what the cloud lists: nothing is bought twice, lost, or torn down."""

from __future__ import annotations

import pytest

from burstd.adapters.memory import MemoryRoster
from burstd.model.faults import Fault
from burstd.model.orders import ScaleTo
from burstd.plan.adoption import Adoption, adopt
from tests.theatre import OWNER, Theatre


def lose_and_adopt(site: Theatre) -> Adoption:
    """The roster is gone, and `burstd adopt` makes a new one of the newest listing."""
    site.cloud.observe()  # asks; the next one has the answer
    view = site.cloud.observe()
    nodes = [node for each in view.listings if not isinstance(each.nodes, Fault) for node in each.nodes]
    adoption = adopt(nodes, site.policy, known=(), now=site.clock.now())
    site.roster = MemoryRoster(OWNER)
    site.roster.save(*adoption.instances)
    site.restart()
    site.cycle.order(ScaleTo(2, "anna"))
    return adoption


@pytest.mark.parametrize("steps", range(1, 16))
def test_whenever_the_roster_is_lost_the_fleet_comes_back_as_it_was(steps: int) -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(2, "anna"))
    for _ in range(steps):
        site.step()
    serving, machines = set(site.serving()), set(site.billed())
    adoption = lose_and_adopt(site)
    assert {each.id for each in adoption.nodes} == machines
    for _ in range(40):
        turn = site.step()
        assert turn.plan.violations == ()
        assert serving <= set(site.serving()), "what served goes on"
    assert set(site.billed()) >= machines, "no machine was given back"
    assert (len(site.billed()), len(site.serving())) == (2, 2)


def test_a_fleet_lost_in_the_middle_of_a_drain_drains_no_further_and_serves() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(2, "anna"))
    site.run(120)
    machines = set(site.billed())
    site.cycle.order(ScaleTo(1, "anna"))
    site.step()
    assert len(site.serving()) == 1
    lose_and_adopt(site)
    site.run(120)
    assert (set(site.billed()), len(site.serving())) == (machines, 2)
