"""The load generator: a process of its own for each site, so that the measuring never slows what is measured.

    python -m burstd.demo.traffic --address 127.1.0.1 --port 8080 --core core-1 --core core-2 --start 1234.5 --scenario '{…}'

Its users are a closed loop: each asks, waits for the answer, thinks, and asks again, on a kept connection. Every second it prints a line
of JSON: what was answered by whom, how fast, and what went wrong. After the scenario's end the last number of users goes on until SIGTERM.

An error is any answer but 200, and any request without a whole answer. One thing is not: where HAProxy closes an idle connection just as
the next request comes on it, the request is sent once more on a fresh one, as every browser does (RFC 9112, section 9.3.1); it is counted.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from burstd.demo.scenario import Scenario, Stretch

DEADLINE: Final = 20.0
"""Seconds for one answer: far beyond the slowest of an overloaded core, so that slow is slow and not an error."""

_LOOK: Final = 0.1
"""Seconds between two looks of a user who is not there yet."""

_ENDINGS: Final = (signal.SIGTERM, signal.SIGINT)

_CLOSED: Final = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(slots=True)
class Second:
    """What happened in one second, or since the last line.

    Attributes:
        at: its end, seconds since the scenario's start.
        core: answers by core servers.
        burst: answers by anybody else.
        errors: by what went wrong.
        again: requests sent once more, because HAProxy had closed the idle connection.
        ms: every answer's response time, milliseconds.
        first_burst: when the very first burst answer came, seconds since the scenario's start; in that second's line alone.
    """

    at: float = 0.0
    core: int = 0
    burst: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    again: int = 0
    ms: list[float] = field(default_factory=list)
    first_burst: float | None = None


class Traffic:
    """All users of one site."""

    def __init__(self, address: tuple[str, int], cores: Sequence[str], scenario: Scenario, start: float) -> None:
        """Get ready; `start` is the scenario's, on the monotonic clock, which all processes of a machine share."""
        self._address = address
        self._cores = frozenset(cores)
        self._scenario = scenario
        self._start = start
        self._second = Second()
        self._burst_seen = False
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._users = [threading.Thread(target=self._use, args=(number,), name=f"user {number}") for number in range(scenario.most)]

    def start(self) -> None:
        """Let them come."""
        for user in self._users:
            user.start()

    def stop(self) -> None:
        """Let the requests in flight finish."""
        self._stopping.set()
        for user in self._users:
            user.join(DEADLINE)

    def take(self) -> Second:
        """What has happened since the last call."""
        with self._lock:
            taken, self._second = self._second, Second()
        taken.at = self._now()
        return taken

    def _now(self) -> float:
        return time.monotonic() - self._start

    def _use(self, number: int) -> None:
        """One user's life."""
        chance = random.Random(number)  # noqa: S311 - thinking times, no secret; the same ones on both sites
        connection = http.client.HTTPConnection(*self._address, timeout=DEADLINE)
        while not self._stopping.is_set():
            if number >= self._scenario.users_at(self._now()):
                connection.close()
                self._stopping.wait(_LOOK)
                continue
            self._ask(connection)
            self._stopping.wait(chance.expovariate(1 / self._scenario.think_seconds))
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        asked, kept = self._now(), connection.sock is not None
        try:
            try:
                served_by = self._get(connection)
            except _CLOSED:
                if not kept:
                    raise
                connection.close()
                with self._lock:
                    self._second.again += 1
                served_by = self._get(connection)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            with self._lock:
                self._second.errors[f"{type(error).__name__}: {error}"] += 1
            return
        self._count(served_by, asked)

    def _get(self, connection: http.client.HTTPConnection) -> str:
        """One request; who served it. Raises HTTPException for anything but a whole 200."""
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"status {answer.status}")
        return answer.headers.get("X-Served-By", "")

    def _count(self, served_by: str, asked: float) -> None:
        now = self._now()
        with self._lock:
            self._second.ms.append(round((now - asked) * 1000, 1))
            if served_by in self._cores:
                self._second.core += 1
                return
            self._second.burst += 1
            if not self._burst_seen:
                self._burst_seen, self._second.first_burst = True, now


def arguments(address: tuple[str, int], cores: Sequence[str], scenario: Scenario, start: float) -> list[str]:
    """The command's arguments for this traffic; `main` reads them."""
    named = [word for core in cores for word in ("--core", core)]
    host, port = address
    return ["--address", host, "--port", str(port), *named, "--start", repr(start), "--scenario", json.dumps(asdict(scenario))]


def main(words: Sequence[str] | None = None) -> int:
    """Generate until SIGTERM, or until whoever started it is gone; the exit code."""
    options = _parser().parse_args(words)
    # Blocked in every thread and waited for in this one: no handler can ever run in the middle of anything.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    starter = os.getppid()
    traffic = Traffic((options.address, options.port), options.core, options.scenario, options.start)
    traffic.start()
    due = time.monotonic()
    ended = False
    while not ended and os.getppid() == starter:
        due += 1.0
        ended = signal.sigtimedwait(_ENDINGS, max(0.0, due - time.monotonic())) is not None
        _tell(traffic.take())
    traffic.stop()
    _tell(traffic.take())
    return 0


def _tell(second: Second) -> None:
    sys.stdout.write(json.dumps(asdict(second), separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _scenario(text: str) -> Scenario:
    values: dict[str, Any] = json.loads(text)
    return Scenario(tuple(Stretch(**each) for each in values.pop("stretches")), **values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="burstd.demo.traffic", description="Users who ask, wait, think, and ask again.")
    parser.add_argument("--address", required=True, help="of the gateway")
    parser.add_argument("--port", type=int, required=True, help="of the gateway")
    parser.add_argument("--core", action="append", required=True, help="a core server's name, as it stands in X-Served-By; may be repeated")
    parser.add_argument("--start", type=float, required=True, help="when the scenario starts, seconds of the monotonic clock")
    parser.add_argument("--scenario", type=_scenario, required=True, help="the scenario as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
