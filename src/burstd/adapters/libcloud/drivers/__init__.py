"""What burstd must know of each libcloud driver, one small record each, and how a driver is made and connected.

libcloud hides how a cloud is called, and leaves open how tags, tokens, user-data and filters are said to it: that is what a record
adds. A driver without one is refused, because its machines could not be told from a stranger's. docs/clouds.md has the table.
"""

from __future__ import annotations

import difflib
from typing import Final

from burstd.adapters.libcloud.drivers.azure import AZURE
from burstd.adapters.libcloud.drivers.cloudscale import CLOUDSCALE
from burstd.adapters.libcloud.drivers.cloudstack import CLOUDSTACK, EXOSCALE
from burstd.adapters.libcloud.drivers.digitalocean import DIGITALOCEAN
from burstd.adapters.libcloud.drivers.ec2 import EC2, LOCAL
from burstd.adapters.libcloud.drivers.equinixmetal import EQUINIXMETAL
from burstd.adapters.libcloud.drivers.gce import GCE
from burstd.adapters.libcloud.drivers.gridscale import GRIDSCALE
from burstd.adapters.libcloud.drivers.lab import LAB
from burstd.adapters.libcloud.drivers.link import Link, connect
from burstd.adapters.libcloud.drivers.linode import LINODE
from burstd.adapters.libcloud.drivers.openstack import OPENSTACK
from burstd.adapters.libcloud.drivers.ovh import OVH
from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord
from burstd.adapters.libcloud.drivers.scaleway import SCALEWAY
from burstd.adapters.libcloud.drivers.upcloud import UPCLOUD
from burstd.adapters.libcloud.drivers.vultr import VULTR
from burstd.adapters.libcloud.pool import CloudPool
from burstd.errors import Misconfigured

__all__ = ["DRIVERS", "Driver", "DriverRecord", "Link", "connect", "record_of", "unknown"]

DRIVERS: Final[dict[str, DriverRecord]] = {
    each.name: each
    for each in (
        AZURE, CLOUDSCALE, CLOUDSTACK, DIGITALOCEAN, EC2, EQUINIXMETAL, EXOSCALE, GCE, GRIDSCALE, LAB, LINODE, LOCAL, OPENSTACK, OVH,
        SCALEWAY, UPCLOUD, VULTR,
    )
}  # fmt: skip
"""By name."""


def record_of(pool: CloudPool) -> DriverRecord:
    """The record of the pool's driver.

    Raises:
        Misconfigured: burstd knows no such driver, or the pool asks of it what it cannot do; the first such line.
    """
    record = DRIVERS.get(pool.driver)
    if record is None:
        raise Misconfigured(unknown(pool, "driver", pool.driver, sorted(DRIVERS)))
    for line in record.misfits(pool):
        raise Misconfigured(line)
    return record


def unknown(pool: CloudPool, key: str, value: str, choices: list[str]) -> str:
    """The line for an operator who named something that is not there."""
    near = difflib.get_close_matches(value, choices, 1)
    guess = f'; did you mean "{near[0]}"?' if near else ""
    return f'{pool.peer}: {key} "{value}" is not known; use one of {", ".join(choices)}{guess}'
