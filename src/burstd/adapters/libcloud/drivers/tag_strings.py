"""Tags for clouds that know bare words only: "key:value", with every character that such a cloud may refuse written as `_` and its hex."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

PLAIN: Final = re.compile(r"[A-Za-z0-9-]")
LOWER: Final = re.compile(r"[a-z0-9-]")

_ESCAPED: Final = re.compile(r"(?:_[0-9a-f]{2})+")


def escaped(text: str, legal: re.Pattern[str] = PLAIN) -> str:
    """The text in legal characters and `_` alone. burstd's own tags have none to escape, so that they read as they are."""
    return "".join(each if legal.fullmatch(each) else "".join(f"_{byte:02x}" for byte in each.encode()) for each in text)


def unescaped(text: str) -> str:
    """What was escaped; a stranger's text that never was comes back as it is, or nearly so."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace("_", "")).decode(errors="replace"), text)


def to_strings(tags: Iterable[tuple[str, str]]) -> list[str]:
    """One string for each tag."""
    return [f"{escaped(key)}:{escaped(value)}" for key, value in tags]


def from_strings(strings: Iterable[str]) -> Mapping[str, str]:
    """The tags out of the strings; a word without a colon is a stranger's, and not among them."""
    parts = (each.partition(":") for each in strings)
    return {unescaped(key): unescaped(value) for key, colon, value in parts if colon}
