"""What `burstd check` looks at: the state folder, HAProxy, every exporter, every pool, and where the daemon will listen.

It changes nothing and takes no lock, so it may run beside the daemon. What it cannot know, it does not claim.
"""

from __future__ import annotations

import grp
import os
import socket as sockets
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from burstd.adapters.clock import SystemClock
from burstd.adapters.haproxy.answers import SAFE_REMOVAL
from burstd.adapters.haproxy.configuration import has_option
from burstd.adapters.haproxy.problems import Problems
from burstd.adapters.libcloud import caution
from burstd.adapters.libcloud import probe as probe_pool
from burstd.adapters.local import register
from burstd.adapters.mysql import Host
from burstd.adapters.mysql import probe as probe_database
from burstd.errors import AskOperator, BurstdError, Retry
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.load import Sample, Target
from burstd.model.policy import Mode, RoutingPolicy
from burstd.model.replication import Server, ServerView
from burstd.settings import Settings
from burstd.settings.pools import PoolSettings
from burstd.settings.sections import CoreSettings
from burstd.wiring import calendar_of, cloud_pool, gateway_of, load_of
from burstd.wiring.database import database_of, hosts_of
from burstd.wiring.mirror import look_at_mirror
from burstd.wiring.weights import look_at_weights

_DOWN: Final = frozenset({FaultKind.UNREACHABLE, FaultKind.THROTTLED})
"""Faults of an exporter that may pass by themselves; the others need somebody."""


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        part: "settings", "state", "haproxy", "core", "pool", "budget", "content", "database", "schedule", "control" or "metrics".
        text: one line; where it is not ok, with the mend.
        down: it failed because a peer is down, and nobody need mend anything here.
    """

    level: Level
    part: str
    text: str
    down: bool = False

    @property
    def exit_code(self) -> int:
        """What this finding alone makes of the exit code."""
        return 0 if self.level is not Level.FAIL else 1 if self.down else 2


Check = Callable[[], Iterator[Finding]]


def checks(settings: Settings) -> Iterator[tuple[str, Check]]:
    """Every check with what it is about, for people who wait; call each once."""
    yield "the state folder", partial(_state, settings)
    yield "HAProxy", partial(_haproxy, settings)
    for core in settings.core:
        yield f"the exporter of {core.name}", partial(_exporter, settings, core)
    for pool in settings.pool:
        yield f"pool {pool.name}", partial(_pool, pool, settings.fleet.countries)
    if settings.budget.limits:
        yield "the budget", partial(_budget, settings)
    if settings.content.core is not None:
        yield "the content's core server", partial(_content, settings)
    if settings.database.primary is not None:
        yield "the database", partial(_database, settings)
    if settings.schedule:
        yield "the schedules", partial(_schedules, settings)
    yield "the control socket", partial(_control, settings)
    yield "the metrics address", partial(_metrics, settings)


def _ok(part: str, text: str) -> Finding:
    return Finding(Level.OK, part, text)


def _warning(part: str, text: str) -> Finding:
    return Finding(Level.WARNING, part, text)


def _fail(part: str, text: str, *, down: bool = False) -> Finding:
    return Finding(Level.FAIL, part, text, down)


def _state(settings: Settings) -> Iterator[Finding]:
    yield _folder("state", f"fleet.state_dir {settings.fleet.state_dir}", settings.fleet.state_dir, "StateDirectory=burstd")


def _folder(part: str, key: str, folder: Path, systemd: str) -> Finding:
    """The folder can be written, or be made; where it cannot, systemd may yet make it for the service."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        above = next(each for each in folder.absolute().parents if each.exists())
        if os.access(above, os.W_OK | os.X_OK):
            return _ok(part, f"{key}: not there yet, and can be made")
        return _warning(part, f"{key}: not there yet; systemd makes it ({systemd}), else create it and give it to burstd's user")
    except OSError as error:
        return _fail(part, f"{key}: cannot be looked at, the system says: {error.strerror}; run the check as burstd's user")
    if not stat.S_ISDIR(found.st_mode):
        return _fail(part, f"{key}: expected a folder, found another kind of file; move it away or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        return _fail(part, f"{key}: not writable; give it to burstd's user, and run the check as that user")
    return _ok(part, f"{key}: writable")


def _haproxy(settings: Settings) -> Iterator[Finding]:
    gateway = gateway_of(settings, owner="")
    routing = settings.policy(owner="").routing
    config_file = settings.haproxy.config_file
    try:
        problems = gateway.probe([core.server_name for core in settings.core], config_file, [each.joined for each in routing.backends])
        yield from (_fail("haproxy", problem) for problem in problems)
        if problems:
            return
        view = gateway.read()
    except Retry as error:
        yield _fail("haproxy", f"haproxy.socket {settings.haproxy.socket}: {error}", down=True)
        return
    except AskOperator as error:
        yield _fail("haproxy", str(error))
        return
    version = ".".join(map(str, view.version))
    joined = ", ".join(each.joined for each in routing.backends)
    yield _ok("haproxy", f"haproxy.backend {joined}: HAProxy {version} takes servers there at run time")
    if config_file is None and view.version < SAFE_REMOVAL:
        yield _warning(
            "haproxy",
            "haproxy.config_file: not set, so nobody has looked for `option redispatch`, without which a removal can crash HAProxy 2.x; "
            "name HAProxy's file",
        )
    yield from _limits(settings, routing, view)
    yield from _standbys(settings, routing)
    if routing.mode is Mode.SPILLOVER:
        yield from _spillover(settings, routing, view)
    yield from _core_servers(settings, view)
    for remark in look_at_weights(view, routing, [core.server_name for core in settings.core]):
        yield (_warning if remark.bad else _ok)("haproxy", remark.text)


def _core_servers(settings: Settings, view: GatewayView) -> Iterator[Finding]:
    for core in settings.core:
        row = view.backends[0].server(core.server_name)
        if row is not None and row.status in {ServerStatus.DOWN, ServerStatus.MAINT}:
            yield _warning("haproxy", f"core server {row.name}: HAProxy has it {row.status}; look at its health check")


def _limits(settings: Settings, routing: RoutingPolicy, view: GatewayView) -> Iterator[Finding]:
    """Where a core has a connection limit, the instances that join its backend must have one (docs/configuration.md)."""
    cores = {core.server_name for core in settings.core}
    for backend in routing.backends:
        servers = next((each.servers for each in view.backends if each.name == backend.joined), ())
        limited = [row.name for row in servers if row.name in cores and row.maxconn]
        if limited and backend.maxconn is None:
            yield _fail("haproxy", Problems(settings.haproxy.socket, backend.joined).unlimited(limited))


def _standbys(settings: Settings, routing: RoutingPolicy) -> Iterator[Finding]:
    """Where nobody has told HAProxy to use all servers listed as `backup`, it uses the first of them alone."""
    file, standbys = settings.haproxy.config_file, settings.fleet.standby
    text = "" if file is None or standbys <= 1 else file.read_text(errors="replace")
    for name in (each.joined for each in routing.backends):
        if has_option(text, name, "allbackups") is False:
            yield _warning(
                "haproxy",
                f"fleet.standby {standbys}: backend {name} has no `option allbackups`, so only one of them serves when the core is dead; "
                f"add it in {file}",
            )


def _spillover(settings: Settings, routing: RoutingPolicy, view: GatewayView) -> Iterator[Finding]:
    """HAProxy spills over what the core's limits leave out, and what the instances' limits say tells burstd when they are full."""
    cores = {core.server_name for core in settings.core}
    for backend in routing.backends:
        servers = next((each.servers for each in view.backends if each.name == backend.name), ())
        unlimited = [row.name for row in servers if row.name in cores and not row.maxconn]
        if unlimited:
            yield _warning(
                "haproxy",
                f"haproxy.backend {backend.name}: {', '.join(unlimited)} without a maxconn, so nothing ever spills over; write it on each "
                f"server's line (burstd render haproxy --mode spillover shows how) and reload HAProxy",
            )
        if backend.maxconn is None:
            yield _warning(
                "haproxy",
                f"haproxy.maxconn: not set for {backend.joined}, so one request there makes the instances count as full; "
                f"set how many each serves well at once",
            )


def _exporter(settings: Settings, core: CoreSettings) -> Iterator[Finding]:
    load = load_of(settings, SystemClock())
    try:
        reading = load.read([Target(core.name, core.exporter)])[core.name]
    finally:
        load.close()
    match reading:
        case Fault(kind=kind, text=text):
            yield _fail("core", f'core "{core.name}", exporter {core.exporter}: {text}', down=kind in _DOWN)
        case Sample(cpus=None):
            yield _warning(
                "core",
                f'core "{core.name}", exporter {core.exporter}: tells a load and no CPUs, so no weight can be solved; '
                f"start node_exporter with its cpu collector",
            )
        case Sample(load1=load1, cpus=cpus):
            yield _ok("core", f'core "{core.name}": load {load1:.2f} on {cpus} CPUs')


def _pool(settings: PoolSettings, countries: Sequence[str]) -> Iterator[Finding]:
    register()
    try:
        pool = cloud_pool(settings)
        problems = probe_pool(pool, country=settings.country)
        told = caution(pool)
    except AskOperator as error:
        yield _fail("pool", str(error))
        return
    if told is not None:
        yield _warning("pool", told)
    for problem in problems:
        keys = "args, secret_files or proxy" if settings.proxy or settings.proxy_file else "args or secret_files"
        mend = f"; mend {keys} of this pool" if problem.kind is FaultKind.DENIED else ""
        yield _fail("pool", f"{problem.text}{mend}", down=problem.peer_down)
    if not problems:
        price = "" if settings.price is None else f"; {settings.price:g} {settings.currency} an hour for each instance"
        price += f", billed by the {settings.billing}" if price else ""
        where = "" if settings.country is None else f"; in {settings.country}"
        yield _ok("pool", f'pool "{settings.name}": {settings.driver} answers, and lets us in{where}{price}')
    if countries and settings.country not in countries:
        outside = f"expected one of fleet.countries ({', '.join(countries)}), so that nothing is ever bought there"
        yield _warning("pool", f'pool "{settings.name}", country {settings.country}: {outside}; add the country, or take the pool out')


def _budget(settings: Settings) -> Iterator[Finding]:
    budget = settings.budget
    unpriced = ", ".join(f'"{each.name}"' for each in settings.pool if each.price is None)
    if unpriced:
        yield _warning(
            "budget",
            f"budget: what pool {unpriced} costs counts towards no limit, since nobody has told its price; set price and currency there",
        )
    limits = ", ".join(f"{name} {limit:g}" for name, limit in budget.limits.items())
    yield _ok("budget", f"budget: {limits} {budget.currency}, by the days of {budget.zone}")


def _content(settings: Settings) -> Iterator[Finding]:
    for sight in look_at_mirror(settings):
        yield _fail("content", sight.text, down=sight.down) if sight.bad else _ok("content", sight.text)


def _database(settings: Settings) -> Iterator[Finding]:
    """Both servers let burstd in and let it do what a promotion takes, and the listener is the settings' own."""
    now = SystemClock().now()
    for host in hosts_of(settings):
        if host is None:
            continue
        try:
            view, problems = probe_database(host, now, settings.database.deadline)
        except Retry as error:
            yield _fail("database", f"{host.name}: {error}", down=True)
            continue
        except BurstdError as error:
            yield _fail("database", str(error))
            continue
        yield from (_fail("database", problem) for problem in problems)
        if view is not None:
            yield _server(host, view)
    try:
        doors = database_of(settings, lambda: now)
        if doors is None:
            yield _warning("database", "database.replica: not set, so nothing is watched, and nobody could take over; name its address")
            return
        doors.listener.read()
    except Retry as error:
        yield _fail("database", f"database.listener {settings.database.listener}: {error}", down=True)
    except BurstdError as error:
        yield _fail("database", str(error))
    else:
        yield _ok("database", f"database.listener {settings.database.listener}: HAProxy has both servers in it, at these addresses")


def _server(host: Host, view: ServerView) -> Finding:
    replication, is_replica = view.replication, host.part is Server.REPLICA
    told = f"{host.name}: {view.dialect} {view.version} lets us in, and to all that a promotion takes"
    if is_replica and replication is None:
        return _warning("database", f"{told}; expected a replica, it replicates from nobody (docs/database.md says how it is set up)")
    if is_replica and replication is not None and not replication.in_order:
        return _warning("database", f"{told}; its replication does not work: `burstd db status` says more")
    if is_replica and not view.restricted:
        return _warning("database", f"{told}; it takes writes: write read_only = 1 in its file, and SET GLOBAL read_only = 1")
    return _ok("database", told)


def _schedules(settings: Settings) -> Iterator[Finding]:
    over = calendar_of(settings).over(SystemClock().now())
    for each in settings.schedule:
        if each.name in over:
            yield _warning(
                "schedule", f'schedule "{each.name}": its last date is over, so it never opens again; write new ones, or take it out'
            )
        else:
            yield _ok("schedule", f'schedule "{each.name}": {each.minimum} wanted at least while its windows are open')


def _control(settings: Settings) -> Iterator[Finding]:
    control = settings.control
    key = f"control.socket {control.socket}"
    if _answers(control.socket):
        yield _ok("control", f"{key}: a daemon answers there")
    elif control.socket.exists() and not control.socket.is_socket():
        yield _fail("control", f"{key}: expected nothing or a socket, found another kind of file; move it away or name another path")
    else:
        yield _folder("control", key, control.socket.parent, "RuntimeDirectory=burstd")
    if control.group is not None:
        yield _group(control.group)


def _group(group: str) -> Finding:
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        return _fail("control", f"control.group {group}: no such group on this machine; create it (groupadd {group}) or name another")
    if os.geteuid() != 0 and number not in os.getgroups():
        return _warning("control", f"control.group {group}: whoever runs this check is no member of it; burstd's user must be")
    return _ok("control", f"control.group {group}: known")


def _answers(path: Path) -> bool:
    with sockets.socket(sockets.AF_UNIX) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(os.fspath(path))
        except OSError:
            return False
    return True


def _metrics(settings: Settings) -> Iterator[Finding]:
    key = f"metrics.listen {settings.metrics.listen}"
    if settings.metrics.address is None:
        yield _ok("metrics", "metrics.listen: off")
        return
    host, port = settings.metrics.address
    try:
        sockets.create_server((host, port), family=sockets.AF_INET6 if ":" in host else sockets.AF_INET).close()
    except OSError as error:
        if _answers(settings.control.socket):
            yield _ok("metrics", f"{key}: taken, and a daemon runs")
            return
        said = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        yield _fail("metrics", f"{key}: cannot listen there, the system says: {said}; stop what has it, or name another HOST:PORT")
    else:
        yield _ok("metrics", f"{key}: free")
