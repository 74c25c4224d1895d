"""Starting and clearing away, where something is in the way; that all goes well is tests/e2e's to show."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from burstd.cli.client import Client
from burstd.demo import network, program
from burstd.demo.interruption import Interrupted, Interruption
from burstd.demo.network import own_network
from burstd.demo.program import Program
from burstd.demo.site import Site
from burstd.errors import AskOperator, Unreachable
from tests.waiting import wait_until


def laid_out(*, without: bool = False) -> Site:
    return Site(lambda path: Client(path).get, without=without)


def processes_at(prefix: str) -> list[str]:
    """Commands of running processes that name an address of that network."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(path.read_bytes().decode())
        except OSError:  # it has ended meanwhile
            continue
    return [command for command in commands if f"{prefix}." in command]


def test_a_missing_haproxy_is_named_with_the_mend_and_what_was_started_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)
    site = laid_out()
    with pytest.raises(AskOperator, match=r"^haproxy: expected it on the PATH, found none; install it \(apt-get install haproxy\)$"), site:
        pass
    assert not site.layout.folder.exists()
    assert processes_at(site.layout.network.prefix) == []


def test_a_program_that_cannot_serve_is_named_with_its_last_words_and_the_others_are_ended() -> None:
    site = laid_out()
    with socket.create_server(site.layout.sides["with"].gateway):
        expected = r"^demo: haproxy-with has ended, expected it to serve; mend what its log says: .*"
        with pytest.raises(AskOperator, match=expected) as caught, site:
            pass
    assert "\n" not in str(caught.value)
    assert not site.layout.folder.exists()
    assert processes_at(site.layout.network.prefix) == []


def test_a_folder_whose_sockets_would_have_too_long_a_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 20)))
    with (
        pytest.raises(AskOperator, match=r"^TMPDIR .*: expected a shorter path, a socket's has at most 90 characters; set TMPDIR=/tmp$"),
        laid_out(),
    ):
        pass


def test_a_folder_that_cannot_be_written_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(
        AskOperator, match=r"^TMPDIR /nowhere: expected a folder to write to, the system says: No such file or directory; set TMPDIR=/tmp$"
    ):
        laid_out().__enter__()


def test_a_program_that_ends_in_the_middle_is_noticed() -> None:
    with laid_out() as site:
        site.check_alive()
        site._programs["haproxy-with"].kill()
        with pytest.raises(Unreachable, match=r"^haproxy-with has ended in the middle of the demo; its last words: "):
            site.check_alive()


def test_both_sides_are_laid_out_alike_on_addresses_of_their_own() -> None:
    site = laid_out(without=True)
    addresses = [address for side in site.layout.sides.values() for address in (side.gateway[0], side.core(0), side.core(1))]
    assert len(set(addresses)) == 6
    assert all(address.startswith(f"{site.layout.network.prefix}.") for address in addresses)
    assert not site.layout.folder.exists()


def test_a_port_on_which_somebody_listens_everywhere_is_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("", 0)) as somebody:
        taken = somebody.getsockname()[1]
        monkeypatch.setattr(network, "_WEB", taken)
        assert own_network().web not in {0, taken}


def test_a_program_that_does_not_listen_to_sigterm_is_ended_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PATIENCE", 0.1)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    deaf = Program("deaf", [sys.executable, "-c", code], tmp_path)
    wait_until(lambda: deaf.last_words == "deaf", "it is deaf")
    deaf.end()
    assert not deaf.alive


def test_a_program_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        AskOperator, match=r"^/no/such: cannot be started, the system says: No such file or directory; install what is missing$"
    ):
        Program("none", ["/no/such"], tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noticed_where_the_demo_waits_and_nowhere_else(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        interruption.wait(0)
        signal.raise_signal(number)
        with pytest.raises(Interrupted) as caught:
            interruption.wait(60)
        assert caught.value.number == number
        interruption.wait(0)
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
            interruption.wait(0)
    finally:
        signal.signal(signal.SIGHUP, before)
