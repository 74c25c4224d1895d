"""One look of the live view: the scenario, both sides' load, the traffic, the instances, burstd's sentence and the newest events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from burstd.demo.chart import BURST, CORE, WITH, WITHOUT, load_chart
from burstd.demo.layout import THRESHOLD
from burstd.demo.recorder import Recorder
from burstd.demo.scenario import Scenario
from burstd.demo.timeline import Happening, Timeline
from burstd.demo.traffic import Second
from burstd.model.policy import Mode

_AROUND: Final = 24
"""Lines beside the chart when four instances are rented: with a chart of twelve it fits on a terminal of 36."""

_CHART: Final = (4, 12)
"""Fewest and most lines of the chart."""

_ECHO: Final = 2
"""Columns left free: a terminal writes ^C behind the last line, and where that made a new line the picture could not be taken away."""

_BARE: Final = 23
"""Lines of everything but the events, with the lowest chart: what a terminal has beyond them, the events get first."""

_WIDE: Final = 100
"""Columns from which on there is room for what an instance waits for."""

_USUAL: Final = 145.0
"""Seconds that a whole run takes, for people."""

_FULL_RATE: Final = 240.0
"""Requests/s that fill a bar: a little more than all users together can ask for."""

_LABELS: Final = (11, 41, 9)
"""Widths of what stands before a bar."""


def scene(recorder: Recorder, scenario: Scenario, recent: Sequence[Happening], width: int, height: int) -> RenderableType:
    """The picture for a terminal of that many columns and lines."""
    timeline, status = recorder.timeline, recorder.status
    moment = timeline.moments[-1]
    outer = width - _ECHO
    room = outer - 4
    lines = max(_CHART[0], min(_CHART[1], height - _AROUND))
    parts: list[RenderableType] = [
        _progress(scenario, moment.at, moment.users),
        Text(),
        _legend(moment.loads.get("with"), moment.loads.get("without")),
        *load_chart(timeline.moments, THRESHOLD, room - 5, lines),
        Text(),
        _traffic(timeline, room),
        Text(),
        _instances(status, wide=width >= _WIDE),
        Text(),
        _sentence(status, recorder.trouble),
        Text(),
        *(_line(happening_line(each), "dim") for each in recent[-max(1, height - _BARE) :]),
    ]
    title = "burstd demo: the same traffic, with and without burstd"
    return Panel(Group(*parts), title=title, title_align="left", border_style="dim", width=outer)


def happening_line(each: Happening) -> str:
    """An event as one line."""
    about = f"{each.subject}: " if each.subject else ""
    text = each.text.replace(each.phase, each.phase.replace("_", " "), 1) if each.phase else each.text
    return f"{each.at:5.0f} s  {about}{text}"


def figure(load: float | None) -> str:
    """A load for people."""
    return "?" if load is None else f"{load:.2f}"


def rates(timeline: Timeline) -> tuple[int, int, int]:
    """Answers in the newest second: by core servers and by instances with burstd, and by the core servers without."""
    own, other = ((timeline.traffic.get(side) or [Second()])[-1] for side in ("with", "without"))
    return own.core, own.burst, other.core


def _line(text: str, style: str = "") -> Text:
    """Text that is cut where the line ends."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _progress(scenario: Scenario, at: float, users: int) -> Text:
    """The scenario's stretches, the present one marked."""
    present = scenario.stretch_at(at)
    line = _line("")
    for each in scenario.stretches:
        line.append(f" {each.name} ", "reverse bold" if each is present else "dim")
        line.append(" ")
    end = f" of about {_USUAL:.0f} s" if at < _USUAL else " s"
    return line.append(f"  {users} users on each side, {max(0.0, at):.0f}{end}")


def _legend(own: float | None, other: float | None) -> Text:
    return Text.assemble(
        ("load average of the core servers   ", "dim"),
        ("█ with burstd ", WITH),
        (f"{figure(own):>5}", "bold"),
        "     ",
        ("● without ", WITHOUT),
        (f"{figure(other):>5}", "bold"),
        ("     ╌ the threshold", "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )


def _traffic(timeline: Timeline, room: int) -> Table:
    core, burst, other = rates(timeline)
    grid = Table.grid(padding=(0, 1))
    for column in _LABELS:
        grid.add_column(width=column, no_wrap=True)
    width = room - sum(_LABELS) - len(_LABELS)
    answers = Text.assemble((f"{core:3}", "bold"), (" to core, ", CORE), (f"{burst:3}", "bold"), (" to instances", BURST), "  requests/s")
    grid.add_row(Text("with burstd", WITH), answers, _errors(timeline, "with"), _bar(width, (core, CORE), (burst, BURST)))
    answers = Text.assemble((f"{other:3}", "bold"), (" to core", CORE))
    grid.add_row(Text("without", WITHOUT), answers, _errors(timeline, "without"), _bar(width, (other, CORE)))
    return grid


def _errors(timeline: Timeline, side: str) -> Text:
    """Those of the whole run."""
    count = sum(each.errors.total() for each in timeline.traffic.get(side, ()))
    return Text(f"{count} errors", "bold red" if count else "dim")


def _bar(width: int, *parts: tuple[int, str]) -> Text:
    """The answers of the newest second in a row."""
    bar = Text(no_wrap=True, overflow="crop")
    for rate, color in parts:
        bar.append("█" * round(rate / _FULL_RATE * width), color)
    return bar


def _instances(status: dict[str, Any], *, wide: bool) -> RenderableType:
    instances = status.get("instances", [])
    if not instances:
        return Text("no instance is rented", "dim")
    grid = Table.grid(padding=(0, 2))
    for each in instances:
        rate = each["requests_per_second"]
        serving = each["phase"] == "in_service"
        weight = "" if status["gateway"]["mode"] == Mode.SPILLOVER else f", weight {each['weight']}"
        cells = [
            Text.assemble(("■ " if serving else "□ ", BURST), each["name"], no_wrap=True),
            Text(each["phase"].replace("_", " "), "bold" if serving else "", no_wrap=True),
            Text(f"{each['seconds']:.0f} s", "dim", no_wrap=True),
            _line("" if rate is None or not serving else f"{rate:.0f} requests/s{weight}"),
            _line(each["reason"], "dim"),
        ]
        grid.add_row(*cells[: None if wide else -1])
    return grid


def _sentence(status: dict[str, Any], trouble: str) -> Text:
    """What burstd says of its last cycle, in two lines at most."""
    if trouble:
        return _line(f"burstd does not answer: {trouble}", "bold red")
    return Text.assemble(("burstd  ", "dim"), (status.get("sentence", ""), "bold"))
