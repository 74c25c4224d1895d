"""The little of haproxy.cfg that `burstd check` must know and that the runtime socket does not tell: pure, and read only.

It knows sections, inheritance between `defaults` and comments. It does not know `.if`, environment variables and several files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

SECTIONS = frozenset(
    {
        *("global", "defaults", "frontend", "backend", "listen"),
        *("cache", "crt-store", "fcgi-app", "http-errors", "log-forward", "log-profile", "mailers", "peers", "program"),
        *("resolvers", "ring", "traces", "userlist"),
    }
)

UNITS: Final = {"us": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds of HAProxy's units of time (configuration manual, 2.5); a number alone is milliseconds."""

STATS_TIMEOUT: Final = 10.0
"""HAProxy's own `stats timeout`, seconds."""


def has_option(text: str, backend: str, option: str) -> bool | None:
    """Whether `option OPTION` is in force for the backend; None where the text does not define that backend.

    A `defaults` section starts from the one it names with `from`, or from nothing; a backend from the one that it names, or from
    the last before it.
    """
    named: dict[str, bool] = {}
    last = False  # the latest `defaults`, whether it has a name or not
    here = False
    found = None
    for kind, name, words in _statements(text):
        if words[0] in SECTIONS:
            parent = words[words.index("from") + 1 :][:1] if "from" in words else []
            here = named.get(parent[0], False) if parent else last and kind != "defaults"
        elif words[:2] == ["option", option]:
            here = True
        elif words[:3] == ["no", "option", option]:
            here = False
        if kind == "defaults":
            last = named[name] = here
        elif kind in {"backend", "listen"} and name == backend:
            found = here
    return found


def stats_timeout(text: str) -> float | None:
    """Seconds after which HAProxy hangs up on a silent runtime socket; None where the text says it in words that are not known here."""
    seconds: float | None = STATS_TIMEOUT
    for kind, _, words in _statements(text):
        if kind == "global" and words[:2] == ["stats", "timeout"]:
            time = re.fullmatch(r"(\d+)([a-z]*)", words[2], re.ASCII) if len(words) > 2 else None  # noqa: PLR2004 - the third word
            seconds = int(time[1]) * UNITS[time[2]] if time and time[2] in UNITS else None
    return seconds


def _statements(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Every statement, a section's first line included: its section's kind and name, and its words."""
    kind = name = ""
    for line in text.splitlines():
        words = list(takewhile(lambda word: not word.startswith("#"), line.split()))
        if not words:
            continue
        if words[0] in SECTIONS:
            kind, name = words[0], words[1] if len(words) > 1 and words[1] != "from" else ""
        yield kind, name, words
