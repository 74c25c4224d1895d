"""Prometheus' HTTP API: one number over a stretch of time, by a range query. It reads, and it changes nothing there.

Every failure is one line that names the place and the mend; a password that a URL carries is never shown. The environment is not asked for
a proxy, as for everything else nearby. The API: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

import math
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from burstd.errors import AskOperator, BadCredentials, Garbled, Unreachable

DEADLINE: Final = 60.0
"""Seconds for each answer: Prometheus' own limit for a query is two minutes, and nobody looks at an empty screen for that long."""
_POINTS: Final = 10_000
"""Of one query: Prometheus refuses more than 11,000."""
_CONNECT: Final = 5.0
_DENIED: Final = frozenset({requests.codes.unauthorized, requests.codes.forbidden})

Points = list[tuple[float, float]]
"""Seconds since the epoch and value, in order."""


def read_range(url: str, query: str, start: float, end: float, step: float) -> Points:
    """The values of a query that gives one series, from `start` to `end` (seconds since the epoch), every `step` seconds.

    Moments without a value, or with one that is no number, are left out; no point at all where the query gives nothing.

    Raises:
        AskOperator: the URL or the query is wrong, gives several series, or Prometheus wants a login.
        Retry: it does not answer, or not in its protocol.
    """
    points: Points = []
    with requests.Session() as session:
        session.trust_env = False
        begin = start
        while begin <= end:
            last = min(end, begin + (_POINTS - 1) * step)
            points += _piece(session, url, query, {"query": query, "start": begin, "end": last, "step": step})
            begin = last + step
    return points


def _piece(session: requests.Session, url: str, query: str, asked: dict[str, Any]) -> Points:
    place = _place(url)
    try:
        answer = session.get(f"{url.rstrip('/')}/api/v1/query_range", params=asked, timeout=(_CONNECT, DEADLINE), allow_redirects=False)
    except requests.Timeout as error:
        raise Unreachable(f"--prometheus {place}: no answer within {DEADLINE:g} s; ask for fewer --days, or a longer --step") from error
    except requests.ConnectionError as error:
        raise Unreachable(
            f"--prometheus {place}: nothing answers there; does Prometheus run, and is the port right (often 9090)?"
        ) from error
    except requests.RequestException as error:
        raise AskOperator(f"--prometheus {place}: expected a URL such as http://127.0.0.1:9090; write its scheme, host and port") from error
    if answer.status_code in _DENIED:
        raise BadCredentials(
            f"--prometheus {place}: answered {answer.status_code}; expected to be let in: name a user in the URL, or another URL"
        )
    try:
        found = answer.json()
        series = found["data"]["result"] if found["status"] == "success" else None
        said = "" if series is not None else str(found["error"])
    except (ValueError, KeyError, TypeError) as error:
        raise Garbled(f"--prometheus {place}: answered {answer.status_code}, and not as Prometheus' API does; is the URL right?") from error
    if series is None:
        raise AskOperator(f"--query {query}: expected a query that Prometheus takes; it says: {' '.join(said.split())[:200]}")
    return _values(place, query, series)


def _values(place: str, query: str, series: Any) -> Points:  # noqa: ANN401 - JSON, as it came
    try:
        if len(series) > 1:
            raise AskOperator(f"--query {query}: expected one series, found {len(series)}; put sum(…) or avg(…) around it")
        points = [(float(at), float(text)) for each in series for at, text in each["values"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Garbled(f"--prometheus {place}: its answer to a range query cannot be read; is it a Prometheus?") from error
    return [(at, value) for at, value in points if math.isfinite(value)]


def _place(url: str) -> str:
    """The URL without the password that it may carry."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "URL"
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}" if parts.hostname else "URL"
