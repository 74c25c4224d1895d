"""From settings to ports: the only place that names concrete adapters, and the only one that reads secret files.

It starts nothing but what the adapters start themselves, and asks no peer anything: a peer that is down is the cycle's to see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import attrgetter

from burstd import logs
from burstd.adapters.clock import SystemClock
from burstd.adapters.cronsim import CronCalendar, Schedule
from burstd.adapters.haproxy import HAProxyGateway
from burstd.adapters.http_check import HttpContent
from burstd.adapters.lab import register as register_lab
from burstd.adapters.libcloud import CloudPool, LibcloudCloud, forbid_blind_retries
from burstd.adapters.local import register as register_local
from burstd.adapters.lsyncd import Core, LsyncdMirror
from burstd.adapters.node_exporter import NodeExporterLoad
from burstd.adapters.round_trip import TcpDistance
from burstd.adapters.sqlite import SqliteRoster
from burstd.doors import DatabaseDoors, Promoter
from burstd.errors import InvalidSettings
from burstd.model.content import PRIVATE_PLACE
from burstd.model.fleet import Instance
from burstd.model.naming import is_server_name
from burstd.ports import Clock, Ports
from burstd.promotion import BackgroundPromoter
from burstd.settings import Settings
from burstd.settings.pools import PoolSettings
from burstd.wiring.database import database_of
from burstd.wiring.succession import Succession

_FIXED = (
    "fleet.name",
    "fleet.state_dir",
    "fleet.stale_cycle",
    "haproxy.mode",
    "haproxy.backend",
    "haproxy.overflow",
    "haproxy.further",
    "control.socket",
    "control.mode",
    "control.group",
    "metrics.listen",
)
"""Keys that a running daemon cannot change: what is ours, what is open, and where our servers stand."""


class Wiring:
    """One daemon's ports, and how they follow the settings.

    Attributes:
        settings: in force.
        ports: as these settings connect them; the roster and the clock stay the same for ever.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the state folder, then connect everything.

        Raises:
            AskOperator: the folder is taken or unusable, a secret file cannot be read, or a pool that has instances is gone.
            Retry: the disk fails.
        """
        forbid_blind_retries()
        register_local()
        register_lab()
        roster = SqliteRoster(settings.fleet.state_dir)
        try:
            self._owner = roster.owner()
            _refuse([*keyless(settings), *stranded(settings, roster.fleet()), *abroad(settings, roster.fleet())])
            clock = SystemClock()
            self._pools = cloud_pools(settings)
            self._load = load_of(settings, clock)
            self._content = content_of(settings)
            self._cloud = Succession(cloud_of(settings, self._pools, self._owner, clock))
            self.settings = settings
            gateway = gateway_of(settings, self._owner)
            self.ports = Ports(
                clock,
                self._load,
                self._content,
                gateway,
                self._cloud,
                roster,
                calendar_of(settings),
                mirror_of(settings, clock),
                *_database(settings, clock),
                TcpDistance(settings.load.deadline),
            )
        except BaseException:
            roster.close()
            raise

    def rewire(self, settings: Settings) -> None:
        """Put these settings in force, all or nothing. Calls in flight of the old ones are not lost.

        Raises:
            AskOperator: the old settings stay in force; the message says which key is in the way.
        """
        old, ports = self.settings, self.ports
        fleet = ports.roster.fleet()
        _refuse([*_fixed(old, settings), *keyless(settings), *stranded(settings, fleet), *abroad(settings, fleet)])
        pools = cloud_pools(settings)
        gateway = gateway_of(settings, self._owner)
        if (pools, settings.fleet.poll_interval) != (self._pools, old.fleet.poll_interval):
            self._cloud.succeed(cloud_of(settings, pools, self._owner, ports.clock))
            self._pools = pools
        if settings.load != old.load:
            self._load.close()
            self._content.close()
            self._load, self._content = load_of(settings, ports.clock), content_of(settings)
        mirror = ports.mirror
        if settings.content != old.content:
            if mirror is not None:
                mirror.close()
            mirror = mirror_of(settings, ports.clock)
        if (settings.database, settings.haproxy) != (old.database, old.haproxy):
            if ports.database is not None:
                ports.database.servers.close()
            database, promoter = _database(settings, ports.clock)
            ports = replace(ports, database=database, promoter=promoter)
        ports = replace(ports, distance=TcpDistance(settings.load.deadline))
        self.ports = replace(ports, load=self._load, content=self._content, gateway=gateway, calendar=calendar_of(settings), mirror=mirror)
        self.settings = settings

    def renew(self, pools: Collection[str]) -> Sequence[str]:
        """Connect those of these pools anew whose secret files have changed since they were read; their names.

        A file that cannot be read, as in the middle of a rotation, leaves its pool as it is.
        """
        renewed = {}
        for settings in self.settings.pool:
            if settings.name in pools and (settings.secret_files or settings.proxy_file):
                with suppress(InvalidSettings):
                    renewed[settings.name] = cloud_pool(settings)
        fresh = tuple(renewed.get(pool.name, pool) for pool in self._pools)
        changed = [pool.name for pool, before in zip(fresh, self._pools, strict=True) if pool != before]
        if changed:
            self._cloud.succeed(cloud_of(self.settings, fresh, self._owner, self.ports.clock))
            self._pools = fresh
        return changed

    def alive(self) -> bool:
        """False once a cloud's worker thread has died."""
        return self._cloud.alive()

    def settle(self) -> None:
        """Wait until every pool is listed and no cloud call is in flight, each ended by its own deadline."""
        self._cloud.settle(len(self._pools))

    def close(self) -> None:
        """Let go of everything, the state folder last."""
        self._load.close()
        self._content.close()
        self.ports.close()


