"""What `burstd ping` goes to: the core servers, the instances that live, the database servers and the pools' APIs. It starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from burstd.adapters.libcloud import CloudPool, endpoint
from burstd.adapters.round_trip import Place, RoundTrips, measure
from burstd.settings import Settings
from burstd.settings.pools import PoolSettings

_PORTS: Final = {"http": 80, "https": 443}
"""Of an exporter whose URL names none."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One place to go to.

    Attributes:
        kind: "core", "instance", "database" or "pool".
        remark: what of it is measured, where that is not plain from the kind.
        bound: the longest round trip that lets an instance join (`max_rtt` of its pool), seconds; None: any.
    """

    kind: str
    name: str
    place: Place
    remark: str = ""
    bound: float | None = None


def destinations(settings: Settings, instances: Sequence[Mapping[str, Any]]) -> list[Destination]:
    """All of them; `instances` are those of a status document, of which those that have an address live."""
    return [*_cores(settings), *_instances(settings, instances), *_database(settings), *_pools(settings)]


def visit(found: Sequence[Destination], count: int) -> list[tuple[Destination, RoundTrips]]:
    """So many round trips to each."""
    trips = measure([each.place for each in found], count)
    return [(each, trips[each.place]) for each in found]


def _cores(settings: Settings) -> Iterator[Destination]:
    for core in settings.core:
        url = urlsplit(core.exporter)
        if core.address is not None:
            yield Destination("core", core.name, (core.address, core.port), "web port")
        else:
            yield Destination("core", core.name, (url.hostname or "", url.port or _PORTS[url.scheme]), "exporter's port")


def _instances(settings: Settings, instances: Sequence[Mapping[str, Any]]) -> Iterator[Destination]:
    pools = {pool.name: pool for pool in settings.pool}
    for each in instances:
        pool = pools.get(each["pool"])
        if each["address"] is not None and pool is not None:
            yield Destination("instance", each["name"], (each["address"], pool.port), pool.name, pool.max_rtt)


def _database(settings: Settings) -> Iterator[Destination]:
    database = settings.database
    for name in ("primary", "replica"):
        address = getattr(database, name)
        if address is not None:
            yield Destination("database", name, (address, database.port))


def _pools(settings: Settings) -> Iterator[Destination]:
    for pool in settings.pool:
        if pool.proxy or pool.proxy_file:
            continue  # its API is not reached from here, and the proxy's distance says nothing
        place = endpoint(_named(pool))
        if place is not None:
            yield Destination("pool", pool.name, place, f"API of {pool.driver}")


def _named(pool: PoolSettings) -> CloudPool:
    """The pool without the secrets of its files: none is needed to know where its API is."""
    args = {name: value.get_secret_value() for name, value in pool.args.items()}
    tls = pool.api_tls if pool.api_host else None
    return CloudPool(pool.name, pool.driver, args, pool.image, pool.size, host=pool.api_host, port=pool.api_port, secure=tls)
