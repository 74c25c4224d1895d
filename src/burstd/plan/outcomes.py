"""What the ended calls mean for the instances they were made for."""

from __future__ import annotations

from typing import Final

from burstd.model.cloud import Created, CreateFailed, CreateUnknown, Destroyed, DestroyFailed, Outcome
from burstd.model.faults import FaultKind
from burstd.model.fleet import Instance, Phase
from burstd.plan.draft import Draft

_MENDED_BY_HAND: Final = frozenset({FaultKind.DENIED, FaultKind.MISCONFIGURED, FaultKind.REJECTED})
"""Why a create is refused until somebody mends credentials or settings: to ask again soon is of no use."""


def absorb_outcomes(draft: Draft) -> None:
    """Move every instance on by the answers that have come in; an answer for a record that has ended changes nothing."""
    for outcome in draft.snapshot.cloud.outcomes:
        instance = draft.fleet.get(outcome.operation)
        if instance is not None:
            _absorb(draft, instance, outcome)


def _absorb(draft: Draft, instance: Instance, outcome: Outcome) -> None:
    asked = instance.phase in {Phase.REQUESTED, Phase.UNKNOWN}
    match outcome:
        case Created(node=node) if asked:
            address = node.addresses[0] if node.addresses else None
            draft.move(instance, Phase.BOOTING, "the cloud has made it", node_id=node.id, address=address, attempts=0)
        case CreateFailed(fault=fault, retry_after=patience) if asked:
            draft.punish(instance.pool, fault.text, patience or 0.0, stop=fault.kind in _MENDED_BY_HAND)
            if instance.attempts > 1:
                # Only the newest request certainly made nothing; an earlier one with a lost answer may have.
                _doubt(draft, instance, f"sent again and refused: {fault.text}")
            else:
                draft.move(instance, Phase.FAILED, fault.text)
        case CreateUnknown(fault=fault) if asked:
            if fault.kind is FaultKind.NO_CAPACITY:  # as of a cloud that took the order and ended it for lack of stock
                draft.punish(instance.pool, fault.text)
                instance = draft.change(instance, refused=True)
            _doubt(draft, instance, fault.text)
        case Destroyed(node_id=node_id, absent=True) if instance.phase is Phase.DESTROYING and node_id == instance.node_id:
            draft.move(instance, Phase.GONE, "the cloud has no such machine any more")
        case DestroyFailed(fault=fault) if instance.phase is Phase.DESTROYING:
            draft.note(f"{instance.name} could not be destroyed and is tried again: {fault.text}")


def _doubt(draft: Draft, instance: Instance, why: str) -> None:
    if instance.phase is Phase.REQUESTED:
        draft.move(instance, Phase.UNKNOWN, why)
