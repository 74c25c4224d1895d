"""What the clouds' listings mean: machines bound, missing, doubled, orphaned; and creates whose outcome nobody knows.

The ownership protocol's rules on reading (facts on clouds): a failed or suddenly empty listing says nothing; missing takes three
listings over a minute; ours is what carries our owner tag and an operation tag, and nothing else is ever touched.
"""

from __future__ import annotations

from collections.abc import Iterator

from burstd.model.cloud import CreateCall, DestroyCall, LaunchRequest, Listing, Node, NodeState
from burstd.model.faults import Fault
from burstd.model.fleet import Instance, Phase
from burstd.plan.draft import Draft
from burstd.plan.residency import outside

MISSES = 3
"""Plausible listings in a row without a machine before it counts as missing."""
MISSING_FOR = 60.0
"""Seconds that these listings must span: clouds are eventually consistent, and a young machine may not be listed yet."""
_RESEND_AFTER = 5.0
"""First wait before a create of unknown outcome is sent again, seconds; doubles with each attempt."""
_MOST_RESENDS = 6
"""After these the settle time and the listings decide."""
_ABANDON_MISSES = 2

_BOUND = frozenset({Phase.BOOTING, Phase.SYNCING, Phase.JOINING, Phase.IN_SERVICE, Phase.STANDBY, Phase.DRAINING})


def compare_listings(draft: Draft) -> None:
    """Bring the fleet up to what the newest plausible listings show."""
    for listing in draft.snapshot.cloud.listings:
        if isinstance(listing.nodes, Fault):
            continue
        ours = {node.id: node for node in listing.nodes if node.owner == draft.policy.owner and node.operation}
        _bind(draft, ours)
        _note_states(draft, ours)
        _destroy_strays(draft, listing, ours)
        if ours or not any(True for _ in _expected(draft, listing.pool)):
            _count_missing(draft, listing, set(ours))


def _expected(draft: Draft, pool: str) -> Iterator[Instance]:
    """Instances that a truthful listing of this pool shows; an empty one beside these is a lie."""
    return (each for each in draft.phase(*_BOUND) if each.pool == pool)


def _bind(draft: Draft, ours: dict[str, Node]) -> None:
    for node in ours.values():
        instance = draft.fleet.get(node.operation or "")
        if instance and instance.phase in {Phase.REQUESTED, Phase.UNKNOWN} and node.state is not NodeState.TERMINATED:
            draft.move(instance, Phase.BOOTING, "a listing shows it", node_id=node.id, attempts=0)


def _note_states(draft: Draft, ours: dict[str, Node]) -> None:
    for instance in draft.phase(*_BOUND, Phase.DESTROYING):
        node = ours.get(instance.node_id or "")
        if node is None:
            continue
        if instance.missed:
            instance = draft.change(instance, missed=0, missed_since=None)  # noqa: PLW2901 - the record as it is from here on
        if node.state is NodeState.TERMINATED:
            lose(draft, instance, "the cloud has terminated it")
        elif node.state is NodeState.ERROR and instance.phase in _BOUND:
            if instance.phase in {Phase.BOOTING, Phase.SYNCING}:
                draft.punish(instance.pool, f"{instance.name} is in error", unhealthy=True)
            lose(draft, instance, "the cloud shows it in error", exists=True)


def lose(draft: Draft, instance: Instance, reason: str, *, exists: bool = False) -> None:
    """Let go of an instance that cannot serve: out of HAProxy first where it is listed, then gone (or destroyed, if it exists)."""
    listed = draft.gateway is None or bool(draft.gateway.lines_of(instance.name))
    if instance.phase is Phase.DRAINING or (instance.phase in {Phase.JOINING, Phase.IN_SERVICE, Phase.STANDBY} and listed):
        if instance.phase is not Phase.DRAINING:
            draft.expel(instance, reason)
    elif not exists:
        draft.move(instance, Phase.GONE, reason)
    elif instance.phase in {Phase.BOOTING, Phase.SYNCING}:
        draft.move(instance, Phase.DESTROYING, reason, attempts=0, attempted_at=None)
    else:
        draft.expel(instance, reason)


