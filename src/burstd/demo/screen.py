"""What people see of a running demo: a live view on a terminal, plain lines elsewhere. It only shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from burstd.demo.chart import BURST, CORE, WITH, WITHOUT, load_chart
from burstd.demo.recorder import Recorder
from burstd.demo.scenario import Scenario
from burstd.demo.site import THRESHOLD
from burstd.demo.timeline import PHASES, Happening, Timeline
from burstd.demo.traffic import Second

_TOLD: Final = frozenset({"instance", "order", "fault", "daemon"})
"""Kinds of events that are shown; the cycles' sentences would repeat them, and the newest has a place of its own."""

_EVERY: Final = 5.0
"""Seconds between two plain lines about the figures."""

_AROUND: Final = 24
"""Lines of the live view beside the chart: with them it fits on a terminal of 40."""

_SETTLING: Final = 120.0
"""Seconds after the scenario in which the figures still change; later only events are worth a line."""

_USUAL: Final = 145.0
"""Seconds that a whole run takes on an idle machine, for people."""

_FULL_RATE: Final = 240.0
"""Requests/s that fill a bar: what all users together can ask for."""


class Screen(AbstractContextManager["Screen"], Protocol):
    """Where the demo is shown."""

    def say(self, line: str) -> None:
        """A line that stays."""
        ...

    def show(self, recorder: Recorder, scenario: Scenario) -> None:
        """The newest look."""
        ...


class Unseen:
    """The happenings that have not been shown yet."""

    def __init__(self) -> None:
        self._shown = 0

    def take(self, timeline: Timeline) -> Sequence[Happening]:
        """Those since the last call that are worth a line."""
        new, self._shown = timeline.happenings[self._shown :], len(timeline.happenings)
        return [each for each in new if each.kind in _TOLD]


class PlainScreen(AbstractContextManager["PlainScreen"]):
    """Lines: each event, and the figures every few seconds."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._unseen = Unseen()
        self._due = 0.0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is held."""

    def say(self, line: str) -> None:
        """Write it."""
        self._write(line)

    def show(self, recorder: Recorder, scenario: Scenario) -> None:
        """Write the new events, and the figures when they are due."""
        timeline = recorder.timeline
        for each in self._unseen.take(timeline):
            self._write(happening_line(each))
        moment = timeline.moments[-1]
        if recorder.trouble:
            self._write(f"{moment.at:5.0f} s  burstd does not answer: {recorder.trouble}")
        if moment.at < self._due or moment.at > scenario.seconds + _SETTLING:
            return
        self._due = moment.at + _EVERY
        core, burst, _ = _rates(timeline)
        own, other = (_load(moment.loads.get(side)) for side in ("with", "without"))
        counts = ", ".join(f"{moment.instances[phase]} {phase.replace('_', ' ')}" for phase in PHASES)
        self._write(
            f"{moment.at:5.0f} s  {moment.stretch}, {moment.users} users: load {own} with burstd, {other} without; "
            f"{core} + {burst} requests/s to core + instances; {counts}"
        )


class LiveScreen(AbstractContextManager["LiveScreen"]):
    """One picture that changes in place, and the lines that were said above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._unseen = Unseen()
        self._recent: list[Happening] = []

    def __enter__(self) -> Self:
        # A rate of its own would redraw what has not changed.
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take the picture away; what was said stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """Print it above the picture."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def show(self, recorder: Recorder, scenario: Scenario) -> None:
        """Draw the newest look."""
        self._recent = [*self._recent, *self._unseen.take(recorder.timeline)][-5:]
        width, height = self._console.size
        if self._live is not None:
            self._live.update(self._picture(recorder, scenario, width - 4, max(4, min(12, height - _AROUND))), refresh=True)

    def _picture(self, recorder: Recorder, scenario: Scenario, width: int, height: int) -> RenderableType:
        timeline, status = recorder.timeline, recorder.status
        moment = timeline.moments[-1]
        burstd = Text(status.get("sentence", ""), "bold", overflow="ellipsis")
        if recorder.trouble:
            burstd = Text(f"burstd does not answer: {recorder.trouble}", "bold red")
        parts: list[RenderableType] = [
            _progress(scenario, moment.at, moment.users),
            Text(),
            _legend(moment.loads.get("with"), moment.loads.get("without")),
            *load_chart(timeline.moments, THRESHOLD, width - 5, height),
            Text(),
            _traffic(timeline, width),
            Text(),
            _instances(status),
            Text(),
            Text.assemble(("burstd  ", "dim"), burstd),
            Text(),
            *(Text(happening_line(each), "dim", no_wrap=True, overflow="ellipsis") for each in self._recent),
        ]
        return Panel(Group(*parts), title="burstd demo: the same traffic, with and without burstd", title_align="left", border_style="dim")


