"""What a weight is worth: under roundrobin exactly its part of the requests, under other algorithms what the counters show.

Under leastconn weights share the requests in flight, so a slower server gets fewer a second; hashes share the keys; random takes
the less busy one of two. There the burst servers get `skew` times what their weights say, learned from HAProxy's own counters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from burstd.decide.traffic import History

EXACT: Final = frozenset({"roundrobin", ""})
"""Algorithms whose shares are the weights; the empty one is not known, where the socket hides it."""
WEIGHTLESS: Final = frozenset({"first"})
"""Algorithms that look at no weight."""
_SEEN: Final = 200
"""Requests after which half of what is learned is new: some seconds of a busy site."""
SKEW_RANGE: Final = (1 / 16, 16.0)
"""Beyond this something else than the algorithm shares the requests, such as a cookie."""


def named(balance: str) -> str:
    """The algorithm's name for people: HAProxy 2.6 calls two of them "unknown"."""
    return "random or hash" if balance == "unknown" else balance


def learn_skew(backend: str, cores: Sequence[History], bursts: Sequence[History], odds: float, known: Mapping[str, float]) -> float:
    """How many times their weights' worth the burst servers get in this backend; `odds` is that worth: burst to core."""
    skew = known.get(backend, 1.0)
    core, burst = (sum(_newest(each, backend) for each in histories) for histories in (cores, bursts))
    if odds <= 0 or not core or not burst:
        return skew
    seen = math.log(burst / core / odds)
    # What few requests tell is mostly scatter: the rarer kind says how much.
    gain = min(0.5, min(core, burst) / _SEEN)
    moved = math.exp(math.log(skew) + gain * (seen - math.log(skew)))
    return max(SKEW_RANGE[0], min(SKEW_RANGE[1], moved))


def _newest(history: History, backend: str) -> int:
    """Requests between the last two points."""
    return max(0, history[-1].arrived.get(backend, 0) - history[-2].arrived.get(backend, 0)) if len(history) > 1 else 0
