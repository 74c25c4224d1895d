"""Money on the simulated site: an hour that is paid, a budget that is used up, and a kill in between."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from burstd.adapters.memory import CreateTrouble, MemoryPool
from burstd.errors import Retry
from burstd.model.cost import HOUR, Billing, BudgetPolicy
from burstd.model.fleet import Phase
from burstd.model.orders import ScaleAuto, ScaleTo, StartDrill
from tests.given import policy
from tests.ownership.storm import Storm
from tests.theatre import Theatre

FIRST = "burst-ffff-abc0000000"
DUBLIN = ("dublin", "EUR")


def site(budget: BudgetPolicy | None = None, price: float = 0.36, **fleet: Any) -> Theatre:
    """A site whose one pool costs that much for each hour that has begun."""
    made = Theatre(MemoryPool("dublin", boot=20, sync=5), under=policy(fleet=fleet))
    pool = replace(made.policy.pools[0], price=price, currency="EUR", billing=Billing.HOUR)
    made.policy = replace(made.policy, pools=(pool,), budget=budget)
    made.restart()
    return made


def relieved(play: Theatre) -> None:
    """An overload, and the instance that relieves it."""
    play.set_load(5.0)
    play.run(10)
    play.set_load(3.0)
    play.run(60)
    assert play.phases() == [Phase.IN_SERVICE]


def test_an_instance_stays_for_the_hour_that_is_paid_and_leaves_shortly_before_the_next() -> None:
    play = site()
    relieved(play)
    play.set_load(0.5)
    play.run(1800)
    assert play.serving() == [FIRST]
    assert any("is paid for, and leaves in" in each for each in play.turns[-1].plan.waiting)
    play.run(1800)
    assert (play.fleet, play.billed()) == ([], [])
    assert play.turns[-1].decision.outlay.total == {DUBLIN: pytest.approx(0.36)}
    told = [
        each for each in play.transcript() if each.startswith(f"nothing to do, because load 0.50 is below 2, for # s; waiting: {FIRST}")
    ]
    assert len(told) <= 1


def test_where_the_load_is_back_within_the_hour_nothing_is_bought_twice() -> None:
    play = site()
    relieved(play)
    play.set_load(0.5)
    play.run(1800)
    play.set_load(3.0)
    play.run(1200)
    assert play.serving() == [FIRST]
    assert play.turns[-1].decision.outlay.total == {DUBLIN: pytest.approx(0.36)}


def test_past_the_hard_limit_nothing_is_bought_nobody_leaves_and_the_next_day_it_goes_on() -> None:
    play = site(BudgetPolicy("EUR", day_hard=0.5))
    relieved(play)
    play.set_load(9.0)
    play.run(300)
    assert play.serving() == [FIRST]
    assert play.turns[-1].decision.reasons[0].startswith("the budget of the day has no room: 0.36 of 0.50 EUR today")
    today = play.turns[-1].snapshot.days[-1]
    while (turn := play.step(60)).snapshot.days[-1] == today:
        assert play.serving() == [FIRST]
    assert turn.decision.reasons[0] == "load 9.00 is above 4"
    play.run(60)
    assert len(play.serving()) == 2


def test_an_order_that_cannot_be_paid_says_so_and_a_drill_is_refused() -> None:
    play = site(BudgetPolicy("EUR", day_hard=0.5))
    relieved(play)
    told = play.cycle.order(ScaleTo(3, "anna"))
    assert told.startswith("3 instances wanted until `burstd scale --auto`; not all of them can be paid: the budget of the day has no room")
    assert play.cycle.order(ScaleTo(1, "anna")) == "1 instance wanted until `burstd scale --auto`"
    with pytest.raises(Retry, match="drill: the budget of the day has no room"):
        play.cycle.order(StartDrill("anna"))


def test_what_was_spent_survives_kills() -> None:
    play = site(BudgetPolicy("EUR", day_soft=0.3))
    relieved(play)
    warned = [event for turn in play.turns for event in turn.events if event.kind == "budget"]
    assert [each.text for each in warned] == ["0.36 EUR are spent today, budget.day_soft is 0.3: instances are given back sooner"]
    for _ in range(3):
        play.restart()
        play.step()
    play.cycle.order(ScaleTo(0, "anna"))
    play.run(60)
    play.restart()
    play.run(10)
    assert play.fleet == []
    assert play.turns[-1].decision.outlay.today == {DUBLIN: pytest.approx(0.36)}
    assert [event for turn in play.turns for event in turn.events if event.kind == "budget"] == warned


@pytest.mark.parametrize("seed", range(8))
def test_the_books_agree_with_the_cloud_over_kills_between_any_two_port_calls(seed: int) -> None:
    random = Random(seed)
    storm = Storm(MemoryPool("dublin", capacity=9, boot=12.0, call=3.0), maximum=3)
    pools = tuple(replace(each, price=HOUR, currency="EUR") for each in storm.policy.pools)  # a second costs 1 EUR
    storm.policy = replace(storm.policy, pools=pools)
    storm.restart()
    for _ in range(80):
        storm.set_load(random.choice((0.1, 0.1, 5.0, 9.0)))
        storm.order(random.choice((ScaleTo(random.randint(0, 3), "anna"), ScaleAuto("anna"))))
        storm.turn(random.choice((5.0, 20.0)), kill_before=random.randrange(20) if random.random() < 0.4 else None)
    storm.order(ScaleTo(0, "anna"))
    for _ in range(60):
        storm.turn(20.0)
    storm.step()
    ours = [each for each in storm.world.machines if each not in storm.strangers]
    assert (storm.fleet, [each for each in ours if each.alive]) == ([], [])
    lived = sum((each.destroyed_at or 0.0) - each.created_at for each in ours)
    spent = storm.turns[-1].decision.outlay.total[DUBLIN]
    assert len(ours) > 3
    assert lived - len(ours) <= spent <= lived + 60 * len(ours)  # from the sending of a create, to that of the destroy that counted


def test_no_storm_passes_a_budget() -> None:
    random = Random(7)
    storm = Storm(MemoryPool("dublin", capacity=9, boot=12.0, call=3.0), maximum=3, max_step=2, standby=1)
    pools = tuple(replace(each, price=0.36, currency="EUR", billing=Billing.HOUR) for each in storm.policy.pools)
    storm.policy = replace(storm.policy, pools=pools, budget=BudgetPolicy("EUR", day_hard=1.5))
    storm.restart()
    for _ in range(150):
        storm.set_load(random.choice((0.1, 5.0, 9.0)))
        storm.world.creates.extend(random.choices((None, CreateTrouble.ANSWER_LOST, CreateTrouble.REFUSED), k=1))
        storm.turn(5.0, kill_before=random.randrange(20) if random.random() < 0.3 else None)
        if random.random() < 0.1:
            storm.order(ScaleTo(random.randint(0, 3), "anna", seconds=30.0))
    made = [each for each in storm.world.machines if each not in storm.strangers]
    assert 1 <= len(made) <= 4  # of 0.36 each, all within the first hour
