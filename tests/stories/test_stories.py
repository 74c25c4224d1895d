"""Whole stories on the simulated site: a script of events in, what the cycle says and does out."""

from __future__ import annotations

import json
import re

import pytest

from burstd.adapters.memory import CreateTrouble, DestroyTrouble, ListTrouble, MemoryPool
from burstd.cycle import Cycle
from burstd.errors import AskOperator, Misconfigured, Unreachable
from burstd.model.cloud import CreateCall
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Pause, Phase
from burstd.model.gateway import AdminState
from burstd.model.orders import DrainInstance, ScaleAuto, ScaleTo, SetPause
from burstd.model.plans import CallCloud, RecordLearned
from burstd.model.policy import Deciding
from burstd.model.window import Window
from tests.given import CORES, policy
from tests.theatre import STEP, Theatre


def told(theatre: Theatre, *patterns: str) -> None:
    """The sentences match these patterns, in this order, others between them."""
    sentences = iter(theatre.transcript())
    for pattern in patterns:
        assert any(re.search(pattern, each) for each in sentences), f"nobody said {pattern!r} in:\n" + "\n".join(theatre.transcript())


def test_a_burst_from_the_crossing_sample_to_the_last_destroy() -> None:
    site = Theatre()
    site.step()
    site.set_load(5.0)
    crossing = site.step()
    assert any(isinstance(each, CallCloud) for each in crossing.plan.actions)
    site.run(45)
    site.set_load(3.0)
    site.run(60)
    assert len(site.serving()) == 1
    site.set_load(0.5)
    site.run(300)
    assert (site.fleet, site.billed(), site.gateway.crashes) == ([], [], 0)
    told(
        site,
        r"^nothing to do, because load 1.00 is below 2 and there is nothing to give back",
        r"^launch burst-ffff-abc0000000 in dublin, because load 5.00 is above 4",
        r"^nothing to do, because load 5.00 is above 4, and 1 on the way; waiting: .* boots",
        r"waiting: .* is not ready",
        r"^join burst-ffff-abc0000000",
        r"^put burst-ffff-abc0000000 in service",
        r"^nothing to do, because load 3.00 is not above 4",
        r"^nothing to do, because load 0.50 is below 2, for 5 s of 60 s",
        r"^drain burst-ffff-abc0000000, because load 0.50 is below 2, for 60 s",
        r"^take burst-ffff-abc0000000 out of service",
        r"^remove burst-ffff-abc0000000 from HAProxy",
        r"^destroy m-000001 in dublin",
        r"^call burst-ffff-abc0000000 gone",
    )


def test_when_the_whole_core_dies_the_declared_number_carries_on_and_is_kept_for_a_window_after_the_core_is_back() -> None:
    site = Theatre(under=policy(fleet={"on_core_loss": 2}))
    site.step()
    for name in CORES:
        site.gateway.servers[name].healthy = False
    site.set_load(0.0)
    site.run(60)
    assert len(site.serving()) == 2
    site.run(600)
    assert len(site.serving()) == 2
    for name in CORES:
        site.gateway.servers[name].healthy = True
    site.set_load(1.0)
    site.run(55)
    assert len(site.serving()) == 2
    site.run(400)
    assert (site.serving(), site.billed()) == ([], [])
    told(
        site,
        r"^launch .*, launch .*, because no core server takes traffic in HAProxy: fleet.on_core_loss is 2; core-oslo-01 is DOWN in HAProxy",
        r"^nothing to do, because no core server takes traffic in HAProxy: nothing is given back; ",
        r"^nothing to do, because load 1.00 is below 2, for 0 s",
        r"^drain ",
    )
    events = [each.text for turn in site.turns for each in turn.events]
    assert events.count("core-oslo-02 is DOWN in HAProxy") == 1
    assert events.count("core-oslo-02 takes traffic in HAProxy again") == 1


