"""A whole haproxy.cfg for the gateway. Burst servers are never in it: they join at run time, by weight or in overflow backends.

Text only: nothing is written, and nothing is asked of HAProxy. The rules behind each line are HAProxy's management guide and
configuration manual, 2.6 and later.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from textwrap import indent

from burstd.errors import InvalidSettings

NAME = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)
"""What HAProxy takes as the name of a section or a server."""

WORD = re.compile(r"""[^\s"'\\#$]+""", re.ASCII)
"""What stands in the file for itself: no space, quote, backslash, comment or variable."""


@dataclass(frozen=True, slots=True)
class CoreLine:
    """One core server's line.

    Attributes:
        maxconn: requests that it gets at once, the others wait in the backend's queue; None: no limit. Where it is set, burst
            servers need a limit as well (`haproxy.maxconn`), or they are starved of the queue.
    """

    name: str
    address: str
    port: int = 80
    weight: int = 100
    maxconn: int | None = None


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """One backend of the core.

    Attributes:
        cores: the core servers; where it overflows, each with its maxconn.
        overflow: the backend to which requests go that the core has no room for; the burst servers join that one. None: they join this
            one, and weights share the requests.
        acl: which requests come here, as HAProxy writes it ("path_beg /static/"); None for the main backend, which gets the rest.
    """

    name: str
    cores: tuple[CoreLine, ...]
    overflow: str | None = None
    acl: str | None = None


@dataclass(frozen=True, slots=True)
class DatabaseListener:
    """The TCP listener by which everybody reaches the database: always one server of the two.

    Attributes:
        name: of the listener.
        bind: where it listens, as HAProxy writes it.
        primary: address of the server that gets the connections.
        replica: address of the one that gets none until burstd, or somebody, promotes it; None: there is none.
        port: of both.
    """

    name: str
    bind: str
    primary: str
    replica: str | None = None
    port: int = 3306


@dataclass(frozen=True, slots=True)
class HAProxyConfig:
    """What differs from one gateway to the next; times in seconds.

    Attributes:
        bind: where clients come in, as HAProxy writes it ("*:80", "127.0.0.1:8080").
        socket: path of the runtime socket that burstd talks to.
        socket_mode: its mode, octal.
        backends: the main one first; either all overflow or none does.
        check_path: must answer 200 on every server.
        user: HAProxy drops to this user; None, as for the three below: the line is left out, and HAProxy runs as who starts it.
        group: the same for the group; it also owns the socket.
        chroot: the folder to lock HAProxy into.
        log: syslog target and facility ("/dev/log local0").
        maxconn: client connections at once, of the whole process.
        retries: further attempts to connect; burstd's `haproxy.retries` must say the same.
        check_interval: between two checks of a core server. Three of them must fail before a request that tries a dark core gives up, after
            (retries + 1) times connect_timeout: in the lab a cut lost 54 of 527 requests at 2 s, as the article has it, and none at 1 s.
        connect_timeout: to reach a server.
        client_timeout: a silent client.
        server_timeout: a silent server.
        queue_timeout: a request that waits for a server; short, because what waits here cannot move to a server that joins later.
        check_timeout: a health check's answer.
        request_timeout: a client's whole request head.
        keep_alive_timeout: an idle client.
        slow_start: a core server that was down gets its full share over this time; 0: at once. Never at HAProxy's own start.
        database: the listener of the database; None: none.
        session_timeout: a database session in which nobody says anything; as long as MariaDB's and MySQL's own wait_timeout, so that a
            pool's idle connection is not cut under it.
        farewell: a database session of which one end has closed, until the other has. `shutdown sessions server` skips those.
    """

    bind: str
    socket: str
    backends: tuple[BackendConfig, ...]
    socket_mode: str = "660"
    check_path: str = "/"
    user: str | None = None
    group: str | None = None
    chroot: str | None = None
    log: str | None = None
    maxconn: int = 4096
    retries: int = 4
    check_interval: float = 1.0
    connect_timeout: float = 2.0
    client_timeout: float = 50.0
    server_timeout: float = 50.0
    queue_timeout: float = 5.0
    check_timeout: float = 2.0
    request_timeout: float = 10.0
    keep_alive_timeout: float = 10.0
    slow_start: float = 0.0
    database: DatabaseListener | None = None
    session_timeout: float = 28_800.0
    farewell: float = 5.0


def render(config: HAProxyConfig) -> str:
    """The file's text; HAProxy 2.6 and later takes it without a warning.

    Raises:
        InvalidSettings: a value would not stand in the file for itself, or something is missing; every one found, a line each.
    """
    problems = list(_problems(config))
    if problems:
        raise InvalidSettings(problems)
    mode = "spillover" if config.backends[0].overflow else "weighted"
    return "".join(
        (
            f"# HAProxy for burstd, {mode} mode. Burst servers are not in this file: burstd adds and removes them at run time.\n",
            _section("global", _global(config)),
            _section("defaults", _defaults(config)),
            _section("frontend http_front", _frontend(config)),
            *(section for backend in config.backends for section in _backends(config, backend)),
            *([_section(f"listen {config.database.name}", _database(config, config.database))] if config.database else ()),
        )
    )


