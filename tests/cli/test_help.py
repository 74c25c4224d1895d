from __future__ import annotations

from importlib.util import find_spec

import click
import pytest
from click.testing import CliRunner

import burstd as package
from burstd.cli.group import VERBS, burstd
from burstd.cli.options import DEFAULT_CONFIG, DEFAULT_SOCKET


def command(name: str) -> click.Command:
    found = burstd.get_command(click.Context(burstd), name)
    assert found is not None
    return found


def test_help_teaches_with_examples_and_names_the_exit_codes() -> None:
    told = CliRunner().invoke(burstd, ["--help"])
    assert told.exit_code == 0
    assert all(f"\n  {verb} " in told.stdout for verb in VERBS)
    assert "Examples:\n    burstd check" in told.stdout
    assert "Exit codes:\n    0    done" in told.stdout


def test_h_is_help_too() -> None:
    assert CliRunner().invoke(burstd, ["-h"]).stdout == CliRunner().invoke(burstd, ["--help"]).stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_json_and_a_help_with_an_example(verb: str) -> None:
    told = CliRunner().invoke(burstd, [verb, "--help"], prog_name="burstd", terminal_width=200)
    assert (told.exit_code, told.stderr) == (0, "")
    assert "--json" in told.stdout
    assert f"Examples:\n    burstd {verb}" in told.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_the_same_of_itself_as_the_list_of_verbs(verb: str) -> None:
    assert command(verb).get_short_help_str(limit=200) == VERBS[verb]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_a_module_of_its_name(verb: str) -> None:
    assert find_spec(f"burstd.cli.{verb}") is not None
    assert command(verb).name == verb


def test_version_is_the_packages() -> None:
    assert CliRunner().invoke(burstd, ["--version"]).stdout == f"burstd {package.__version__}\n"


def test_the_defaults_that_are_repeated_for_speed_are_the_settings_own() -> None:
    from burstd.settings import DEFAULT_FILE, Settings

    assert (str(DEFAULT_FILE), str(Settings().control.socket)) == (DEFAULT_CONFIG, DEFAULT_SOCKET)
