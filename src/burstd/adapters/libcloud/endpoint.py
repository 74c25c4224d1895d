"""Where a pool's API answers, as far as the settings or the driver say so; nothing is sent."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from burstd.adapters.libcloud.drivers import DRIVERS
from burstd.adapters.libcloud.pool import CloudPool

_TLS: Final = 443
_PLAIN: Final = 80
_UNSET: Final = "127.0.0.1"
"""The host of a connection of libcloud's whose driver has named none."""
_HOSTS: Final = {
    "azure_arm": "management.azure.com",
    "digitalocean": "api.digitalocean.com",
    "exoscale": "api.exoscale.com",
    "linode": "api.linode.com",
    "vultr": "api.vultr.com",
}
"""Of drivers that choose their connection only when they are made, which takes the secrets."""


def endpoint(pool: CloudPool) -> tuple[str, int] | None:
    """Host and port; None where neither settings nor driver name a host, or the driver speaks to none."""
    record = DRIVERS.get(pool.driver)
    if record is None or not record.remote:
        return None
    usual = _PLAIN if pool.secure is False else _TLS
    if pool.host:
        return pool.host, pool.port or usual
    for value in pool.args.values():
        url = urlsplit(value) if isinstance(value, str) and value.startswith(("http://", "https://")) else None
        if url is not None and url.hostname:
            return url.hostname, url.port or (_TLS if url.scheme == "https" else _PLAIN)
    host = _region(pool) or _class_host(record.name)
    return (host, pool.port or usual) if host else None


def _region(pool: CloudPool) -> str | None:
    """EC2's own host for the region."""
    if pool.driver != "ec2":
        return None
    from libcloud.compute.constants.ec2_region_details_complete import REGION_DETAILS

    return str(REGION_DETAILS.get(str(pool.args.get("region")), {}).get("endpoint") or "") or None


def _class_host(driver: str) -> str | None:
    if driver in _HOSTS:
        return _HOSTS[driver]
    from libcloud.compute.providers import get_driver

    host = getattr(get_driver(driver).connectionCls, "host", None)
    return host if isinstance(host, str) and host != _UNSET else None
