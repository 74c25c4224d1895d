"""docs/cli.md names every verb with its options, docs/api.md every key that the daemon answers with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from burstd.cli.group import VERBS, burstd
from burstd.control import documents
from burstd.model.event import Event
from tests.house.checkout import ROOT
from tests.turns import NOW, POLICY, rich_turn

CLI = (ROOT / "docs/cli.md").read_text()
API = (ROOT / "docs/api.md").read_text()
ROW = re.compile(r"^\| (?P<first>`.+?) \| (?P<second>[^|]*)\|", re.MULTILINE)

EVERYWHERE = {"--json", "--config", "--socket", "--help"}
"""Described once, for all verbs."""

NULLABLE = {"override", "drill", "budget", "database", "database.promotion", "database.primary.replication", "database.replica.replication"}
"""Objects in whose place there may be nothing, which is said in a row of its own."""

MAPS = {"weights"}
"""Objects whose keys are names of servers."""


def options(verb: str) -> set[str]:
    command = burstd.get_command(click.Context(burstd), verb)
    assert command is not None
    commands = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
    parameters = [each for one in commands for each in one.params]
    return {name for each in parameters if isinstance(each, click.Option) for name in each.opts if name.startswith("--")}


def section(text: str, *titles: str) -> str:
    return "".join(text.partition(f"\n### {title}\n")[2].partition("\n##")[0] for title in titles)


def keys(table: str) -> set[str]:
    return {key for row in ROW.finditer(table) for key in re.findall(r"`([^`]+)`", row["first"])}


def paths(value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - what JSON can hold
    """Every key of a document, dotted, with [] for the elements of a list."""
    if isinstance(value, dict) and not path.endswith(tuple(MAPS)) and not path.endswith("fault"):
        if path in NULLABLE:
            yield path
        for key, each in value.items():
            yield from paths(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        assert value or path.endswith("drains"), f"{path}: nothing in it to document"
        yield from [each for element in value for each in paths(element, f"{path}[]")] or [f"{path}[]"]
    else:
        yield path


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_documented_with_its_options(verb: str) -> None:
    rows = [row["second"] for row in ROW.finditer(CLI) if row["first"] == f"`{verb}`"]
    assert len(rows) == 1
    assert set(re.findall(r"`(--[a-z-]+)", rows[0])) - EVERYWHERE == options(verb) - EVERYWHERE


def test_no_verb_is_documented_that_is_not_there() -> None:
    verbs = CLI.partition("\n## The daemon\n")[2]
    assert {row["first"].strip("`") for row in ROW.finditer(verbs)} == set(VERBS)


def test_the_exit_codes_are_those_of_the_help() -> None:
    assert burstd.epilog is not None
    told = re.findall(r"^  (\d+) ", burstd.epilog.partition("Exit codes:")[2], re.MULTILINE)
    assert re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE) == told


@pytest.mark.parametrize(
    ("make", "titles"),
    [
        (documents.status, ("In status, explain and plan", "In status and explain", "status")),
        (documents.explain, ("In status, explain and plan", "In status and explain", "explain")),
        (documents.plan, ("In status, explain and plan", "plan")),
    ],
    ids=["status", "explain", "plan"],
)
def test_every_key_is_documented_and_no_other(make: Any, titles: tuple[str, ...]) -> None:  # noqa: ANN401 - one of three functions
    assert set(paths(make(rich_turn(), POLICY))) | {"age_seconds"} == keys(section(API, *titles))


def test_every_key_of_an_event_is_documented() -> None:
    assert set(paths(documents.events([Event(NOW, "cycle", "", "")]))) == keys(section(API, "events"))


def test_every_path_of_the_api_is_documented() -> None:
    from burstd.control.api import Api
    from burstd.control.desk import Desk

    routes = Api(Desk(), bytes, 30.0).for_operators().routes
    served = {f"{method} {each.path}" for each in routes for method in each.methods - {"HEAD"}}  # type: ignore[attr-defined]  # routes all
    documented = {re.split(r"[?]", key)[0] for key in keys(API.partition("\n## The documents\n")[0])}
    assert served == {each for each in documented if each.startswith(("GET", "POST", "DELETE"))}
