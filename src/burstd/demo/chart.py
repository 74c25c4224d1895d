"""The load of both sides over time as lines of coloured text, for the live view. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rich.text import Text

from burstd.canvas import BLUE, ORANGE, SKY_BLUE, VERMILION
from burstd.demo.timeline import Moment

# As in the picture; a terminal with fewer colours takes its nearest.
WITH: Final = BLUE
OVER: Final = SKY_BLUE
WITHOUT: Final = VERMILION
BURST: Final = ORANGE
CORE: Final = SKY_BLUE

SPAN: Final = 150.0
"""Seconds that the whole width stands for; what is older moves out on the left."""

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_LOWEST_TOP: Final = 6.0
"""The scale's least, load units: a quiet site shall look quiet."""


def load_chart(moments: Sequence[Moment], threshold: float, width: int, height: int) -> list[Text]:
    """Bars for the side with burstd, dots for the one without, a line at the threshold; the highest row first."""
    end = max(SPAN, moments[-1].at)
    columns = _columns(moments, end - SPAN, width)
    highest = max((load for pair in columns for load in pair if load is not None), default=0.0)
    step = max(_LOWEST_TOP, math.ceil(highest + 0.5)) / height
    lines = []
    for row in reversed(range(height)):
        low = row * step
        at_threshold = low <= threshold < low + step
        label = f"{threshold:g}" if at_threshold else f"{low + step:.0f}" if row == height - 1 else "0" if row == 0 else ""
        line = Text(f"{label:>4} ", "bold" if at_threshold else "dim")
        for own, other in columns:
            character, style = _cell(own, other, low, step, OVER if low >= threshold else WITH)
            line.append("╌", "dim") if at_threshold and character == " " else line.append(character, style)
        lines.append(line)
    return lines


def _columns(moments: Sequence[Moment], begin: float, width: int) -> list[tuple[float | None, float | None]]:
    """For every column the loads of its last moment, with and without; None for what is not known, or still to come."""
    columns: list[tuple[float | None, float | None]] = [(None, None)] * width
    last = -1
    for each in moments:
        column = int((each.at - begin) / SPAN * width)
        if not 0 <= column < width:
            continue
        pair = (each.loads.get("with"), each.loads.get("without"))
        # Where there are more columns than moments, a moment fills those up to its own.
        for between in range(last + 1 if last >= 0 else column, column + 1):
            columns[between] = pair
        columns[column] = pair
        last = column
    return columns


def _cell(own: float | None, other: float | None, low: float, step: float, color: str) -> tuple[str, str]:
    """One character and its style: the bar's part between `low` and a step above, or the dot over it."""
    share = 0.0 if own is None else min(1.0, max(0.0, (own - low) / step))
    if other is not None and low <= other < low + step:
        return "●", f"{WITHOUT} on {color}" if share == 1 else WITHOUT
    return _EIGHTHS[math.floor(share * 8)], color
