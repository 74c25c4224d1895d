"""Drills on the simulated site: by order, by the hour, over restarts, beside a burst; and what they teach."""

from __future__ import annotations

import pytest

from burstd.adapters.memory import CreateTrouble, MemoryPool
from burstd.errors import AskOperator, Retry, Unreachable
from burstd.model.drill import Drill, DrillOutcome
from burstd.model.fleet import Pause, Phase
from burstd.model.orders import DrainInstance, SetPause, StartDrill
from burstd.plan.rehearsals import recollect
from tests.given import CORES, policy
from tests.theatre import Theatre

STEPS = ["create", "boot", "sync", "join", "leave", "destroy"]
NAME = "burst-ffff-abc0000000"


def last(play: Theatre) -> Drill:
    found = recollect(play.roster.learned()).last
    assert found is not None
    return found


def rehearsed(boot: float = 20, **fleet: int) -> Theatre:
    """A site in which a drill was just ordered, and has begun."""
    play = Theatre(MemoryPool("dublin", boot=boot, sync=5), under=policy(fleet=fleet))
    play.step()
    assert play.cycle.order(StartDrill("anna")) == "a drill of one instance in the first pool that is not barred begins with the next cycle"
    play.step()
    return play


def test_a_drill_goes_all_the_way_and_nothing_is_left_of_it_but_its_times() -> None:
    play = rehearsed()
    weights = set()
    for _ in range(30):
        turn = play.step()
        weights |= {each.weight for name, each in play.gateway.servers.items() if name not in CORES}
        assert (play.serving(), turn.decision.current, turn.decision.count) == ([], 0, 0)
    assert weights == {0}
    drill = last(play)
    assert (drill.outcome, [each.name for each in drill.steps]) == (DrillOutcome.DONE, STEPS)
    assert drill.seconds == sum(each.seconds or 0.0 for each in drill.steps)
    assert (play.fleet, play.billed(), list(play.gateway.servers)) == ([], [], list(CORES))
    assert play.turns[-1].plan.actions == ()
    (boot,) = play.turns[-1].decision.memory.boots["dublin"]
    assert (boot.running, boot.synced, boot.ready) == (25.0, 30.0, 35.0)
    assert any(f"launch {NAME} in dublin for a drill" in each for each in play.transcript())


@pytest.mark.parametrize("cycles", range(12))
def test_a_restart_at_any_moment_goes_on_with_the_drill(cycles: int) -> None:
    play = rehearsed()
    for _ in range(cycles):
        play.step()
    play.restart()
    play.run(150)
    assert (last(play).outcome, [each.name for each in last(play).steps]) == (DrillOutcome.DONE, STEPS)
    assert (play.fleet, play.billed()) == ([], [])
    assert len(play.turns[-1].decision.memory.boots["dublin"]) == 1


def test_a_second_drill_is_refused_until_the_first_is_over() -> None:
    play = rehearsed()
    with pytest.raises(Retry, match="one runs already"):
        play.cycle.order(StartDrill("berit"))
    play.run(150)
    play.cycle.order(StartDrill("berit"))
    with pytest.raises(Retry, match="one is ordered already"):
        play.cycle.order(StartDrill("anna"))
    play.run(150)
    assert (last(play).owner, last(play).outcome) == ("berit", DrillOutcome.DONE)


def test_while_scale_out_is_paused_or_haproxy_is_away_none_is_begun() -> None:
    play = Theatre()
    play.cycle.order(SetPause(Pause.OUT, "anna"))
    with pytest.raises(AskOperator, match="scale-out is paused"):
        play.cycle.order(StartDrill("anna"))
    play.cycle.order(SetPause(Pause.NONE, "anna"))
    play.gateway.failure = Unreachable("nothing listens on its socket")
    with pytest.raises(Retry, match="HAProxy cannot be read"):
        play.cycle.order(StartDrill("anna"))
    assert play.roster.orders().drill is None


@pytest.mark.parametrize("cycles", range(6))
def test_an_overload_in_the_midst_of_a_drill_has_its_instance_and_buys_no_other(cycles: int) -> None:
    play = rehearsed(maximum=1)
    for _ in range(cycles):
        play.step()
    play.set_load(5.0)
    play.run(60)
    assert (play.serving(), len(play.billed()), last(play).outcome) == ([NAME], 1, DrillOutcome.TAKEN)
    assert play.gateway.servers[NAME].weight == 10
    assert play.phases() == [Phase.IN_SERVICE]


def test_an_overload_after_the_drill_has_left_haproxy_waits_for_the_room_and_no_longer() -> None:
    play = rehearsed(maximum=1)
    while play.phases() != [Phase.DESTROYING]:
        play.step()
    play.set_load(5.0)
    play.run(120)
    assert (len(play.serving()), len(play.billed()), last(play).outcome) == (1, 1, DrillOutcome.DONE)
    assert play.serving() != [NAME]


def test_an_operator_may_drain_a_drill() -> None:
    play = rehearsed()
    play.step()
    play.cycle.order(DrainInstance(NAME, "anna"))
    play.run(60)
    assert (last(play).outcome, last(play).failure) == (DrillOutcome.FAILED, "boot: an operator drains it")
    assert play.billed() == []


def test_a_create_that_the_cloud_refuses_is_the_drills_failure_and_bars_the_pool() -> None:
    play = Theatre()
    play.world.creates.append(CreateTrouble.REFUSED)
    play.cycle.order(StartDrill("anna", "dublin"))
    play.run(20)
    assert last(play).outcome is DrillOutcome.FAILED
    assert last(play).failure.startswith("create: ")
    assert play.roster.pools()["dublin"].failures == 1
    with pytest.raises(Retry, match="pool dublin is stopped"):
        play.cycle.order(StartDrill("anna"))


def test_at_its_hour_a_drill_begins_by_itself_once_and_a_missed_one_is_skipped_and_said() -> None:
    play = Theatre()
    start = play.clock.now()
    day = 86_400.0
    play.calendar.drills = [start - day, start + 20, start + day]
    play.run(15)
    assert play.billed() == []
    play.run(150)
    assert (last(play).owner, last(play).outcome) == ("schedule", DrillOutcome.DONE)
    play.run(60)
    assert len(play.world.machines) == 1
    play.world.clock.advance(day)
    play.restart()
    play.run(60)
    assert len(play.world.machines) == 1
    skipped = [each.text for each in play.roster.events(1000) if "is skipped: burstd did not run then" in each.text]
    assert len(skipped) == 1


def test_ordinary_launches_teach_the_boot_time_too_and_a_restart_keeps_it() -> None:
    play = Theatre(MemoryPool("dublin", boot=40, sync=10))
    play.set_load(5.0)
    play.run(120)
    assert [each.ready for each in play.turns[-1].decision.memory.boots["dublin"]] == [55.0]
    play.restart()
    play.step()
    assert [each.ready for each in play.turns[-1].decision.memory.boots["dublin"]] == [55.0]
