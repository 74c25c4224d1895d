"""Ctrl-C, SIGTERM and a closed terminal, noticed only where the demo waits: nothing is ever broken off in the middle of cleaning up."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Somebody wants it to end; `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interruption(AbstractContextManager["Interruption"]):
    """Catches the signals for as long as its block lasts; for the main thread alone."""

    def __init__(self) -> None:
        # A SimpleQueue alone may be put to by a signal handler while the same thread waits in it.
        self._arrived: SimpleQueue[int] = SimpleQueue()
        self._before: dict[signal.Signals, Callable[..., Any] | int | None] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and the like want it ignored
                self._before[number] = signal.signal(number, lambda arrived, _frame: self._arrived.put(arrived))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, seconds: float) -> None:
        """Wait.

        Raises:
            Interrupted: a signal has come, in this wait or before it.
        """
        try:
            number = self._arrived.get(timeout=max(0.0, seconds))
        except Empty:
            return
        raise Interrupted(number)
