"""From settings to the neighbours' configuration files: what `burstd render` needs, and a line for each thing that is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from burstd.errors import InvalidSettings
from burstd.model.gtid import Dialect
from burstd.model.policy import BackendPolicy, Mode
from burstd.model.replication import Server
from burstd.render.cloud_init import CloudInitConfig, Web
from burstd.render.haproxy import BackendConfig, CoreLine, DatabaseListener, HAProxyConfig
from burstd.render.lsyncd import MirrorConfig, pushed_from
from burstd.render.mysql import MySQLConfig
from burstd.settings.sections import Settings


def haproxy_config(settings: Settings, mode: Mode) -> HAProxyConfig:
    """A gateway's haproxy.cfg in that mode, whatever `haproxy.mode` says.

    Raises:
        InvalidSettings: what is missing, a line each.
    """
    problems = list(_missing(settings, mode))
    if problems:
        raise InvalidSettings(problems)
    render, haproxy = settings.render, settings.haproxy
    moded = settings.model_copy(update={"haproxy": haproxy.model_copy(update={"mode": str(mode)})})
    further = (None, *haproxy.further)
    backends = zip(moded.policy(owner="").routing.backends, further, strict=True)
    return HAProxyConfig(
        bind=render.bind,
        socket=str(haproxy.socket),
        backends=tuple(
            _backend(settings, policy, each.acl if each else None, each.core_port if each else None) for policy, each in backends
        ),
        check_path=next((pool.check_path for pool in settings.pool), "/"),
        user=render.user,
        group=render.group,
        chroot=render.chroot,
        log=render.log,
        maxconn=render.maxconn,
        retries=haproxy.retries,
        queue_timeout=render.queue_timeout,
        slow_start=render.slow_start,
        database=_listener(settings),
    )


def mirror_config(settings: Settings, burstd_key: str = "") -> MirrorConfig:
    """The mirror of [content], for which burstd logs in to the core with that public key; none where the core's side is not wanted.

    Raises:
        InvalidSettings: what is missing, a line each.
    """
    content = settings.content
    sources = content.push_from or tuple(filter(None, (pushed_from(content.core or ""),)))
    problems = []
    if content.core is None:
        problems.append('content.core: needed to render the mirror; write the login on the core server, such as core = "mirror@10.0.0.5"')
    elif not sources:
        problems.append(
            f"content.push_from: needed to render the mirror, for content.core {content.core} names no address; "
            f'write from where the core pushes, such as push_from = ["10.0.0.5"]'
        )
    if content.push_key is None:
        problems.append(
            "content.push_key: needed to render the mirror; make a key on the core, as the user who pushes, with "
            "ssh-keygen -t ed25519 -N '' -f ~/.ssh/burstd_push, and write the line of burstd_push.pub"
        )
    if problems:
        raise InvalidSettings(problems)
    return MirrorConfig(
        login=content.core or "",
        root=content.root,
        user=content.user,
        token_path=content.token_path,
        delay=content.delay,
        max_delete=content.max_delete,
        burstd_key=burstd_key,
        push_key=content.push_key or "",
        push_from=sources,
    )


def cloud_init_config(settings: Settings, web: Web) -> CloudInitConfig:
    """The user-data of instances with that web server; without `content.core` nobody pushes content to them.

    Raises:
        InvalidSettings: what the mirror lacks, a line each.
    """
    return CloudInitConfig(web, settings.content.root, mirror_config(settings) if settings.content.core else None)


def mysql_config(settings: Settings, role: Server, dialect: Dialect, memory: int) -> MySQLConfig:
    """The database server of that role, with that many bytes of memory for itself.

    Raises:
        InvalidSettings: the settings know no server of that role.
    """
    database = settings.database
    address = database.primary if role is Server.PRIMARY else database.replica
    if address is None:
        example = "10.0.0.5" if role is Server.PRIMARY else "10.1.0.5"
        raise InvalidSettings(
            [f'database.{role}: needed to render its my.cnf; write the address of the {role}, such as {role} = "{example}"']
        )
    return MySQLConfig(role, memory, address, database.port, dialect, database.semi_sync)


def _listener(settings: Settings) -> DatabaseListener | None:
    database = settings.database
    if database.primary is None or not database.listen:
        return None
    return DatabaseListener(database.listener, database.listen, database.primary, database.replica, database.port)


def _backend(settings: Settings, policy: BackendPolicy, acl: str | None, port: int | None) -> BackendConfig:
    cores = tuple(CoreLine(core.server_name, core.address or "", port or core.port, core.weight, core.maxconn) for core in settings.core)
    return BackendConfig(policy.name, cores, policy.joined if policy.joined != policy.name else None, acl)


def _missing(settings: Settings, mode: Mode) -> Iterator[str]:
    for number, core in enumerate(settings.core):
        if core.address is None:
            yield f'core[{number}].address: needed to render haproxy.cfg; write the IP address of {core.name}, such as address = "10.0.0.5"'
        if mode is Mode.SPILLOVER and core.maxconn is None:
            yield (
                f"core[{number}].maxconn: needed to render spillover, for nothing spills over where there is no limit; "
                f"write how many requests {core.name} serves well at once, such as maxconn = 16"
            )
    if settings.haproxy.maxconn is None and any(core.maxconn for core in settings.core):
        yield (
            "haproxy.maxconn: needed to render haproxy.cfg where core servers have a maxconn, for instances without one get none of the "
            "requests that queue; write how many each instance serves well at once, such as maxconn = 16"
        )
    for number, further in enumerate(settings.haproxy.further):
        if further.acl is None:
            yield (
                f"haproxy.further[{number}].acl: needed to render haproxy.cfg; write which requests go to {further.name}, "
                f'such as acl = "path_beg /static/"'
            )
    for number, (one, other) in enumerate(pairwise(settings.pool)):
        if one.check_path != other.check_path:
            yield (
                f"pool[{number + 1}].check_path {other.check_path}: expected {one.check_path} as in the pool before, for haproxy.cfg has "
                f"one check for all servers; give all pools the same"
            )
