"""The `Mirror` port on the simulated world: time moves it, and it does nothing that was not ordered.

As the real one, it may bring the newest token to a machine whose first run is not over: only what was said before proves anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from burstd.adapters.memory.world import MemoryWorld
from burstd.model.content import HostKey, MirrorAnswer, MirrorTarget, MirrorView, TargetState
from burstd.model.faults import Fault
from burstd.ports import Clock


class MemoryMirror:
    """What burstd sees of it.

    Attributes:
        failure: every exchange ends so; None: they succeed.
        held: why nothing is pushed; empty: it is.
        dark: addresses that cannot be reached.
        run: seconds that a first run takes.
        keyless: no host key can be made.
        whole: addresses to which a first run has ever been over.
    """

    def __init__(
        self, world: MemoryWorld, clock: Clock, *, interval: float = 10.0, run: float = 5.0, before: MemoryMirror | None = None
    ) -> None:
        """Push to the machines of `world`, with a token every `interval` seconds of `clock`.

        `before`: the one of a burstd that has crashed; what the core knows has outlived it.
        """
        self.failure: Fault | None = before.failure if before else None
        self.held: str = before.held if before else ""
        self.dark: set[str] = before.dark if before else set()
        self.whole: set[str] = before.whole if before else set()
        self.run = run
        self.keyless = False
        self._world = world
        self._clock = clock
        self._interval = interval
        self._view = MirrorView()
        self._due = False
        self._releasing = False
        self._asked_at = 0.0
        self._count: int = before._count if before else 0  # noqa: SLF001 - its own earlier self
        self._begun: dict[MirrorTarget, float] = before._begun if before else {}  # noqa: SLF001 - the same

    def observe(self) -> MirrorView:
        """What is known by now."""
        now = self._clock.now()
        if self._view.told is not None and (self._due or now - self._asked_at >= self._interval):
            self._due, self._asked_at = False, now
            self._view = self._exchange(self._view.told, now)
        return self._view

    def want(self, targets: Sequence[MirrorTarget]) -> None:
        """Push to these from now on."""
        self._view = replace(self._view, told=tuple(targets))
        self._due = True

    def release(self) -> None:
        """Lift the hold with the next exchange that succeeds."""
        self._due = self._releasing = True

    def host_keys(self) -> Iterator[HostKey]:
        """Host keys, each another."""
        while not self.keyless:
            self._count += 1
            yield HostKey(f"-----BEGIN\nsecret {self._count}\n-----END\n", f"ssh-ed25519 AAAA{self._count:032}")

    def close(self) -> None:
        """Nothing is held."""

    def _exchange(self, told: tuple[MirrorTarget, ...], now: float) -> MirrorView:
        if self.failure is not None:
            return self._view.failed(self.failure)
        if self._releasing:
            self.held, self._releasing = "", False
        if self.held:
            self._begun = {}
            states = {each.address: TargetState(each.address, "inactive", synced=False) for each in told}
            return self._view.answered(MirrorAnswer(None, states, 0, self.held), told, now, 6 * self._interval, 86400.0)
        self._begun = {each: self._begun[each] for each in told if each in self._begun and each.address not in self.dark}
        synced = {each: each in self._begun and now - self._begun[each] >= self.run for each in told}
        states = {each.address: TargetState(each.address, "active", synced=synced[each], delays=0) for each in told}
        self.whole.update(each.address for each in told if synced[each])
        for each in told:
            if each.address not in self.dark and self._world.runs(each.address):
                self._begun.setdefault(each, now)
        self._count += 1
        token = f"token-{self._count}"
        for each in self._begun:
            self._world.tokens[each.address] = token
        return self._view.answered(MirrorAnswer(token, states, 100), told, now, 6 * self._interval, 86400.0)
