"""The `Cloud` port on the simulated world: burstd's own side of it, which a crash of burstd takes along."""

from __future__ import annotations

from typing import Final

from burstd.adapters.memory.world import CreateTrouble, DestroyTrouble, ListTrouble, MemoryWorld
from burstd.errors import NoCapacity, Retry
from burstd.model.cloud import (
    OPERATION_TAG,
    OWNER_TAG,
    CloudCall,
    CloudView,
    CreateCall,
    Created,
    CreateFailed,
    CreateUnknown,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    Listing,
    Node,
    Outcome,
)
from burstd.model.faults import Fault, FaultKind
from burstd.ports import Clock

WORKERS: Final = 8
"""Calls that can be under way at once."""


class MemoryCloud:
    """All pools of a world, for one owner.

    Attributes:
        refused: destroys of what is not ours, which a sound plan never asks for.
    """

    def __init__(self, world: MemoryWorld, owner: str, *, listing_interval: float = 0.0, clock: Clock | None = None) -> None:
        """Start with nothing known; a pool is listed every `listing_interval` seconds at most, and seen by the observe after that.

        `clock` is burstd's timeline where it is not the world's: listings are stamped by it.
        """
        self.refused: list[DestroyCall] = []
        self._world = world
        self._clock = clock or world.clock
        self._owner = owner
        self._interval = listing_interval
        self._in_flight: set[str] = set()
        self._outcomes: list[Outcome] = []
        self._asked: dict[str, Listing] = {}
        self._listings: dict[str, Listing] = {}
        self._closed = False

    def observe(self) -> CloudView:
        """The listings asked for before, and the outcomes since the last call."""
        self._world.settle()
        self._listings |= self._asked
        self._asked = {}
        for pool in self._world.pools:
            last = self._listings.get(pool)
            if not self._closed and (last is None or self._clock.now() >= last.asked_at + self._interval):
                self._asked[pool] = self._list(pool, 1 if last is None else last.serial + 1)
        outcomes, self._outcomes = tuple(self._outcomes), []
        return CloudView(
            listings=tuple(self._listings.values()),
            outcomes=outcomes,
            in_flight=frozenset(self._in_flight),
            resends=frozenset(name for name, pool in self._world.pools.items() if pool.tokens),
        )

    def submit(self, call: CloudCall) -> None:
        """Carry the call out at once, and tell its outcome after the pool's `call` seconds.

        Raises:
            Retry: the operation has a call under way already, or every worker has.
        """
        if self._closed or len(self._in_flight) >= WORKERS:
            raise Retry("no worker is free")
        if call.operation in self._in_flight:
            raise Retry(f"operation {call.operation} has a call under way")
        outcome = self._create(call) if isinstance(call, CreateCall) else self._destroy(call)
        self._in_flight.add(call.operation)
        self._world.later(self._world.pools[call.pool].call, lambda: self._finish(call.operation, outcome))

    def close(self) -> None:
        """Take no more calls."""
        self._closed = True

    def _finish(self, operation: str, outcome: Outcome) -> None:
        self._in_flight.discard(operation)
        self._outcomes.append(outcome)

    def _create(self, call: CreateCall) -> Outcome:
        trouble = self._world.creates.popleft() if self._world.creates else None
        match trouble:
            case CreateTrouble.REFUSED:
                return CreateFailed(call.operation, call.pool, Fault(f"pool {call.pool}", FaultKind.REJECTED, "refused, as ordered"))
            case CreateTrouble.LATE:
                self._world.later(self._world.pools[call.pool].late, lambda: self._outcomes.append(self._make(call)))
            case CreateTrouble.ANSWER_LOST:
                self._make(call)
            case CreateTrouble.ENDED | CreateTrouble.ENDED_AND_MADE:
                if trouble is CreateTrouble.ENDED_AND_MADE:
                    self._make(call)
                return CreateUnknown(call.operation, call.pool, Fault(f"pool {call.pool}", FaultKind.NO_CAPACITY, "no stock, as ordered"))
            case CreateTrouble.TWINS:
                first, second = self._make(call), self._make(call)
                return second if isinstance(second, Created) else first
            case None:
                return self._make(call)
        return CreateUnknown(call.operation, call.pool, Fault(f"pool {call.pool}", FaultKind.UNKNOWN, "no answer, as ordered"))

    def _make(self, call: CreateCall) -> Outcome:
        request = call.request
        try:
            machine = self._world.make(request.pool, request.name, dict(request.tags), request.token)
        except NoCapacity as error:
            return CreateFailed(call.operation, call.pool, Fault(f"pool {call.pool}", FaultKind.NO_CAPACITY, str(error)))
        return Created(call.operation, machine.node(self._world.clock.now()))

    def _destroy(self, call: DestroyCall) -> Outcome:
        machine = self._world.machine(call.node_id)
        if machine is None or not machine.alive:
            return Destroyed(call.operation, call.node_id, absent=True)
        if (machine.tags.get(OWNER_TAG), machine.tags.get(OPERATION_TAG)) != (self._owner, call.operation):
            self.refused.append(call)
            fault = Fault(f"pool {call.pool}", FaultKind.REJECTED, f"{call.node_id} is not ours")
            return DestroyFailed(call.operation, call.node_id, fault)
        trouble = self._world.destroys.popleft() if self._world.destroys else None
        if trouble in {None, DestroyTrouble.ANSWER_LOST}:
            self._world.end(machine)
        if trouble is DestroyTrouble.LATE:
            self._world.later(self._world.pools[call.pool].late, lambda: self._world.end(machine))
        if trouble in {DestroyTrouble.REFUSED, DestroyTrouble.ANSWER_LOST, DestroyTrouble.LATE}:
            return DestroyFailed(call.operation, call.node_id, Fault(f"pool {call.pool}", FaultKind.UNREACHABLE, "no answer, as ordered"))
        return Destroyed(call.operation, call.node_id, absent=False)

    def _list(self, pool: str, serial: int) -> Listing:
        troubles = self._world.listings[pool]
        trouble = troubles.popleft() if troubles else None
        shown = tuple(self._world.nodes(pool))
        nodes: tuple[Node, ...] | Fault
        match trouble:
            case None:
                nodes = shown
            case ListTrouble.FAILED:
                nodes = Fault(f"pool {pool}", FaultKind.UNREACHABLE, "no listing, as ordered")
            case ListTrouble.EMPTY:
                nodes = ()
            case ListTrouble.TRUNCATED:
                nodes = shown[: len(shown) // 2]
        return Listing(pool, self._clock.now(), nodes, serial)
