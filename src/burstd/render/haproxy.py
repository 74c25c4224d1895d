"""A whole haproxy.cfg for the gateway, in weighted mode: burst servers join the core's own backend at run time.

Text only: nothing is written, and nothing is asked of HAProxy. The rules behind each line are HAProxy's management guide and
configuration manual, 2.6 and later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
class HAProxyConfig:
    """What differs from one gateway to the next; times in seconds.

    Attributes:
        bind: where clients come in, as HAProxy writes it ("*:80", "127.0.0.1:8080").
        socket: path of the runtime socket that burstd talks to.
        socket_mode: its mode, octal.
        backend: name of the core's backend, which the burst servers join.
        cores: the core servers.
        check_path: must answer 200 on every server.
        user: HAProxy drops to this user; None, as for the three below: the line is left out, and HAProxy runs as who starts it.
        group: the same for the group; it also owns the socket.
        chroot: the folder to lock HAProxy into.
        log: syslog target and facility ("/dev/log local0").
        maxconn: client connections at once, of the whole process.
        retries: further attempts to connect; burstd's `haproxy.retries` must say the same.
        check_interval: between two checks of a core server.
        connect_timeout: to reach a server.
        client_timeout: a silent client.
        server_timeout: a silent server.
        queue_timeout: a request that waits for a server; short, because what waits here cannot move to a server that joins later.
        check_timeout: a health check's answer.
        request_timeout: a client's whole request head.
        keep_alive_timeout: an idle client.
    """

    bind: str
    socket: str
    backend: str
    cores: tuple[CoreLine, ...]
    socket_mode: str = "660"
    check_path: str = "/"
    user: str | None = None
    group: str | None = None
    chroot: str | None = None
    log: str | None = None
    maxconn: int = 4096
    retries: int = 3
    check_interval: float = 2.0
    connect_timeout: float = 2.0
    client_timeout: float = 50.0
    server_timeout: float = 50.0
    queue_timeout: float = 5.0
    check_timeout: float = 2.0
    request_timeout: float = 10.0
    keep_alive_timeout: float = 10.0


def render(config: HAProxyConfig) -> str:
    """The file's text; HAProxy 2.6 and later takes it without a warning.

    Raises:
        InvalidSettings: a value would not stand in the file for itself, or there is no core server; every one found, a line each.
    """
    problems = list(_problems(config))
    if problems:
        raise InvalidSettings(problems)
    return "".join(
        (
            "# HAProxy for burstd, weighted mode. Burst servers are not in this file: burstd adds and removes them at run time.\n",
            _section("global", _global(config)),
            _section("defaults", _defaults(config)),
            _section("frontend http_front", (f"bind {config.bind}", f"default_backend {config.backend}")),
            _section(f"backend {config.backend}", _backend(config)),
        )
    )


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
    yield f"timeout connect {_time(config.connect_timeout)}"
    yield f"timeout client {_time(config.client_timeout)}"
    yield f"timeout server {_time(config.server_timeout)}"
    yield f"timeout http-request {_time(config.request_timeout)}"
    yield f"timeout http-keep-alive {_time(config.keep_alive_timeout)}"
    yield "# Short: what waits in the queue cannot move to a server that joins later."
    yield f"timeout queue {_time(config.queue_timeout)}"
    yield f"timeout check {_time(config.check_timeout)}"


def _backend(config: HAProxyConfig) -> Iterator[str]:
    yield "# Dynamic, so that servers can be added; requests are shared by weight."
    yield "balance roundrobin"
    yield "# Standbys serve together when the core is dead, not the first of them alone."
    yield "option allbackups"
    yield f"option httpchk GET {config.check_path}"
    yield "http-check expect status 200"
    for core in config.cores:
        host = f"[{core.address}]" if ":" in core.address else core.address
        limit = "" if core.maxconn is None else f" maxconn {core.maxconn}"
        check = f"check inter {_time(config.check_interval)} rise 2 fall 3"
        yield f"server {core.name} {host}:{core.port} weight {core.weight}{limit} {check}"


def _section(title: str, lines: Iterable[str]) -> str:
    return f"\n{title}\n" + indent("".join(f"{line}\n" for line in lines), "    ")


def _time(seconds: float) -> str:
    """HAProxy's notation; milliseconds are its finest grain."""
    return f"{round(seconds * 1000)}ms"


def _problems(config: HAProxyConfig) -> Iterator[str]:
    """What would stand in the file for something else, or make HAProxy refuse it."""
    if not NAME.fullmatch(config.backend):
        yield f"backend {config.backend!r}: expected letters, digits and -_.: alone"
    for key in ("bind", "socket", "socket_mode", "check_path", "user", "group", "chroot"):
        value = getattr(config, key)
        if value is not None and not WORD.fullmatch(value):
            yield f"{key} {value!r}: expected one word without quotes, # and $"
    if config.log is not None and not all(WORD.fullmatch(word) for word in config.log.split(" ")):
        yield f"log {config.log!r}: expected words without quotes, # and $"
    if not config.cores:
        yield "cores: expected at least one core server"
    for core in config.cores:
        if not NAME.fullmatch(core.name):
            yield f"core server {core.name!r}: expected letters, digits and -_.: alone"
        if not WORD.fullmatch(core.address):
            yield f"address {core.address!r} of {core.name}: expected an IP address"
    if len({core.name for core in config.cores}) < len(config.cores):
        yield "cores: expected every name once"
