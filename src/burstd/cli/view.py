"""The live view: a status document as something that rich can draw, for `burstd status --watch` and the demo alike.

Pure: the same document gives the same picture. It knows neither the daemon nor the terminal.
"""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from burstd.cli.summary import UNKNOWN, Cell, Document, Table, Tone, summarize

_STYLES: Final[dict[Tone, str]] = {"": "", "good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim"}

_BAR: Final = 40
"""Characters of a load bar; the threshold stands in its middle."""


def view(status: Document, trouble: str = "") -> RenderableType:
    """The whole picture; `trouble` is shown on top of it, where the document is not the newest."""
    summary = summarize(status)
    facts = Grid.grid(padding=(0, 2))
    for label, cell in summary.facts:
        facts.add_row(Text(label, "dim"), _text(cell))
    parts: list[RenderableType] = [Text(summary.sentence, "bold"), Text(), facts, Text(), _bars(status)]
    parts.extend(Text(line, "bold red") for line in (trouble, *summary.troubles) if line)
    for table in summary.tables:
        parts += [Text(), _grid(table)]
    return Panel(Group(*parts), title=f"burstd {status['version']}: fleet {status['fleet']}", title_align="left", border_style="dim")


def bar(value: float | None, threshold: float, width: int = _BAR) -> Text:
    """The value as a bar with the threshold in its middle; what does not fit is cut."""
    if value is None:
        return Text(UNKNOWN, "dim")
    middle = width // 2
    filled = max(0, min(width, round(value / threshold * middle)))
    text = Text("█" * min(filled, middle), "green")
    text.append("░" * (middle - filled), "dim")
    text.append("│", "bold")
    text.append("█" * (filled - middle), "red")
    return text


def _bars(status: Document) -> Grid:
    """One bar for each core server's load, in the unit of the threshold."""
    threshold, per_cpu = status["load"]["scale_out_above"], status["load"]["per_cpu"]
    grid = Grid.grid(padding=(0, 2))
    for each in status["cores"]:
        load, cpus = each["load1"], each["cpus"]
        level = None if load is None or (per_cpu and not cpus) else load / cpus if per_cpu else load
        figure = Text(
            f"{UNKNOWN if level is None else f'{level:.2f}'} of {threshold:g}", "bold red" if level is None or level > threshold else ""
        )
        grid.add_row(Text(each["name"], "dim"), figure, bar(level, threshold))
    return grid


def _grid(table: Table) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    for header in table.headers:
        grid.add_column(header, justify="right" if header in table.numbers else "left", no_wrap=True)
    for row in table.rows:
        grid.add_row(*map(_text, row))
    return grid


def _text(cell: Cell) -> Text:
    return Text(cell.text, _STYLES[cell.tone])
