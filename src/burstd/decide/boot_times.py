"""How long instances take from their create into service, pool by pool: what every launch and every drill has shown.

The last few of each pool are kept, in the roster too, so that a restart forgets none and a cloud that has become slower shows soon. The
80 % quantile is what planning ahead should count on: one boot in five takes longer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from burstd.model.boot import Boot
from burstd.model.fleet import Instance, Phase
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

Boots = Mapping[str, tuple[Boot, ...]]
"""By pool, the boots seen last, oldest first."""

BOOTS: Final = "boot times"
"""The name that the text has in the roster."""
KEPT: Final = 32
"""Boots kept for each pool: an 80 % quantile over fewer jumps with each new one, and more would hold the memory of last year's image."""
PLANNED_WITH: Final = 0.8
"""The quantile of the boots that planning ahead counts on."""
_VERSION: Final = 1
_LONGEST: Final = 86_400.0
"""Seconds; a boot of more than a day was measured by a wall clock that has jumped."""


def boot_time(boots: Boots, pool: str) -> float | None:
    """Seconds from a create in that pool until its instance serves, which four of five do not exceed; None while none was seen."""
    return quantile([each.ready for each in boots.get(pool, ())], PLANNED_WITH)


def quantile(values: Sequence[float], part: float) -> float | None:
    """The smallest of the values that this part of them does not exceed; None of none."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)] if values else None


def learn_boots(boots: Boots, snapshot: Snapshot, policy: Policy) -> Boots:
    """With the boots that have ended since the last one that was learned; pools that the settings no longer have are forgotten."""
    found: dict[str, tuple[Boot, ...]] = {}
    for pool in policy.pools:
        known = boots.get(pool.name, ())
        last = known[-1].at if known else -math.inf
        fresh = [boot for each in snapshot.fleet if each.pool == pool.name and (boot := _boot(each)) and boot.at > last]
        if kept := (*known, *sorted(fresh))[-KEPT:] if fresh else known:
            found[pool.name] = kept
    return found


def _boot(instance: Instance) -> Boot | None:
    """The instance's way up; None where it is not over, was broken off, or was not seen from its beginning, as with what was adopted."""
    entered = dict(instance.entered)
    began = entered.get(Phase.REQUESTED)
    ends = (instance.joined_at if instance.drill else None, entered.get(Phase.IN_SERVICE), entered.get(Phase.STANDBY))
    at = min((each for each in ends if each is not None), default=None)
    if began is None or at is None or Phase.SYNCING not in entered or Phase.JOINING not in entered:
        return None
    drained = entered.get(Phase.DRAINING, math.inf)
    boot = Boot(at, entered[Phase.SYNCING] - began, entered[Phase.JOINING] - began, at - began)
    return boot if at <= drained and 0 <= boot.running <= boot.synced <= boot.ready <= _LONGEST else None


def write_boots(boots: Boots) -> str:
    """The text that the roster keeps."""
    return _written(tuple(boots.items()))


@lru_cache(maxsize=4)
def _written(boots: tuple[tuple[str, tuple[Boot, ...]], ...]) -> str:
    """Once for each change: every cycle asks whether it differs from what is stored."""
    return json.dumps({"version": _VERSION, "pools": dict(boots)})


def read_boots(text: str, now: float) -> Boots | None:
    """What the text tells; None where it is not what this version writes.

    What lies in the future was stored on a wall clock that has been set back since, and is taken for now (seconds on the timeline).
    """
    try:
        found = json.loads(text)
        pools = {str(name): tuple(_read(each, now) for each in kept)[-KEPT:] for name, kept in found["pools"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    sane = all(math.isfinite(value) for kept in pools.values() for boot in kept for value in boot)
    return pools if found.get("version") == _VERSION and sane else None


def _read(found: Sequence[float], now: float) -> Boot:
    boot = Boot(*map(float, found))
    return boot._replace(at=min(boot.at, now))
