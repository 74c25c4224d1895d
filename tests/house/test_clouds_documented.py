"""docs/clouds.md names every driver that burstd speaks to, and says of each what it can be told."""

from __future__ import annotations

import re

from burstd.adapters.libcloud.drivers import DRIVERS
from burstd.adapters.libcloud.drivers.record import PLACING
from tests.house.checkout import ROOT

PAGE = (ROOT / "docs/clouds.md").read_text()


def rows(section: str) -> list[list[str]]:
    """The table of a section, less its head: the cells of each row."""
    body = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in body.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_driver_has_its_grade_and_how_it_was_tested() -> None:
    grades = {name: row[1] for row in rows("Which, and how well proven") for name in re.findall(r"`([^`]+)`", row[0])}
    assert grades.keys() == DRIVERS.keys()
    assert {name for name, grade in grades.items() if grade in {"C", "D"}} == {name for name, each in DRIVERS.items() if each.by_name}


def test_what_a_driver_can_be_told_is_what_its_record_takes() -> None:
    told = {
        row[0].strip("`"): {key for key, cell in zip(PLACING, row[1:4], strict=True) if cell != "-"}
        for row in rows("What the settings become")
    }
    assert told == {name: set(record.takes) for name, record in DRIVERS.items() if name != "local"}


def test_every_test_that_the_page_names_is_there() -> None:
    assert [path for path in re.findall(r"`(tests/[^`]+\.py)`", PAGE) if not (ROOT / path).exists()] == []
