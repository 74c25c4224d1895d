"""One turn: observe, decide, plan, act, in this order, on the loop's thread.

It holds what must live from one cycle to the next (the memory of deciding) and nothing else; it never waits for a slow call, never
sleeps, and never chooses: choosing is decide's and plan's.
"""

from __future__ import annotations

from collections.abc import Callable

from burstd.model.orders import Order
from burstd.model.policy import Policy
from burstd.model.turn import Turn
from burstd.ports import Ports


class Cycle:
    """The cycle of one daemon.

    Attributes:
        policy: the policy in force; assign a new one between two turns (SIGHUP).
    """

    def __init__(self, ports: Ports, policy: Policy, new_operation: Callable[[], str], *, dry_run: bool = False) -> None:
        self.ports = ports
        self.policy = policy
        self._new_operation = new_operation
        self._dry_run = dry_run

    def turn(self) -> Turn:
        """Run one cycle and return it whole; faults of peers are in it, never raised."""
        raise NotImplementedError

    def order(self, order: Order) -> str:
        """Carry an operator's order out: stored before this returns; one sentence that says what is in force now.

        Raises:
            AskOperator: the order cannot be followed (out of bounds, an unknown instance).
        """
        raise NotImplementedError
