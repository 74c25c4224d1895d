"""What deciding has learned, as texts that the roster keeps over a restart: for the weights, boot times, the forecast, and the books.

All of it or nothing: what is damaged, strange or of another version is dropped, and learned anew within minutes, but for the books, whose
loss is said. Those apart, no time is in it that must hold on any clock; windows that need an unbroken run of samples are not in it,
since a restart is a gap in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from burstd.decide.boot_times import BOOTS, read_boots, write_boots
from burstd.decide.capacity import TRIM_RANGE
from burstd.decide.demand_record import DEMAND, read_demand, write_demand
from burstd.decide.ledger import LEDGER, opened
from burstd.decide.weight import LARGEST
from burstd.model.cost import Ledger
from burstd.model.decision import Memory
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot

WEIGHT: Final = "weight"
"""The policy's name in the roster."""
_VERSION: Final = 1
_WORK_RANGE: Final = (1e-9, 1e4)
"""CPU seconds that a request can cost: between these lies whatever was ever measured over a minute, and far outside it whatever harms."""
_NOISE: Final = 0.1
"""A relative change below this is not worth a write to the disk: what one minute shows differs as much from the next one."""


class _StrangeError(ValueError):
    """The text is not what this version writes."""


def recall(snapshot: Snapshot) -> tuple[Memory, tuple[str, ...]]:
    """The memory to decide with: in the first cycle of a process with what an earlier one has learned; and what to say of that."""
    memory, learned = snapshot.memory, snapshot.learned
    if learned is None:
        return memory, ()
    memory = replace(memory, stored=learned)
    strange = []
    if WEIGHT in learned:
        try:
            memory = _read(learned[WEIGHT], memory)
        except _StrangeError:
            strange.append(WEIGHT)
    if BOOTS in learned:
        boots = read_boots(learned[BOOTS], snapshot.now)
        if boots is None:
            strange.append(BOOTS)
        memory = replace(memory, boots=boots or {})
    if DEMAND in learned:
        demand = read_demand(learned[DEMAND])
        if demand is None:
            strange.append(DEMAND)
        memory = replace(memory, demand=demand or memory.demand)
    told = [f'what the roster holds as learned by "{name}" cannot be read: it is dropped, and learned anew' for name in strange]
    if LEDGER in learned:
        ledger = opened(learned[LEDGER])
        if ledger is None:
            told.append(
                "the books that the roster holds cannot be read: what ended instances have cost is forgotten, and no budget counts it"
            )
        memory = replace(memory, ledger=ledger or Ledger())
    return memory, tuple(told)


def lessons(memory: Memory) -> Mapping[str, str]:
    """What is worth storing now: by policy, what differs from what is stored by more than noise."""
    return {**_weight(memory), **_boots(memory), **_demand(memory), **_books(memory)}


def _books(memory: Memory) -> Mapping[str, str]:
    text = memory.ledger.text
    return {LEDGER: text} if text and (memory.stored or {}).get(LEDGER) != text else {}


def _boots(memory: Memory) -> Mapping[str, str]:
    if not memory.boots:
        return {}
    text = write_boots(memory.boots)
    return {BOOTS: text} if (memory.stored or {}).get(BOOTS) != text else {}


def _demand(memory: Memory) -> Mapping[str, str]:
    demand = memory.demand
    text = write_demand(demand) if demand.told is not None and demand.told == demand.minute else None
    return {DEMAND: text} if text is not None and (memory.stored or {}).get(DEMAND) != text else {}


def _weight(memory: Memory) -> Mapping[str, str]:
    if not memory.work:
        return {}
    stored = (memory.stored or {}).get(WEIGHT)
    if stored is not None:
        try:
            if not _moved(*_told(stored), memory):
                return {}
        except _StrangeError:
            pass  # it was dropped when it was read, and is now replaced
    return {WEIGHT: json.dumps({"version": _VERSION, "work": dict(memory.work), "trim": memory.trim, "weights": dict(memory.weights)})}


def work_of_the_living(snapshot: Snapshot, policy: Policy) -> Mapping[str, float]:
    """What was learned of the work per request, without servers that are no more: every instance has a name of its own, for ever."""
    names = {core.server for core in policy.cores} | {each.name for each in snapshot.fleet}
    return {name: cost for name, cost in snapshot.memory.work.items() if name in names}


def _read(text: str, memory: Memory) -> Memory:
    """The memory with what the text tells.

    Raises:
        _StrangeError: it tells something else.
    """
    work, trim, weights = _told(text)
    return replace(memory, work=dict(work), trim=trim, weights=dict(weights))


@lru_cache(maxsize=4)
def _told(text: str) -> tuple[Mapping[str, float], float, Mapping[str, int]]:
    """Work, trim and weights; read once for each change, though every cycle compares them with what it has learned."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _StrangeError from error
    match found:
        case {"version": version, "work": dict(work), "trim": float(trim), "weights": dict(weights)} if (
            version == _VERSION
            and all(isinstance(cost, float) and _WORK_RANGE[0] <= cost <= _WORK_RANGE[1] for cost in work.values())
            and TRIM_RANGE[0] <= trim <= TRIM_RANGE[1]
            and all(isinstance(weight, int) and not isinstance(weight, bool) and 1 <= weight <= LARGEST for weight in weights.values())
        ):
            return work, trim, weights
    raise _StrangeError


def _moved(work: Mapping[str, float], trim: float, weights: Mapping[str, int], memory: Memory) -> bool:
    if (weights, work.keys()) != (memory.weights, memory.work.keys()):
        return True
    pairs = [(trim, memory.trim), *((cost, memory.work[name]) for name, cost in work.items())]
    return any(abs(now - before) > _NOISE * before for before, now in pairs)
