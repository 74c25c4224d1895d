"""The real command in processes of its own: what it loads, how it watches, how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.model.event import Event
from tests.served import Served, served
from tests.turns import NOW, POLICY, rich_turn
from tests.waiting import wait_until

START = "from burstd.cli import main; main()"
HEAVY = {"rich", "requests", "pydantic", "pydantic_settings", "starlette", "uvicorn", "anyio", "libcloud", "structlog", "prometheus_client"}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


class Watching:
    """A verb that stays until Ctrl-C; its output is collected as it comes."""

    def __init__(self, *line: str, terminal: bool = False) -> None:
        ours, theirs = pty.openpty() if terminal else os.pipe()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "50"}
        command = [sys.executable, "-c", START, *line]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, env=environment)
        os.close(theirs)
        self.output = ""
        self._ours = ours
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._ours, 65536):
                self.output += piece.decode(errors="replace")
        except OSError:  # a terminal whose other end is closed
            pass

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C; the exit code and what was said on standard error."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=30)
        self._reader.join()
        os.close(self._ours)
        return self.process.returncode, said.decode()


def loaded(*line: str) -> tuple[int, set[str]]:
    """The exit code, and which heavy libraries the command has imported by its end."""
    script = f"import atexit, sys; atexit.register(lambda: print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)); {START}"
    done = subprocess.run([sys.executable, "-c", script, *line], check=False, capture_output=True, text=True)
    assert done.stdout
    return done.returncode, set(done.stderr.split())


@pytest.mark.parametrize("line", [["--version"], ["--help"], ["scale", "--help"], ["completion", "bash"]], ids=" ".join)
def test_what_must_feel_instant_loads_nothing_heavy(line: list[str]) -> None:
    assert loaded(*line) == (0, set())


@pytest.mark.parametrize("line", ["status", "status --json", "explain", "plan", "events", "scale --to 2", "pause", "resume"])
def test_asking_the_daemon_loads_nothing_heavy(daemon: Served, line: str) -> None:
    assert loaded(*line.split(), "--socket", str(daemon.socket)) == (0, set())


def test_a_live_view_follows_the_daemon_and_ctrl_c_leaves_it_cleanly(daemon: Served) -> None:
    watching = Watching("status", "--watch", "--socket", str(daemon.socket), terminal=True)
    wait_until(lambda: rich_turn().sentence in watching.output, "the sentence is on the screen")
    daemon.desk.publish(replace(rich_turn(), sentence="the next cycle"), POLICY)
    wait_until(lambda: "the next cycle" in watching.output, "the next cycle is on the screen")
    assert watching.interrupt() == (0, "")
    assert watching.output.index("\x1b[?1049h") < watching.output.rindex("\x1b[?1049l"), "the screen is given back"


def test_a_live_view_outlives_a_restart_of_the_daemon(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        watching = Watching("status", "--watch", "--socket", str(daemon.socket), terminal=True)
        wait_until(lambda: rich_turn().sentence in watching.output, "the sentence is on the screen")
    wait_until(lambda: "no burstd daemon" in watching.output, "it says that the daemon is gone")
    with served(tmp_path, turn=replace(rich_turn(), sentence="back again")):
        wait_until(lambda: "back again" in watching.output, "it shows the daemon that has come")
        assert watching.interrupt() == (0, "")


def test_watching_into_a_pipe_prints_each_cycle_once(daemon: Served) -> None:
    watching = Watching("status", "--watch", "--json", "--socket", str(daemon.socket))
    wait_until(lambda: watching.output.count("\n") == 1, "the first cycle is printed")
    daemon.desk.publish(rich_turn(number=3), POLICY)
    wait_until(lambda: watching.output.count("\n") == 2, "the next cycle is printed")
    assert watching.interrupt() == (0, "")
    assert [json.loads(line)["cycle"] for line in watching.output.splitlines()] == [2, 3]


def test_following_events_prints_each_once(daemon: Served) -> None:
    watching = Watching("events", "--follow", "--json", "--socket", str(daemon.socket))
    wait_until(lambda: watching.output.count("\n") == 1, "the history is printed")
    for number in (1, 2):
        turn = replace(rich_turn(), events=(Event(NOW + number, "cycle", "", f"new {number}"),))
        daemon.desk.publish(turn, POLICY)
        wait_until(lambda number=number: f"new {number}" in watching.output, "the new event is printed")  # type: ignore[misc]  # mypy knows no lambda with a default
    assert watching.interrupt() == (0, "")
    assert [json.loads(line)["text"] for line in watching.output.splitlines()] == [rich_turn().events[0].text, "new 1", "new 2"]


def test_a_reader_that_has_seen_enough_costs_no_traceback(daemon: Served) -> None:
    pipe = f"{sys.executable} -c '{START}' status --json --socket {daemon.socket} | head -c 1"
    done = subprocess.run(["/bin/sh", "-c", pipe], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{", "")