def test_one_dead_core_of_two_is_said_and_buys_nothing_until_the_other_is_overloaded() -> None:
    site = Theatre(under=policy(fleet={"on_core_loss": 2}))
    site.step()
    site.gateway.servers[CORES[1]].healthy = False
    site.set_load(3.0, 0.0)
    site.run(60)
    assert site.billed() == []
    site.set_load(5.0, 0.0)
    site.run(60)
    assert len(site.serving()) == 1
    told(
        site,
        r"^nothing to do, because load 3.00 is not above 4; core-oslo-02 is DOWN in HAProxy$",
        r"^launch .*, because load 5.00 is above 4; core-oslo-02 is DOWN in HAProxy$",
    )


def test_what_an_operator_drains_or_puts_to_maintenance_stays_so_until_it_is_given_back() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    [name] = site.serving()
    for state, words in ((AdminState.DRAIN, "is drained"), (AdminState.MAINT, "is in maintenance")):
        site.gateway.servers[name].put(state, site.clock.now())
        site.run(60)
        assert site.gateway.servers[name].admin is state
        told(site, f"waiting: {name} {words} by somebody's hand")
        site.gateway.servers[name].put(AdminState.READY, site.clock.now())
        site.run(10)
        assert site.serving() == [name]
    site.gateway.servers[name].put(AdminState.MAINT, site.clock.now())
    site.run(10)
    site.restart()
    site.run(10)
    assert site.serving() == []
    site.gateway.reload()
    site.run(30)
    assert (site.serving(), len(site.billed())) == ([name], 1)
    events = [each.text for turn in site.turns for each in turn.events]
    assert events.count(f"{name} is in maintenance by somebody's hand") == 2
    assert events.count(f"{name} is no longer held out of rotation") == 3


def test_a_steady_overload_adds_one_at_a_time_up_to_max() -> None:
    site = Theatre()
    site.set_load(9.0)
    site.run(900)
    assert len(site.serving()) == 4
    assert max(len(turn.snapshot.fleet) for turn in site.turns) == 4
    told(site, r"fleet.max is 4 \(5 wanted\)")


def test_haproxy_forgets_its_servers_at_a_reload_and_has_them_back_within_two_cycles() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(2, "anna"))
    site.run(60)
    assert len(site.serving()) == 2
    site.gateway.reload()
    assert site.serving() == []
    site.step()
    site.step()
    assert len(site.serving()) == 2
    assert len(site.world.machines) == 2


def test_while_haproxy_is_away_nothing_leaves_and_nothing_is_lost() -> None:
    site = Theatre()
    site.set_load(5.0)
    site.run(60)
    site.set_load(0.1)
    site.gateway.failure = Unreachable("nothing listens on its socket")
    site.run(600)
    assert site.phases() == [Phase.IN_SERVICE]
    site.gateway.failure = None
    site.run(300)
    assert (site.fleet, site.billed()) == ([], [])


def test_a_backend_that_is_missing_causes_no_churn_of_instances() -> None:
    site = Theatre()
    site.gateway.failure = Misconfigured("haproxy: no backend app_cluster")
    site.set_load(9.0)
    site.run(900)
    assert len(site.world.machines) <= 4
    assert all(each.destroyed_at is None for each in site.world.machines)


def test_a_restart_in_the_middle_of_everything_loses_and_doubles_nothing() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(3, "anna"))
    for _ in range(12):
        site.step()
        site.restart()
    site.run(120)
    assert (len(site.serving()), len(site.billed()), len(site.world.machines)) == (3, 3, 3)


def test_single_cycles_one_after_the_other_bring_a_removal_to_its_end() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    site.cycle.order(ScaleTo(0, "anna"))
    for _ in range(12):
        site.cycle = Cycle(site.ports(), site.policy, site.cycle._new_operation, single=True)
        site.step()
    assert (site.fleet, site.billed(), site.gateway.crashes) == ([], [], 0)


def test_a_wall_clock_that_was_set_back_before_a_start_holds_nothing_up() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    site.world.destroys.append(DestroyTrouble.IGNORED)
    site.cycle.order(ScaleTo(0, "anna"))
    site.run(25)
    assert site.phases() == [Phase.DESTROYING]
    site.restart(jump=-86_400)
    site.run(60)
    assert (site.fleet, site.billed()) == ([], [])


