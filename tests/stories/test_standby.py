"""The standby on the simulated site: the calm, the overload, the way back, and whatever comes between."""

from __future__ import annotations

import re
from itertools import count

import pytest

from burstd.adapters.memory import CreateTrouble, MemoryPool
from burstd.model.fleet import Phase
from burstd.model.gateway import ServerStatus
from burstd.model.orders import ScaleTo
from tests.given import CORES, policy
from tests.ownership.storm import Killed, Tripwire, wired
from tests.theatre import Theatre

FIRST, SECOND = "burst-ffff-abc0000000", "burst-ffff-abc0000001"
SERVING, STANDING = [Phase.IN_SERVICE], [Phase.STANDBY]


def site(boot: float = 90.0, standby: int = 1) -> Theatre:
    """A site with a standby that stands by, in the calm; machines take `boot` seconds."""
    made = Theatre(MemoryPool("dublin", boot=boot, sync=5), under=policy(fleet={"standby": standby}))
    made.run(boot + 50)
    assert (made.phases(), made.serving(), len(made.standing_by())) == (STANDING * standby, [], standby)
    return made


def test_the_standby_from_the_calm_through_an_overload_and_back() -> None:
    play = site()
    play.turns.clear()
    play.step()
    play.set_load(5.0)
    crossing = play.step()
    assert play.serving() == [FIRST]  # in the very cycle of the crossing sample
    assert (
        crossing.sentence
        == f"put {FIRST} from standby into service, launch {SECOND} in dublin as the standby, because load 5.00 is above 4"
    )
    assert f"in_service: from standby: {crossing.decision.reasons[0]}" in [event.text for event in crossing.events]
    play.set_load(3.0)
    play.run(150)
    assert (play.phases(), play.serving(), play.standing_by()) == ([Phase.IN_SERVICE, Phase.STANDBY], [FIRST], [SECOND])
    play.set_load(0.5)
    play.run(300)
    assert (play.phases(), play.serving(), play.standing_by(), len(play.billed())) == (STANDING, [], [SECOND], 1)
    assert play.turns[-1].plan.actions == ()
    told = iter(play.transcript())
    for pattern in (
        rf"^put {FIRST} from standby into service",
        rf"^drain {FIRST}-standby",
        rf"^take {FIRST}-standby out of service",
        rf"^remove {FIRST}-standby from HAProxy",
        rf"^join {SECOND}-standby",
        rf"^put {SECOND} on standby",
        rf"^drain {FIRST}, because load 0.50 is below 2",
        rf"^call {FIRST} gone",
    ):
        assert any(re.search(pattern, each) for each in told), f"nobody said {pattern!r} in:\n" + "\n".join(play.transcript())


def test_who_leaves_service_while_the_fresh_one_boots_becomes_the_standby_again() -> None:
    play = site(boot=250)
    play.set_load(5.0)
    play.step()
    play.set_load(0.5)
    play.run(200)
    assert (play.phases(), play.serving(), play.standing_by(), len(play.billed())) == (STANDING, [], [FIRST], 1)
    assert any(f"keep {FIRST} as the standby" in each for each in play.transcript())


def test_an_overload_uses_all_standbys_in_turn_up_to_max_and_gives_back_to_the_standbys() -> None:
    play = site(standby=2)
    play.set_load(9.0)
    play.run(900)
    assert (len(play.serving()), play.standing_by(), len(play.billed())) == (4, [], 4)
    play.set_load(0.5)
    play.run(1200)
    assert (play.phases(), play.serving(), len(play.standing_by()), len(play.billed())) == (STANDING * 2, [], 2, 2)


def test_a_reload_in_the_midst_of_the_switch_heals_within_two_cycles_of_the_check() -> None:
    for steps in range(5):
        play = site()
        play.set_load(5.0)
        for _ in range(steps + 1):
            play.step()
        play.gateway.reload()
        play.run(15)
        assert (play.serving(), play.gateway.crashes) == ([FIRST], 0)
        play.set_load(3.0)
        play.run(150)
        assert (play.standing_by(), len(play.billed())) == ([SECOND], 2)


def test_a_kill_between_any_two_steps_of_the_switch_converges() -> None:
    for kill in count():
        play = site()
        play.set_load(5.0)
        wire = Tripwire()
        play.cycle.ports = ports = play.ports()
        for name in ("roster", "gateway", "cloud"):
            object.__setattr__(ports, name, wired(getattr(ports, name), wire))
        play.gateway.refuse = lambda _edit, wire=wire: wire.step()  # type: ignore[misc] # bound now, as each round has its own
        wire.left = kill
        try:
            play.step()
        except Killed:
            play.world.clock.advance(5.0)
            play.restart()
            play.run(15)
            assert play.serving() == [FIRST], f"killed before step {kill}"
            play.set_load(3.0)
            play.run(150)
            assert (len(play.standing_by()), len(play.billed())) == (1, 2), f"killed before step {kill}"
        else:
            assert kill > 10  # reads, records, two edits and a create
            return


def test_a_restart_finds_the_standby_as_what_it_is() -> None:
    play = site()
    before = len(play.world.machines)
    play.restart()
    play.run(60)
    assert (play.phases(), play.serving(), play.standing_by(), len(play.world.machines)) == (STANDING, [], [FIRST], before)


@pytest.mark.parametrize("trouble", [CreateTrouble.REFUSED, CreateTrouble.ANSWER_LOST])
def test_a_standby_that_cannot_be_bought_holds_the_service_up_no_longer_than_one_without_it(trouble: CreateTrouble) -> None:
    play = Theatre(MemoryPool("dublin", boot=20, sync=5), MemoryPool("oslo", boot=20, sync=5), under=policy(fleet={"standby": 1}))
    play.world.creates.extend([trouble])
    play.set_load(5.0)
    play.run(60)
    assert len(play.serving()) == 1
    play.set_load(3.0)
    play.run(120)
    assert (len(play.standing_by()), len(play.billed())) == (1, 2)


def test_a_dead_standby_is_replaced_and_an_overload_meanwhile_gets_a_fresh_one() -> None:
    play = site(boot=20)
    play.world.machines[0].healthy = False
    play.run(5)
    play.set_load(5.0)
    play.run(60)
    assert play.serving() == [SECOND]
    play.set_load(3.0)
    play.run(120)
    assert (len(play.serving()), len(play.standing_by()), len(play.billed())) == (1, 1, 2)


def test_with_the_core_dead_haproxy_serves_from_the_standbys_and_burstd_leaves_them_there() -> None:
    play = site(standby=2)
    for name in CORES:
        play.gateway.servers[name].healthy = False
        play.load.fail(name)
    play.turns.clear()
    play.run(120)
    assert all(play.gateway.servers[name].status is ServerStatus.DOWN for name in CORES)
    assert (len(play.standing_by()), [each.plan.effects for each in play.turns if each.plan.effects]) == (2, [])


def test_an_order_puts_the_standby_into_service_and_to_zero_keeps_it_as_the_standby() -> None:
    play = site()
    play.cycle.order(ScaleTo(1, "anna"))
    play.step()
    assert play.serving() == [FIRST]
    play.cycle.order(ScaleTo(0, "anna"))
    play.run(30)
    assert (play.serving(), play.standing_by()) == ([], [FIRST])
    play.run(60)
    assert len(play.billed()) == 1
