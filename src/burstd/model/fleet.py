"""The fleet: instances, each in one phase of its life, and what an operator has ordered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from burstd.model.cloud import LaunchRequest
from burstd.model.content import MirrorTarget
from burstd.model.gateway import AdminState


class Phase(StrEnum):
    """Where an instance is in its life; `burstd.lifecycle` holds the legal ways between them."""

    INTENDED = "intended"
    REQUESTED = "requested"
    UNKNOWN = "unknown"
    BOOTING = "booting"
    SYNCING = "syncing"
    JOINING = "joining"
    IN_SERVICE = "in_service"
    STANDBY = "standby"
    DRAINING = "draining"
    DESTROYING = "destroying"
    GONE = "gone"
    FAILED = "failed"
    ABANDONED = "abandoned"


ON_ITS_WAY = frozenset({Phase.INTENDED, Phase.REQUESTED, Phase.UNKNOWN, Phase.BOOTING, Phase.SYNCING, Phase.JOINING})
"""Bought or being bought, not yet serving: capacity in flight."""

PROMISED = frozenset({Phase.INTENDED, Phase.REQUESTED, Phase.UNKNOWN})
"""A create is meant or under way; whether there is a machine is not known yet."""

SERVING = frozenset({Phase.IN_SERVICE, Phase.STANDBY})

MIRRORED = frozenset({Phase.SYNCING, Phase.JOINING, *SERVING, Phase.DRAINING})
"""The core's content is pushed to them: they serve it, will serve it, or may yet return to serving it."""

ENDED = frozenset({Phase.GONE, Phase.FAILED, Phase.ABANDONED})
"""Nothing is billed and nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A cloud machine that burstd created and owns, or has decided to create.

    Attributes:
        operation: id of the operation that made it: its identity in roster, tag, token and name.
        request: the parameters of its create, to the letter.
        phase: where it is in its life.
        since: when it entered that phase, seconds on the daemon's timeline.
        created_at: when it was intended.
        reason: why it is in this phase, one clause for people.
        node_id: the cloud's id, once bound.
        address: the IP address to reach it by, once known.
        joined_at: when it last went into service, or first stood by; None before.
        maint_at: when HAProxy was told to put it in MAINT on its way out; None before.
        down_since: since when it cannot serve (HAProxy calls it DOWN, or its machine is lost); None while it can.
        missed: plausible listings in a row that did not show it.
        missed_since: when the first of these was asked for.
        missed_serial: serial of the last listing that was counted.
        attempts: how often its create or destroy was sent.
        attempted_at: when it was last sent.
        refused: the cloud took its create and ended it for lack of stock, so that most likely nothing was made.
        reserve: on its way, it is to stand by and not to go into service.
        up_in: (pid, start) of the HAProxy in which all its lines were seen UP since burstd last changed one: what is drained or in
            maintenance there is so by somebody's hand. None: in none.
        by_hand: how somebody holds it out of rotation in HAProxy; None: nobody does.
        drill: it is there to rehearse: billed, and neither capacity nor ever sent a request, unless it is taken into service after all.
        entered: when it first entered each of its phases, in their order.
        host_key: the public part of the ssh host key that it was given at its launch; None: none was.
        unread_since: since when its content token cannot be read; None: it can, or nobody asks.
    """

    operation: str
    request: LaunchRequest
    phase: Phase
    since: float
    created_at: float
    reason: str
    node_id: str | None = None
    address: str | None = None
    joined_at: float | None = None
    maint_at: float | None = None
    down_since: float | None = None
    missed: int = 0
    missed_since: float | None = None
    missed_serial: int = 0
    attempts: int = 0
    attempted_at: float | None = None
    refused: bool = False
    reserve: bool = False
    up_in: tuple[int, float] | None = None
    by_hand: AdminState | None = None
    drill: bool = False
    entered: tuple[tuple[Phase, float], ...] = ()
    host_key: str | None = None
    unread_since: float | None = None

    @property
    def name(self) -> str:
        """Its name in the cloud and in HAProxy."""
        return self.request.name

    @property
    def pool(self) -> str:
        """The pool it was bought from."""
        return self.request.pool

    @property
    def bought_at(self) -> float:
        """When its create was first sent; of one that was adopted, and of an orphan, when it was found."""
        return next((at for phase, at in self.entered if phase is Phase.REQUESTED), self.created_at)

    @property
    def target(self) -> MirrorTarget | None:
        """What the content is pushed to; None while its address is not known, or where no host key of it is."""
        return None if self.address is None or self.host_key is None else MirrorTarget(self.address, self.host_key)

    @property
    def on_its_way(self) -> bool:
        """It is capacity in flight. One that was refused is not waited for; until it is resolved it still counts against the maximum.

        A drill is none: nobody counts on it.
        """
        return self.phase in ON_ITS_WAY and not self.drill and not (self.phase is Phase.UNKNOWN and self.refused)

    @property
    def stands_by(self) -> bool:
        """It is a standby, or is to be one: capacity that needs no boot, not capacity in service."""
        return self.phase is Phase.STANDBY or (self.reserve and self.on_its_way)


class Pause(StrEnum):
    """Which direction an operator has stopped."""

    NONE = "none"
    OUT = "out"
    IN = "in"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Override:
    """An operator's `scale --to N`.

    Attributes:
        until: when it ends by itself, seconds on the daemon's timeline; None: when it is taken back.
        owner: who ordered it, as the operator's system names them.
    """

    count: int
    owner: str
    reason: str
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class DrillOrder:
    """An operator's `drill burst`, until the next cycle takes it up.

    Attributes:
        at: when it was ordered, seconds on the daemon's timeline.
        pool: where; None: in the first pool that is not barred.
        owner: who ordered it, as the operator's system names them.
    """

    at: float
    owner: str
    pool: str | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """What operators have ordered and not taken back.

    Attributes:
        override: the wanted number, if somebody ordered one.
        pause: the stopped directions.
        drains: names of instances that an operator wants drained and gone.
        drill: the rehearsal that is to begin.
    """

    override: Override | None = None
    pause: Pause = Pause.NONE
    drains: frozenset[str] = frozenset()
    drill: DrillOrder | None = None

    def override_at(self, now: float) -> Override | None:
        """The override in force; None where nobody ordered one or it has ended when it said."""
        override = self.override
        return None if override is None or (override.until is not None and now >= override.until) else override


@dataclass(frozen=True, slots=True)
class PoolState:
    """How a pool has behaved: failures in a row bar it for a time.

    Attributes:
        failures: cycles in a row with failed creates or instances that never got healthy.
        barred_until: no create before this time; 0 where it is not barred.
        reason: the last failure, for people.
        unhealthy: instances in a row that never got healthy.
        stopped: barred for what time alone will hardly mend (credentials, parameters, a template that never gets healthy): for the longest
            back-off, or until the settings are read anew.
    """

    pool: str
    failures: int = 0
    barred_until: float = 0.0
    reason: str = ""
    unhealthy: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Cooldowns:
    """When the fleet last grew and shrank by decision, kept over restarts; None: never."""

    scale_out: float | None = None
    scale_in: float | None = None