def test_the_cooldown_outlives_a_restart() -> None:
    site = Theatre(under=policy(load={"warm_up": 0.0, "cooldown_out": 600.0}))
    site.set_load(9.0)
    site.run(60)
    assert len(site.serving()) == 1
    site.restart()
    site.run(300)
    assert len(site.billed()) == 1


@pytest.mark.parametrize("trouble", [CreateTrouble.ANSWER_LOST, CreateTrouble.REQUEST_LOST, CreateTrouble.LATE])
def test_a_create_whose_answer_is_lost_ends_in_just_one_instance(trouble: CreateTrouble) -> None:
    site = Theatre()
    site.world.creates.append(trouble)
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(120)
    assert (len(site.serving()), len(site.billed())) == (1, 1)


@pytest.mark.parametrize("trouble", [CreateTrouble.ENDED, CreateTrouble.ENDED_AND_MADE])
def test_a_create_that_ends_late_for_lack_of_stock_costs_no_time_and_leaves_no_instance_too_many(trouble: CreateTrouble) -> None:
    site = Theatre(MemoryPool("dublin", tokens=False, boot=20), MemoryPool("oslo", tokens=False, boot=20))
    site.world.creates.append(trouble)
    site.set_load(5.0)
    site.step()
    while site.phases() == [Phase.REQUESTED]:
        site.step()
    assert "launch burst-ffff-abc0000001 in oslo" in site.turns[-1].sentence
    site.set_load(3.0)
    site.run(60)
    assert len(site.serving()) == 1
    site.run(600)
    assert (len(site.serving()), len(site.billed()), len(site.fleet)) == (1, 1, 1)


def test_without_tokens_a_lost_answer_is_found_by_its_tag_and_a_lost_request_is_abandoned() -> None:
    found = Theatre(MemoryPool("dublin", tokens=False))
    found.world.creates.append(CreateTrouble.ANSWER_LOST)
    found.cycle.order(ScaleTo(1, "anna"))
    found.run(60)
    assert (len(found.serving()), len(found.world.machines)) == (1, 1)
    lost = Theatre(MemoryPool("dublin", tokens=False))
    lost.world.creates.append(CreateTrouble.REQUEST_LOST)
    lost.cycle.order(ScaleTo(1, "anna"))
    lost.run(600)
    assert (len(lost.serving()), len(lost.world.machines)) == (1, 1)
    told(lost, r"may or may not exist", r"call burst-.* abandoned, launch burst-")


def test_a_machine_that_turns_up_after_its_create_was_abandoned_is_destroyed() -> None:
    site = Theatre(MemoryPool("dublin", tokens=False, late=700))
    site.world.creates.append(CreateTrouble.LATE)
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(1500)
    assert len(site.world.machines) == 2
    assert site.billed() == [each.node_id for each in site.fleet]


def test_a_pool_that_is_out_of_stock_is_passed_over() -> None:
    site = Theatre(MemoryPool("dublin", capacity=0), MemoryPool("oslo"))
    site.set_load(9.0)
    site.run(90)
    assert {each.pool for each in site.world.machines} == {"oslo"}
    assert site.roster.pools()["dublin"].failures >= 1


def test_machines_that_never_serve_are_destroyed_and_after_three_their_pool_is_all_but_left_alone() -> None:
    site = Theatre(MemoryPool("dublin", sync=1e9))
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(3600)
    assert len(site.world.machines) == 4  # the fourth after backoff_max, half an hour
    assert len(site.billed()) <= 1


def test_one_instance_that_never_serves_holds_up_no_other() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(2, "anna"))
    site.step()
    poisoned, other = (each.name for each in site.fleet)
    site.content.faults[poisoned] = Fault(poisoned, FaultKind.GARBLED, "an answer that is no answer")
    site.run(60)
    assert site.serving() == [other]
    site.run(300)
    assert poisoned not in [each.name for each in site.fleet]
    assert len(site.serving()) == 2


def test_an_instance_that_dies_in_service_is_replaced() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    (first,) = site.serving()
    site.world.machines[0].broken = True
    site.gateway.servers[first].healthy = False
    site.run(120)
    assert len(site.serving()) == 1
    assert site.serving() != [first]
    assert len(site.billed()) == 1


