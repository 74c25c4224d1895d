"""An instance's life: one table of the legal phase changes, the cause of each, and a deadline for each waiting phase.

Pure; it decides nothing. Anything may become gone: a cloud may lose a machine at any moment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from burstd.errors import IllegalTransition
from burstd.model.fleet import ENDED, Instance, Phase
from burstd.model.policy import FleetPolicy

TRANSITIONS: Final[dict[Phase, dict[Phase, str]]] = {
    Phase.INTENDED: {
        Phase.REQUESTED: "the create is handed to a worker",
        Phase.FAILED: "it is no longer wanted, and nothing was ever sent",
    },
    Phase.REQUESTED: {
        Phase.BOOTING: "the cloud answered with a machine",
        Phase.UNKNOWN: "the answer was lost, late, or nobody waits for it any more",
        Phase.FAILED: "the cloud certainly made nothing",
    },
    Phase.UNKNOWN: {
        Phase.REQUESTED: "the identical request is sent again under its token",
        Phase.BOOTING: "a listing or a late answer shows the machine",
        Phase.FAILED: "a late answer says that nothing was made",
        Phase.ABANDONED: "two plausible listings after the settle time do not show it",
    },
    Phase.BOOTING: {
        Phase.SYNCING: "the machine runs and has an address",
        Phase.DESTROYING: "the boot deadline is past, the machine is in error, or it is no longer wanted",
    },
    Phase.SYNCING: {
        Phase.JOINING: "the check path answers, and the content is there",
        Phase.DESTROYING: "the sync deadline is past, or it is no longer wanted",
    },
    Phase.JOINING: {
        Phase.IN_SERVICE: "HAProxy's own health check passes",
        Phase.STANDBY: "HAProxy's own health check passes, and it is kept as the reserve",
        Phase.DRAINING: "the join deadline is past, its drill is over, or it is no longer wanted",
    },
    Phase.IN_SERVICE: {
        Phase.DRAINING: "it is no longer wanted, unhealthy, or an operator drains it",
        Phase.STANDBY: "it is kept as the reserve",
    },
    Phase.STANDBY: {
        Phase.IN_SERVICE: "it is the first to relieve the core",
        Phase.DRAINING: "it is no longer wanted, unhealthy, or an operator drains it",
    },
    Phase.DRAINING: {
        Phase.JOINING: "the load is back before it has left HAProxy",
        Phase.DESTROYING: "HAProxy no longer lists it",
    },
    Phase.DESTROYING: {},
    Phase.GONE: {},
    Phase.FAILED: {},
    Phase.ABANDONED: {Phase.DESTROYING: "its machine has turned up after all"},
}
"""From, to, and why. `GONE` is legal from every phase that has not ended."""


def advance(instance: Instance, phase: Phase, now: float, reason: str, **changes: Any) -> Instance:
    """The instance in its new phase since `now`, with further fields changed.

    Raises:
        IllegalTransition: the table has no way from here to there.
    """
    lost = phase is Phase.GONE and instance.phase not in ENDED
    if not lost and phase not in TRANSITIONS[instance.phase]:
        raise IllegalTransition(f"{instance.name}: {instance.phase} cannot become {phase}")
    entered = instance.entered
    if all(known is not phase for known, _ in entered):
        entered = (*entered, (phase, now))
    return replace(instance, phase=phase, since=now, reason=reason, entered=entered, **changes)


def deadline(instance: Instance, policy: FleetPolicy) -> float | None:
    """When the instance must have left its phase, seconds on the daemon's timeline; None where it may stay."""
    patience = {
        Phase.BOOTING: policy.boot_deadline,
        Phase.SYNCING: policy.sync_deadline,
        Phase.JOINING: policy.join_deadline,
        Phase.DRAINING: policy.drain_deadline,
        Phase.UNKNOWN: policy.settle,
    }.get(instance.phase)
    return None if patience is None else instance.since + patience


def overdue(instance: Instance, policy: FleetPolicy, now: float) -> bool:
    """The instance has outstayed its phase's deadline."""
    limit = deadline(instance, policy)
    return limit is not None and now > limit
