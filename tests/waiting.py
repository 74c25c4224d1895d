"""Waiting for a condition with a bounded poll: the one way in which tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, *, within: float = 15.0, every: float = 0.02) -> T:
    """Poll until the condition is true and return its value; fail by name after `within` seconds.

    The bound is generous on purpose: it ends a hung test, it measures nothing.
    """
    end = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(every)
