"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from burstd import notify


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@burstd-test-{uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(address.replace("@", "\0", 1) if request.param == "abstract" else address)
        door.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield door


def test_a_finished_cycle_feeds_the_watchdog_and_shows_its_sentence_on_one_line(systemd: socket.socket) -> None:
    notify.alive("nothing to do,\nbecause the load is 1.2 ≤ 4.0")
    assert systemd.recv(4096).decode().splitlines() == ["WATCHDOG=1", "STATUS=nothing to do, because the load is 1.2 ≤ 4.0"]


def test_a_reload_says_when_it_began_on_the_monotonic_clock_and_ends_with_ready(systemd: socket.socket) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify.reloading()
    first, second = systemd.recv(4096).decode().splitlines()
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify.ready()
    assert systemd.recv(4096) == b"READY=1"


def test_stopping_is_said(systemd: socket.socket) -> None:
    notify.stopping()
    assert systemd.recv(4096) == b"STOPPING=1"


@pytest.mark.parametrize("address", [None, "", "nonsense", "/nowhere/at/all"])
def test_nobody_listening_is_no_reason_to_stop(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify.alive("nothing to do")  # raises nothing


def test_a_supervisor_that_does_not_read_never_holds_the_daemon_up(systemd: socket.socket) -> None:
    assert systemd.fileno() >= 0
    for _ in range(5000):  # far beyond the socket's queue: a blocking send would hang here
        notify.alive("nothing to do")


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdogs_patience_is_known_where_it_watches_this_process(
    variables: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert notify.watchdog() == seconds
