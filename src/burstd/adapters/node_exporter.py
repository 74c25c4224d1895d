"""node_exporter over HTTP: one-minute load average and CPU seconds of each server, as samples stamped on receipt.

It asks for two collectors, never for the whole page, and never turns what it could not read into a zero: everything but a sane
number is a `Fault`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from burstd.adapters.http_fetch import Fetcher
from burstd.model.faults import Fault, FaultKind
from burstd.model.load import Reading, Sample, Target
from burstd.ports import Clock

_COLLECTORS: Final = "collect[]=loadavg&collect[]=cpu"

_NEEDED: Final = re.compile(rb"\n(node_(?:load1|cpu_seconds_total)(?:\{[^\n]*\})?) ([^ \n]+)[^\n]*(?=\n)")
"""Series and value of the lines that count. A line without its end is a page cut off, and so may be its number."""

_NOT_BUSY: Final = frozenset({"idle", "iowait"})
"""A CPU that waits for a disk is free for others. Guest time is a part of user and has a metric of its own: not added again."""


class NodeExporterLoad:
    """The `Load` port on node_exporter's pages."""

    def __init__(self, deadline: float, clock: Clock, absurd_above: float = 100_000.0) -> None:
        """Each answer whole within `deadline` seconds; a load average beyond `absurd_above` (load units) is a fault."""
        self._clock = clock
        self._absurd_above = absurd_above
        self._fetcher = Fetcher(deadline, "node_exporter", self._sample)

    def read(self, targets: Sequence[Target]) -> Mapping[str, Reading]:
        """Read all targets side by side, within the deadline; never raises (see `burstd.ports.Load`)."""
        return self._fetcher.fetch({target.name: _with_collectors(target.url) for target in targets})

    def close(self) -> None:
        """Give the threads and connections back."""
        self._fetcher.close()

    def _sample(self, name: str, page: bytes) -> Reading:
        at = self._clock.now()
        try:
            values = [(_series(text.decode()), float(value)) for text, value in _NEEDED.findall(b"\n" + page)]
        except ValueError:
            return Fault(name, FaultKind.GARBLED, "its node_load1 or node_cpu_seconds_total is not in Prometheus' text format")
        loads = [value for series, value in values if series.metric == "node_load1"]
        if not loads:
            return Fault(name, *_what_it_is(page))
        if len(loads) > 1:
            return Fault(name, FaultKind.GARBLED, f"{len(loads)} values of node_load1, expected one server's; is the page a federation?")
        if not 0 <= loads[0] <= self._absurd_above:
            return Fault(name, FaultKind.ABSURD, f"node_load1 is {loads[0]:g}, expected 0 to {self._absurd_above:g}")
        seconds = [(series, value) for series, value in values if series.metric == "node_cpu_seconds_total"]
        busy = _sound(value for series, value in seconds if series.mode not in _NOT_BUSY)
        idle = _sound(value for series, value in seconds if series.mode in _NOT_BUSY)
        waiting = [value for series, value in seconds if series.mode == "iowait"]
        return Sample(
            at=at,
            load1=loads[0],
            cpus=len({series.cpu for series, _ in seconds}) or None,
            busy_seconds=busy if seconds else None,
            idle_seconds=idle if seconds else None,
            iowait_seconds=_sound(waiting) if waiting else None,
        )


def _sound(seconds: Iterable[float]) -> float | None:
    """The sum; None where it cannot be one of CPU seconds."""
    total = math.fsum(seconds)
    return total if math.isfinite(total) and total >= 0 else None


class _Series(NamedTuple):
    metric: str
    cpu: str
    mode: str


@lru_cache(maxsize=4096)
def _series(text: str) -> _Series:
    """What a line is about; the parser is asked once for each, because it costs 20 µs and the lines of a server stay the same.

    Raises:
        ValueError: it is not in the text format.
    """
    [family] = text_string_to_metric_families(f"{text} 0\n")
    [sample] = family.samples
    return _Series(sample.name, sample.labels.get("cpu", ""), sample.labels.get("mode", ""))


def _with_collectors(url: str) -> str:
    """The URL with the two collectors asked for, after whatever query it has."""
    return f"{url}{'&' if '?' in url else '?'}{_COLLECTORS}"


def _what_it_is(page: bytes) -> tuple[FaultKind, str]:
    """Kind and text for a page without node_load1."""
    if page.lstrip().startswith(b"<"):
        return FaultKind.GARBLED, "answered HTML, expected node_exporter's text format; is the URL right?"
    if b"\nnode_cpu_seconds_total" in page:
        return FaultKind.MISSING, "the page has no node_load1; was node_exporter started with --no-collector.loadavg?"
    return FaultKind.MISSING, "the page has no node_load1, expected node_exporter's text format; is the URL right?"
