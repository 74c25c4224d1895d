"""What exists outside burstd: time, pools, machines, and the troubles that were ordered for the calls to come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from burstd.errors import NoCapacity
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, Node, NodeState


class MemoryClock:
    """The `Clock` port, moved by hand."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        """Begin at `start`, seconds on the daemon's timeline."""
        self._now = start

    def now(self) -> float:
        """Seconds on the timeline."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; it never goes back."""
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} s")
        self._now += seconds


class CreateTrouble(Enum):
    """What goes wrong with one create."""

    REFUSED = auto()
    """The cloud certainly makes nothing."""
    REQUEST_LOST = auto()
    """Nothing is made, and nobody knows it."""
    ANSWER_LOST = auto()
    """The machine is made, and nobody knows it."""
    LATE = auto()
    """Unknown at its deadline; the machine is made `MemoryPool.late` seconds on, and then the answer comes after all."""
    TWINS = auto()
    """Two machines are made and one is told of, unless the pool knows tokens."""
    ENDED = auto()
    """Taken, and ended for lack of stock: nothing is made, and the answer leaves that open."""
    ENDED_AND_MADE = auto()
    """The same answer, and the machine is made all the same."""


class DestroyTrouble(Enum):
    """What goes wrong with one destroy."""

    REFUSED = auto()
    """Nothing happens, and it is told."""
    ANSWER_LOST = auto()
    """The machine goes, and the call fails."""
    IGNORED = auto()
    """The call succeeds, and the machine lives."""
    LATE = auto()
    """The call fails at its deadline; the machine goes `MemoryPool.late` seconds on."""


class ListTrouble(Enum):
    """What goes wrong with one listing."""

    FAILED = auto()
    """There is none."""
    EMPTY = auto()
    """It looks well and shows nothing."""
    TRUNCATED = auto()
    """The newer half is missing."""


@dataclass(frozen=True, slots=True)
class MemoryPool:
    """One simulated place to get machines from; times in seconds.

    Attributes:
        capacity: machines that can be alive at once, strangers' included.
        boot: from the create to running with an address.
        sync: from there until it serves.
        tokens: the same client token makes the same machine.
        call: how long a create or destroy takes until its outcome is there.
        late: see `CreateTrouble.LATE` and `DestroyTrouble.LATE`.
        lag: how long a new machine is missing in listings.
        tombstone: how long a destroyed machine is still listed as terminated.
        stretch: asked for each machine; times `boot` and `sync`, what it takes. An infinite one: it never runs.
    """

    name: str
    capacity: int = 10
    boot: float = 0.0
    sync: float = 0.0
    tokens: bool = True
    call: float = 0.0
    late: float = 30.0
    lag: float = 0.0
    tombstone: float = 60.0
    stretch: Callable[[], float] = lambda: 1.0


@dataclass(slots=True)
class Machine:
    """One machine of the simulated clouds; times on the daemon's timeline.

    Attributes:
        healthy: set to False, it runs and does not serve.
        broken: set to True, its state is error.
        destroyed_at: when it went; None while it is billed.
    """

    pool: str
    id: str
    name: str
    address: str
    tags: Mapping[str, str]
    token: str
    created_at: float
    runs_at: float
    serves_at: float
    healthy: bool = True
    broken: bool = False
    destroyed_at: float | None = None

    @property
    def alive(self) -> bool:
        """Somebody pays for it."""
        return self.destroyed_at is None

    def node(self, now: float) -> Node:
        """What a listing says of it."""
        running = now >= self.runs_at
        if not self.alive:
            state = NodeState.TERMINATED
        elif self.broken:
            state = NodeState.ERROR
        else:
            state = NodeState.RUNNING if running else NodeState.PENDING
        return Node(
            pool=self.pool,
            id=self.id,
            name=self.name,
            state=state,
            addresses=(self.address,) if running and self.alive else (),
            owner=self.tags.get(OWNER_TAG),
            operation=self.tags.get(OPERATION_TAG),
        )


