"""Clouds as they were read, and the calls that can be made there. A call's outcome is a value that a later cycle collects."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from burstd.model.faults import Fault

OWNER_TAG = "burstd-owner"
OPERATION_TAG = "burstd-operation"


class NodeState(StrEnum):
    """A cloud machine's state, folded from libcloud's many into those that burstd acts on."""

    PENDING = "pending"
    RUNNING = "running"
    ERROR = "error"
    TERMINATED = "terminated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine in a listing, ours or a stranger's.

    Attributes:
        pool: the pool whose listing showed it.
        id: the cloud's own id, the only handle by which anything is ever destroyed.
        owner: value of the owner tag; None where it has none.
        operation: value of the operation tag; None where it has none.
        addresses: IP addresses, the one to reach it by first; empty while the cloud has not assigned any.
    """

    pool: str
    id: str
    name: str
    state: NodeState
    addresses: tuple[str, ...] = ()
    owner: str | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """The fully rendered parameters of a create, stored before the call so that it can be sent again to the letter.

    Attributes:
        tags: every tag, the owner's and the operation's among them.
        token: the client token (the operation id) for drivers that know one.
        user_data: the rendered cloud-init document; may hold secrets and is never shown.
    """

    pool: str
    name: str
    image: str
    size: str
    location: str | None
    tags: tuple[tuple[str, str], ...]
    token: str
    user_data: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CreateCall:
    """Ask a cloud for one machine."""

    operation: str
    request: LaunchRequest

    @property
    def pool(self) -> str:
        """The pool that is asked."""
        return self.request.pool


@dataclass(frozen=True, slots=True)
class DestroyCall:
    """Give one machine back. The adapter reads its tags again just before, and refuses what is not ours."""

    operation: str
    pool: str
    node_id: str


CloudCall = CreateCall | DestroyCall


@dataclass(frozen=True, slots=True)
class Created:
    """A create that succeeded; `node` is what the cloud answered."""

    operation: str
    node: Node


@dataclass(frozen=True, slots=True)
class CreateFailed:
    """A create that certainly made nothing."""

    operation: str
    pool: str
    fault: Fault
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class CreateUnknown:
    """A create that may or may not have made a machine: lost answer, deadline, an error nobody knows."""

    operation: str
    pool: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A destroy that the cloud accepted, or whose machine was already gone (`absent`)."""

    operation: str
    node_id: str
    absent: bool


@dataclass(frozen=True, slots=True)
class DestroyFailed:
    """A destroy that must be tried again."""

    operation: str
    node_id: str
    fault: Fault


Outcome = Created | CreateFailed | CreateUnknown | Destroyed | DestroyFailed


@dataclass(frozen=True, slots=True)
class Listing:
    """The newest finished listing of one pool.

    Attributes:
        asked_at: when the listing was asked for, seconds on the daemon's timeline: what was created later may be missing.
        nodes: every machine shown, or the fault of a failed listing, which says nothing about any machine.
        serial: counts the finished listings of the pool, so that one listing is never counted twice.
    """

    pool: str
    asked_at: float
    nodes: tuple[Node, ...] | Fault
    serial: int


@dataclass(frozen=True, slots=True)
class CloudView:
    """What the clouds have told since the last cycle.

    Attributes:
        listings: the newest listing by pool; a pool that was never listed is absent.
        outcomes: calls that have ended since the last cycle.
        in_flight: operations with a call still running or waiting for a worker.
        resends: pools whose driver takes a client token, so that a create may be sent again.
    """

    listings: tuple[Listing, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    in_flight: frozenset[str] = frozenset()
    resends: frozenset[str] = frozenset()

    def listing(self, pool: str) -> Listing | None:
        """The newest listing of that pool, or None."""
        return next((each for each in self.listings if each.pool == pool), None)
