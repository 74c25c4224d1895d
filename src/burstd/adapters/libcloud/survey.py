"""What every pool shows at this moment, asked once and side by side, for the verbs that look without a daemon. Only reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import DriverRecord, connect, record_of
from burstd.adapters.libcloud.drivers.record import every_node
from burstd.adapters.libcloud.faults import Verdict
from burstd.adapters.libcloud.pool import CloudPool
from burstd.adapters.libcloud.workers import Seat
from burstd.model.cloud import Node
from burstd.model.faults import Fault, FaultKind

DEADLINE: Final = 30.0
"""Seconds by the wall clock for all pools together: somebody waits at a terminal, and a long list of a slow cloud may take a while."""

Shown = tuple[Node, ...] | Fault


def survey(pools: Sequence[CloudPool], owner: str, *, strangers: bool = False, deadline: float = DEADLINE) -> Mapping[str, Shown]:
    """Every pool's machines by the pool's name, or the fault of one that could not be listed. Never raises but for an unknown driver.

    Args:
        pools: each with a name of its own.
        owner: whose machines are asked for, where the cloud can filter.
        strangers: ask for everybody else's as well.
        deadline: seconds after which a pool that has not answered counts as failed.

    Raises:
        Misconfigured: a pool's driver is not known.
    """
    shown: dict[str, Shown] = {
        pool.name: Fault(pool.peer, FaultKind.UNREACHABLE, f"the cloud did not answer within {deadline:g} s") for pool in pools
    }
    asking = []
    for pool in pools:
        record = record_of(pool)

        def ask(pool: CloudPool = pool, record: DriverRecord = record) -> None:
            shown[pool.name] = _shown(pool, record, owner, deadline, strangers=strangers)

        asking.append(threading.Thread(target=ask, name=f"survey {pool.name}", daemon=True))
    for thread in asking:
        thread.start()
    end = time.monotonic() + deadline
    for thread in asking:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(shown)  # what answers later is not heard


def _shown(pool: CloudPool, record: DriverRecord, owner: str, timeout: float, *, strangers: bool) -> Shown:
    seat = Seat(lambda: connect(pool, record, timeout))
    found: dict[str, Node] = {}
    # Ours are asked for by filter even so: some clouds cut a long list of everybody's. By name, everybody's is what is listed anyway.
    filtered = not record.by_name and record.listed is not every_node
    everybody = [replace(record, listed=every_node)] if strangers and filtered else []
    for asked in (record, *everybody):
        listed = PoolCalls(pool, asked, owner).list(seat)
        if isinstance(listed, Verdict):
            return listed.fault(pool)
        found = {node.id: node for node in listed} | found
    return tuple(found.values())