class MemoryWorld:
    """Pools, machines, and ordered troubles.

    Attributes:
        machines: every machine that ever was, in the order of its making.
        creates: troubles of the creates to come, one each, first in first out; None: that one goes well. Empty: all go well.
        destroys: the same for destroys.
        listings: the same for listings, by pool.
        tokens: by address, the content token that the machine there serves.
    """

    def __init__(self, pools: Iterable[MemoryPool] = (MemoryPool("memory"),), clock: MemoryClock | None = None) -> None:
        """An empty world."""
        self.clock = clock or MemoryClock()
        self.pools = {pool.name: pool for pool in pools}
        self.machines: list[Machine] = []
        self.creates: deque[CreateTrouble | None] = deque()
        self.destroys: deque[DestroyTrouble | None] = deque()
        self.listings: dict[str, deque[ListTrouble | None]] = {name: deque() for name in self.pools}
        self.tokens: dict[str, str] = {}
        self._later: list[tuple[float, Callable[[], None]]] = []
        # A simulation of weeks makes thousands of machines, and asks for those that are left many times in each cycle.
        self._standing: list[Machine] = []
        self._by_address: dict[str, Machine] = {}
        self._by_token: dict[tuple[str, str], Machine] = {}

    @property
    def alive(self) -> list[Machine]:
        """The machines that somebody pays for, oldest first."""
        return [each for each in self._standing if each.alive]

    def make(self, pool: str, name: str, tags: Mapping[str, str], token: str = "") -> Machine:
        """One machine, or the one that this token has made before, gone or not.

        Raises:
            NoCapacity: the pool is full.
        """
        place = self.pools[pool]
        if place.tokens and token and (before := self._by_token.get((pool, token))):
            return before
        if sum(machine.alive and machine.pool == pool for machine in self._standing) >= place.capacity:
            raise NoCapacity(f"all {place.capacity} machines are taken")
        number = len(self.machines) + 1
        now, stretch = self.clock.now(), place.stretch()
        machine = Machine(
            pool=pool,
            id=f"m-{number:06}",
            name=name,
            address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            tags=dict(tags),
            token=token,
            created_at=now,
            runs_at=now + place.boot * stretch,
            serves_at=now + (place.boot + place.sync) * stretch,
        )
        self.machines.append(machine)
        self._standing.append(machine)
        self._by_address[machine.address] = machine
        self._by_token.setdefault((pool, token), machine)
        return machine

    def end(self, machine: Machine) -> None:
        """Let a machine go, unless it has gone before."""
        if machine.destroyed_at is None:
            machine.destroyed_at = self.clock.now()

    def machine(self, node_id: str) -> Machine | None:
        """The machine of that id; None where there never was one, or its tombstone is gone."""
        self.settle()
        return next((each for each in self._standing if each.id == node_id and self._shown(each)), None)

    def nodes(self, pool: str) -> list[Node]:
        """What a listing of the pool shows now."""
        self.settle()
        now = self.clock.now()
        young = now - self.pools[pool].lag
        self._standing = [each for each in self._standing if self._shown(each)]
        return [each.node(now) for each in self._standing if each.pool == pool and each.created_at <= young]

    def serves(self, address: str) -> bool:
        """A machine at this address answers its check path."""
        found = self._by_address.get(address)
        sound = found is not None and found.alive and found.healthy and not found.broken
        return found is not None and sound and self.clock.now() >= found.serves_at

    def runs(self, address: str) -> bool:
        """A machine at this address can be logged in to."""
        found = self._by_address.get(address)
        return found is not None and found.alive and not found.broken and self.clock.now() >= found.runs_at

    def later(self, seconds: float, happening: Callable[[], None]) -> None:
        """Let something happen `seconds` from now, whoever is still there to see it."""
        self._later.append((self.clock.now() + seconds, happening))

    def settle(self) -> None:
        """Let everything happen whose time has come, in its order."""
        if not self._later:
            return
        due = sorted((each for each in self._later if each[0] <= self.clock.now()), key=lambda each: each[0])
        self._later = [each for each in self._later if each not in due]
        for _, happening in due:
            happening()

    def _shown(self, machine: Machine) -> bool:
        return machine.destroyed_at is None or self.clock.now() < machine.destroyed_at + self.pools[machine.pool].tombstone
