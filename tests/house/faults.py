"""docs/faults.md as data: its rows, and the tests that it names."""

from __future__ import annotations

import re

from tests.house.checkout import ROOT

ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| `(tests/[a-z_0-9/]+\.py)::(test_[a-z_0-9]+)` \|$")


def rows() -> list[str]:
    """The table's lines, in order."""
    lines = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"^\| \d+ ", line)]


def named() -> set[str]:
    """The tests that the table names, as "path::name"."""
    return {f"{found[4]}::{found[5]}" for row in rows() if (found := ROW.match(row))}