def test_a_terminated_instance_is_taken_out_of_haproxy_and_replaced() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    (first,) = site.serving()
    site.world.machines[0].destroyed_at = site.world.clock.now()
    site.run(120)
    assert len(site.serving()) == 1
    assert first not in site.gateway.servers


def test_empty_and_failing_listings_change_nothing() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(2, "anna"))
    site.run(90)
    site.world.listings["dublin"].extend([ListTrouble.TRUNCATED] * 2 + [ListTrouble.EMPTY, ListTrouble.FAILED] * 14)
    site.run(150)
    assert (site.phases(), len(site.world.machines)) == ([Phase.IN_SERVICE] * 2, 2)


def test_a_destroy_that_the_cloud_accepts_and_forgets_is_sent_again() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    site.world.destroys.extend([DestroyTrouble.IGNORED, DestroyTrouble.REFUSED, DestroyTrouble.ANSWER_LOST])
    site.cycle.order(ScaleTo(0, "anna"))
    site.run(300)
    assert (site.fleet, site.billed()) == ([], [])


def test_the_load_that_is_back_in_the_middle_of_a_drain_gets_the_draining_server_first() -> None:
    site = Theatre()
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    (first,) = site.serving()
    site.gateway.servers[first].sessions = 5
    site.cycle.order(ScaleTo(0, "anna"))
    site.run(10)
    assert (site.phases(), site.serving()) == ([Phase.DRAINING], [])
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(10)
    assert (site.serving(), len(site.world.machines)) == ([first], 1)


def test_an_operators_orders_are_kept_over_a_restart_and_end_when_they_said() -> None:
    site = Theatre()
    assert site.cycle.order(ScaleTo(2, "anna", "the sale", seconds=300)).startswith("2 instances wanted for 300 s")
    site.run(60)
    site.restart()
    site.run(60)
    assert len(site.serving()) == 2
    site.run(600)
    assert (site.fleet, site.roster.orders().override) == ([], None)
    assert [each.subject for each in site.roster.events(1000) if each.kind == "order"] == ["anna"]


def test_pause_resume_drain_and_auto_do_as_they_say() -> None:
    site = Theatre()
    site.cycle.order(SetPause(Pause.OUT, "anna"))
    site.set_load(9.0)
    site.run(60)
    assert site.fleet == []
    site.cycle.order(SetPause(Pause.NONE, "anna"))
    site.run(60)
    (first,) = site.serving()
    site.set_load(3.0)
    site.cycle.order(DrainInstance(first, "anna"))
    site.run(120)
    assert (site.fleet, site.roster.orders().drains) == ([], frozenset())
    with pytest.raises(AskOperator, match="expected"):
        site.cycle.order(ScaleTo(9, "anna"))
    site.cycle.order(ScaleTo(1, "anna"))
    site.cycle.order(ScaleAuto("anna"))
    assert site.roster.orders().override is None


def test_a_dry_run_plans_and_does_nothing() -> None:
    site = Theatre()
    site.cycle = type(site.cycle)(site.cycle.ports, site.policy, lambda: "ab" * 16, dry_run=True)
    site.set_load(9.0)
    made = site.step()
    assert any(isinstance(each, CallCloud) and isinstance(each.call, CreateCall) for each in made.plan.actions)
    assert (site.fleet, site.world.machines, site.roster.events(10)) == ([], [], [])


def test_no_worker_and_no_gateway_are_faults_in_the_report() -> None:
    site = Theatre()
    site.cloud.close()
    site.set_load(9.0)
    made = site.step()
    assert [each.peer for each in made.report.faults] == ["pool dublin"]
    site.restart()
    site.run(60)
    site.gateway.servers[CORES[0]].healthy = True
    site.gateway.breaks_after = 0
    site.gateway.reload()
    assert [each.peer for each in site.step().report.faults] == ["haproxy"]


def test_when_an_intent_cannot_be_stored_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Theatre()
    site.set_load(9.0)

    def full(*_: object) -> None:
        raise Unreachable("the disk is full")

    monkeypatch.setattr(site.roster, "save", full)
    made = site.step()
    assert (site.world.machines, [each.peer for each in made.report.faults]) == ([], ["roster"])
    assert made.report.skipped != ()


