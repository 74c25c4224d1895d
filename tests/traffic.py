"""Traffic for tests: a few threads that keep asking one address, until told to stop, and remember every answer."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.waiting import wait_until

PAUSE = 0.005
"""Seconds between two requests of a thread: enough traffic to lose something, too little to starve a shared machine."""


class Traffic:
    """What `traffic` yields: the answers so far, by who served them, and everything that was no 200."""

    def __init__(self, host: str, port: int, path: str, *, threads: int, keep_alive: bool) -> None:
        self.served_by: Counter[str] = Counter()
        self.errors: list[str] = []
        self._address = (host, port)
        self._path = path
        self._keep_alive = keep_alive
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"traffic-{number}") for number in range(threads)]

    @property
    def requests(self) -> int:
        """Requests with a good answer so far."""
        return self.served_by.total()

    def more(self, count: int) -> None:
        """Wait for `count` more good answers."""
        goal = self.requests + count
        wait_until(lambda: self.requests >= goal, f"{count} more requests; errors so far: {self.errors[:3]}")

    def start(self) -> None:
        """Start asking."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let the requests in flight finish."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=10)
        while not self._stop.wait(PAUSE):
            reused = connection.sock is not None
            try:
                self._ask(connection)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A server may close an idle connection just when the next request comes; every client asks again then.
                if not (reused and isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError)):
                    self._note_error(repr(error))
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", self._path, headers={} if self._keep_alive else {"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == http.client.OK:
            with self._lock:
                self.served_by[answer.headers.get("X-Served-By", "")] += 1
        else:
            self._note_error(f"status {answer.status}")

    def _note_error(self, text: str) -> None:
        with self._lock:
            self.errors.append(text)


@contextmanager
def traffic(host: str, port: int, path: str = "/", *, threads: int = 3, keep_alive: bool = True) -> Iterator[Traffic]:
    """Traffic until the end of the block, the first answers already there."""
    running = Traffic(host, port, path, threads=threads, keep_alive=keep_alive)
    running.start()
    try:
        running.more(5)
        yield running
    finally:
        running.stop()