def _backends(config: HAProxyConfig, backend: BackendConfig) -> Iterator[str]:
    yield _section(f"backend {backend.name}", _core(config, backend))
    if backend.overflow:
        yield _section(f"backend {backend.overflow}", _overflow(config))


def _global(config: HAProxyConfig) -> Iterator[str]:
    if config.log:
        yield f"log {config.log}"
    if config.chroot:
        yield f"chroot {config.chroot}"
    if config.user:
        yield f"user {config.user}"
    if config.group:
        yield f"group {config.group}"
    yield f"maxconn {config.maxconn}"
    yield "# burstd's door: adding servers needs level admin. With expose-fd a reload takes the listening sockets over."
    owner = f" group {config.group}" if config.group else ""
    yield f"stats socket {config.socket} mode {config.socket_mode}{owner} level admin expose-fd listeners"


def _defaults(config: HAProxyConfig) -> Iterator[str]:
    yield "mode http"
    if config.log:
        yield from ("log global", "option httplog", "option dontlognull")
    yield f"retries {config.retries}"
    yield "# A request whose server is gone goes to another one. Without it HAProxy 2.6 can crash when a server is deleted."
    yield "option redispatch"
    yield "# What only reads is asked again where a server died before its answer; what may have changed something is not."
    yield "retry-on conn-failure empty-response"
    yield "# At a reload a client that waits with an open connection gets one more answer, instead of a closed door."
    yield "option idle-close-on-response"
    yield f"timeout connect {_time(config.connect_timeout)}"
    yield f"timeout client {_time(config.client_timeout)}"
    yield f"timeout server {_time(config.server_timeout)}"
    yield f"timeout http-request {_time(config.request_timeout)}"
    yield f"timeout http-keep-alive {_time(config.keep_alive_timeout)}"
    yield "# Short: what waits in the queue cannot move to a server that joins later."
    yield f"timeout queue {_time(config.queue_timeout)}"
    yield f"timeout check {_time(config.check_timeout)}"


def _frontend(config: HAProxyConfig) -> Iterator[str]:
    yield f"bind {config.bind}"
    main, *further = config.backends
    if main.overflow:
        yield "# Spillover: a request goes to the cloud when the core's connections are all taken, when requests wait for it already, or"
        yield "# when the core is dead; and only while a burst server is up there."
    for backend in further:
        condition = f"to:{backend.name}"
        yield f"acl {condition} {backend.acl}"
        yield from _spill(backend, suffix=f":{backend.name}", condition=f"{condition} ")
        yield f"use_backend {backend.name} if {condition}"
    yield from _spill(main)
    yield f"default_backend {main.name}"


def _spill(backend: BackendConfig, suffix: str = "", condition: str = "") -> Iterator[str]:
    """The rules that send to the overflow backend what the core has no room for; measured: not one request below saturation."""
    if backend.overflow is None:
        return
    room = sum(core.maxconn or 0 for core in backend.cores)
    yield f"acl core_full{suffix} be_conn({backend.name}) ge {room}"
    yield f"acl core_queue{suffix} queue({backend.name}) gt 0"
    yield f"acl core_dead{suffix} nbsrv({backend.name}) eq 0"
    yield f"acl cloud_up{suffix} nbsrv({backend.overflow}) gt 0"
    cases = (f"{condition}cloud_up{suffix} {why}{suffix}" for why in ("core_full", "core_queue", "core_dead"))
    yield f"use_backend {backend.overflow} if {' or '.join(cases)}"


def _core(config: HAProxyConfig, backend: BackendConfig) -> Iterator[str]:
    yield "# Dynamic, so that servers can be added; requests are shared by weight."
    yield "balance roundrobin"
    if backend.overflow is None:
        yield "# Standbys serve together when the core is dead, not the first of them alone."
        yield "option allbackups"
    yield from _check(config)
    for core in backend.cores:
        limit = "" if core.maxconn is None else f" maxconn {core.maxconn}"
        check = f"{_check_words(config)} {_mark_down(config, backend)}" + (
            f" slowstart {_time(config.slow_start)}" if config.slow_start else ""
        )
        yield f"server {core.name} {_host(core.address)}:{core.port} weight {core.weight}{limit} {check}"


