"""Where people see a running demo: a live view on a terminal, plain lines elsewhere. It only shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from rich.live import Live

from burstd.demo.recorder import Recorder
from burstd.demo.scenario import Scenario
from burstd.demo.scene import figure, happening_line, rates, scene
from burstd.demo.timeline import PHASES, Happening, Timeline

if TYPE_CHECKING:
    from rich.console import Console

_TOLD: Final = frozenset({"instance", "order", "fault", "daemon"})
"""Kinds of events that are shown; the cycles' sentences would repeat them, and the newest has a place of its own."""

_EVERY: Final = 5.0
"""Seconds between two plain lines about the figures."""

_SETTLING: Final = 120.0
"""Seconds after the scenario in which the figures still change; later only events are worth a line."""

_RECENT: Final = 5
"""Events in the live view."""


class Screen(AbstractContextManager["Screen"], Protocol):
    """Where the demo is shown."""

    def say(self, line: str) -> None:
        """A line that stays."""
        ...

    def show(self, recorder: Recorder, scenario: Scenario) -> None:
        """The newest look; within the screen's block."""
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
        core, burst, _ = rates(timeline)
        own, other = (figure(moment.loads.get(side)) for side in ("with", "without"))
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
        self._recent = [*self._recent, *self._unseen.take(recorder.timeline)][-_RECENT:]
        if self._live is not None:
            self._live.update(scene(recorder, scenario, self._recent, *self._console.size), refresh=True)
