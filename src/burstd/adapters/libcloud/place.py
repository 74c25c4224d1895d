"""One pool at work: its two kinds of workers, its newest listing, and what its calls have come to."""

from __future__ import annotations

from functools import partial
from typing import Final

from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.adapters.libcloud.faults import Verdict
from burstd.adapters.libcloud.pool import CloudPool
from burstd.adapters.libcloud.workers import End, Ended, Task, Workers
from burstd.errors import Retry
from burstd.model.cloud import (
    CloudCall,
    CreateCall,
    Created,
    CreateFailed,
    CreateUnknown,
    DestroyFailed,
    Listing,
    Node,
    Outcome,
)
from burstd.model.faults import Fault, FaultKind

CALLS: Final = 8
"""Creates and destroys of one pool at the same time; a cycle orders a few, and a blocking driver takes minutes for each."""

HUNG: Final = 4
"""Threads of each kind that may hang before nothing more is started: each costs a stack and a socket for as long as it hangs."""

EARLY: Final = 0.9
"""A listing is due at this share of its interval, so that a cycle of the same length does not miss every second one by a hair."""


class Place:
    """A pool, its workers and what they have told. Used from the loop's thread alone.

    Raises:
        Misconfigured: burstd knows no such driver.
    """

    def __init__(self, pool: CloudPool, owner: str, list_every: float) -> None:
        record = record_of(pool)
        self.pool = pool
        self.tokens = record.tokens
        self.listing: Listing | None = None
        self._calls = PoolCalls(pool, record, owner)
        self._list_every = list_every
        self._listers: Workers[tuple[Node, ...] | Verdict] = Workers(
            pool.peer, lambda: connect(pool, record, pool.list_deadline), most=1, most_hung=HUNG
        )
        self._callers: Workers[Outcome] = Workers(pool.peer, lambda: connect(pool, record, pool.call_deadline), CALLS, HUNG)
        self._asked_at = float("-inf")
        self._not_before = float("-inf")
        self._under_way: dict[str, CloudCall] = {}
        self._overtaken: set[str] = set()
        self._kept: list[Outcome] = []

    @property
    def in_flight(self) -> frozenset[str]:
        """Operations with a call that has not ended."""
        return frozenset(self._under_way)

    @property
    def alive(self) -> bool:
        """No worker thread has died."""
        return self._listers.alive and self._callers.alive

    def submit(self, call: CloudCall, now: float) -> None:
        """Hand a call to a worker.

        Raises:
            Retry: no worker is free, too many hang, or the operation has a call under way; nothing was sent.
        """
        if call.operation in self._under_way:
            raise Retry(f"{self.pool.peer}: operation {call.operation} has a call under way")
        if isinstance(call, CreateCall):
            task = Task(call.operation, partial(self._calls.create, call=call), now + self.pool.create_deadline)
        else:
            task = Task(call.operation, partial(self._calls.destroy, call=call), now + self.pool.destroy_deadline)
        self._callers.start(task)
        self._under_way[call.operation] = call
        if call.operation in {hung.key for hung in self._callers.hung}:
            self._overtaken.add(call.operation)

    def collect(self, now: float) -> list[Outcome]:
        """The outcomes since the last time; a finished listing becomes the newest."""
        for listed in self._listers.collect(now):
            self._listed(listed, now)
        self.settle(now)
        outcomes, self._kept = self._kept, []
        return outcomes

    def list_if_due(self, now: float) -> None:
        """Start a listing, unless one is under way, the last is young, or the cloud has asked for patience."""
        if self._listers.running or now < max(self._asked_at + self._list_every * EARLY, self._not_before):
            return
        self._asked_at = now
        try:
            self._listers.start(Task("list", self._calls.list, now + self.pool.list_deadline))
        except Retry as error:
            self._note(Fault(self.pool.peer, FaultKind.UNREACHABLE, f"not listed: {str(error).removeprefix(f'{self.pool.peer}: ')}"))

    def wait(self, now: float, seconds: float) -> None:
        """Until a call is answered or the last deadline is past, at most so long."""
        patience = max((task.deadline for task in self._callers.running), default=now) - now
        self._callers.wait(max(0.0, min(patience, seconds)))

    def settle(self, now: float) -> None:
        """Keep what has ended for the next `collect`."""
        self._kept += self._ended(now)

    def stop(self) -> None:
        """Let the threads end."""
        self._listers.stop()
        self._callers.stop()

    def _listed(self, ended: Ended[tuple[Node, ...] | Verdict], now: float) -> None:
        match ended:
            case Ended(end=End.LATE):
                return  # it was counted as failed, and a newer one is there or on its way
            case Ended(end=End.OVERDUE):
                self._note(Fault(self.pool.peer, FaultKind.UNREACHABLE, f"no list within {self.pool.list_deadline:g} s"))
            case Ended(result=Verdict() as verdict):
                # An error that nobody knows leaves a create open; a listing is merely asked for again.
                kind = FaultKind.GARBLED if verdict.kind is FaultKind.UNKNOWN else verdict.kind
                self._note(Fault(self.pool.peer, kind, verdict.text))
                self._not_before = now + (verdict.retry_after or 0.0)
            case Ended(result=tuple() as nodes):
                self._note(nodes)
            case _:
                self._note(Fault(self.pool.peer, FaultKind.UNREACHABLE, "the worker thread died while listing"))

    def _note(self, nodes: tuple[Node, ...] | Fault) -> None:
        serial = self.listing.serial + 1 if self.listing else 1
        self.listing = Listing(self.pool.name, self._asked_at, nodes, serial)

    def _ended(self, now: float) -> list[Outcome]:
        outcomes = [self._outcome(ended) for ended in self._callers.collect(now)]
        return [each for each in outcomes if each is not None]

    def _outcome(self, ended: Ended[Outcome]) -> Outcome | None:
        operation = ended.task.key
        if ended.end is End.LATE:
            return self._late(operation, ended.result)
        call = self._under_way.pop(operation)
        if ended.result is not None:
            return ended.result
        if ended.end is End.OVERDUE:
            limit = self.pool.create_deadline if isinstance(call, CreateCall) else self.pool.destroy_deadline
            fault = Fault(self.pool.peer, FaultKind.UNKNOWN, f"no answer within {limit:g} s")
        else:
            fault = Fault(self.pool.peer, FaultKind.UNKNOWN, "the worker thread died in the middle of the call")
        if isinstance(call, CreateCall):
            return CreateUnknown(operation, self.pool.name, fault)
        return DestroyFailed(operation, call.node_id, fault)

    def _late(self, operation: str, result: Outcome | None) -> Outcome | None:
        """What a call that was given up still has to tell: only a create's news, and only news that can still be true."""
        overtaken = operation in self._overtaken
        if operation not in {hung.key for hung in self._callers.hung}:
            self._overtaken.discard(operation)
        if isinstance(result, Created):
            return result
        # Once the create was sent again, the failure of the first says nothing about the second.
        return result if isinstance(result, CreateFailed) and not overtaken else None
