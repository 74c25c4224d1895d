"""What one exchange with the core comes to when something is wrong: real ssh against a real sshd, and the worker around it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.adapters.clock import SystemClock
from burstd.adapters.lsyncd import Core, LsyncdMirror, new_host_key
from burstd.errors import AskOperator, BadCredentials, BurstdError, Garbled, Misconfigured, Unreachable
from burstd.model.content import MirrorTarget
from burstd.model.faults import FaultKind
from tests.sshd_process import Sshd, key_pair, sshd
from tests.waiting import wait_until
from tests.web import own_address

GOOD = '{"protocol": 1, "token": "one", "files": 3, "held": null, "targets": []}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    key_pair(tmp_path / "key")
    with sshd(tmp_path / "sshd", own_address(), "") as running:
        (tmp_path / "known_hosts").write_text(running.known)
        yield running


def core(server: Sshd, tmp_path: Path, command: str, deadline: float = 10.0) -> Core:
    """The core, on which this is what burstd's key may run."""
    line = f"restrict,command={quoted(command)} {(tmp_path / 'key.pub').read_text()}"
    server.authorized_keys.write_text(line)
    return Core(f"{server.user}@{server.address}", server.port, tmp_path / "key", tmp_path / "known_hosts", deadline)


def quoted(command: str) -> str:
    return '"' + command.replace('"', '\\"') + '"'


def says(text: str, code: int = 0, *, where: str = "1") -> str:
    return f"cat >/dev/null; echo {shlex.quote(text)} >&{where}; exit {code}"


def test_a_good_answer_is_read(server: Sshd, tmp_path: Path) -> None:
    answer = core(server, tmp_path, says(GOOD)).keep([MirrorTarget("127.0.0.1", "ssh-ed25519 AAAA")])
    assert (answer.token, answer.files, answer.held, answer.states) == ("one", 3, "", {})


@pytest.mark.parametrize(
    ("command", "kind", "told"),
    [
        (says("burstd-mirror: targets: expected a list", 2, where="2"), Misconfigured, "refuses: targets: expected a list"),
        (says("burstd-mirror: another call has held it", 1, where="2"), Unreachable, "refuses: another call has held it"),
        (says("Traceback", 1, where="2"), Garbled, "failed with exit code 1: Traceback"),
        ("/no/such/program", Misconfigured, "cannot run its forced command"),
        (says("hello"), Garbled, "answered, and not as burstd-mirror"),
        (says("[1]"), Garbled, "answered, and not as burstd-mirror"),
        (says('{"protocol": 7}'), Misconfigured, "another version's burstd-mirror"),
        (says('{"protocol": 1}'), Garbled, "gave no answer of burstd-mirror's"),
    ],
)
def test_what_is_wrong_there_is_said_in_one_line(server: Sshd, tmp_path: Path, command: str, kind: type[BurstdError], told: str) -> None:
    with pytest.raises(kind, match=told) as caught:
        core(server, tmp_path, command).keep([])
    assert "\n" not in str(caught.value)


def test_an_answer_that_does_not_come_in_time_is_not_waited_for(server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no answer within 0\.5 s"):
        core(server, tmp_path, "cat >/dev/null; exec sleep 30", deadline=0.5).keep([])  # silent, and ends by itself when nobody waits


def test_another_host_key_is_never_accepted(server: Sshd, tmp_path: Path) -> None:
    asked = core(server, tmp_path, says(GOOD))
    other = new_host_key().public
    asked.known_hosts.write_text(f"[{server.address}]:{server.port} {other}\n")
    with pytest.raises(Misconfigured, match="its host key is not the one in"):
        asked.keep([])
    asked.known_hosts.write_text("")
    with pytest.raises(Misconfigured, match="its host key is not the one in"):
        asked.keep([])


def test_a_key_that_is_not_let_in_is_told_as_such(server: Sshd, tmp_path: Path) -> None:
    asked = core(server, tmp_path, says(GOOD))
    server.authorized_keys.write_text("")
    with pytest.raises(BadCredentials, match="does not let burstd in with"):
        asked.keep([])
    with pytest.raises(AskOperator):
        replace(asked, identity=tmp_path / "nowhere").keep([])


def test_where_nothing_listens_ssh_says_why(server: Sshd, tmp_path: Path) -> None:
    asked = replace(core(server, tmp_path, says(GOOD)), login=f"{server.user}@127.0.0.98")
    with pytest.raises(Unreachable, match=r"cannot be reached: .*refused"):
        asked.keep([])


def test_without_ssh_the_mend_is_told(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = core(server, tmp_path, says(GOOD))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="install openssh-client"):
        asked.keep([])
    with pytest.raises(Misconfigured, match="install openssh-client"):
        new_host_key()
    mirror = LsyncdMirror(asked, SystemClock(), interval=1.0, max_drift=60.0)
    assert list(mirror.host_keys()) == []


def test_sshd_takes_the_host_key_that_was_made(tmp_path: Path) -> None:
    key = new_host_key()
    file = tmp_path / "key"
    file.write_text(key.private)
    file.chmod(0o600)
    read = subprocess.run(["ssh-keygen", "-y", "-f", file], capture_output=True, text=True, check=True).stdout
    assert read.split()[:2] == key.public.split()


def test_a_failed_exchange_is_a_fault_and_the_next_one_mends_it(server: Sshd, tmp_path: Path) -> None:
    mirror = LsyncdMirror(core(server, tmp_path, says("hello")), SystemClock(), interval=0.2, max_drift=60.0)
    mirror.want([])
    fault = wait_until(lambda: mirror.observe().fault, "the fault")
    assert fault is not None
    assert (fault.peer, fault.kind) == ("mirror", FaultKind.GARBLED)
    core(server, tmp_path, says(GOOD))
    view = wait_until(lambda: (view := mirror.observe()).fault is None and view.tokens and view, "the answer")
    assert view
    mirror.close()
    mirror.close()


def test_what_it_was_told_last_is_still_told_when_it_is_closed(server: Sshd, tmp_path: Path) -> None:
    mirror = LsyncdMirror(core(server, tmp_path, says(GOOD)), SystemClock(), interval=60.0, max_drift=60.0)
    mirror.want([])
    mirror.close()
    assert len(mirror.observe().tokens) == 1
    mirror.want([])  # and after that nobody is asked
    assert len(mirror.observe().tokens) == 1
