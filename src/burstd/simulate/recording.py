"""A trace from a Prometheus: which query says most of the load, and what its values are."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from burstd.errors import AskOperator
from burstd.simulate.trace import Kind, Trace

_DAY: Final = 86_400.0
_WINDOW: Final = 2.0
"""Steps over which a request rate is taken: at least two scrapes lie in it where a step is no shorter than a scrape interval."""
_FEWEST: Final = 2

Read = Callable[[str, str, float, float, float], Sequence[tuple[float, float]]]
"""`burstd.adapters.prometheus.read_range`, or what stands in for it."""


def default_queries(backend: str, exporters: Sequence[str], step: float) -> tuple[str, ...]:
    """The queries that are tried in turn where the operator names none: HAProxy's own exporter, then node_exporter's load average.

    Args:
        backend: HAProxy's backend of the core.
        exporters: "HOST:PORT" of the core servers' exporters, as Prometheus' `instance` label usually has it; none: every one counts.
        step: seconds between two points.
    """
    matching = "|".join(map(re.escape, exporters)).replace("\\", "\\\\")
    load = f'avg(node_load1{{instance=~"{matching}"}})' if exporters else "avg(node_load1)"
    return (f'sum(rate(haproxy_backend_http_requests_total{{proxy="{backend}"}}[{int(max(1.0, _WINDOW * step))}s]))', load)


def record(  # noqa: PLR0913 - whom to ask what, and of when
    read: Read, url: str, queries: Sequence[str], *, end: float, days: float, step: float
) -> Trace:
    """The trace of the first query that gives anything, over the `days` before `end` (seconds since the epoch).

    A query that names a load average gives the load of a core server, any other one the requests/s to the site.

    Raises:
        BurstdError: Prometheus cannot be read, or no query gives two points.
    """
    for query in queries:
        points = read(url, query, end - days * _DAY, end, step)
        if any(value < 0 for _, value in points):
            raise AskOperator(f"--query {query}: expected no value below 0, found one; ask for a rate or a load average")
        if len(points) >= _FEWEST:
            kind = Kind.LOAD if "load" in query else Kind.REQUESTS
            return Trace(query, tuple(at for at, _ in points), tuple(value for _, value in points), kind)
    tried = " and ".join(queries)
    raise AskOperator(
        f"--prometheus: expected at least {_FEWEST} points of {tried} over the last {days:g} days, found fewer; name another --query, or a "
        f"shorter --step than {step:g} s"
    )
