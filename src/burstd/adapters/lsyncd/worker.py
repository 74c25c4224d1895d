"""The `Mirror` port: a thread that tells the core the whole list again and again, and keeps what it answers.

The loop never waits for it, and it chooses nothing: what is pushed where is planned, and what a token proves is the model's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from burstd.adapters.lsyncd.core import Core
from burstd.adapters.lsyncd.host_keys import new_host_key
from burstd.errors import BurstdError
from burstd.model.content import MIRROR_PEER, HostKey, MirrorTarget, MirrorView
from burstd.model.faults import Fault, FaultKind
from burstd.ports import Clock

EAGER: Final = 2.0
"""Seconds between two exchanges while a target's first run is not over: an instance waits for just that, and an exchange costs a login."""

EAGER_FOR: Final = 120.0
"""Seconds after a change of the list for which that is worth it; a target that is dark for longer is in no hurry."""

_GAPS: Final = 6
"""Intervals without an answer after which nobody can be expected to have kept up."""


class LsyncdMirror:
    """The mirror behind one core server."""

    def __init__(self, core: Core, clock: Clock, *, interval: float, max_drift: float) -> None:
        """Nobody is asked anything before the first `want`.

        Args:
            core: how it is reached.
            clock: the gateway's timeline.
            interval: seconds between two exchanges.
            max_drift: seconds; for how long tokens must be remembered at least.
        """
        self._core = core
        self._clock = clock
        self._interval = interval
        self._patience = _GAPS * interval + core.deadline
        self._horizon = 2 * max_drift + self._patience
        self._changed = threading.Condition()
        self._view = MirrorView()
        self._due = False
        self._releasing = False
        self._closing = False
        self._told_at = 0.0
        self._thread: threading.Thread | None = None

    def observe(self) -> MirrorView:
        """What is known by now."""
        with self._changed:
            return self._view

    def want(self, targets: Sequence[MirrorTarget]) -> None:
        """Push to these from now on."""
        with self._changed:
            self._view = replace(self._view, told=tuple(targets))
            self._told_at = time.monotonic()
            self._wake()

    def release(self) -> None:
        """Lift the hold with the next exchange that succeeds."""
        with self._changed:
            self._releasing = True
            self._wake()

    def host_keys(self) -> Iterator[HostKey]:
        """Fresh host keys."""
        while True:
            try:
                yield new_host_key()
            except BurstdError:
                return

    def close(self) -> None:
        """Ask nothing more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(self._core.deadline + 1.0)

    def _wake(self) -> None:
        self._due = True
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._due and not self._closing:
                    self._changed.wait(self._pause())
                if self._closing and not self._due:
                    return
                self._due = False
                told, release = self._view.told or (), self._releasing
            self._exchange(told, release=release)

    def _pause(self) -> float:
        view, age = self._view, time.monotonic() - self._told_at
        waiting = any(not (state := view.states.get(each.address)) or not state.synced for each in view.told or ())
        return min(EAGER, self._interval) if waiting and age < EAGER_FOR and not view.held else self._interval

    def _exchange(self, told: tuple[MirrorTarget, ...], *, release: bool) -> None:
        began = self._clock.now()
        try:
            answer = self._core.keep(told, release=release)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the mirror's fault of this exchange, and must not end the thread
            fault = (
                Fault.of(MIRROR_PEER, error)
                if isinstance(error, BurstdError)
                else Fault(MIRROR_PEER, FaultKind.GARBLED, f"its answer cannot be read ({type(error).__name__})")
            )
            with self._changed:
                self._view = self._view.failed(fault)
            return
        with self._changed:
            self._releasing = self._releasing and not release
            self._view = self._view.answered(answer, told, began, self._patience, self._horizon)
