"""What `burstd check` asks of a pool: would a create be accepted? Only reads, and nothing is bought."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import DRIVERS, DriverRecord, connect, record_of, unknown
from burstd.adapters.libcloud.faults import Redactor, judge
from burstd.adapters.libcloud.pool import CloudPool
from burstd.adapters.libcloud.workers import Seat
from burstd.errors import Misconfigured
from burstd.model.cloud import LaunchRequest
from burstd.model.countries import country_code
from burstd.model.faults import FaultKind

NOBODY: Final = "burstd-check"
"""An owner that nobody is: a cloud that filters answers at once, with nothing."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps the pool from being used, in one line.

    Attributes:
        kind: what is wrong; see `peer_down`.
    """

    text: str
    kind: FaultKind

    @property
    def peer_down(self) -> bool:
        """The cloud does not answer properly now; otherwise an operator must mend the settings or the account."""
        return self.kind in {FaultKind.UNREACHABLE, FaultKind.GARBLED, FaultKind.THROTTLED, FaultKind.UNKNOWN}


def probe(pool: CloudPool, *, country: str | None = None, deadline: float = 10.0) -> tuple[Problem, ...]:
    """Every problem found within `deadline` seconds of wall-clock time; empty where there is none. Never raises.

    `country` is the one that the pool is said to be in; where libcloud knows better, that is a problem.
    """
    found: list[Problem] = []

    def ask() -> None:
        found.extend(_problems(pool, country, deadline))

    asking = threading.Thread(target=ask, name=f"probe {pool.name}", daemon=True)
    asking.start()
    asking.join(deadline)
    if asking.is_alive():
        return (Problem(f"{pool.peer}: the cloud did not answer within {deadline:g} s", FaultKind.UNREACHABLE),)
    return tuple(found)


def caution(pool: CloudPool) -> str | None:
    """What an operator takes on with this pool's driver, in one line; None where there is nothing to say, or no such driver."""
    record = DRIVERS.get(pool.driver)
    return record.caution(pool) if record else None


def _problems(pool: CloudPool, country: str | None, timeout: float) -> Iterator[Problem]:
    try:
        record = record_of(pool)
    except Misconfigured as problem:
        yield Problem(str(problem), FaultKind.MISCONFIGURED)
        return
    seat = Seat(lambda: connect(pool, record, timeout))
    try:
        yield from _asked(pool, record, seat, country)
    except Exception as error:  # noqa: BLE001 - any exception at all may come out of a driver; `judge` looks at each
        verdict = judge(error, seat.sent, Redactor(pool), record.dialect)
        yield Problem(f"{pool.peer}: {verdict.text}", verdict.kind)


def _asked(pool: CloudPool, record: DriverRecord, seat: Seat, country: str | None) -> Iterator[Problem]:
    calls = PoolCalls(pool, record, NOBODY)
    sample = LaunchRequest(pool.name, "check", pool.image, pool.size, pool.location, (), "check")
    ours = {"name", "size", "image", "location", *record.launch(sample, pool)} - record.merged
    for key in sorted(ours & set(pool.create)):
        yield Problem(f"{pool.peer}: create.{key} is set by burstd itself; leave it out", FaultKind.MISCONFIGURED)
    driver = seat.link().fresh()
    calls.arguments(driver, sample)  # first, so that a word that cannot be said is told by its name
    record.listed(driver, pool, NOBODY)
    if record.catalogue:
        for key, value, listed in (("size", pool.size, driver.list_sizes()), ("image", pool.image, driver.list_images())):
            choices = sorted(str(each.id) for each in listed)
            if value not in choices:
                yield Problem(unknown(pool, key, value, choices), FaultKind.MISCONFIGURED)
    known = country_code(record.country(driver, pool)) if country else None
    if known not in {None, country}:
        where = f"location {pool.location}" if pool.location else "the region of its args"
        mend = f'write country = "{known}", or name a place in {country}'
        yield Problem(f"{pool.peer}: country {country}: expected {known}, where libcloud has {where}; {mend}", FaultKind.MISCONFIGURED)