def happening_line(each: Happening) -> str:
    """An event as one line."""
    about = f"{each.subject}: " if each.subject else ""
    text = each.text.replace(each.phase, each.phase.replace("_", " "), 1) if each.phase else each.text
    return f"{each.at:5.0f} s  {about}{text}"


def _load(load: float | None) -> str:
    return "?" if load is None else f"{load:.2f}"


def _rates(timeline: Timeline) -> tuple[int, int, int]:
    """Answers in the newest second: by core servers and by instances with burstd, and by the core servers without."""
    newest = {side: seconds[-1] if seconds else Second() for side, seconds in timeline.traffic.items()}
    own, other = newest["with"], newest.get("without", Second())
    return own.core, own.burst, other.core


def _progress(scenario: Scenario, at: float, users: int) -> Text:
    """The scenario's stretches, the present one marked."""
    present = scenario.stretch_at(at)
    line = Text()
    for each in scenario.stretches:
        line.append(f" {each.name} ", "reverse bold" if each is present else "dim")
        line.append(" ")
    end = f" of about {_USUAL:.0f} s" if at < _USUAL else " s"
    return line.append(f"  {users} users on each side, {max(0.0, at):.0f}{end}")


def _legend(own: float | None, other: float | None) -> Text:
    return Text.assemble(
        ("load average of the core servers   ", "dim"),
        ("█ with burstd ", WITH),
        (f"{_load(own):>5}", "bold"),
        "     ",
        ("● without ", WITHOUT),
        (f"{_load(other):>5}", "bold"),
        ("     ╌ the threshold", "dim"),
    )


def _traffic(timeline: Timeline, width: int) -> Table:
    core, burst, other = _rates(timeline)
    grid = Table.grid(padding=(0, 1))
    for column in (12, 42):
        grid.add_column(width=column, no_wrap=True)
    figures = Text.assemble((f"{core:3}", "bold"), (" to core, ", CORE), (f"{burst:3}", "bold"), (" to instances", BURST), "  requests/s")
    grid.add_row(Text("with burstd", WITH), figures, _bar(width, timeline, "with", (core, CORE), (burst, BURST)))
    if "without" in timeline.traffic:
        figures = Text.assemble((f"{other:3}", "bold"), (" to core", CORE))
        grid.add_row(Text("without", WITHOUT), figures, _bar(width, timeline, "without", (other, CORE)))
    return grid


def _bar(width: int, timeline: Timeline, side: str, *parts: tuple[int, str]) -> Text:
    """The answers of the newest second in a row, and behind them the errors of the whole run."""
    text = Text(no_wrap=True)
    for rate, color in parts:
        text.append("█" * round(rate / _FULL_RATE * (width - 70)), color)
    errors = sum(each.errors.total() for each in timeline.traffic[side])
    return text.append(f" {errors} errors", "bold red" if errors else "dim")


def _instances(status: dict[str, Any]) -> RenderableType:
    instances = status.get("instances", [])
    if not instances:
        return Text("no instance is rented", "dim")
    grid = Table.grid(padding=(0, 2))
    for each in instances:
        rate = each["requests_per_second"]
        serving = each["phase"] == "in_service"
        grid.add_row(
            Text("■ " if serving else "□ ", BURST) + Text(each["name"]),
            Text(each["phase"].replace("_", " "), "bold" if serving else ""),
            Text(f"{each['seconds']:.0f} s", "dim"),
            Text("" if rate is None or not serving else f"{rate:.0f} requests/s, weight {each['weight']}", "dim"),
            Text(each["reason"], "dim", no_wrap=True, overflow="ellipsis"),
        )
    return grid
