"""docs/article.md names what there is: every verb with its options, every script, every file, every setting."""

from __future__ import annotations

import re
import shlex
import subprocess

import click
import pytest

from burstd.cli.group import burstd
from burstd.settings.reference import example_file
from tests.house.checkout import ROOT

TEXT = (ROOT / "docs/article.md").read_text()
CODE = {*re.findall(r"`([^`\n]+)`", TEXT), *(line.strip() for line in re.findall(r"^(?: {4,8})(\S.*)$", TEXT, re.MULTILINE))}
"""What stands in backquotes, and what stands in a line of its own."""


def commands(*programs: str) -> list[list[str]]:
    """The commands of these programs, as words."""
    return sorted(shlex.split(each) for each in CODE if each.split(" ")[0].partition("/")[0] in programs)


@pytest.mark.parametrize("words", commands("burstd"), ids=" ".join)
def test_burstd_has_the_command(words: list[str]) -> None:
    command: click.Command = burstd
    context = click.Context(burstd)
    arguments = iter(words[1:])
    for word in arguments:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(context, word)
        assert found is not None, word
        command = found
    known = {name for each in command.params for name in each.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("words", commands("script", "bench"), ids=" ".join)
def test_the_script_is_there_and_knows_what_it_is_asked_for(words: list[str]) -> None:
    script = ROOT / words[0]
    assert script.exists()
    told = subprocess.run([script, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0
    assert all(word in told.stdout for word in words[1:2])


def test_every_file_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)", TEXT)
    files = [each for each in CODE if re.fullmatch(r"(config|docs|tests|src)/\S+", each)]
    assert links
    assert files
    assert [each for each in links if not (ROOT / "docs" / each).exists()] == []
    assert [each for each in files if not (ROOT / each).exists()] == []


def test_every_setting_that_it_names_is_there() -> None:
    sections = set(re.findall(r"^\[+(\w+)\]+$", example_file(), re.MULTILINE))
    named = {each for each in CODE if re.fullmatch(r"[a-z]+\.[a-z_]+", each) and each.partition(".")[0] in sections}
    keys: set[str] = set()
    section = ""
    for line in example_file().splitlines():
        if header := re.fullmatch(r"\[+(\w+)\]+", line):
            section = header[1]
        elif key := re.match(r"#?([a-z_]+) = ", line):
            keys.add(f"{section}.{key[1]}")
    assert named
    assert named <= keys
