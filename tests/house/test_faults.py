"""docs/faults.md holds fifty faults, and for each a test that exists; tests/conftest.py sees that it has run."""

from __future__ import annotations

import ast

import pytest

from tests.house.checkout import ROOT
from tests.house.faults import FURTHER, ROW, further, rows


def test_there_are_fifty_rows_in_their_order() -> None:
    assert [int(line.split("|")[1]) for line in rows()] == list(range(1, 51))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip())
def test_each_fault_has_a_test_that_exists(row: str) -> None:
    found = ROW.match(row)
    assert found is not None, f"expected `| number | the fault | what burstd does | `tests/path.py::test_name` |`: {row}"
    there(found[4], found[5])


@pytest.mark.parametrize("row", further())
def test_each_fault_of_databases_has_a_test_that_exists(row: str) -> None:
    found = FURTHER.match(row)
    assert found is not None, f"expected `| the fault | what burstd does | `tests/path.py::test_name` |`: {row}"
    there(found[3], found[4])


def there(file: str, name: str) -> None:
    path = ROOT / file
    assert path.exists(), f"{file} is not there"
    tests = [each.name for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(each, ast.FunctionDef)]
    assert name in tests, f"{file} has no {name}"
