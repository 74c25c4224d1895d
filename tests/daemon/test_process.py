"""The daemon as a process: what signals do, and what systemd hears of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from burstd.cli.client import Client
from tests.daemon.doors import write_settings
from tests.settings.written import MINIMAL

ROOT = Path(__file__).parents[2]


@dataclass
class Process:
    """A daemon and everything that systemd has heard of it, in its order."""

    popen: subprocess.Popen[str]
    door: socket.socket
    heard: list[str] = field(default_factory=list)
    out: str = ""
    err: str = ""

    def hear(self, wanted: str, times: int = 1) -> None:
        """Listen until a line that begins so has come so often in all."""
        while sum(line.startswith(wanted) for line in self.heard) < times:
            self.heard.extend(self.door.recv(65536).decode().splitlines())

    def end(self) -> int:
        """Wait for its end and return its exit code; `out`, `err` and `heard` are complete."""
        self.out, self.err = self.popen.communicate(timeout=30)
        self.door.settimeout(0)
        while True:
            try:
                self.heard.extend(self.door.recv(65536).decode().splitlines())
            except BlockingIOError:
                return self.popen.returncode


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []
    door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    door.bind(str(tmp_path / "notify"))
    door.settimeout(30)

    def start_daemon(*arguments: str) -> Process:
        write_settings(tmp_path)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "NOTIFY_SOCKET": str(tmp_path / "notify")}
        command = [sys.executable, "-m", "tests.daemon.process", str(tmp_path), *arguments]
        popen = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(Process(popen, door))
        return started[-1]

    yield start_daemon
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.communicate()
    door.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_daemon_and_leaves_its_machines(start: Start, number: signal.Signals) -> None:
    daemon = start()
    daemon.hear("STATUS=put burst-")
    daemon.popen.send_signal(number)
    assert daemon.end() == 0
    alive = int(daemon.out.split()[0])
    assert 1 <= alive <= 4


def test_systemd_hears_ready_from_the_first_finished_cycle_then_sentences_then_stopping(start: Start) -> None:
    daemon = start()
    daemon.hear("WATCHDOG=1", times=3)
    daemon.popen.send_signal(signal.SIGTERM)
    assert daemon.end() == 0
    assert daemon.heard[:2] == ["READY=1", "WATCHDOG=1"]
    assert daemon.heard[2].startswith("STATUS=launch burst-")
    assert daemon.heard[-1] == "STOPPING=1"


def test_the_watchdog_is_fed_by_finished_cycles_alone(start: Start) -> None:
    daemon = start("3")
    assert daemon.end() == 1
    assert daemon.heard.count("WATCHDOG=1") == 3


def test_a_cycle_that_never_finishes_leaves_the_service_unready(start: Start) -> None:
    daemon = start("0")
    assert daemon.end() == 1
    assert daemon.heard == ["STOPPING=1"]


def test_a_reload_is_announced_and_proven_by_the_next_cycle(start: Start, tmp_path: Path) -> None:
    daemon = start()
    daemon.hear("READY=1")
    write_settings(tmp_path, maximum=2)
    daemon.popen.send_signal(signal.SIGHUP)
    daemon.hear("READY=1", times=2)
    assert Client(str(tmp_path / "control.sock")).get("/v1/status")["max"] == 2
    begin = daemon.heard.index("RELOADING=1")
    assert [line.partition("=")[0] for line in daemon.heard[begin : begin + 3]] == ["RELOADING", "MONOTONIC_USEC", "READY"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [("[fleet\n", "expected TOML"), (f'[fleet]\nmax = 2\n{MINIMAL}user_data = "wrong.j2"\n', "(line 2: 'nobody' is undefined)")],
    ids=["no TOML", "a template that cannot be rendered"],
)
def test_a_file_that_cannot_be_used_leaves_the_old_settings_in_force_and_the_service_up(
    start: Start, tmp_path: Path, content: str, reason: str
) -> None:
    daemon = start()
    daemon.hear("READY=1")
    (tmp_path / "wrong.j2").write_text("#cloud-config\n{{ nobody }}\n")
    (tmp_path / "burstd.toml").write_text(content)
    daemon.popen.send_signal(signal.SIGHUP)
    daemon.hear("READY=1", times=2)
    assert Client(str(tmp_path / "control.sock")).get("/v1/status")["max"] == 4
    daemon.popen.send_signal(signal.SIGTERM)
    assert daemon.end() == 0
    refused = [line["event"] for line in map(json.loads, daemon.err.splitlines()) if "reload refused" in line["event"]]
    assert len(refused) == 1
    assert reason in daemon.err


def test_the_journal_gets_one_json_object_a_line(start: Start) -> None:
    daemon = start()
    daemon.hear("WATCHDOG=1", times=2)
    daemon.popen.send_signal(signal.SIGTERM)
    assert daemon.end() == 0
    lines = [json.loads(line) for line in daemon.err.splitlines()]
    assert lines[0]["event"].startswith("burstd ")
    assert lines[-1]["event"] == "stopping; the fleet stays as it is"
