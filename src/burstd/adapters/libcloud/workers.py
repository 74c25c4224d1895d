"""Worker threads for calls that may hang: each has a driver of its own and each call a deadline by the wall clock.

A thread cannot be ended from outside, so one that hangs is left behind and replaced, up to a few; its late answer is still handed
over. Nothing here ever waits, but `wait`. Used from one thread, the loop's; the workers talk to it through a queue alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

from burstd.adapters.libcloud.drivers import Link
from burstd.errors import Retry

R = TypeVar("R")

IDLE: Final = 30.0
"""Seconds after which a connection is not trusted any more: something in between (a NAT, a firewall) may have forgotten it without a
word, and the first create after a quiet night would wait for its deadline. Longer than a cycle, so that listings keep theirs."""


class Seat:
    """What a worker keeps from one call to the next: its link, made at the first need, and anew after trouble or a long rest."""

    def __init__(self, connect: Callable[[], Link]) -> None:
        self._connect = connect
        self._link: Link | None = None
        self._used = 0.0

    @property
    def sent(self) -> int | None:
        """Requests begun in this call; None where there is no driver to send any."""
        return self._link.sent if self._link else None

    def link(self) -> Link:
        """The link; whatever the driver's constructor raises goes through."""
        now = time.monotonic()
        if self._link is None or now - self._used > IDLE:
            self._link = None
            self._link = self._connect()
        self._used = now
        return self._link

    def leave(self) -> None:
        """Start the next call with a new driver: the old one may hold a broken connection or a dead session."""
        self._link = None


@dataclass(frozen=True, slots=True)
class Task(Generic[R]):
    """One call.

    Attributes:
        key: what it is about; for the caller.
        run: makes the call and words its outcome; raises nothing.
        deadline: when it is given up, seconds on the daemon's timeline.
    """

    key: str
    run: Callable[[Seat], R]
    deadline: float


class End(Enum):
    """How a task ended."""

    ANSWERED = "answered"
    OVERDUE = "overdue"
    DIED = "died"
    LATE = "late"
    """Answered after it had been given up."""


@dataclass(frozen=True, slots=True)
class Ended(Generic[R]):
    """A task's end; `result` is there when it was answered, in time or late."""

    task: Task[R]
    end: End
    result: R | None = None


@dataclass(slots=True, eq=False)
class _Worker(Generic[R]):
    thread: threading.Thread = field(init=False)
    inbox: SimpleQueue[Task[R] | None] = field(default_factory=SimpleQueue)
    task: Task[R] | None = None


class Workers(Generic[R]):
    """Up to `most` threads, started when they are needed.

    Attributes:
        alive: no thread has died on its own; once false, it stays so.
    """

    def __init__(self, name: str, connect: Callable[[], Link], most: int, most_hung: int) -> None:
        self.alive = True
        self._name = name
        self._connect = connect
        self._most = most
        self._most_hung = most_hung
        self._idle: list[_Worker[R]] = []
        self._busy: list[_Worker[R]] = []
        self._hung: list[_Worker[R]] = []
        self._answers: SimpleQueue[tuple[_Worker[R], Task[R], R]] = SimpleQueue()
        self._waited_for: list[tuple[_Worker[R], Task[R], R]] = []

    @property
    def running(self) -> tuple[Task[R], ...]:
        """Tasks under way that have not been given up."""
        return tuple(worker.task for worker in self._busy if worker.task)

    @property
    def hung(self) -> tuple[Task[R], ...]:
        """Tasks that were given up and have not come back."""
        return tuple(worker.task for worker in self._hung if worker.task)

    def start(self, task: Task[R]) -> None:
        """Hand a task to a worker and return.

        Raises:
            Retry: all are busy, or too many hang.
        """
        if len(self._hung) >= self._most_hung:
            raise Retry(f"{self._name}: {len(self._hung)} earlier calls still hang")
        if not self._idle and len(self._busy) >= self._most:
            raise Retry(f"{self._name}: all {self._most} workers are busy")
        worker = self._idle.pop() if self._idle else self._hire()
        worker.task = task
        self._busy.append(worker)
        worker.inbox.put(task)

    def collect(self, now: float) -> list[Ended[R]]:
        """What has ended since the last time: answers, then tasks whose thread died, then tasks past their deadline at `now`."""
        # Looked at before the answers are: who was dead by then and has left none will never leave one.
        dead = [worker for worker in (*self._busy, *self._hung) if not worker.thread.is_alive()]
        ended = [self._answered(*answer) for answer in self._drain()]
        for worker in dead:
            if worker.task is None:
                continue
            self.alive = False
            if worker in self._hung:
                self._hung.remove(worker)
            else:
                self._busy.remove(worker)
                ended.append(Ended(worker.task, End.DIED))
        for worker in list(self._busy):
            if worker.task is not None and now >= worker.task.deadline:
                self._busy.remove(worker)
                self._hung.append(worker)
                worker.inbox.put(None)
                ended.append(Ended(worker.task, End.OVERDUE))
        return ended

    def wait(self, seconds: float) -> None:
        """Until something is answered, at most so long."""
        try:
            self._waited_for.append(self._answers.get(timeout=seconds))
        except Empty:
            return

    def stop(self) -> None:
        """Let every thread end that can; those that hang end with the process."""
        for worker in (*self._idle, *self._busy):
            worker.inbox.put(None)
        self._idle.clear()

    def _hire(self) -> _Worker[R]:
        worker: _Worker[R] = _Worker()
        worker.thread = threading.Thread(target=self._work, args=(worker,), name=self._name, daemon=True)
        try:
            worker.thread.start()
        except RuntimeError as error:
            raise Retry(f"{self._name}: this host gives no more threads") from error
        return worker

    def _work(self, worker: _Worker[R]) -> None:
        """A worker's life. What a task lets through ends the thread, and is reported as such: the daemon must not run on without it."""
        seat = Seat(self._connect)
        while (task := worker.inbox.get()) is not None:
            self._answers.put((worker, task, task.run(seat)))

    def _drain(self) -> list[tuple[_Worker[R], Task[R], R]]:
        answers, self._waited_for = self._waited_for, []
        while True:
            try:
                answers.append(self._answers.get_nowait())
            except Empty:
                return answers

    def _answered(self, worker: _Worker[R], task: Task[R], result: R) -> Ended[R]:
        worker.task = None
        if worker in self._hung:
            self._hung.remove(worker)
            return Ended(task, End.LATE, result)
        self._busy.remove(worker)
        self._idle.append(worker)
        return Ended(task, End.ANSWERED, result)
