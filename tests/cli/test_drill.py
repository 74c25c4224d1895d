"""The verb `drill`: what it follows, what it prints, and how it ends; the daemon's part is played from a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import burstd.cli.drill as module
from burstd.cli.group import burstd
from burstd.errors import NoDaemon
from burstd.model.orders import StartDrill
from tests.served import served

DONE = {"name": "create", "state": "done", "seconds": 2.0}
BOOTS = {"name": "boot", "state": "running", "seconds": 5.0}
BOOTED = BOOTS | {"state": "done", "seconds": 61.5}
BROKEN = BOOTS | {"state": "failed", "seconds": 300.0}


def drill(outcome: str = "running", *steps: dict[str, Any], at: float = 2.0, **more: Any) -> dict[str, Any]:
    told = {"at": at, "owner": "anna", "pool": "dublin", "instance": "burst-1", "outcome": outcome, "failure": "", "seconds": 70.0}
    return {**told, "steps": list(steps), **more}


class Daemon:
    """A daemon whose statuses are written down before; an exception among them is raised."""

    def __init__(self, *drills: dict[str, Any] | Exception | None) -> None:
        self.drills: Iterator[dict[str, Any] | Exception | None] = iter(drills)
        self.posted: list[Any] = []

    def get(self, _path: str) -> dict[str, Any]:
        told = next(self.drills)
        if isinstance(told, Exception):
            raise told
        return {"drill": told}

    def post(self, path: str, body: object) -> str:
        self.posted.append((path, body))
        return "a drill begins"


def run(monkeypatch: pytest.MonkeyPatch, daemon: Daemon, *options: str) -> Result:
    monkeypatch.setattr("burstd.cli.options.Client", lambda _path: daemon)
    monkeypatch.setattr(module, "_REFRESH", 0.0)
    return CliRunner().invoke(burstd, ["--socket", "nowhere", "drill", *options], env={"SUDO_USER": "anna"})


def lines(told: Result) -> Sequence[str]:
    return told.stdout.splitlines()


def test_each_step_is_printed_once_when_it_has_ended_and_then_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    before = drill("done", DONE, at=1.0)
    daemon = Daemon(before, before, drill(), drill("running", DONE, BOOTS), drill("running", DONE, BOOTS), drill("done", DONE, BOOTED))
    told = run(monkeypatch, daemon, "burst", "--pool", "dublin")
    assert daemon.posted == [("/v1/drill", {"pool": "dublin", "owner": "anna"})]
    assert (told.exit_code, told.stderr) == (0, "")
    assert lines(told) == [
        "a drill begins",
        "  done         2.0 s  create: the cloud has made the machine",
        "  done        61.5 s  boot: it runs and has an address",
        "done in 1m10s: burst-1 in dublin",
    ]


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (
            drill("failed", DONE, BROKEN, failure="boot: it did not boot in time"),
            "failed after 1m10s: burst-1 in dublin: boot: it did not boot",
        ),
        (drill("failed", failure="it did not begin", instance="", pool=""), "failed after 1m10s: no instance: it did not begin"),
        (drill("taken", DONE, BOOTS | {"state": "left"}), "ended early after 1m10s: burst-1 in dublin; the load asks for the instance"),
    ],
)
def test_what_did_not_go_through_is_said_and_exits_with_1(monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], says: str) -> None:
    told = run(monkeypatch, Daemon(None, end), "burst")
    assert told.exit_code == 1
    assert lines(told)[-1].startswith(says)


def test_json_is_the_whole_drill_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run(monkeypatch, Daemon(None, drill("running", DONE), drill("done", DONE, BOOTED)), "burst", "--json")
    assert json.loads(told.stdout) == drill("done", DONE, BOOTED)


def test_a_daemon_that_restarts_meanwhile_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told = run(monkeypatch, Daemon(None, drill("running", DONE), NoDaemon("gone"), NoDaemon("gone"), drill("done", DONE, BOOTED)), "burst")
    assert told.exit_code == 0
    assert sum("create" in each for each in lines(told)) == 1


def test_one_that_stays_away_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", -1.0)
    told = run(monkeypatch, Daemon(None, drill(), NoDaemon("no burstd daemon answers")), "burst")
    assert (told.exit_code, told.stderr) == (2, "burstd: no burstd daemon answers\n")


def test_ctrl_c_says_that_the_drill_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Daemon):
        def get(self, path: str) -> dict[str, Any]:
            if self.posted:
                raise KeyboardInterrupt
            return super().get(path)

    told = run(monkeypatch, Interrupted(None), "burst")
    assert (told.exit_code, told.stderr.strip()) == (130, "burstd: the drill goes on; `burstd status` shows it")


def test_without_waiting_it_is_only_ordered(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        for options in (["--no-wait"], ["--no-wait", "--json"]):
            told = CliRunner().invoke(burstd, ["--socket", str(daemon.socket), "drill", "burst", *options], env={"SUDO_USER": "anna"})
            assert (told.exit_code, told.stderr) == (0, "")
            assert "begins with the next cycle" in told.stdout
        assert daemon.orders == [StartDrill("anna"), StartDrill("anna")]


def test_a_failover_is_rehearsed_in_the_lab_alone() -> None:
    told = CliRunner().invoke(burstd, ["drill", "failover"])
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("burstd: drill failover: it cuts the core off")
    assert "script/lab drill dark" in told.stderr


def test_on_a_terminal_the_spinner_stands_aside_for_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []

    class Spinner:
        def stop(self) -> None:
            calls.append(f"stop, printed {capsys.readouterr().out!r}")

        def start(self) -> None:
            calls.append(f"start, printed {capsys.readouterr().out!r}")

        def update(self, text: str) -> None:
            calls.append(text)

    lines = module._Lines(Spinner())  # type: ignore[arg-type]  # as rich's status in what is called
    lines.now("boot: 5s")
    lines.step(DONE)
    assert calls == [
        "boot: 5s",
        "stop, printed ''",
        "start, printed '  done         2.0 s  create: the cloud has made the machine\\n'",
    ]