def _database(config: HAProxyConfig, database: DatabaseListener) -> Iterator[str]:
    yield "mode tcp"
    yield "no option idle-close-on-response"
    yield f"bind {database.bind}"
    if config.log:
        yield "option tcplog"
    yield "# A session may say nothing for hours; that its other end is dark is noticed by the system, within half a minute."
    yield f"timeout client {_time(config.session_timeout)}"
    yield f"timeout server {_time(config.session_timeout)}"
    yield "# A session that its client has left ends soon, though a dark server never says so: no order ends those, and they hold a fence."
    yield from (f"timeout {side}-fin {_time(config.farewell)}" for side in ("client", "server"))
    for side in ("cli", "srv"):
        yield f"option {side}tcpka"
        yield from (f"{side}tcpka-{name}" for name in ("idle 15s", "intvl 5s", "cnt 3"))
    yield "# One server alone takes connections: burstd takes the primary out before it lets the replica in."
    yield "# The check closes its connection before the database has seen it: no failed login, and no host barred for too many of them."
    yield f"server primary {_host(database.primary)}:{database.port} {_check_words(config)}"
    if database.replica is not None:
        yield f"server replica {_host(database.replica)}:{database.port} {_check_words(config)} backup disabled"


def _overflow(config: HAProxyConfig) -> Iterator[str]:
    yield "# Empty until burstd adds its servers: what comes here, they share evenly."
    yield "balance roundrobin"
    yield "# Standbys serve together when no other burst server is left."
    yield "option allbackups"
    yield from _check(config)


def _check(config: HAProxyConfig) -> Iterator[str]:
    yield f"option httpchk GET {config.check_path}"
    yield "http-check expect status 200"
    yield "http-request disable-l7-retry unless METH_GET"


def _check_words(config: HAProxyConfig) -> str:
    return f"check inter {_time(config.check_interval)} rise 2 fall 3"


def _mark_down(config: HAProxyConfig, backend: BackendConfig) -> str:
    """A core server that refuses connections is DOWN after so few that the last try of a request still comes to the standby.

    When all are killed at once the tries of a request go round among them without a pause: in the lab 22 of 30 requests were lost,
    each within milliseconds, until three checks had failed.
    """
    return f"observe layer4 error-limit {max(1, config.retries // len(backend.cores))} on-error mark-down"


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _section(title: str, lines: Iterable[str]) -> str:
    return f"\n{title}\n" + indent("".join(f"{line}\n" for line in lines), "    ")


def _time(seconds: float) -> str:
    """HAProxy's notation; milliseconds are its finest grain."""
    return f"{round(seconds * 1000)}ms"


def _problems(config: HAProxyConfig) -> Iterator[str]:
    """What would stand in the file for something else, or make HAProxy refuse it."""
    for key in ("bind", "socket", "socket_mode", "check_path", "user", "group", "chroot"):
        value = getattr(config, key)
        if value is not None and not WORD.fullmatch(value):
            yield f"{key} {value!r}: expected one word without quotes, # and $"
    if config.log is not None and not _words(config.log):
        yield f"log {config.log!r}: expected words without quotes, # and $"
    if not config.backends:
        yield "backends: expected at least one"
    names = [name for backend in config.backends for name in (backend.name, backend.overflow) if name is not None]
    if len(set(names)) < len(names):
        yield "backends: expected every name once"
    if len({backend.overflow is None for backend in config.backends}) > 1:
        yield "backends: expected all of them to overflow, or none"
    if config.database is not None:
        yield from _database_problems(config.database, names)
    for number, backend in enumerate(config.backends):
        yield from _backend_problems(backend, main=number == 0)


def _database_problems(database: DatabaseListener, others: Collection[str]) -> Iterator[str]:
    if not NAME.fullmatch(database.name):
        yield f"database.listener {database.name!r}: expected letters, digits and -_.: alone"
    if database.name in others:
        yield f"database.listener {database.name!r}: expected a name that no backend has"
    for key in ("bind", "primary", "replica"):
        value = getattr(database, key)
        if value is not None and not WORD.fullmatch(value):
            yield f"database.{key} {value!r}: expected one word without quotes, # and $"


def _backend_problems(backend: BackendConfig, *, main: bool) -> Iterator[str]:
    for name in (backend.name, backend.overflow):
        if name is not None and not NAME.fullmatch(name):
            yield f"backend {name!r}: expected letters, digits and -_.: alone"
    if main != (backend.acl is None) or (backend.acl is not None and not _words(backend.acl)):
        yield f"acl {backend.acl!r} of {backend.name}: expected {'none' if main else 'words without quotes, # and $'}"
    if not backend.cores:
        yield f"cores of {backend.name}: expected at least one core server"
    if len({core.name for core in backend.cores}) < len(backend.cores):
        yield f"cores of {backend.name}: expected every name once"
    for core in backend.cores:
        if not NAME.fullmatch(core.name):
            yield f"core server {core.name!r}: expected letters, digits and -_.: alone"
        if not WORD.fullmatch(core.address):
            yield f"address {core.address!r} of {core.name}: expected an IP address"
        if backend.overflow is not None and not core.maxconn:
            yield f"maxconn of {core.name}: expected a limit, for nothing spills over where there is none"


def _words(text: str) -> bool:
    return all(WORD.fullmatch(word) for word in text.split(" "))
