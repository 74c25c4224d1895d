"""The whole demo from the first program to the last: build the site, let the traffic come, watch, and clear everything away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Final, Never, Self

from burstd.demo import report
from burstd.demo.figures import Figures, figures_of
from burstd.demo.generator import Generator
from burstd.demo.interruption import Interruption
from burstd.demo.layout import THRESHOLD
from burstd.demo.recorder import Recorder
from burstd.demo.scenario import FULL, Scenario
from burstd.demo.screen import Screen
from burstd.demo.site import Ask, Site
from burstd.demo.timeline import Timeline
from burstd.model.policy import Mode

LONGEST: Final = 270.0
"""Seconds from the scenario's start after which it is over, done or not: twice what it takes, within what anybody waits."""

_LOOK: Final = 1.0
"""Seconds between two looks: the load average itself moves every five."""


class Show(AbstractContextManager["Show"]):
    """One performance; with the end of its block everything is gone.

    Attributes:
        scenario: what happens.
    """

    def __init__(  # noqa: PLR0913 - what a performance can be told
        self,
        client: Callable[[str], Ask],
        screen: Screen,
        interruption: Interruption,
        *,
        keep: bool = False,
        scenario: Scenario = FULL,
        mode: Mode = Mode.WEIGHTED,
    ) -> None:
        """Get ready; nothing is started yet.

        Args:
            client: from a control socket's path to who asks there.
            screen: where it is shown.
            interruption: in force; whatever waits here raises its `Interrupted`.
            keep: let the traffic go on after the scenario, and say how to look at it all.
            scenario: what is to happen.
            mode: how traffic comes to the instances.
        """
        self.scenario = scenario
        self._keep = keep
        self._screen = screen
        self._interruption = interruption
        self._site = Site(client, mode=mode)
        self._generators: dict[str, Generator] = {}
        self._cleaning = ExitStack()

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            AskOperator: something cannot be started; the line says what to mend.
        """
        self._screen.say("starting two gateways with two core servers each, on loopback, and burstd beside the first")
        self._screen.say(report.what_differs(self._site.layout.mode))
        with ExitStack() as stack:
            stack.enter_context(self._site)
            self._interruption.wait(0)
            self._site.start_daemon()
            if self._keep:
                for line in report.how_to_look(self._site.layout):
                    self._screen.say(line)
            start, self._generators = self._site.start_traffic(self.scenario)
            self._recorder = Recorder(self._site, self.scenario, start, self._generators)
            stack.callback(self._recorder.close)
            self._cleaning = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End everything."""
        self._cleaning.close()

    @property
    def timeline(self) -> Timeline:
        """What has been seen."""
        return self._recorder.timeline

    def play(self) -> Figures:
        """Watch the scenario until all instances are gone again, or until `LONGEST`; the figures.

        Raises:
            Unreachable: a program has ended in the middle.
            Interrupted: a signal has come.
        """
        with self._screen:
            while not self._over():
                self._look()
        if not self._keep:
            for generator in self._generators.values():
                generator.end()
            self._recorder.look_at_traffic()
        orphans = sum(machine.terminated_at is None for machine in self._site.machines())
        return figures_of(self.timeline, orphans, THRESHOLD, self._site.layout.mode)

    def stay(self) -> Never:
        """Go on until somebody ends it; raises as `play` does."""
        with self._screen:
            while True:
                self._look()

    def _look(self) -> None:
        self._site.check_alive()
        self._recorder.look()
        self._screen.show(self._recorder, self.scenario)
        self._interruption.wait(_LOOK)

    def _over(self) -> bool:
        if not self.timeline.moments:
            return False
        last = self.timeline.moments[-1]
        rented = any(last.instances.values()) or self._recorder.trouble
        return last.at > (LONGEST if rented else self.scenario.seconds)
