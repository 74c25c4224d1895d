"""The `Roster` port in memory: it outlives a simulated crash, as the disk does, by being kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from burstd.model.event import Event
from burstd.model.fleet import ENDED, Cooldowns, Instance, Orders, PoolState


class MemoryRoster:
    """Every method is atomic; nothing is ever lost."""

    def __init__(self, owner: str = "f" * 32) -> None:
        """An empty record of this owner."""
        self._owner = owner
        self._fleet: dict[str, Instance] = {}
        self._ended: Mapping[str, float] = {}
        self._orders = Orders()
        self._cooldowns = Cooldowns()
        self._pools: dict[str, PoolState] = {}
        self._learned: dict[str, str] = {}
        self._events: deque[Event] = deque(maxlen=10_000)

    def owner(self) -> str:
        """The id of this fleet's owner."""
        return self._owner

    def fleet(self) -> Sequence[Instance]:
        """Live records, oldest first."""
        return list(self._fleet.values())

    def ended(self) -> Mapping[str, float]:
        """Operations whose records have ended, and when."""
        return self._ended

    def save(self, *instances: Instance) -> None:
        """Store all of them."""
        for each in instances:
            if each.phase in ENDED:
                self._fleet.pop(each.operation, None)
                # After some simulated weeks they are thousands, and every cycle reads them: what was read stays as it was.
                self._ended = {**self._ended, each.operation: each.since}
            else:
                self._fleet[each.operation] = each
                if each.operation in self._ended:
                    self._ended = {name: at for name, at in self._ended.items() if name != each.operation}

    def orders(self) -> Orders:
        """What operators have ordered."""
        return self._orders

    def save_orders(self, orders: Orders) -> None:
        """Store the orders."""
        self._orders = orders

    def cooldowns(self) -> Cooldowns:
        """When the fleet last grew and shrank."""
        return self._cooldowns

    def save_cooldowns(self, cooldowns: Cooldowns) -> None:
        """Store the cooldowns."""
        self._cooldowns = cooldowns

    def pools(self) -> Mapping[str, PoolState]:
        """How the pools have behaved, by name."""
        return dict(self._pools)

    def save_pool(self, state: PoolState) -> None:
        """Store how one pool has behaved."""
        self._pools[state.pool] = state

    def learned(self) -> Mapping[str, str]:
        """What the policies have learned, as text by name."""
        return dict(self._learned)

    def save_learned(self, policy: str, text: str) -> None:
        """Store what one policy has learned."""
        self._learned[policy] = text

    def events(self, limit: int) -> Sequence[Event]:
        """The newest events, oldest of them first."""
        return list(self._events)[-limit:] if limit > 0 else []

    def add_events(self, events: Sequence[Event]) -> None:
        """Append to the bounded history."""
        self._events.extend(events)

    def close(self) -> None:
        """Nothing to let go of."""
