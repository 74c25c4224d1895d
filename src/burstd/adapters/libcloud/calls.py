"""The three calls of a cloud, as they run on a worker thread: list, create, destroy. Each ends in a value, whatever the driver does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers import Driver, DriverRecord
from burstd.adapters.libcloud.faults import Redactor, Verdict, judge
from burstd.adapters.libcloud.pool import CloudPool
from burstd.adapters.libcloud.workers import Seat
from burstd.model.cloud import (
    OPERATION_TAG,
    OWNER_TAG,
    CreateCall,
    Created,
    CreateFailed,
    CreateUnknown,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    LaunchRequest,
    Node,
    NodeState,
    Outcome,
)
from burstd.model.faults import Fault, FaultKind
from burstd.model.naming import marked_name, read_marked_name

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode

STATES: Final = {
    "pending": NodeState.PENDING,
    "starting": NodeState.PENDING,
    "rebooting": NodeState.PENDING,
    "running": NodeState.RUNNING,
    "terminated": NodeState.TERMINATED,
    "error": NodeState.ERROR,
    "stopped": NodeState.ERROR,
    "suspended": NodeState.ERROR,
    "paused": NodeState.ERROR,
}
"""libcloud's states by what burstd does about them: a machine of ours that stands still is as good as broken. Others are unknown."""


class PoolCalls:
    """The calls of one pool. Thread-safe: it holds nothing that changes.

    Args:
        owner: whose machines are listed, where the cloud can filter, and alone destroyed.
    """

    def __init__(self, pool: CloudPool, record: DriverRecord, owner: str) -> None:
        self._pool = pool
        self._record = record
        self._owner = owner

    def list(self, seat: Seat) -> tuple[Node, ...] | Verdict:
        """Every machine of ours, or, where the cloud cannot filter, every machine."""
        try:
            found = self._record.listed(seat.link().fresh(), self._pool, self._owner)
            return tuple(self.node(each) for each in found if each.id)
        except Exception as error:  # noqa: BLE001 - any exception at all may come out of a driver; `judge` looks at each
            return self._judge(seat, error)

    def create(self, seat: Seat, call: CreateCall) -> Outcome:
        """Buy one machine, known as ours from its first moment."""
        made = None
        try:
            driver = seat.link().fresh()
            made = driver.create_node(**self.arguments(driver, call.request))
            if getattr(made, "id", None):
                node = self.node(made)
                if not self._record.by_name or node.operation == call.operation:
                    return Created(call.operation, node)
                verdict = Verdict(
                    FaultKind.GARBLED, f'the cloud has named machine {node.id} "{node.name}", not as asked: destroy it by hand'
                )
            else:
                verdict = Verdict(FaultKind.GARBLED, "an answer without a machine")
        except Exception as error:  # noqa: BLE001 - any exception at all may come out of a driver; `judge` looks at each
            verdict = self._judge(seat, error, call.request.user_data)
        fault = verdict.fault(self._pool)
        if verdict.nothing_done and made is None:
            return CreateFailed(call.operation, self._pool.name, fault, verdict.retry_after)
        return CreateUnknown(call.operation, self._pool.name, fault)

    def destroy(self, seat: Seat, call: DestroyCall) -> Outcome:  # noqa: PLR0911 - each way out is another answer
        """Give one machine back, after reading once more that it is ours: by owner and by operation."""
        try:
            driver = seat.link().fresh()
            found = self._record.read(driver, self._pool, call.node_id)
            target = next((each for each in found if str(each.id) == call.node_id), None)
            if target is None:
                return self._kept(call, FaultKind.GARBLED, "the machine was asked for by id, and the answer is about nothing")
            node = self.node(target)
            if node.state is NodeState.TERMINATED:
                return Destroyed(call.operation, call.node_id, absent=True)
            if (node.owner, node.operation) != (self._owner, call.operation):
                return self._kept(
                    call, FaultKind.REJECTED, f"{call.node_id} is not ours: owner {node.owner!r}, operation {node.operation!r}"
                )
            if self._record.destroy(driver, target):
                return Destroyed(call.operation, call.node_id, absent=False)
            return self._kept(call, FaultKind.UNKNOWN, "the cloud did not confirm the destroy")
        except Exception as error:  # noqa: BLE001 - any exception at all may come out of a driver; `judge` looks at each
            verdict = self._judge(seat, error, one=True)
            if verdict.kind is FaultKind.MISSING:
                return Destroyed(call.operation, call.node_id, absent=True)
            return self._kept(call, verdict.kind, verdict.text)

    def arguments(self, driver: Driver, request: LaunchRequest) -> dict[str, Any]:
        """All arguments of the create; what the settings add can replace none of ours."""
        return {
            **self._record.raw(self._pool.create),
            **self._record.place(driver, request.location),
            **self._record.launch(request, self._pool),
            "name": marked_name(request.name, self._owner, request.token) if self._record.by_name else request.name,
            "size": self._record.size(driver, request),
            "image": self._record.image(driver, request.image),
        }

    def node(self, node: LibcloudNode) -> Node:
        """A machine of libcloud's in burstd's words; one of ours bears the name by which the rest of burstd knows it."""
        name, owner, operation = self._identity(node)
        state = str(node.state)
        return Node(
            pool=self._pool.name,
            id=str(node.id),
            name=name,
            state=self._record.states.get(state) or STATES.get(state, NodeState.UNKNOWN),
            addresses=tuple(_once(self._record.addresses(node.public_ips, node.private_ips))),
            owner=owner,
            operation=operation,
        )

    def _identity(self, node: LibcloudNode) -> tuple[str, str | None, str | None]:
        """Its name, owner and operation: by its tags, or, in a cloud without, by its whole name."""
        name = str(node.name)
        if self._record.by_name:
            ours = read_marked_name(self._owner, name)
            return (name, None, None) if ours is None else (ours[0], self._owner, ours[1])
        tags = self._record.tags(node.extra)
        return name, tags.get(OWNER_TAG), tags.get(OPERATION_TAG)

    def _judge(self, seat: Seat, error: Exception, user_data: str | None = None, *, one: bool = False) -> Verdict:
        verdict = judge(error, seat.sent, Redactor(self._pool, user_data), self._record.dialect, one=one)
        seat.leave()
        return verdict

    def _kept(self, call: DestroyCall, kind: FaultKind, text: str) -> DestroyFailed:
        return DestroyFailed(call.operation, call.node_id, Fault(self._pool.peer, kind, text))


def _once(addresses: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(each for each in addresses if each))
