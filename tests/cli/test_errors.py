from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from burstd.cli.client import Client
from burstd.cli.group import burstd
from burstd.errors import Bug, BurstdError, InvalidSettings, NoDaemon, OutcomeUnknown, Unreachable


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "Missing command (see `burstd --help`)"),
        ("statsu", "No such command 'statsu' (see `burstd --help`)"),
        ("--frobnicate", "No such option '--frobnicate' (see `burstd --help`)"),
        ("status --frobnicate", "No such option '--frobnicate' (see `burstd status --help`)"),
        ("status extra", "Got unexpected extra argument (extra) (see `burstd status --help`)"),
        ("drain", "Missing argument 'NAME' (see `burstd drain --help`)"),
        ("scale --to", "Option '--to' requires an argument (see `burstd --help`)"),
        ("pause sideways", "'sideways' is not one of 'in', 'out' (see `burstd pause --help`)"),
        ("completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish' (see `burstd completion --help`)"),
        ("scale", "scale: expected either --to N or --auto"),
        ("scale --to 3 --auto", "scale: expected either --to N or --auto"),
        ("scale --auto --for 2h", "--auto: takes the order back at once; leave --for and --reason out"),
        ("scale --to -1", "--to -1: expected a whole number of instances, 0 or more"),
        ("scale --to 2.5", "--to 2.5: expected a whole number of instances, 0 or more"),
        ("scale --to three", "--to three: expected a whole number of instances, 0 or more"),
        ("scale --to 99999999999", "--to 99999999999: expected a whole number of instances, 0 or more"),
        ("scale --to 3 --for yesterday", "--for yesterday: expected seconds, or "),
        ("scale --to 3 --for -2h", "--for -2h: expected seconds, or "),
        ("scale --to 3 --for 0s", "--for 0s: expected more than no time at all; say how long, as in --for 2h"),
        ("events --limit all", "--limit all: expected a whole number from 1 to 1000"),
    ],
)
def test_input_to_be_mended_is_one_line_and_exit_code_2(line: str, said: str) -> None:
    told = CliRunner().invoke(burstd, line.split(), prog_name="burstd", env={"BURSTD_CONTROL__SOCKET": "/nowhere/control.sock"})
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("burstd: ")
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NoDaemon("start it"), 2, "burstd: start it\n"),
        (InvalidSettings(["fleet.min: 5: more than max", "load.sustain: -1: negative"]), 2, None),
        (Unreachable("no answer"), 1, "burstd: no answer\n"),
        (OutcomeUnknown("lost\nanswer"), 1, "burstd: lost answer\n"),
        (Bug("a bug"), 1, "burstd: a bug\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_becomes_its_line_and_its_exit_code(
    error: BurstdError, code: int, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(*_: object) -> None:
        raise error

    monkeypatch.setattr(Client, "get", get)
    told = CliRunner().invoke(burstd, ["--socket", "/nowhere", "status"])
    assert (told.exit_code, told.stdout) == (code, "")
    assert told.stderr == (said or "burstd: fleet.min: 5: more than max\nburstd: load.sustain: -1: negative\n")


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "get", get)
    assert CliRunner().invoke(burstd, ["--socket", "/nowhere", "status"]).exit_code == 130


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "expected a readable settings file, the system says: No such file or directory; let your user read it"),
        ("fleet = {", "expected TOML, found: "),
    ],
    ids=["missing", "broken"],
)
def test_a_settings_file_that_was_named_must_be_readable(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "burstd.toml"
    if content is not None:
        file.write_text(content)
    told = CliRunner().invoke(burstd, ["status", "--config", str(file)], env={"BURSTD_CONTROL__SOCKET": None})
    assert told.exit_code == 2
    assert told.stderr.startswith(f"burstd: --config {file}: {said}")
    assert told.stderr.count("\n") == 1
