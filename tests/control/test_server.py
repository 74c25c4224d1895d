from __future__ import annotations

import errno
import grp
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from burstd.control.desk import Desk
from burstd.control.server import ControlServer
from burstd.errors import AlreadyRunning, AskOperator, Retry
from burstd.model.orders import ScaleAuto
from tests.served import Served, served
from tests.turns import POLICY, quiet_turn
from tests.waiting import wait_until


def prepared(path: Path, desk: Desk | None = None, **changes: Any) -> ControlServer:
    settings: dict[str, Any] = {"mode": 0o660, "group": None, "listen": None, "stale_cycle": 30.0}
    return ControlServer(desk or Desk(), bytes, socket=path, **(settings | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def left_behind(path: Path) -> Path:
    """The socket of a daemon that was killed."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
    return path


@pytest.fixture
def taken() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[:2]


def answers(path: Path) -> bool:
    return Served(Desk(), prepared(path), path, quiet_turn()).ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o664])
def test_the_socket_has_the_mode_that_was_set_whatever_the_umask(path: Path, mode: int) -> None:
    before = os.umask(0)
    server = prepared(path, mode=mode)
    try:
        server.start()
        assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(before)
        server.stop()


def test_nobody_can_connect_before_mode_and_group_are_set(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    chmod, chown = Path.chmod, os.chown

    def refused() -> bool:
        with socket.socket(socket.AF_UNIX) as early:
            tried.append(early.connect_ex(str(path)))
        return tried[-1] != 0

    monkeypatch.setattr(Path, "chmod", lambda *args: refused() and chmod(*args))
    monkeypatch.setattr(os, "chown", lambda *args: refused() and chown(*args))
    server = prepared(path)
    server.start()
    server.stop()
    assert tried == [errno.ECONNREFUSED] * 2


def test_the_socket_gets_the_group_that_was_set(path: Path) -> None:
    mine = [gid for gid in (*os.getgroups(), os.getgid()) if gid in {each.gr_gid for each in grp.getgrall()}]
    server = prepared(path, group=grp.getgrgid(mine[-1]).gr_name)
    server.start()
    server.stop()
    server.start()
    assert path.stat().st_gid == mine[-1]
    server.stop()


def test_a_mode_that_lets_everybody_write_is_refused(path: Path) -> None:
    with pytest.raises(AskOperator, match=r"^control\.mode: 0666: would let every user"):
        prepared(path, mode=0o666).start()
    assert not path.exists()


def test_a_group_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(AskOperator, match=r"^control\.group: no-such-group: no such group"):
        prepared(path, group="no-such-group").start()
    assert not path.exists()


def test_a_group_that_burstd_is_not_in_is_named_and_nothing_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chown(*_: object) -> None:  # what the system says to anybody but root
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    name = grp.getgrgid(os.getgid()).gr_name
    with pytest.raises(AskOperator, match=rf"^control\.group: {name}: .* make that user a member"):
        prepared(path, group=name).start()
    assert not path.exists()


def test_a_missing_folder_is_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(AskOperator, match=r"its folder is missing; create it"):
        prepared(tmp_path / "nowhere" / "control.sock").start()


def test_a_folder_that_is_a_file_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AskOperator, match=r"^control\.socket: .*its folder is missing"):
        prepared(tmp_path / "file" / "control.sock").start()


def test_a_path_that_is_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(AskOperator, match=r"cannot be created, the system says: AF_UNIX path too long"):
        prepared(tmp_path / ("x" * 120)).start()


def test_a_socket_that_a_killed_daemon_left_is_replaced(left_behind: Path) -> None:
    server = prepared(left_behind)
    server.start()
    assert answers(left_behind)
    server.stop()


def test_a_socket_that_somebody_answers_on_is_left_alone(path: Path) -> None:
    first = prepared(path)
    first.start()
    try:
        with pytest.raises(AlreadyRunning, match="another daemon answers there"):
            prepared(path).start()
        assert answers(path)
    finally:
        first.stop()


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(AskOperator, match="found another kind of file"):
        prepared(path).start()
    assert path.read_text() == "precious"


def test_an_address_in_use_is_named_and_nothing_is_left(path: Path, taken: tuple[str, int]) -> None:
    with pytest.raises(AskOperator, match=rf"^metrics\.listen: 127\.0\.0\.1:{taken[1]}: cannot listen there.*Address already in use"):
        prepared(path, listen=taken).start()
    assert not path.exists()


@pytest.mark.parametrize(("host", "shown"), [("192.0.2.1", r"192\.0\.2\.1"), ("2001:db8::1", r"\[2001:db8::1\]")])
def test_an_address_that_is_not_ours_is_named(path: Path, host: str, shown: str) -> None:
    with pytest.raises(AskOperator, match=rf"^metrics\.listen: {shown}:9123: cannot listen there"):
        prepared(path, listen=(host, 9123)).start()


def test_stopping_takes_the_socket_away_and_the_same_path_serves_again(path: Path) -> None:
    server = prepared(path)
    for _ in range(2):
        server.start()
        assert (server.alive, answers(path)) == (True, True)
        server.stop()
        assert (server.alive, path.exists()) == (False, False)
    server.stop()


def test_stopping_leaves_a_successors_socket_alone(path: Path) -> None:
    server = prepared(path)
    server.start()
    path.unlink()
    successor = prepared(path)
    successor.start()
    server.stop()
    assert answers(path)
    successor.stop()


def test_stopping_answers_the_order_that_waits(tmp_path: Path) -> None:
    desk = Desk()
    server = prepared(tmp_path / "c", desk)
    server.start()
    answered: list[tuple[int, Any]] = []
    asking = Served(desk, server, tmp_path / "c", quiet_turn())
    caller = threading.Thread(target=lambda: answered.append(asking.ask("DELETE", "/v1/scale")))
    caller.start()
    wait_until(desk._inbox.qsize, "the order waits for the loop")
    server.stop()
    caller.join()
    assert answered == [(503, {"error": "burstd is stopping: nothing was changed"})]
    with pytest.raises(Retry):
        desk.submit(ScaleAuto("anna"))


def test_a_caller_that_says_nothing_does_not_hold_the_stop_up(path: Path) -> None:
    server = prepared(path)
    server.start()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        assert answers(path)
        server.stop()
    assert not server.alive


def test_it_notices_when_its_thread_has_died(path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no loop")

    monkeypatch.setattr(ControlServer, "_serve", broken)
    server = prepared(path)
    server.start()
    wait_until(lambda: not server.alive, "the thread has died")
    assert "no verb, no scrape and no probe is answered any more" in caplog.text
    server.stop()


def test_it_keeps_answering_while_many_ask_at_once(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        callers = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        try:
            for each in callers:
                each.connect(str(daemon.socket))
            assert daemon.ask("GET", "/v1/status")[0] == 200
        finally:
            for each in callers:
                each.close()


def test_it_takes_no_signal_and_loads_nothing_that_it_does_not_need(path: Path) -> None:
    script = f"""
import signal, sys
from pathlib import Path
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
from burstd.control.desk import Desk
from burstd.control.server import ControlServer
server = ControlServer(Desk(), bytes, socket=Path({str(path)!r}), mode=0o600, group=None, listen=None, stale_cycle=30.0)
server.start()
from burstd.cli.client import Client
print(Client({str(path)!r}).get("/healthz")["status"])
assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
heavy = {{"websockets", "wsproto", "httptools", "uvloop", "jinja2", "pydantic", "libcloud", "requests", "rich"}}
print(sorted(heavy & set(sys.modules)))
server.stop()
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("ok\n[]\n", "", 0)


def test_a_policy_is_published_with_its_turn(tmp_path: Path) -> None:
    with served(tmp_path, turn=quiet_turn()) as daemon:
        assert daemon.desk.latest == (quiet_turn(), POLICY)
