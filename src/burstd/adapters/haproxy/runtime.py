r"""The transport of HAProxy's runtime socket: one fresh connection per exchange, inside one wall-clock deadline.

A connection speaks `prompt` mode, in which each line gets exactly one answer that ends with "\n> ": the one form that behaves
alike on 2.6 to 3.4. A connection is never kept: after a reload an old one goes on talking to the old process.

It never interprets an answer, never tries again, and never calls a torn, endless or late answer a success.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from burstd.adapters.haproxy.problems import Problems
from burstd.errors import Garbled, Misconfigured, Unreachable

PROMPT = b"\n> "

MAX_AHEAD = 8192
"""Bytes of commands sent before their answers are read, in two batches. Half of HAProxy's buffer (16 KiB): it always has room for
them, so that neither side ever waits for the other to read, and 3.4's loop at a line of exactly 16 KiB is out of reach."""

MAX_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer. `show stat` of 10,000 servers takes about 6 MB; what goes on beyond this is not HAProxy."""


class Conversation:
    """One open connection to HAProxy; made by `converse`."""

    def __init__(self, connection: socket.socket, path: Path, seconds: float) -> None:
        self._connection = connection
        self._path = path
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._received = bytearray()

    @property
    def remaining(self) -> float:
        """Seconds left until the exchange's deadline; negative once it is past."""
        return self._ends - time.monotonic()

    def ask(self, *lines: str) -> list[str]:
        """Send the lines, pipelined; their answers in order, without the blank lines around them.

        Raises:
            Unreachable: no answer, or not all of it, before the deadline or the end of the connection.
            Garbled: too long an answer, or more answers than questions.
        """
        if self._received:
            raise Garbled(f"{self._path} says more than it was asked")
        answers: list[str] = []
        asked: list[str] = []
        for batch in _batches(lines):
            # HAProxy works on this batch while the answers to the one before are read.
            self._send("".join(f"{line}\n" for line in batch).encode())
            answers += [self._answer() for _ in asked]
            asked = batch
        return [*answers, *(self._answer() for _ in asked)]

    def connect(self) -> None:
        """Connect and switch to `prompt` mode.

        Raises:
            Unreachable: nobody listens, or all of HAProxy's command lines are taken.
            Misconfigured: the socket's permissions keep us out.
            Garbled: whoever answers is not HAProxy.
        """
        self._limit()
        try:
            self._connection.connect(str(self._path))
        except PermissionError as error:
            raise Misconfigured(Problems(self._path).forbidden()) from error
        except BlockingIOError as error:
            raise Unreachable(f"{self._path} is busy: all its command lines are taken") from error
        except OSError as error:
            raise Unreachable(f"nobody listens on {self._path}") from error
        if self.ask("prompt") != [""]:
            raise Garbled(f"{self._path} does not answer as HAProxy does")

    def _send(self, data: bytes) -> None:
        self._limit()
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise Unreachable(f"{self._path} takes no commands") from error

    def _answer(self) -> str:
        start = 0
        while (end := self._received.find(PROMPT, start)) < 0:
            if len(self._received) > MAX_ANSWER:
                raise Garbled(f"{self._path} gives an endless answer")
            start = max(0, len(self._received) - len(PROMPT) + 1)
            self._receive()
        answer = self._received[:end].decode(errors="replace").strip("\n")
        del self._received[: end + len(PROMPT)]
        return answer

    def _receive(self) -> None:
        self._limit()
        try:
            data = self._connection.recv(65536)
        except TimeoutError as error:
            raise self._late() from error
        except OSError as error:
            raise Unreachable(f"{self._path} broke the connection off") from error
        if not data:
            raise Unreachable(f"{self._path} closed the connection in the middle of an answer")
        self._received += data

    def _late(self) -> Unreachable:
        return Unreachable(f"{self._path} gave no whole answer within {round(self._seconds, 1):g} s")

    def _limit(self) -> None:
        """Let the next system call last until the deadline and no longer, however slowly the peer trickles."""
        remaining = self.remaining
        if remaining <= 0:
            raise self._late()
        self._connection.settimeout(remaining)


@contextmanager
def converse(path: Path, seconds: float) -> Iterator[Conversation]:
    """A fresh conversation that must be over within `seconds`, whatever is asked in it.

    Raises:
        Unreachable, Garbled, Misconfigured: as `Conversation.connect` and `Conversation.ask`.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        conversation = Conversation(connection, path, seconds)
        conversation.connect()
        yield conversation


def _batches(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines in order, in batches of at most half of `MAX_AHEAD` bytes (a single longer line alone)."""
    batch: list[str] = []
    size = 0
    for line in lines:
        length = len(line.encode()) + 1
        if batch and size + length > MAX_AHEAD // 2:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += length
    if batch:
        yield batch
