"""Where the API's threads and the loop's thread meet: finished cycles go out over it, orders come in.

It carries nothing out and knows nothing of HTTP: the loop alone takes orders, between two cycles, and answers each.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Final

from burstd.errors import BurstdError, Retry
from burstd.model.event import Event
from burstd.model.faults import Fault
from burstd.model.load import Sample
from burstd.model.orders import Order
from burstd.model.policy import Policy
from burstd.model.turn import Turn

KEPT: Final = 1000
"""Events kept for `burstd events`: hours of a busy fleet, in well under a megabyte."""


class Pending:
    """An order on its way to the loop, which answers or refuses it exactly once."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self._future: Future[str] = Future()

    def answer(self, text: str) -> None:
        """It is carried out; `text` is the sentence that says what is in force now."""
        self._future.set_result(text)

    def refuse(self, error: BurstdError) -> None:
        """It is not carried out; whoever submitted it gets this error raised."""
        self._future.set_exception(error)

    def begin(self) -> bool:
        """The loop takes it up; False where nobody waits for it any more."""
        return self._future.set_running_or_notify_cancel()

    def result(self, patience: float) -> str:
        """Wait at most `patience` seconds for the loop.

        Raises:
            Retry: no answer in time.
            BurstdError: what the loop refused it with.
        """
        try:
            return self._future.result(patience)
        except TimeoutError as error:
            if self._future.cancel():
                raise Retry(f"the loop did not take the order within {patience:g} s: nothing was changed, try again") from error
            if self._future.done():
                return self._future.result()
            raise Retry(f"the loop is still at the order after {patience:g} s: `burstd status` tells whether it is in force") from error

    def withdraw(self) -> bool:
        """Take it back; False where the loop has it already."""
        return self._future.cancel()


class Desk:
    """One daemon's desk.

    Attributes:
        latest: the last finished cycle and the policy that it ran under; None before the first.
        finished_at: when that was, seconds of `clock`; None before the first.
        ready: some cycle has heard from HAProxy and from at least one core server.
        stopping: the daemon is on its way out; no order is taken any more.
    """

    def __init__(self, history: Sequence[Event] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with the roster's history; `clock` is monotonic seconds, for the age of the last cycle."""
        self.latest: tuple[Turn, Policy] | None = None
        self.finished_at: float | None = None
        self.ready = False
        self.stopping = False
        self._clock = clock
        self._opened_at = clock()
        self._events: deque[Event] = deque(history, maxlen=KEPT)
        self._lock = threading.Lock()
        # A SimpleQueue alone may be put to from a signal handler while the same thread waits in it. None is a call of `wake`.
        self._inbox: SimpleQueue[Pending | None] = SimpleQueue()
        self._arrived: list[Pending] = []

    # ------------------------------------------------------------------------------------------------ the loop's thread

    def publish(self, turn: Turn, policy: Policy) -> None:
        """Show a finished cycle and the policy that it ran under."""
        with self._lock:
            self._events.extend(turn.events)
        self.ready = self.ready or not unheard(turn)
        self.latest = (turn, policy)
        self.finished_at = self._clock()

    def wait(self, seconds: float) -> None:
        """Return when the time is over; at once where an order has come in, or `wake` was called since the last wait."""
        if self._arrived:
            return
        try:
            order = self._inbox.get(timeout=max(0.0, seconds))
        except Empty:
            return
        if order is not None:
            self._arrived.append(order)

    def take(self) -> Sequence[Pending]:
        """The orders that have come in, oldest first; each must be answered or refused."""
        woken = False
        while not self._inbox.empty():
            order = self._inbox.get()
            if order is None:
                woken = True
            else:
                self._arrived.append(order)
        if woken:  # it was meant for the next wait, and a handler may have called while nobody waited
            self.wake()
        taken, self._arrived = self._arrived, []
        return [each for each in taken if each.begin()]

    def close(self) -> None:
        """Take no more orders and refuse those that wait: for after the last cycle."""
        self.stop()
        for pending in self.take():
            pending.refuse(Retry("burstd is stopping: nothing was changed"))

    # -------------------------------------------------------------------------------------------- any thread, any signal

    def wake(self) -> None:
        """End the loop's wait, or the next one if it is not waiting. Safe in a signal handler."""
        self._inbox.put(None)

    def stop(self) -> None:
        """Set `stopping` and wake the loop. Safe in a signal handler."""
        self.stopping = True
        self.wake()

    # ------------------------------------------------------------------------------------------------ the API's threads

    def submit(self, order: Order, patience: float = 10.0) -> str:
        """Hand an order to the loop, wait for its answer (at most `patience` seconds) and return it: one sentence.

        Raises:
            Retry: the loop did not answer in time, or the daemon is stopping.
            BurstdError: what the loop refused the order with.
        """
        pending = Pending(order)
        self._inbox.put(pending)
        # After the put: either `close` has seen it, or this sees that nobody will come any more.
        if self.stopping and pending.withdraw():
            raise Retry("burstd is stopping: nothing was changed")
        return pending.result(patience)

    def events(self, limit: int = KEPT) -> Sequence[Event]:
        """The newest events, oldest of them first."""
        with self._lock:
            return list(islice(self._events, max(0, len(self._events) - limit), None))

    @property
    def age(self) -> float:
        """Seconds since the last cycle finished; before the first, since the desk was opened."""
        since = self.finished_at
        return self._clock() - (self._opened_at if since is None else since)


def unheard(turn: Turn) -> str:
    """What kept this cycle from seeing its world: HAProxy, or every core server; empty where it saw enough to steer."""
    gateway, cores = turn.snapshot.gateway, turn.snapshot.cores
    if isinstance(gateway, Fault):
        return str(gateway)
    if any(isinstance(each, Sample) for each in cores.values()):
        return ""
    faults = "; ".join(str(each) for each in cores.values() if isinstance(each, Fault))
    return f"no core server answers ({faults or 'none was read'})"
