"""Looks at both sides once a second and writes the timeline; it reads, and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import fmean
from typing import Any, Final

from burstd.adapters.clock import SystemClock
from burstd.adapters.node_exporter import NodeExporterLoad
from burstd.demo.generator import Generator
from burstd.demo.scenario import Scenario
from burstd.demo.site import Site
from burstd.demo.timeline import PHASES, Happening, Moment, Timeline
from burstd.errors import BurstdError
from burstd.model.load import Reading, Sample, Target

_DEADLINE: Final = 1.0
"""Seconds for a metrics page: no longer than from one look to the next."""

_EVENTS: Final = "/v1/events?limit=1000"
"""All that the daemon keeps; a run has about a hundred."""


class Recorder:
    """One run's eyes.

    Attributes:
        timeline: what they have seen.
        status: burstd's newest status document; empty before the first.
        trouble: why burstd did not answer at the last look; empty where it did.
    """

    def __init__(self, site: Site, scenario: Scenario, start: float, generators: Mapping[str, Generator]) -> None:
        """Begin; `start` is the scenario's, monotonic seconds."""
        self.timeline = Timeline(traffic={side: [] for side in generators})
        self._scenario = scenario
        self._generators = generators
        self._ask = site.ask
        self._start = start
        # burstd's timeline is anchored to the wall clock when it starts and follows the monotonic clock from there, and so is this.
        self._epoch = time.time() - time.monotonic()
        sides = {side: site.layout.sides[side].exporters for side in generators}
        self._targets = {side: [Target(f"{name} {side}", url) for name, url in urls.items()] for side, urls in sides.items()}
        self._load = NodeExporterLoad(_DEADLINE, SystemClock())
        self.status: dict[str, Any] = {}
        self.trouble = ""

    def close(self) -> None:
        """Give the connections back."""
        self._load.close()

    def now(self) -> float:
        """Seconds since the scenario's start."""
        return time.monotonic() - self._start

    def look(self) -> Moment:
        """Look once; the moment is the timeline's last."""
        readings = self._load.read([target for targets in self._targets.values() for target in targets])
        loads = {side: _mean([readings[each.name] for each in targets]) for side, targets in self._targets.items()}
        at = self.now()
        users, stretch = round(self._scenario.users_at(at)), self._scenario.stretch_at(at).name
        self.trouble = self._look_at_burstd()
        moment = Moment(at, users, stretch, loads, {phase: self.status.get(phase, 0) for phase in PHASES})
        self.timeline.moments.append(moment)
        self.look_at_traffic()
        return moment

    def look_at_traffic(self) -> None:
        """Read what the generators have told since the last look."""
        for side, generator in self._generators.items():
            seconds = generator.read()
            self.timeline.traffic[side].extend(seconds)
            for each in seconds:
                if self.timeline.first_burst is None and each.first_burst is not None:
                    self.timeline.first_burst = each.first_burst

    def _look_at_burstd(self) -> str:
        try:
            self.status = self._ask("/v1/status")
            events = self._ask(_EVENTS)["events"]
        except BurstdError as error:
            return str(error)
        self.timeline.happenings = [
            Happening(self._since_start(each["at"]), each["kind"], each["subject"], each["text"]) for each in events
        ]
        above_since = self.status["load"]["above_since"]
        if self.timeline.first_burst is None and above_since is not None:
            self.timeline.crossing = self._since_start(above_since)
        return ""

    def _since_start(self, at: float) -> float:
        """A time of burstd's as seconds since the scenario's start."""
        return at - self._epoch - self._start


def _mean(readings: list[Reading]) -> float | None:
    loads = [each.load1 for each in readings if isinstance(each, Sample)]
    return fmean(loads) if len(loads) == len(readings) else None
