"""Lengths of time as people write them: "90s", "5m", "1h30m". Pure; it reads no clock and knows no points in time.

Light on purpose: the settings and the verbs (`--for 2h`) share it.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 366 * 86_400.0
"""Seconds. Longer than any deadline or override makes sense, short enough to catch milliseconds that were taken for seconds."""

EXPECTED: Final = 'seconds, or numbers with d, h, m, s or ms such as "90s", "5m" or "1h30m" (at most 366 days)'

_UNITS: Final[dict[str, float]] = {"d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
_FIGURE: Final = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_WRITTEN: Final = re.compile(r"\s*".join(rf"(?:(?P<{unit}>{_FIGURE})\s*{unit})?" for unit in _UNITS), re.ASCII)
_BARE: Final = re.compile(_FIGURE, re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds of a number, or of a text: a bare number (seconds) or numbers with units, each unit once and the greatest first.

    Raises:
        ValueError: it is neither, or outside 0..`LONGEST`; the message is one line.
    """
    seconds = _seconds(value.strip()) if isinstance(value, str) else value
    # NaN fails the comparison; a bool is an int to Python and a slip to an operator.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST:
        raise ValueError(f"{str(value)[:60]!r} is no duration: expected {EXPECTED}")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back as the very same number of seconds."""
    if not float(seconds).is_integer() or not seconds:
        return f"{seconds!r}s" if seconds else "0s"
    rest, text = int(seconds), ""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, round(_UNITS[unit]))
        text += f"{count}{unit}" if count else ""
    return text


def _seconds(text: str) -> float | None:
    if _BARE.fullmatch(text):
        return float(text)
    match = _WRITTEN.fullmatch(text)
    if match is None or not text:
        return None
    return sum(float(figure) * _UNITS[unit] for unit, figure in match.groupdict().items() if figure is not None)
