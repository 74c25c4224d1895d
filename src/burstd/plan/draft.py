"""A plan while it is being written: the fleet as it will be, and the actions that make it so.

Local to one call of `plan()`; the steps write into it in turn, each seeing what the earlier ones have decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from burstd.lifecycle import advance
from burstd.model.cloud import CloudCall, CreateCall, DestroyCall
from burstd.model.content import HostKey
from burstd.model.decision import Decision
from burstd.model.fleet import ENDED, SERVING, Instance, Phase, PoolState
from burstd.model.gateway import GatewayEdit, GatewayView
from burstd.model.plans import Action, CallCloud, EditGateway, Note, Record, RecordPool, SetTargets
from burstd.model.policy import Policy, PoolPolicy
from burstd.model.snapshot import Snapshot
from burstd.plan.rehearsals import recollect

QUARANTINE_AFTER: Final = 3
"""Instances in a row that never got healthy before their pool's template is taken for broken: each costs money up to its deadline."""


NO_KEY: Final = "nothing is launched: no ssh host key can be made here (`burstd check` says why)"


class Draft:
    """What the steps share.

    Attributes:
        fleet: the live records by operation, brought up to this plan.
        records: what must be durable before any effect.
        edits: what is done in HAProxy.
        pushes: what the content's mirror is told.
        calls: what is asked of the clouds.
        guards: what is done at the database.
        notes: what is said once.
        waiting: what needs nothing but time.
        remembered: what the roster tells of drills.
        rehearsals: the same, brought up to this plan.
        stale: names of those whose content is too old to serve.
        purse: what is left of the budget after the creates of this plan; None: there is no budget.
    """

    def __init__(self, snapshot: Snapshot, decision: Decision, policy: Policy, host_keys: Iterable[HostKey] = ()) -> None:
        self.snapshot = snapshot
        self.decision = decision
        self.policy = policy
        self.now = snapshot.now
        self.fleet: dict[str, Instance] = {each.operation: each for each in snapshot.fleet}
        self.pools: dict[str, PoolState] = dict(snapshot.pools)
        self.records: list[Action] = []
        self.edits: list[EditGateway] = []
        self.pushes: list[SetTargets] = []
        self.calls: list[CallCloud] = []
        self.guards: list[Action] = []
        self.notes: list[Note] = []
        self.waiting: list[str] = []
        self.remembered = self.rehearsals = recollect(decision.memory.stored)
        self.stale: set[str] = set()
        self.purse = decision.purse
        self._punished: set[str] = set()
        self._host_keys = iter(host_keys)
        self._next_key: HostKey | None = None

    @property
    def gateway(self) -> GatewayView | None:
        """HAProxy's backend; None where it could not be read."""
        view = self.snapshot.gateway
        return view if isinstance(view, GatewayView) else None

    def phase(self, *phases: Phase) -> list[Instance]:
        """Live instances in any of these phases, oldest first."""
        return [each for each in self.fleet.values() if each.phase in phases]

    def save(self, instance: Instance) -> Instance:
        """Record an instance's state."""
        self.fleet[instance.operation] = instance
        if instance.phase in ENDED:
            del self.fleet[instance.operation]
        self.records.append(Record(instance))
        return instance

    def move(self, instance: Instance, phase: Phase, reason: str, **changes: Any) -> Instance:
        """Record an instance's next phase."""
        if phase not in SERVING:
            changes["by_hand"] = None
        return self.save(advance(instance, phase, self.now, reason, **changes))

    def expel(self, instance: Instance, reason: str) -> Instance:
        """Drain an instance that cannot serve: unlike one that is merely not needed, it never comes back from the drain."""
        down_since = self.now if instance.down_since is None else instance.down_since
        return self.move(instance, Phase.DRAINING, reason, maint_at=None, down_since=down_since)

    def change(self, instance: Instance, **changes: Any) -> Instance:
        """Record a change within the phase."""
        return self.save(replace(instance, **changes))

    def edit(self, edit: GatewayEdit) -> None:
        """One more edit in HAProxy."""
        self.edits.append(EditGateway(edit))

    def call(self, call: CloudCall) -> None:
        """One more call to a cloud."""
        self.calls.append(CallCloud(call))

    def key_ready(self) -> bool:
        """An instance can be launched: it needs no ssh host key of its own, or one is there."""
        if self.policy.content is not None and self._next_key is None:
            self._next_key = next(self._host_keys, None)
        return self.policy.content is None or self._next_key is not None

    def take_key(self) -> HostKey | None:
        """The host key of the next instance; None where it needs none."""
        key = self._next_key if self.key_ready() else None
        self._next_key = None
        return key

    def too_dear(self, pool: PoolPolicy) -> str:
        """Why one more instance of the pool cannot be paid, in words; empty where it can."""
        return "" if self.purse is None else self.purse.refusal(pool.first_unit)

    def promise(self, pool: PoolPolicy) -> None:
        """One more instance of the pool is to be created."""
        if self.purse is not None:
            self.purse = replace(self.purse, promised=self.purse.promised + pool.first_unit)

    def room(self, kind: type[CreateCall | DestroyCall]) -> int:
        """How many more calls of that kind this cycle may make."""
        return self.policy.fleet.max_step - sum(isinstance(each.call, kind) for each in self.calls)

    def note(self, text: str) -> None:
        """One more thing to say."""
        self.notes.append(Note(text))

    def bar(self, pool: str) -> float:
        """For how many more seconds no create goes to the pool; 0 where it is free."""
        state = self.pools.get(pool)
        return 0.0 if state is None else max(0.0, state.barred_until - self.now)

    def punish(self, pool: str, reason: str, at_least: float = 0.0, *, stop: bool = False, unhealthy: bool = False) -> None:
        """Count a failure against a pool and bar it for the back-off; what several calls of one cycle come to counts once.

        Args:
            pool: its name.
            reason: for people.
            at_least: seconds that the cloud asked for.
            stop: time alone will hardly mend it: bar the pool for the longest back-off at once.
            unhealthy: an instance never got healthy; after `QUARANTINE_AFTER` in a row that stops the pool as well.
        """
        before = self.pools.get(pool, PoolState(pool))
        failures = before.failures + (pool not in self._punished)
        sick = before.unhealthy + unhealthy
        fleet = self.policy.fleet
        back_off = min(fleet.backoff_max, fleet.backoff * 2 ** min(failures - 1, 30))
        if unhealthy and sick >= QUARANTINE_AFTER:
            stop, reason = True, f"{reason}; {sick} instances in a row never got healthy"
        until = self.now + max(fleet.backoff_max if stop else back_off, at_least)
        stopped_before = before.stopped and self.bar(pool) > 0
        if stop and not stopped_before:
            self.note(f"pool {pool} is stopped for {until - self.now:.0f} s or until the settings are read anew: {reason}")
        state = PoolState(pool, failures, max(until, before.barred_until), reason, sick, stop or stopped_before)
        self._punished.add(pool)
        self.pools[pool] = state
        self.records.append(RecordPool(state))

    def forgive(self, pool: str) -> None:
        """An instance of this pool went into service: its failures are over, unless the pool was stopped for something else since."""
        state = self.pools.get(pool)
        if state is not None and state.failures and not (state.stopped and self.bar(pool) > 0):
            self.pools[pool] = PoolState(pool)
            self.records.append(RecordPool(self.pools[pool]))
