"""The world that is simulated: what the servers can carry, how long a boot takes, what it costs. Pure figures."""

from __future__ import annotations

from dataclasses import dataclass

from burstd.decide.queueing import utilisation_at

CORES = 2
CPUS = 4
BOOT = (60.0, 180.0)
"""Seconds: what a small instance of the large clouds needs from the create into service, at best and at worst."""
MAXIMUM = 10


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """What the simulation plays with.

    Attributes:
        cores: core servers; each instance is worth one of them.
        cpus: of each server.
        work: CPU seconds that a request costs.
        boot: seconds from the create into service, as burstd's own record of boots counts them: shortest and longest, all between are
            as likely.
        failures: the part of the launches, 0..1, whose machine never answers; it is billed until burstd gives it up.
        maximum: most instances, which bounds the clairvoyant, too.
        threshold: the load at which a server is full, load units; it says what a server carries.
        price: of one instance for one hour; None: unknown.
        currency: of the price, for people.
    """

    cores: int = CORES
    cpus: int = CPUS
    work: float = 0.04
    boot: tuple[float, float] = BOOT
    failures: float = 0.0
    maximum: int = MAXIMUM
    threshold: float = 4.0
    price: float | None = None
    currency: str | None = None

    @property
    def capacity(self) -> float:
        """Requests/s at which the M/M/c mean load of one server stands at the threshold."""
        return utilisation_at(self.threshold, self.cpus) * self.cpus / self.work

    @property
    def mean_boot(self) -> float:
        """Seconds."""
        return sum(self.boot) / 2
