"""What the demand policy has learned goes over a restart, and what is damaged is dropped."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from burstd.decide.demand import observe
from burstd.decide.demand_record import DEMAND, read_demand, write_demand
from burstd.decide.workload import Workload
from burstd.model.decision import Memory
from burstd.model.demand import DemandMemory
from tests.decide.test_demand import decided, seen, site
from tests.turns import NOW

LIVED, LAST = seen([1.0, 1.5, 2.0] * 100)
TEXT = write_demand(LIVED) or ""
GOOD: dict[str, Any] = json.loads(TEXT)


def test_what_is_read_is_what_was_written() -> None:
    found = read_demand(TEXT)
    assert found is not None
    assert found.outlook is not None
    assert LIVED.outlook is not None
    assert found.outlook.terms == pytest.approx(LIVED.outlook.terms)
    assert found.outlook.errors == pytest.approx(LIVED.outlook.errors)
    assert found.averages == pytest.approx(LIVED.averages)
    assert write_demand(found) == TEXT


@pytest.mark.parametrize("later", [1.0, 61.0, 150.0])
def test_a_restart_within_minutes_goes_on_with_the_averages_and_awaits_nothing(later: float) -> None:
    found = read_demand(TEXT)
    assert found is not None
    first = observe(found, Workload(9.0, 2), LAST + later, 155.0)
    assert (first.averages, first.recent, first.readings) == (found.averages, ((LAST + later, 9.0),), 1)
    second = observe(first, Workload(9.0, 2), LAST + later + 60, 155.0)
    assert second.outlook is not None
    assert len(second.outlook.awaited) == 1


def test_it_is_small_and_the_same_until_the_minute_ends() -> None:
    assert len(TEXT) < 4096
    assert write_demand(observe(LIVED, Workload(9.0, 2), LAST + 1, 155.0)) == TEXT
    assert write_demand(DemandMemory()) is None


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[]",
        "null",
        "[" * 10_000,
        TEXT[:-9],
        json.dumps({**GOOD, "version": 1}),
        json.dumps({**GOOD, "lead": 0}),
        json.dumps({**GOOD, "lead": 2.0}),
        json.dumps({**GOOD, "minute": None}),
        json.dumps({**GOOD, "terms": [1.0]}),
        json.dumps({**GOOD, "terms": "1234"}),
        json.dumps({**GOOD, "terms": [math.nan, 0, 0, 0, 0, 0]}),
        json.dumps({**GOOD, "terms": [10**400, 0, 0, 0, 0, 0]}),
        json.dumps({**GOOD, "spread": [[0.0] * 6] * 5}),
        json.dumps({**GOOD, "spread": [[0.0] * 4] * 6}),
        json.dumps({**GOOD, "spread": None}),
        json.dumps({**GOOD, "averages": [-1.0, 0.0, 0.0]}),
        json.dumps({**GOOD, "errors": [0.0] * len(GOOD["errors"])}),
        json.dumps({key: value for key, value in GOOD.items() if key != "scatter"}),
    ],
)
def test_a_damaged_text_is_dropped(damaged: str) -> None:
    assert read_demand(damaged) is None


def test_a_restart_goes_on_with_what_was_learned_and_says_so_where_it_cannot() -> None:
    fresh = replace(site(1.0).memory, demand=DemandMemory(), stored=None)
    first = decided(replace(site(1.0), memory=fresh, learned={DEMAND: TEXT}))
    assert LIVED.outlook is not None
    assert first.memory.demand.outlook is not None
    assert first.memory.demand.outlook.terms == pytest.approx(LIVED.outlook.terms)
    assert first.notes == ()
    other = decided(replace(site(1.0), memory=fresh, learned={DEMAND: "{"}))
    assert other.notes == ('what the roster holds as learned by "demand" cannot be read: it is dropped, and learned anew',)


def test_it_is_stored_when_a_write_is_worth_it_and_once() -> None:
    due, now = seen([1.0] * 3, start=NOW - 60)
    assert now == NOW
    snapshot = site(1.0, memory=due)
    stored = decided(snapshot)
    assert DEMAND in stored.learned
    again = replace(snapshot.memory, stored=stored.learned, demand=stored.memory.demand)
    assert DEMAND not in decided(replace(snapshot, memory=again)).learned
    later = replace(again, demand=replace(stored.memory.demand, told=(stored.memory.demand.minute or 0) - 1))
    assert DEMAND not in decided(replace(snapshot, memory=replace(later, stored={}))).learned
    assert isinstance(stored.memory, Memory)
