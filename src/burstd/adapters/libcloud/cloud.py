"""The `Cloud` port over apache-libcloud: every foreign call on a worker thread, with a deadline, its outcome a value for a later cycle."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from burstd.adapters.libcloud.place import Place
from burstd.adapters.libcloud.pool import CloudPool
from burstd.errors import Retry
from burstd.model.cloud import CloudCall, CloudView
from burstd.ports import Clock


def forbid_blind_retries() -> None:
    """Take libcloud's own retries out of this process's environment: they send a create again whose answer was lost, without its token.

    To be called at start. libcloud takes the variable for true even as "0".
    """
    for name in ("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "RETRY_FAILED_HTTP_REQUESTS"):
        os.environ.pop(name, None)


class LibcloudCloud:
    """The pools' clouds. Used from one thread, the loop's; it never makes a foreign call there."""

    def __init__(self, pools: Sequence[CloudPool], owner: str, clock: Clock, *, list_every: float = 5.0) -> None:
        """Nothing is called and no thread is started before the first `observe`.

        Args:
            pools: each with a name of its own.
            owner: the owner tag's value: whose machines are ours.
            clock: the daemon's timeline; deadlines follow it.
            list_every: seconds between two listings of a pool.

        Raises:
            Misconfigured: a pool's driver is not known.
        """
        self._places = {pool.name: Place(pool, owner, list_every) for pool in pools}
        self._clock = clock
        self._longest = max((pool.call_deadline for pool in pools), default=0.0)
        self._closed = False

    def observe(self) -> CloudView:
        """The newest listings, and the outcomes since the last call. Starts new listings where they are due. Never raises, never waits."""
        now = self._clock.now()
        places = self._places.values()
        outcomes = tuple(outcome for place in places for outcome in place.collect(now))
        if not self._closed:
            for place in places:
                place.list_if_due(now)
        return CloudView(
            listings=tuple(place.listing for place in places if place.listing is not None),
            outcomes=outcomes,
            in_flight=frozenset().union(*(place.in_flight for place in places)),
            resends=frozenset(place.pool.name for place in places if place.tokens),
        )

    def submit(self, call: CloudCall) -> None:
        """Hand a call to a worker and return at once.

        Raises:
            Retry: no worker is free, or too many hang; nothing was sent.
        """
        if self._closed:
            raise Retry("the daemon is ending")
        place = self._places.get(call.pool)
        if place is None:
            raise Retry(f"pool {call.pool} is not in the settings")
        place.submit(call, self._clock.now())

    def alive(self) -> bool:
        """No worker thread has died on its own; if one has, the daemon must end, so that systemd starts it afresh."""
        return all(place.alive for place in self._places.values())

    def close(self) -> None:
        """Take no more calls, and wait for those in flight, no longer than their deadlines; a last `observe` has their outcomes."""
        self._closed = True
        end = time.monotonic() + self._longest
        for place in self._places.values():
            while place.in_flight and (left := end - time.monotonic()) > 0:
                place.wait(self._clock.now(), left)
                place.settle(self._clock.now())
            place.stop()
