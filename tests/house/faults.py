"""docs/faults.md as data: its rows, and the tests that it names."""

from __future__ import annotations

import re

from tests.house.checkout import ROOT

ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| `(tests/[a-z_0-9/]+\.py)::(test_[a-z_0-9]+)` \|$")


FURTHER = re.compile(r"^\| ([^|]+) \| ([^|]+) \| `(tests/[a-z_0-9/]+\.py)::(test_[a-z_0-9]+)` \|$")


def further() -> list[str]:
    """The lines of the table about databases."""
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").partition("\n## And to databases\n")[2]
    return [line for line in text.splitlines() if line.startswith("| ")][1:]


def rows() -> list[str]:
    """The table's lines, in order."""
    lines = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"^\| \d+ ", line)]


def named() -> set[str]:
    """The tests that the table names, as "path::name"."""
    fifty = {f"{found[4]}::{found[5]}" for row in rows() if (found := ROW.match(row))}
    return fifty | {f"{found[3]}::{found[4]}" for row in further() if (found := FURTHER.match(row))}