def busy(site: Theatre, seconds: float, *, core: int = 67, burst: int = 20) -> None:
    """Serve so many requests/s on each server, 40 ms of CPU each on the cores, which stand at their target."""
    for _ in range(int(seconds / STEP)):
        for server in site.gateway.servers.values():
            server.requests += int((core if server.static else burst) * STEP)
        for name in CORES:
            site.load.set(name, 3.5, cpus=4, busy_seconds=site.gateway.servers[name].requests * 0.04)
        site.step()


def test_after_a_restart_the_weight_goes_on_from_what_it_knew() -> None:
    site = Theatre(under=policy(routing={"burst_weight": None}))
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    assert site.turns[-1].decision.weight == 100
    busy(site, 60)
    before = site.turns[-1].decision
    assert before.weight is not None
    assert 100 > before.weight > 1
    assert before.weight_reason.startswith("the cores carry")
    site.restart()
    busy(site, 10)
    first, second = (turn.decision for turn in site.turns[-2:])
    assert (first.weight, first.weight_reason) == (before.weight, "the request rate is not known yet")
    assert second.weight_reason.startswith("the cores carry")
    assert second.weight == pytest.approx(before.weight, rel=0.1)
    assert second.memory.watched_since == site.turns[-2].snapshot.now  # a window is begun anew


def test_a_damaged_text_of_what_was_learned_is_said_once_and_replaced() -> None:
    site = Theatre(under=policy(routing={"burst_weight": None}))
    site.roster.save_learned("weight", '{"version": 1, "work": {"core-oslo-01": NaN}, "trim": -1.0, "weights": {"app_cluster": 0}}')
    site.restart()
    site.step()
    busy(site, 60)
    assert [each.text for each in site.roster.events(100) if "learned" in each.text and each.kind == "instance"] == [
        'what the roster holds as learned by "weight" cannot be read: it is dropped, and learned anew'
    ]
    assert json.loads(site.roster.learned()["weight"])["work"] == dict.fromkeys(CORES, pytest.approx(0.04))


def test_what_could_not_be_stored_of_what_was_learned_is_stored_later_and_in_a_calm_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Theatre(under=policy(load={"policy": Deciding.THRESHOLD}, routing={"burst_weight": None}))

    def full(*_: object) -> None:
        raise Unreachable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(site.roster, "save_learned", full)
        busy(site, 60)
        assert {each.peer for turn in site.turns for each in turn.report.faults} == {"roster"}
    busy(site, 5)
    assert json.loads(site.roster.learned()["weight"])["work"] == dict.fromkeys(CORES, pytest.approx(0.04))
    busy(site, 60)
    assert not any(isinstance(each, RecordLearned) for turn in site.turns[-10:] for each in turn.plan.actions)


def test_a_scheduled_window_is_opened_early_held_through_low_load_and_given_back() -> None:
    site = Theatre()
    opens = site.clock.now() + 600
    site.calendar.planned.append(Window("sale", 2, opens, opens + 1200))
    site.set_load(0.5)
    site.run(415)
    assert site.world.machines == []
    site.run(180)
    assert site.clock.now() < opens
    assert len(site.serving()) == 2
    site.run(1200)
    assert len(site.serving()) == 2
    site.run(600)
    assert (site.fleet, site.billed(), len(site.world.machines)) == ([], [], 2)
    told(
        site,
        r'^launch .* in dublin, because schedule "sale" wants 2: it opens in 180 s',
        r"^put .* in service, put .* in service",
        r'^nothing to do, because schedule "sale" wants 2: it opens in',
        r'^nothing to do, because schedule "sale" wants 2 for another 600 s',
        r"^drain .*, because load 0.50 is below 2",
    )
    again = site.clock.now() + 600
    site.calendar.planned.append(Window("sale", 2, again, again + 1200))
    site.run(540)
    assert len(site.world.machines) == 2
    site.run(60)
    assert len(site.serving()) == 2
    told(site, r'^launch .* in dublin, because schedule "sale" wants 2: it opens in 40 s')