def load_of(settings: Settings, clock: Clock) -> NodeExporterLoad:
    """The reader of exporters."""
    return NodeExporterLoad(settings.load.deadline, clock, settings.load.absurd_above)


def content_of(settings: Settings) -> HttpContent:
    """The gate before an instance joins."""
    return HttpContent(settings.load.deadline)


def mirror_of(settings: Settings, clock: Clock) -> LsyncdMirror | None:
    """The mirror of the core's content; None where there is none."""
    core, content = core_of(settings), settings.content
    return None if core is None else LsyncdMirror(core, clock, interval=content.interval, max_drift=content.max_drift)


def core_of(settings: Settings) -> Core | None:
    """How the core server with the content is reached; None where there is none."""
    content = settings.content
    if content.core is None:
        return None
    return Core(content.core, content.ssh_port, content.identity, content.known_hosts, content.deadline)


def calendar_of(settings: Settings) -> CronCalendar:
    """The schedules' windows, the hours of the drills, and the budget's days."""
    drill, zone = settings.drill, settings.budget.zone
    schedules = [Schedule(**{**dict(each), "lead": None if each.lead == "auto" else each.lead}) for each in settings.schedule]
    return CronCalendar(schedules, (drill.cron, drill.zone) if drill.cron else None, zone)


def cloud_of(settings: Settings, pools: Sequence[CloudPool], owner: str, clock: Clock) -> LibcloudCloud:
    """The clouds, each listed once a cycle."""
    return LibcloudCloud(pools, owner, clock, list_every=settings.fleet.poll_interval)


def gateway_of(settings: Settings, owner: str) -> HAProxyGateway:
    """HAProxy, as the fleet of this owner may touch it."""
    haproxy = settings.haproxy
    return HAProxyGateway(
        haproxy.socket,
        *(name for each in settings.policy(owner).routing.backends for name in (each.name, each.joined)),
        is_ours=ours(settings, owner),
        deadline=haproxy.deadline,
        retries=haproxy.retries,
        check_interval=haproxy.check_interval,
    )


