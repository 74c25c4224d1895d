"""Many small HTTP pages at once: bounded in time and size, each failure a `Fault` with a line for people.

Every target has a thread and a kept connection of its own, so that one that hangs holds up nobody else, has one read under way and
never a second, and a scrape pays no handshake. It stands on `http.client`, because twelve scrapes through requests cost 16 ms of CPU
and through this 7, of the 25 that a cycle may cost. The environment is not asked for a proxy: a page of a server nearby that comes
through one, or fails in one, says nothing about that server.

It never follows a redirect, never reads beyond the limit, sends no request twice on a fresh connection, and knows nothing of what
the pages carry.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

from burstd.model.faults import Fault, FaultKind

T = TypeVar("T")

LIMIT: Final = 1 << 20
"""Bytes of a body that are read. node_exporter's two collectors fill it at 1,500 CPUs; twelve hostile pages cost 12 MiB."""

IDLE: Final = 60.0
"""Seconds after which the thread and the connection of a target that nobody asks for any more are given back."""

_HEADERS: Final = {"User-Agent": "burstd", "Accept": "text/plain, */*;q=0.5", "Accept-Encoding": "identity"}
_CHUNK: Final = 65536
_CLOSED: Final = "{place} closed the connection before the end of its answer"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KINDS: Final = {400: FaultKind.REJECTED, 401: FaultKind.DENIED, 403: FaultKind.DENIED, 429: FaultKind.THROTTLED}


class Fetcher(Generic[T]):
    """Reads pages side by side. To be used by one thread."""

    def __init__(
        self, deadline: float, service: str, accept: Callable[[str, bytes], T | Fault], *, limit: int = LIMIT, fresh: bool = False
    ) -> None:
        """Fetch for `accept`, which turns (name, body) into a result on the target's own thread, as soon as the body is there.

        `deadline` is in seconds, for one whole answer, from the name's look-up to the last byte. `service` is what should be
        listening, for messages ("node_exporter"). With `limit` 0 the status alone counts and no body is read. With `fresh` every request
        is for a page that no cache between can have: its query is another one each time.
        """
        self._deadline = deadline
        self._service = service
        self._accept = accept
        self._limit = limit
        self._fresh = fresh
        self._lines: dict[str, _Line[T]] = {}

    def fetch(self, urls: Mapping[str, str]) -> dict[str, T | Fault]:
        """Get every URL; by name, what `accept` made of the body of its 200, or the fault.

        Never raises; returns at the deadline at the latest, whatever the peers do.
        """
        end = time.monotonic() + self._deadline
        answers: SimpleQueue[tuple[str, T | Fault]] = SimpleQueue()
        results: dict[str, T | Fault] = {}
        for name, url in urls.items():
            if not self._line(name, url).ask(answers, end):
                results[name] = Fault(name, FaultKind.UNREACHABLE, f"an earlier read from {_place(url)} still hangs")
        while len(results) < len(urls):
            try:
                name, result = answers.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                break
            results[name] = result
        for name in urls.keys() - results.keys():
            self._lines[name].cut()
            results[name] = self._late(name, urls[name])
        for name in [name for name, line in self._lines.items() if not line.busy and line.end < end - IDLE]:
            self._lines.pop(name).close()
        return {name: results[name] for name in urls}

    def close(self) -> None:
        """Give all threads and connections back."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def _line(self, name: str, url: str) -> _Line[T]:
        line = self._lines.get(name)
        if line is None or line.url != url:
            if line is not None:
                line.close()
            line = self._lines[name] = _Line(name, url, self._read, fresh=self._fresh)
        return line

    def _read(self, line: _Line[T]) -> T | Fault:
        """One answer, on the line's own thread."""
        name, url = line.name, line.url
        try:
            answer = line.get()
            if answer.status != http.HTTPStatus.OK:
                return Fault(name, *_refusal(answer))
            body = bytearray()
            while self._limit and (piece := answer.read1(_CHUNK)):
                body += piece
                if len(body) > self._limit:
                    return Fault(name, FaultKind.TOO_LARGE, f"the answer of {_place(url)} is larger than {self._limit:,} bytes")
            if self._limit and answer.length:
                return Fault(name, FaultKind.UNREACHABLE, _CLOSED.format(place=_place(url)))
            if self._limit:
                answer.close()
            return self._accept(name, bytes(body))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one target is its fault, and must not end its thread
            return self._explain(name, url, error)

    def _explain(self, name: str, url: str, error: Exception) -> Fault:  # noqa: PLR0911 - one line for each way to fail
        place = _place(url)
        match error:
            case TimeoutError():
                return self._late(name, url)
            case socket.gaierror():
                return Fault(name, FaultKind.UNREACHABLE, f"the name in {place} does not resolve; is the URL right?")
            case ConnectionRefusedError():
                return Fault(name, FaultKind.UNREACHABLE, f"nothing listens on {place}; does {self._service} run there?")
            case ConnectionError() | http.client.IncompleteRead():
                return Fault(name, FaultKind.UNREACHABLE, _CLOSED.format(place=place))
            case ssl.SSLError():
                return Fault(name, FaultKind.MISCONFIGURED, f"TLS with {place} failed; is it an https port, and its certificate valid?")
            case OSError(strerror=str(text)):
                return Fault(name, FaultKind.UNREACHABLE, f"{place} cannot be reached: {text}")
            case ValueError() | http.client.InvalidURL():
                return Fault(name, FaultKind.MISCONFIGURED, "its URL cannot be used, expected http://HOST:PORT/PATH")
            case http.client.HTTPException():
                return Fault(name, FaultKind.GARBLED, f"{place} does not answer in HTTP; is the port right?")
        return Fault(name, FaultKind.GARBLED, f"the answer of {place} cannot be read ({type(error).__name__})")

    def _late(self, name: str, url: str) -> Fault:
        return Fault(name, FaultKind.UNREACHABLE, f"no whole answer from {_place(url)} within {self._deadline:g} s")


