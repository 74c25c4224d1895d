"""A plan while it is being written: the fleet as it will be, and the actions that make it so.

Local to one call of `plan()`; the steps write into it in turn, each seeing what the earlier ones have decided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from burstd.lifecycle import advance
from burstd.model.cloud import CloudCall, CreateCall, DestroyCall
from burstd.model.decision import Decision
from burstd.model.fleet import ENDED, Instance, Phase, PoolState
from burstd.model.gateway import GatewayEdit, GatewayView
from burstd.model.plans import Action, CallCloud, EditGateway, Note, Record, RecordPool
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot


class Draft:
    """What the steps share.

    Attributes:
        fleet: the live records by operation, brought up to this plan.
        records: what must be durable before any effect.
        edits: what is done in HAProxy.
        calls: what is asked of the clouds.
        notes: what is said once.
        waiting: what needs nothing but time.
    """

    def __init__(self, snapshot: Snapshot, decision: Decision, policy: Policy) -> None:
        self.snapshot = snapshot
        self.decision = decision
        self.policy = policy
        self.now = snapshot.now
        self.fleet: dict[str, Instance] = {each.operation: each for each in snapshot.fleet}
        self.pools: dict[str, PoolState] = dict(snapshot.pools)
        self.records: list[Action] = []
        self.edits: list[EditGateway] = []
        self.calls: list[CallCloud] = []
        self.notes: list[Note] = []
        self.waiting: list[str] = []

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

    def room(self, kind: type[CreateCall | DestroyCall]) -> int:
        """How many more calls of that kind this cycle may make."""
        return self.policy.fleet.max_step - sum(isinstance(each.call, kind) for each in self.calls)

    def note(self, text: str) -> None:
        """One more thing to say."""
        self.notes.append(Note(text))

    def punish(self, pool: str, reason: str, at_least: float = 0.0) -> None:
        """Count a failure against a pool and bar it for the back-off, or for the `at_least` seconds that it asked for."""
        failures = self.pools.get(pool, PoolState(pool)).failures + 1
        fleet = self.policy.fleet
        back_off = min(fleet.backoff_max, fleet.backoff * 2 ** min(failures - 1, 30))
        state = PoolState(pool, failures, self.now + max(back_off, at_least), reason)
        self.pools[pool] = state
        self.records.append(RecordPool(state))

    def forgive(self, pool: str) -> None:
        """An instance of this pool went into service: its failures are over."""
        if pool in self.pools and self.pools[pool].failures:
            self.pools[pool] = PoolState(pool)
            self.records.append(RecordPool(self.pools[pool]))
