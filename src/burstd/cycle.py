"""One turn: observe, decide, plan, act, in this order, on the loop's thread.

It holds what must live from one cycle to the next (the memory of deciding) and nothing else; it never waits for a slow call, never
sleeps, and never chooses: choosing is decide's and plan's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from burstd.act import act
from burstd.decide import decide
from burstd.decide.budget import affordable
from burstd.decide.orders import carry_out
from burstd.errors import AskOperator
from burstd.model.cost import Purse
from burstd.model.decision import Decision, Memory
from burstd.model.event import Event
from burstd.model.orders import Order, ReleaseMirror, ScaleTo, StartDrill
from burstd.model.plans import Plan, Report
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.model.turn import Turn
from burstd.observe import observe, read_gateway
from burstd.plan import plan
from burstd.plan.drill import obstacle
from burstd.plan.narrative import narrate
from burstd.ports import Ports


class Cycle:
    """The cycle of one daemon.

    Attributes:
        policy: the policy in force; assign a new one between two turns (SIGHUP).
    """

    def __init__(
        self, ports: Ports, policy: Policy, new_operation: Callable[[], str], *, dry_run: bool = False, single: bool = False
    ) -> None:
        """Nothing is read yet. `single`: the process ends after a cycle or two, and waits must end though every cycle is a new one's."""
        self.ports = ports
        self.policy = policy
        self._new_operation = new_operation
        self._dry_run = dry_run
        self._memory = Memory(new=not single, stored=None)
        self._number = 0
        self._told = ""
        self._purse: Purse | None = None

    def turn(self) -> Turn:
        """Run one cycle and return it whole; faults of peers are in it.

        Raises:
            BurstdError: the roster cannot be read or written; nothing that rests on it was done.
        """
        wall, cpu = time.perf_counter(), time.thread_time()
        snapshot, decision, planned, report = self._carry_out()
        told, kept = narrate(snapshot, decision, planned, report, self._told)
        if kept and not self._dry_run:
            self.ports.roster.add_events(kept)
        self._keep(decision, report)
        self._told = told
        self._number += 1
        return Turn(
            number=self._number,
            snapshot=snapshot,
            decision=decision,
            plan=planned,
            report=report,
            sentence=told,
            events=kept,
            seconds=time.perf_counter() - wall,
            cpu_seconds=time.thread_time() - cpu,
        )

    def silent_turn(self) -> Decision:
        """Run one cycle as `turn` does, without a sentence and an event: for whoever plays weeks of them, and reads none.

        Raises:
            BurstdError: the roster cannot be read or written; nothing that rests on it was done.
        """
        _, decision, _, report = self._carry_out()
        self._keep(decision, report)
        return decision

    def _carry_out(self) -> tuple[Snapshot, Decision, Plan, Report]:
        snapshot = observe(self.ports, self.policy, self._memory)
        decision = decide(snapshot, self.policy)
        mirror = self.ports.mirror
        planned = plan(snapshot, decision, self.policy, self._operations(), mirror.host_keys() if mirror else ())
        report = Report() if self._dry_run else act(planned, snapshot, self.ports)
        return snapshot, decision, planned, report

    def _keep(self, decision: Decision, report: Report) -> None:
        """What the next cycle must know."""
        self._memory, self._purse = _after(decision.memory, report), decision.purse

    def order(self, order: Order) -> str:
        """Carry an operator's order out: stored before this returns; one sentence that says what is in force now.

        Raises:
            AskOperator: the order cannot be followed (out of bounds, an unknown instance).
            Retry: it cannot be followed now.
        """
        roster, now = self.ports.roster, self.ports.clock.now()
        if isinstance(order, StartDrill) and (why := obstacle(self._glance(now), self.policy, order.pool, self._purse)):
            raise why
        if isinstance(order, ReleaseMirror):
            told = self._release()
        else:
            orders, told = carry_out(order, roster.orders(), self.policy.fleet, roster.fleet(), now)
            roster.save_orders(orders)
            told += self._unpaid(order, len(roster.fleet())) if isinstance(order, ScaleTo) else ""
        roster.add_events([Event(now, "order", order.owner, told)])
        return told

    def _unpaid(self, order: ScaleTo, live: int) -> str:
        """What an order cannot bring about, as the last cycle saw the budget; empty where it can be paid."""
        count, why = affordable(self._purse, self.policy.pools)
        return f"; not all of them can be paid: {why}" if order.count - live > count else ""

    def _glance(self, now: float) -> Snapshot:
        """What tells whether a drill may begin."""
        roster, gateway = self.ports.roster, read_gateway(self.ports.gateway)
        return Snapshot(now, tuple(roster.fleet()), {}, gateway, orders=roster.orders(), pools=roster.pools())

    def _release(self) -> str:
        mirror = self.ports.mirror
        if mirror is None or self.policy.content is None:
            raise AskOperator("content release: there is no mirror here; set content.core (docs/content.md)")
        view = mirror.observe()
        if not view.held:
            raise AskOperator("content release: the mirror is not held, as far as it has answered; `burstd content status` shows it")
        mirror.release()
        return f"the mirror is told to go on, after it was held: {view.held}"

    def _operations(self) -> Iterator[str]:
        while True:
            yield self._new_operation()


def _after(memory: Memory, report: Report) -> Memory:
    """The memory for the next cycle: what could not be stored in this one is still to be."""
    return replace(memory, stored={**(memory.stored or {}), **report.learned}) if report.learned else memory
