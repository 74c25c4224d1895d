from __future__ import annotations

import time

import pytest

from burstd.adapters.clock import SystemClock


def test_the_timeline_begins_at_the_wall_clock() -> None:
    before = time.time()
    assert before - 1 <= SystemClock().now() <= time.time() + 1


def test_a_wall_clock_that_is_set_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: before - 86_400.0)
    assert before <= clock.now() < before + 3_600


def test_the_timeline_goes_on_with_the_monotonic_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    ahead = time.monotonic() + 100
    before = clock.now()
    monkeypatch.setattr(time, "monotonic", lambda: ahead)
    assert clock.now() - before == pytest.approx(100, abs=1)
