from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.checkout import ROOT, project, tracked

PINNED = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)", re.MULTILINE)
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def declared(part: str) -> list[Requirement]:
    """The requirements of one part of pyproject.toml: run, an extra's name, or a group's name with what it includes."""
    metadata, groups = project()["project"], project()["dependency-groups"]
    if part == "run":
        entries = metadata["dependencies"]
    elif part in metadata["optional-dependencies"]:
        entries = metadata["optional-dependencies"][part]
    else:
        included = [declared(each["include-group"]) for each in groups[part] if isinstance(each, dict)]
        return [Requirement(each) for each in groups[part] if isinstance(each, str)] + list(chain.from_iterable(included))
    return [Requirement(each) for each in entries]


def names(*parts: str) -> set[str]:
    return {canonicalize_name(each.name) for part in parts for each in declared(part)}


def documented(section: str) -> set[str]:
    """The names in the first column of a section's table in docs/dependencies.md."""
    text = (ROOT / "docs/dependencies.md").read_text()
    body = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", body, re.MULTILINE))


@pytest.mark.parametrize(
    ("lock", "parts"),
    [
        ("requirements.lock", ["run", "build"]),
        ("requirements-demo.lock", ["run", "plot", "build"]),
        ("requirements-dev.lock", ["run", "plot", "dev"]),
    ],
)
def test_a_lock_pins_everything_that_its_part_of_the_project_asks_for(lock: str, parts: list[str]) -> None:
    pins: dict[str, set[str]] = {}
    for pin in PINNED.finditer((ROOT / lock).read_text()):
        pins.setdefault(pin["name"], set()).add(pin["version"])
    for requirement in chain.from_iterable(map(declared, parts)):
        versions = pins.get(canonicalize_name(requirement.name))
        assert versions, f"{lock} does not pin {requirement}: run script/lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{lock} is behind {requirement}: run script/lock"


def test_a_package_has_the_same_version_in_every_lock() -> None:
    largest, *others = [set(PINNED.findall((ROOT / f"requirements{part}.lock").read_text())) for part in ("-dev", "-demo", "")]
    assert [sorted(other - largest) for other in others] == [[], []]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_host_and_no_place_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text()
    assert re.search(r"://|--index|--find-links|file:|(^|\s)/", text) is None
    entries = re.split(r"\n(?=[a-z])", text)[1:]
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_every_dependency_has_its_reason_and_nothing_else_does() -> None:
    assert documented("To run") == names("run")
    assert documented("Extras") == names(*project()["project"]["optional-dependencies"])
    assert documented("To build, test and check") == names("dev")


def test_every_debian_package_that_bootstrap_installs_has_its_reason() -> None:
    installed = set(re.findall(r"missing\+=\(([a-z-]+)\)", (ROOT / "script/bootstrap").read_text()))
    assert documented("Debian packages") - {"pythonX.Y-venv"} == installed


def test_what_the_source_imports_is_declared() -> None:
    trees = [ast.parse(module.read_text()) for module in tracked("src/*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    foreign = (
        {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"burstd", "_typeshed"}
    )  # mypy's own, never there to run
    owners = packages_distributions()
    wanted = {canonicalize_name(owner) for name in foreign for owner in owners.get(name, [name])}
    assert wanted <= names("run", *project()["project"]["optional-dependencies"])


def test_every_dependency_is_forbidden_to_the_pure_layers() -> None:
    forbidden = next(each for each in project()["tool"]["importlinter"]["contracts"] if each["type"] == "forbidden")["forbidden_modules"]
    reachable = {canonicalize_name(owner) for name, owners in packages_distributions().items() if name in forbidden for owner in owners}
    assert names("run", *project()["project"]["optional-dependencies"]) <= reachable
