"""One visitor who asks for a page ten times a second, whatever became of the last request, and writes down each answer.

    python -m tests.lab.drill.observer URL SECONDS      in the network of a host; a line of JSON for each request

A request's time counts from when it was due, so that a visitor who waits is not forgotten.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from tests.lab import container
from tests.lab.hosts import GATEWAY_HOST
from tests.lab.place import ROOT

EVERY: Final = 0.1
PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request; times in seconds on this machine's monotonic clock."""

    asked: float
    seconds: float
    status: int
    server: str
    body: str

    @property
    def good(self) -> bool:
        """An answer of a server of the site; HAProxy's own error page is none."""
        return self.status == 200 and self.server != ""


class Observation:
    """The answers, once the observer has ended."""

    def __init__(self, answers: Iterable[Answer] = ()) -> None:
        self.answers = list(answers)

    def since(self, moment: float) -> list[Answer]:
        """Those asked from then on."""
        return [each for each in self.answers if each.asked >= moment]

    def normal_after(self, moment: float, servers: Collection[str], quick: float = 1.0) -> float | None:
        """Seconds from the moment until every request was answered by these servers within `quick` seconds; None: never."""
        late = [each for each in self.since(moment) if not (each.good and each.server in servers and each.seconds <= quick)]
        if late and late[-1] is self.answers[-1]:
            return None
        return max((each.asked + EVERY - moment for each in late), default=0.0)


@contextmanager
def observed(path: str, seconds: float = 300.0) -> Iterator[Observation]:
    """Ask for this path by the gateway until the block is left; then the answers are there."""
    observation = Observation()
    words = [sys.executable, "-m", "tests.lab.drill.observer", f"http://{GATEWAY_HOST.address}{path}", str(seconds)]
    inside = container.within_network(GATEWAY_HOST.name, *words)
    with subprocess.Popen(inside, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reader.start()
        try:
            yield observation
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE + 30)
            reader.join()
            observation.answers = sorted((Answer(**json.loads(line)) for line in lines), key=lambda each: each.asked)


def _ask(url: str, asked: float) -> Answer:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as reply:  # noqa: S310 - the lab's own
            status, server, body = reply.status, reply.headers.get("X-Served-By") or "", reply.read().decode()
    except urllib.error.HTTPError as error:
        status, server, body = error.code, error.headers.get("X-Served-By") or "", ""
    except OSError as error:
        status, server, body = 0, "", str(error)
    return Answer(asked, time.monotonic() - asked, status, server, body[:200])


def main(url: str, seconds: float) -> None:
    """Ask until SIGTERM, or so long; then wait for the answers that are due."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    write = threading.Lock()

    def ask(due: float) -> None:
        answer = _ask(url, due)
        with write:
            sys.stdout.write(json.dumps(asdict(answer)) + "\n")
            sys.stdout.flush()

    due = begun = time.monotonic()
    while due < begun + seconds and not ended.wait(max(0.0, due - time.monotonic())):
        threading.Thread(target=ask, args=(due,)).start()
        due += EVERY


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
