"""The real clock: the wall read once, the monotonic clock from then on."""

from __future__ import annotations

import time


class SystemClock:
    """The daemon's timeline (see `burstd.ports.Clock`): an operator who sets the wall clock moves no deadline. Any thread may read it."""

    def __init__(self) -> None:
        """Anchor the timeline to the wall clock of this moment."""
        self._anchor = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch, as of the start; never goes back, never jumps."""
        return self._anchor + time.monotonic()