def _database(settings: Settings, clock: Clock) -> tuple[DatabaseDoors | None, Promoter | None]:
    """The doors of the database and the worker that goes through them; none where none is watched."""
    doors = database_of(settings, clock.now)
    return doors, BackgroundPromoter(doors, logs.logger().info) if doors else None


def ours(settings: Settings, owner: str) -> Callable[[str], bool]:
    """Whether a server of that name is an instance of this fleet: by the naming rule, and never a core server."""
    cores = {core.server_name for core in settings.core}
    return lambda name: name not in cores and is_server_name(settings.fleet.name, owner, name)


def cloud_pool(pool: PoolSettings) -> CloudPool:
    """One pool with its secrets, read from their files now.

    Raises:
        InvalidSettings: files that cannot be read, one line each.
    """
    return CloudPool(
        pool.name,
        pool.driver,
        pool.driver_arguments(),
        pool.image,
        pool.size,
        pool.location,
        pool.create_arguments(),
        networks=pool.networks,
        keypair=pool.keypair,
        security_groups=pool.security_groups,
        tags=bool(pool.tags),
        user_data=pool.user_data is not None,
        proxy=pool.proxy_url(),
        host=pool.api_host,
        port=pool.api_port,
        secure=pool.api_tls if pool.api_host else None,
        list_deadline=pool.list_deadline,
        create_deadline=pool.create_deadline,
        destroy_deadline=pool.destroy_deadline,
    )


def cloud_pools(settings: Settings) -> tuple[CloudPool, ...]:
    """Every pool; all of their problems at once."""
    pools: list[CloudPool] = []
    problems: list[str] = []
    for pool in settings.pool:
        try:
            pools.append(cloud_pool(pool))
        except InvalidSettings as error:
            problems.extend(error.problems)
    _refuse(problems)
    return tuple(pools)


def stranded(settings: Settings, fleet: Sequence[Instance]) -> list[str]:
    """A line for every pool that still has instances and is not in the settings: nobody could destroy them."""
    known = {pool.name for pool in settings.pool}
    lost = Counter(each.pool for each in fleet if each.pool not in known)
    return [
        f'pool "{name}": expected its [[pool]] table while {count} of its instances live; put it back, and drain them first (burstd drain)'
        for name, count in lost.items()
    ]


def abroad(settings: Settings, fleet: Sequence[Instance]) -> list[str]:
    """A line for every pool outside of `fleet.countries` that has instances: they would go on serving where none may be."""
    countries, homes = settings.fleet.countries, {pool.name: pool.country for pool in settings.pool}
    lost = Counter(each.pool for each in fleet if countries and each.pool in homes and homes[each.pool] not in countries)
    return [
        f'pool "{name}", country {homes[name]}: expected one of fleet.countries ({", ".join(countries)}) while {count} of its instances '
        f"live; put the old countries back, and drain them first (burstd drain)"
        for name, count in lost.items()
    ]


def keyless(settings: Settings) -> list[str]:
    """A line for every pool whose instances would get no ssh host key that the core knows, and so never any content.

    The settings as such can be read all the same: `burstd render` makes the template from them.
    """
    if settings.content.core is None:
        return []
    return [
        f'pool "{pool.name}", user_data: expected a template that uses {{{{ host_key_private }}}}, for with content.core the core '
        f"pushes only to a host key that it knows; name a file that ends in .j2 (burstd render cloud-init makes one), or take "
        f"content.core out"
        for pool in settings.pool
        if PRIVATE_PLACE not in (pool.document(settings.fleet.name, keyed=True) or "")
    ]


def _fixed(old: Settings, new: Settings) -> list[str]:
    changed = [(key, attrgetter(key)(old), attrgetter(key)(new)) for key in _FIXED]
    return [
        f"{key} = {is_now}: expected {was} until the daemon stops; put it back, or restart burstd (the fleet stays as it is)"
        for key, was, is_now in changed
        if was != is_now
    ]


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise InvalidSettings(problems)
