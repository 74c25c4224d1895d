"""Whether the replica is to be promoted without an order, and what an operator hears of the database. Pure.

Off by default. It takes two witnesses without a gap, HAProxy for the cores and the primary's own silence, a replica that was in order when
the trouble began, and a fence that is then carried out first: without a fence an unattended promotion is how a split brain is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from burstd.model.database import DatabaseDecision, DatabaseMemory, DatabaseView
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerStatus
from burstd.model.policy import DatabasePolicy
from burstd.model.promotion import AUTOMATIC, PromotionOrder, Stage
from burstd.model.replication import SemiSync, Server, ServerView, ThreadState


def consider(
    view: DatabaseView, policy: DatabasePolicy, cores: Mapping[str, ServerStatus | None], memory: DatabaseMemory, now: float
) -> DatabaseDecision:
    """What to do with the database in this cycle, and what to remember.

    Args:
        view: as it was read.
        policy: the settings in force.
        cores: by name, HAProxy's status of each core server that gets no request, None of one that does or is not known.
        memory: what the last cycle left behind.
        now: the cycle's time, seconds on the daemon's timeline.
    """
    lost = _lost(view, cores)
    since = (now if memory.lost_since is None else memory.lost_since) if lost else None
    notes, told = _hear(view, policy, memory.told)
    waits = _in_the_way(view, policy, since, now)
    if waits:
        return DatabaseDecision(None, waits, notes, DatabaseMemory(since, told))
    order = PromotionOrder(AUTOMATIC, fence=True, unattended=True)
    reason = f"the core and the primary have been lost for {now - (since or now):.0f} s (database.core_lost_for {policy.core_lost_for:g} s)"
    # Should it fail, it is not tried again before it has been lost that long once more.
    return DatabaseDecision(
        order, reason, (*notes, f"{reason}: {view.address(Server.REPLICA)} is to be promoted"), DatabaseMemory(now, told)
    )


def _lost(view: DatabaseView, cores: Mapping[str, ServerStatus | None]) -> bool:
    """Nobody on the core's side shows any life: HAProxy calls every core server DOWN, and the primary does not answer."""
    silent = isinstance(view.primary, Fault) and view.primary.kind is FaultKind.UNREACHABLE
    return silent and bool(cores) and all(status is ServerStatus.DOWN for status in cores.values())


def _in_the_way(view: DatabaseView, policy: DatabasePolicy, since: float | None, now: float) -> str:  # noqa: C901, PLR0911 - one answer for each
    """Why nothing is promoted without an order; empty where nothing is in the way."""
    replica, promotion, sighting = view.replica, view.promotion, view.sighting
    if not policy.auto_promote:
        return "database.auto_promote is off"
    if view.work:
        return view.work
    if promotion is not None and (promotion.stage is Stage.PROMOTED or promotion.by != AUTOMATIC):
        return f"{promotion.by} has ordered a promotion" if promotion.stage is not Stage.PROMOTED else "the replica is promoted"
    if since is None:
        return "the core and the primary are not both lost"
    if now - since < policy.core_lost_for:
        return f"the core and the primary have been lost for {now - since:.0f} of {policy.core_lost_for:g} s"
    if not isinstance(replica, ServerView):
        return "the replica cannot be asked"
    if promotion is not None:
        return ""
    replication = replica.replication
    if replication is None or replication.diverged or replication.sql.error:
        return "the replica is not in order"
    if replication.io.state is ThreadState.RUNNING:
        return "the replica still hears from the primary"
    if sighting is None or sighting.lag is None or since - sighting.lag_at > policy.max_lag:
        return "nobody has seen the replica in order shortly before"
    if sighting.lag > policy.max_lag:
        return f"the replica was {sighting.lag:g} s behind when it was last seen in order (database.max_lag {policy.max_lag:g} s)"
    return ""


