"""Which hosts there are, where they stand, and how far apart the sites are. Data alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GATEWAY: Final = "gateway"
"""The site in Oslo where the gateway stands: its own, so that the core's site can go dark without it."""
OSLO: Final = "oslo"
DUBLIN: Final = "dublin"
AMSTERDAM: Final = "amsterdam"

ROUND_TRIPS: Final[dict[tuple[str, str], float]] = {
    (GATEWAY, OSLO): 4.0,
    (GATEWAY, DUBLIN): 43.0,
    (GATEWAY, AMSTERDAM): 20.0,
    (OSLO, DUBLIN): 42.0,
    (OSLO, AMSTERDAM): 19.0,
    (DUBLIN, AMSTERDAM): 18.0,
}
"""Milliseconds. The article measured 2 to 5 to Oslo and 35 to 45 to Dublin; within a site there is no delay but the switch's own."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host.

    Attributes:
        cpus: its quota, in CPUs.
        units: systemd units that it starts at boot, beside Debian's.
    """

    name: str
    site: str
    address: str
    cpus: float
    units: tuple[str, ...] = ()

    @property
    def mac(self) -> str:
        """Of its only interface: locally administered, made from the address."""
        return "02:1a:" + ":".join(f"{int(part):02x}" for part in self.address.split("."))


GATEWAY_HOST: Final = Host("gateway", GATEWAY, "10.0.0.2", 0.25, ("haproxy", "prometheus-node-exporter"))
CORE_1: Final = Host("core-oslo-01", OSLO, "10.0.0.5", 0.30, ("nginx", "site", "prometheus-node-exporter", "mariadb", "lab-mirror"))
CORE_2: Final = Host("core-oslo-02", OSLO, "10.0.0.6", 0.30, ("nginx", "site", "prometheus-node-exporter"))
REPLICA: Final = Host("replica-ams", AMSTERDAM, "10.1.0.5", 0.15, ("mariadb", "prometheus-node-exporter"))

HOSTS: Final = (GATEWAY_HOST, CORE_1, CORE_2, REPLICA)
"""Those that `up` boots. With two instances the quotas come to 150 %, so that a machine of two CPUs has some left for the rest."""

CLOUD_API: Final = "192.168.1.2"
"""Where the lab's cloud answers, in Dublin."""

CLOUD_API_PORT: Final = 8080

INSTANCE_ADDRESSES: Final = tuple(f"192.168.1.{number}" for number in range(10, 16))
"""For instances, one each."""

CAPACITY: Final = 2
"""Instances at once: what the machine's CPUs carry."""

INSTANCE_CPUS: Final = 0.25


def instance(name: str, address: str) -> Host:
    """A cloud instance in Dublin; what it starts is the image's and its user-data's affair."""
    return Host(name, DUBLIN, address, INSTANCE_CPUS)
