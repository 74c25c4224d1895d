"""From settings to the neighbours' configuration files: what `burstd render` needs, and a line for each thing that is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from burstd.errors import InvalidSettings
from burstd.model.policy import BackendPolicy, Mode
from burstd.render.haproxy import BackendConfig, CoreLine, HAProxyConfig
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
    )


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
