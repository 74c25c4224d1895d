"""The loop from start to end: orders, reloads, dry runs, bugs, dead workers. The fleet outlives all of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from burstd.adapters.memory import MemoryPool
from burstd.daemon import BROKEN, PATIENCE, STOPPED, Schedule, once
from burstd.errors import AskOperator, InvalidSettings, NoDaemon
from burstd.model.fleet import Phase, PoolState
from burstd.model.turn import Turn
from burstd.settings import load
from tests.daemon.doors import MemoryDoors, Running, World, running, write_settings
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A reload configures the log of the whole process: put it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def world() -> World:
    return World()


def test_an_overload_is_relieved_and_the_fleet_shrinks_when_it_is_over(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world) as daemon:
        assert daemon.client.get("/v1/status")["current"] == 0
        world.overload()
        wait_until(lambda: daemon.client.get("/v1/status")["in_service"] >= 1, "an instance in service")
        world.calm()
        wait_until(lambda: not world.roster.fleet(), "an empty fleet")
        assert all(not machine.alive for machine in world.world.machines)


def test_stopping_leaves_the_fleet_as_it_is_and_the_next_start_takes_it_over(tmp_path: Path, world: World) -> None:
    world.overload()
    with running(tmp_path, world) as daemon:
        daemon.in_service(4)
        assert daemon.stop() == STOPPED
    servers = set(world.gateway.servers)
    assert sum(machine.alive for machine in world.world.machines) == 4
    assert len(servers) == 6
    with pytest.raises(NoDaemon):
        daemon.client.get("/v1/status")
    with running(tmp_path, world) as daemon:
        daemon.cycles(5)
        assert daemon.client.get("/v1/status")["in_service"] == 4
    assert len(world.world.machines) == 4
    assert set(world.gateway.servers) == servers


def test_an_order_starts_a_cycle_at_once_and_is_answered(tmp_path: Path, world: World) -> None:
    write_settings(tmp_path, interval=3600)
    with running(tmp_path, world) as daemon:
        told = daemon.client.post("/v1/scale", {"count": 2, "owner": "anna", "reason": "the sale"})
        assert "2 instances wanted" in told
        wait_until(lambda: len(daemon.turns) == 2, "the cycle of the order")
        assert daemon.turns[-1].decision.count == 2
        events = daemon.client.get("/v1/events")["events"]
        assert [(each["subject"], each["text"]) for each in events if each["kind"] == "order"] == [("anna", told)]


def test_an_order_that_cannot_be_followed_is_refused_with_the_mend_and_changes_nothing(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world) as daemon:
        with pytest.raises(AskOperator, match=r"scale --to 999.*fleet\.max"):
            daemon.client.post("/v1/scale", {"count": 999, "owner": "anna"})
        daemon.cycles(2)
        assert world.roster.orders().override is None


def test_a_dry_run_plans_and_does_nothing(tmp_path: Path, world: World) -> None:
    world.overload()
    before = set(world.gateway.servers)
    with running(tmp_path, world, dry_run=True) as daemon:
        daemon.cycles(5)
        assert all(turn.plan.effects for turn in daemon.turns)
    assert not world.world.machines
    assert set(world.gateway.servers) == before
    assert not world.roster.fleet()
    assert not world.roster.events(100)


def test_a_good_reload_is_in_force_from_the_next_cycle(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world) as daemon:
        write_settings(tmp_path, maximum=7)
        daemon.daemon.reload()
        wait_until(lambda: daemon.client.get("/v1/status")["max"] == 7, "the new maximum")
        assert daemon.metrics()["burstd_reload_failed"] == 0
        assert "settings reloaded, in force from this cycle on" in [each.text for each in world.roster.events(10)]


def test_a_broken_file_leaves_the_old_settings_in_force_and_every_problem_is_said(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world) as daemon:
        write_settings(tmp_path, maximum=7, more="[load2]\n")
        daemon.daemon.reload()
        wait_until(lambda: daemon.metrics()["burstd_reload_failed"] == 1, "the refused reload")
        daemon.cycles(2)
        assert daemon.client.get("/v1/status")["max"] == 4
        (refused,) = [each.text for each in world.roster.events(10) if "reload refused" in each.text]
        assert "load2" in refused
        write_settings(tmp_path, maximum=7)
        daemon.daemon.reload()
        wait_until(lambda: daemon.client.get("/v1/status")["max"] == 7, "the mended settings")
        assert daemon.metrics()["burstd_reload_failed"] == 0


STOPPED_POOL = PoolState("memory", 1, 9e9, "AuthFailure", stopped=True)


def told(world: World) -> list[str]:
    return [each.text for each in world.roster.events(20)]


def test_a_start_and_a_reload_try_a_stopped_pool_again(tmp_path: Path, world: World) -> None:
    world.roster.save_pool(STOPPED_POOL)
    said = "pool memory was stopped and is tried again, since its settings have been read anew; it had failed with: AuthFailure"
    with running(tmp_path, world) as daemon:
        assert said in told(world)
        assert world.roster.pools()["memory"] == replace(STOPPED_POOL, stopped=False, barred_until=0.0)
        world.roster.save_pool(STOPPED_POOL)
        daemon.daemon.reload()
        wait_until(lambda: told(world).count(said) == 2, "the pool is tried again")
        assert not world.roster.pools()["memory"].stopped


def test_a_dry_run_leaves_a_stopped_pool_stopped(tmp_path: Path, world: World) -> None:
    world.roster.save_pool(STOPPED_POOL)
    with running(tmp_path, world, dry_run=True) as daemon:
        daemon.cycles(2)
    assert world.roster.pools()["memory"] == STOPPED_POOL


def test_a_pool_that_was_refused_follows_its_secrets_without_a_reload(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world) as daemon:
        daemon.cycles(1)
        assert not any(daemon.doors.refused)
        world.roster.save_pool(STOPPED_POOL)
        wait_until(lambda: {"memory"} in daemon.doors.refused, "the pool is looked at")
        assert world.roster.pools()["memory"].stopped, "nothing has changed yet"
        daemon.doors.rotated = {"memory"}
        wait_until(lambda: not world.roster.pools()["memory"].stopped, "the pool is tried again")
    assert "pool memory is connected anew: its secret files have changed since it was refused" in told(world)
    assert "pool memory was stopped and is tried again, since its secrets have changed; it had failed with: AuthFailure" in told(world)


def test_a_bug_in_a_reload_does_not_stop_the_loop(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, world) as daemon:
        monkeypatch.setattr(daemon.doors, "rewire", lambda settings: settings.no_such_section)
        daemon.daemon.reload()
        wait_until(lambda: daemon.metrics()["burstd_reload_failed"] == 1, "the refused reload")
        daemon.cycles(2)
    assert daemon.code == STOPPED


def test_a_create_in_flight_over_a_reload_is_not_lost_and_not_sent_twice(tmp_path: Path) -> None:
    world = World(MemoryPool("memory", call=40.0, boot=10.0))
    with running(tmp_path, world) as daemon:
        daemon.client.post("/v1/scale", {"count": 1, "owner": "anna"})
        wait_until(lambda: world.world.machines, "the create")
        daemon.daemon.reload()
        wait_until(lambda: len(daemon.doors.clouds) == 2, "the new cloud")
        daemon.in_service(1)
        wait_until(lambda: daemon.doors.clouds[0].closed, "the old cloud's end")
        assert len(world.world.machines) == 1
        assert not daemon.doors.clouds[1].closed


def test_a_dead_worker_ends_the_daemon_so_that_it_is_started_again(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world) as daemon:
        daemon.doors.clouds[0].dead = True
        assert daemon.end() == BROKEN


def test_a_bug_in_a_cycle_is_logged_with_its_traceback_and_the_loop_goes_on(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.roster.breaks = PATIENCE - 1
    with running(tmp_path, world) as daemon:
        daemon.cycles(3)
        assert daemon.metrics()['burstd_cycles_total{outcome="failed"}'] == PATIENCE - 1
    assert daemon.code == STOPPED
    assert "Traceback" in capsys.readouterr().out


def test_bugs_in_a_row_end_the_daemon_and_leave_the_fleet(tmp_path: Path, world: World) -> None:
    world.overload()
    with running(tmp_path, world) as daemon:
        daemon.in_service(4)
        world.roster.breaks = PATIENCE
        assert daemon.end() == BROKEN
        assert daemon.metrics()['burstd_cycles_total{outcome="failed"}'] == PATIENCE
    assert sum(machine.alive for machine in world.world.machines) == 4


def test_one_cycle_runs_and_what_its_calls_have_come_to_is_on_record(tmp_path: Path) -> None:
    world = World(MemoryPool("memory", call=10.0))
    world.overload()
    turns: list[Turn] = []
    settings = load(write_settings(tmp_path), {})
    code = once(lambda: settings, lambda given: MemoryDoors(world, given), show=lambda turn, _policy: turns.append(turn))
    assert (code, len(turns)) == (STOPPED, 1)
    (instance,) = world.roster.fleet()
    assert instance.phase not in {Phase.INTENDED, Phase.REQUESTED, Phase.UNKNOWN}
    assert instance.node_id == world.world.machines[0].id
    assert len(world.world.machines) == 1


def test_one_cycle_fails_where_a_peer_does(tmp_path: Path, world: World) -> None:
    world.load.fail("core-1")
    assert once(lambda: load(write_settings(tmp_path), {}), lambda given: MemoryDoors(world, given)) == BROKEN


def test_one_dry_cycle_does_nothing(tmp_path: Path, world: World) -> None:
    world.overload()
    turns: list[Turn] = []
    once(
        lambda: load(write_settings(tmp_path), {}),
        lambda given: MemoryDoors(world, given),
        dry_run=True,
        show=lambda turn, _policy: turns.append(turn),
    )
    assert turns[0].plan.effects
    assert not world.world.machines
    assert not world.roster.fleet()


def test_cycles_stay_on_the_grid_however_long_they_take() -> None:
    now = [100.0]
    schedule = Schedule(5.0, lambda: now[0])
    now[0] += 0.25
    assert schedule.left() == pytest.approx(4.75)
    now[0] += 4.75 + 0.25
    assert schedule.left() == pytest.approx(4.75)
    now[0] += 4.75 + 12.0  # a cycle that ran over two of its successors
    assert schedule.left() == pytest.approx(3.0)


def test_the_settings_are_read_before_anything_is_opened(tmp_path: Path, world: World) -> None:
    write_settings(tmp_path, more="[[[")
    with pytest.raises(InvalidSettings):
        Running(tmp_path, world)


def test_status_says_so_when_nothing_is_to_be_done(tmp_path: Path, world: World) -> None:
    with running(tmp_path, world) as daemon:
        status = daemon.client.get("/v1/status")
        assert status["sentence"].startswith("nothing to do, because")
        assert json.dumps(status)


def test_a_watchdog_with_less_patience_than_the_poll_interval_is_said_at_the_start(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    with running(tmp_path, world):
        assert any("raise WatchdogSec" in each.text for each in world.roster.events(10))
