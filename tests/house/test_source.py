from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.checkout import ROOT, lines_like, tracked

MODULES = tracked("src/*.py")
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc", "shared"}


def of(module: Path) -> str:
    return str(module.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=of)
def test_a_module_says_what_it_is_about(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text()))
    assert docstring
    assert len(docstring.split()) >= 3


@pytest.mark.parametrize("module", MODULES, ids=of)
def test_a_module_holds_one_thing(module: Path) -> None:
    alone = of(module) == "src/burstd/adapters/lsyncd/mirror.py"  # copied to another machine, and there in one file
    assert len(module.read_text().splitlines()) <= (550 if alone else 400)


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [of(module) for module in MODULES if NAMES_THAT_SAY_NOTHING & set(module.relative_to(ROOT).with_suffix("").parts)] == []


def test_no_tracked_file_names_a_place_on_somebodys_machine() -> None:
    assert lines_like(r"/(work|root|farm|home/[a-z]+)/", ".", ":!*.lock") == []


def test_every_exception_from_lint_and_types_gives_its_reason() -> None:
    reasoned = re.compile(r"noqa: [A-Z0-9, ]+ +[-#(a-z]|ignore\[[a-z, -]+\] +[-#(a-z]")
    exceptions = lines_like(r"# (type: ignore|noqa)", "src", "tests", "bench")
    assert [line for line in exceptions if not reasoned.search(line)] == []


def test_nothing_is_left_undone_in_the_source() -> None:
    assert lines_like(r"TODO|FIXME|XXX|NotImplementedError", "src") == []


def test_no_test_sleeps_for_a_fixed_time() -> None:
    sleeps = lines_like(r"(time|asyncio)\.sleep\(", "tests")
    assert [line for line in sleeps if not line.startswith(("tests/waiting.py:", "tests/house/test_source.py:"))] == []
