"""The clouds of one daemon over its reloads, as one `Cloud` port: the newest takes the calls, the older ones finish theirs.

No outcome is lost: an older cloud is asked as long as a call of its is in flight, and closed after that. It knows no library.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Final, Protocol

from burstd.model.cloud import CloudCall, CloudView, Outcome
from burstd.ports import Cloud

_PAUSE: Final = 0.05
"""Seconds between two looks for outcomes while somebody waits for them."""


class LivingCloud(Cloud, Protocol):
    """A cloud that knows whether its workers still work."""

    def alive(self) -> bool:
        """False once a worker has died: what it had in hand will never be answered."""
        ...


class Succession:
    """The clouds in the order of their settings, the one in force last."""

    def __init__(self, cloud: LivingCloud) -> None:
        self._clouds = [cloud]
        self._kept: list[Outcome] = []

    def succeed(self, cloud: LivingCloud) -> None:
        """Let this one take all further calls."""
        self._clouds.append(cloud)

    def observe(self) -> CloudView:
        """The newest cloud's listings, and what the calls of all of them have come to."""
        view = self._look()
        outcomes, self._kept = (*self._kept, *view.outcomes), []
        return replace(view, outcomes=outcomes)

    def submit(self, call: CloudCall) -> None:
        """Hand the call to the newest cloud."""
        self._clouds[-1].submit(call)

    def settle(self, pools: int) -> None:
        """Wait until so many pools are listed and no call is in flight, each ended by its own deadline.

        The next `observe` tells the outcomes.
        """
        while True:
            view = self._look()
            self._kept.extend(view.outcomes)
            if not self.alive() or (len(view.listings) >= pools and not view.in_flight):
                return
            time.sleep(_PAUSE)

    def alive(self) -> bool:
        """Every cloud's workers still work."""
        return all(each.alive() for each in self._clouds)

    def close(self) -> None:
        """Close all of them."""
        for cloud in self._clouds:
            cloud.close()

    def _look(self) -> CloudView:
        views = [each.observe() for each in self._clouds]
        for cloud, view in list(zip(self._clouds[:-1], views, strict=False)):
            if not view.in_flight:
                self._clouds.remove(cloud)
                # A listing that hangs may hold the closing up until its deadline; nobody needs to wait for that.
                threading.Thread(target=cloud.close, name="close cloud", daemon=True).start()
        return replace(
            views[-1],
            outcomes=tuple(outcome for view in views for outcome in view.outcomes),
            in_flight=frozenset().union(*(view.in_flight for view in views)),
        )