def _destroy_strays(draft: Draft, listing: Listing, ours: dict[str, Node]) -> None:
    """Destroy machines of ours that no live record stands for: orphans, and the second machine of one operation."""
    live_before = {each.operation for each in draft.snapshot.fleet}
    for node in ours.values():
        ended = draft.now if node.operation in live_before else draft.snapshot.ended.get(node.operation or "", -1.0)
        if node.operation not in draft.fleet and listing.asked_at <= ended <= draft.now:
            continue  # the listing is older than the end of this machine, unless that was told by another wall clock
        instance = draft.fleet.get(node.operation or "")
        if node.state is NodeState.TERMINATED or (instance is not None and instance.node_id in {None, node.id}):
            continue
        if instance is None:
            request = LaunchRequest(node.pool, node.name, image="", size="", location=None, tags=(), token=node.operation or "")
            draft.save(
                Instance(
                    operation=node.operation or "",
                    request=request,
                    phase=Phase.DESTROYING,
                    since=draft.now,
                    created_at=draft.now,
                    reason="an orphan: ours by its tags, and no live record stands for it",
                    node_id=node.id,
                )
            )
            draft.note(f"{node.name} ({node.id}) is ours by its tags and no live record stands for it: it is destroyed")
        elif node.operation not in draft.snapshot.cloud.in_flight and draft.room(DestroyCall) > 0:
            draft.note(f"{node.name} ({node.id}) is a second machine of one operation: it is destroyed")
            draft.call(DestroyCall(node.operation or "", node.pool, node.id))


def _count_missing(draft: Draft, listing: Listing, seen: set[str]) -> None:
    for instance in draft.phase(*_BOUND, Phase.DESTROYING, Phase.UNKNOWN):
        asked_late = listing.asked_at > (instance.attempted_at or instance.since)
        if instance.phase is Phase.DESTROYING and instance.attempted_at is None:
            continue
        known = instance.pool == listing.pool and listing.serial != instance.missed_serial and asked_late
        if not known or instance.node_id in seen:
            continue
        missed, since = instance.missed + 1, instance.missed_since or listing.asked_at
        if instance.phase is Phase.UNKNOWN:
            settled = listing.asked_at > (instance.attempted_at or instance.created_at) + draft.policy.fleet.settle
            if settled and missed >= _ABANDON_MISSES and instance.operation not in draft.snapshot.cloud.in_flight:
                draft.move(instance, Phase.ABANDONED, "the settle time is over and no listing shows it")
            elif settled:
                draft.change(instance, missed=missed, missed_since=since, missed_serial=listing.serial)
        elif missed >= MISSES and listing.asked_at - since >= MISSING_FOR:
            lose(draft, instance, f"missing from {missed} listings in a row")
        else:
            draft.change(instance, missed=missed, missed_since=since, missed_serial=listing.serial)


def resolve_unknown(draft: Draft) -> None:
    """Send a create of unknown outcome again where the driver knows its token; else the listings decide."""
    cloud = draft.snapshot.cloud
    for instance in draft.phase(Phase.REQUESTED):
        if instance.operation not in cloud.in_flight:
            draft.move(instance, Phase.UNKNOWN, "nobody waits for its answer any more")
    for instance in draft.phase(Phase.UNKNOWN):
        if instance.operation in cloud.in_flight:
            continue
        draft.waiting.append(f"{instance.name} may or may not exist")
        due = (instance.attempted_at or instance.since) + _RESEND_AFTER * 2 ** min(instance.attempts, _MOST_RESENDS)
        may = instance.pool in cloud.resends and instance.attempts < _MOST_RESENDS and draft.now >= due and not draft.bar(instance.pool)
        may = may and not outside(draft.policy, instance.pool)
        may = may and not (draft.purse and draft.purse.refusal())  # it may be a new machine; past the budget the listings tell
        if may and draft.room(CreateCall) > 0:
            again = {"attempts": instance.attempts + 1, "attempted_at": draft.now, "refused": False}
            draft.move(instance, Phase.REQUESTED, "sent again under its token", **again)
            draft.call(CreateCall(instance.operation, instance.request))