class _Line(Generic[T]):
    """One target's thread and connection."""

    def __init__(self, name: str, url: str, read: Callable[[_Line[T]], T | Fault], *, fresh: bool) -> None:
        self.name = name
        self.url = url
        self.busy = False
        self.end = 0.0
        self._read = read
        self._fresh = fresh
        self._connection: http.client.HTTPConnection | None = None
        self._path = ""
        self._answer: http.client.HTTPResponse | None = None
        self._socket: socket.socket | None = None
        self._jobs: SimpleQueue[SimpleQueue[tuple[str, T | Fault]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=f"fetch {name}", daemon=True).start()

    def ask(self, answers: SimpleQueue[tuple[str, T | Fault]], end: float) -> bool:
        """Start a read that is to end at `end` (monotonic); False where the last one is not back yet."""
        if self.busy:
            return False
        self.busy = True
        self.end = end
        self._jobs.put(answers)
        return True

    def get(self) -> http.client.HTTPResponse:
        """The head of the answer; on the line's own thread."""
        self._answer = None
        if self._connection is None:
            self._connection, self._path = _connection(self.url)
        kept = self._connection.sock is not None
        try:
            self._answer = self._send(self._connection)
        except ConnectionError:
            # A peer may close a kept connection at any time; that is no answer to this request.
            if not kept or time.monotonic() >= self.end:
                raise
            self._connection.close()
            self._answer = self._send(self._connection)
        return self._answer

    def cut(self) -> None:
        """End the read that is under way, however slowly its bytes still come."""
        if (active := self._socket) is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(active, socket.SHUT_RDWR)  # under TLS, too, and without its farewell

    def close(self) -> None:
        """End the thread, and the read that it may be in."""
        self._jobs.put(None)
        self.cut()

    def _send(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        connection.timeout = max(0.001, self.end - time.monotonic())  # for each wait on the peer; `cut` bounds their sum
        if connection.sock is None:
            connection.connect()
        else:
            connection.sock.settimeout(connection.timeout)
        self._socket = connection.sock
        path, headers = self._path, _HEADERS
        if self._fresh:
            path += f"{'&' if '?' in path else '?'}burstd={time.monotonic_ns()}"
            headers = {**_HEADERS, "Cache-Control": "no-cache", "Pragma": "no-cache"}
        connection.request("GET", path, headers=headers)
        return connection.getresponse()

    def _run(self) -> None:
        while (answers := self._jobs.get()) is not None:
            result = self._read(self)
            if self._connection is not None and (self._answer is None or not self._answer.isclosed()):
                self._connection.close()  # what is left of an answer must not become the next one
            if self._answer is not None:
                self._answer.close()
            self.busy = False
            answers.put((self.name, result))
        if self._connection is not None:
            self._connection.close()


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection, not yet opened, and the path to ask it for.

    Raises:
        ValueError: the URL is none, or not for us.
    """
    parts = urlsplit(url)
    made = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}.get(parts.scheme)
    if made is None or not parts.hostname or parts.username is not None:
        raise ValueError(url)
    return made(parts.hostname, parts.port), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _refusal(answer: http.client.HTTPResponse) -> tuple[FaultKind, str]:
    """Kind and text for an answer other than 200."""
    said = f"answered {answer.status} {http.client.responses.get(answer.status, '')}".rstrip()
    if answer.status in _REDIRECTS:
        return FaultKind.MISCONFIGURED, f"{said}, a redirect to {_printable(answer.getheader('Location', 'nowhere'))}; name the final URL"
    reason = ""
    if answer.getheader("Content-Type", "").startswith("text/plain"):
        reason = _printable(answer.read1(_CHUNK).decode("utf-8", "replace"))
    return _KINDS.get(answer.status, FaultKind.MISSING), f"{said}, expected 200" + (f": {reason}" if reason else "")


def _printable(text: str) -> str:
    """The first line of what a peer said, short and without control characters."""
    return "".join(each if each.isprintable() else "?" for each in text.strip().partition("\n")[0][:120])


def _place(url: str) -> str:
    """HOST:PORT of a URL, without the password that it may carry."""
    found = re.match(r"\w+://(?:[^/?#]*@)?([^/?#]+)", url)
    return found[1] if found else "its URL"
