"""docs/metrics.md and the live page name the same metrics, with the same types and labels."""

from __future__ import annotations

import re
from pathlib import Path

from burstd.metrics import Metrics
from tests.turns import POLICY, quiet_turn, rich_turn

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<type>\w+) \| (?P<labels>[\w, ]*?) ?\| (?P<meaning>.+?) \|(?P<alert>.*)\|$", re.MULTILINE)

Kind = tuple[str, frozenset[str]]


def documented() -> dict[str, Kind]:
    rows = ROW.finditer(DOCUMENT.read_text())
    return {row["name"]: (row["type"], frozenset(filter(None, re.split(r",\s*", row["labels"])))) for row in rows}


def live() -> dict[str, Kind]:
    metrics = Metrics()
    metrics.record(quiet_turn(), POLICY)
    metrics.record(rich_turn(), POLICY)
    found: dict[str, Kind] = {}
    for family in metrics.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, frozenset(label for sample in family.samples for label in sample.labels) - {"le"})
    return found


def test_every_metric_is_documented_with_its_type_and_its_labels() -> None:
    assert len(live()) > 30
    assert documented() == live()