def _hear(view: DatabaseView, policy: DatabasePolicy, before: Mapping[str, str]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """What is new: by topic what is the case now, and the sentences of those topics that have changed.

    What is well at the first look is not worth a sentence; a topic that cannot be judged now stays as it was.
    """
    told, notes = dict(before), []
    for topic, state, well, text in _conditions(view, policy):
        if told.get(topic, "" if well else None) != state and not (well and topic not in told):
            notes.append(text)
        told[topic] = state
    return tuple(notes), told


def _conditions(view: DatabaseView, policy: DatabasePolicy) -> Iterator[tuple[str, str, bool, str]]:
    """Topic, state, whether that is well, and a sentence."""
    for server in Server:
        reading, name = view.server(server), f"the {server} {view.address(server)}"
        if isinstance(reading, ServerView):
            yield f"{server} answers", "yes", True, f"{name} answers again"
        elif reading is not None:
            yield f"{server} answers", str(reading.kind), False, f"{name}: {reading.text}"
    if isinstance(view.replica, ServerView):
        yield from _replica(view, view.replica, policy)
    if isinstance(view.primary, ServerView):
        yield from _primary(view, view.primary)
    if not isinstance(view.listener, Fault):
        serving = " and ".join(f"the {each}" for each in view.listener.serving)
        yield "serving", serving, bool(serving), f"the database's listener serves {serving or 'nobody'}"


def _replica(view: DatabaseView, replica: ServerView, policy: DatabasePolicy) -> Iterator[tuple[str, str, bool, str]]:
    replication, name, promotion = replica.replication, f"the replica {view.address(Server.REPLICA)}", view.promotion
    if promotion is not None and promotion.stage is not Stage.FENCING:
        if promotion.stage is Stage.PROMOTED:
            text = f"the promoted {promotion.replica} is read-only, as after a restart with its old file: `burstd db promote` lets it write"
            writes = f"the promoted {promotion.replica} takes writes"
            yield (
                "promoted",
                "read-only" if replica.restricted else "writes",
                not replica.restricted,
                text if replica.restricted else writes,
            )
        return
    writable = f"{name} takes writes, as a replica should not: set read_only there"
    yield "read-only", str(replica.restricted), replica.restricted, f"{name} is read-only" if replica.restricted else writable
    if replication is None:
        yield "replication", "none", False, f"{name} replicates from nobody"
        return
    if replication.in_order:
        yield "replication", "in order", True, f"{name} replicates in order"
    else:
        thread, what = (replication.sql, "apply") if replication.sql.state is not ThreadState.RUNNING else (replication.io, "receive")
        why = f": error {thread.error}, {thread.text}" if thread.error else ""
        state = f"diverged {thread.error}" if replication.diverged else f"{what} {thread.state} {thread.error}"
        how = "has diverged and must be filled anew (`burstd db rejoin`)" if replication.diverged else f"does not {what}"
        yield "replication", state, False, f"{name} {how}{why}"
    if replication.lag is not None:
        late = replication.lag > policy.max_lag
        text = f"{name} is {replication.lag:g} s behind (database.max_lag {policy.max_lag:g} s)"
        yield "lag", "late" if late else "in time", not late, text if late else f"{name} is within database.max_lag again"


def _primary(view: DatabaseView, primary: ServerView) -> Iterator[tuple[str, str, bool, str]]:
    promotion, name = view.promotion, f"the primary {view.address(Server.PRIMARY)}"
    if promotion is not None:
        if promotion.stage is Stage.PROMOTED:
            how = "takes writes until it is made read-only" if primary.writable else "is read-only"
            where = f"the old primary {promotion.primary} has returned: it stays out of the listener and {how}"
            yield "returned", "writable" if primary.writable else "read-only", False, f"{where}; `burstd db rejoin` says how it comes back"
        return
    state = primary.semi_sync.state
    if state is SemiSync.DEGRADED:
        yield "semi-sync", str(state), False, f"{name} has gone on without semi-sync: what it acknowledges now is not at the replica yet"
    else:
        yield "semi-sync", str(state), True, f"{name}: semi-sync is {state}"
