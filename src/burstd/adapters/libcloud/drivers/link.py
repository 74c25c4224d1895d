"""How a driver is made and connected, and what is counted of its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord
from burstd.adapters.libcloud.pool import CloudPool


@dataclass(slots=True)
class Link:
    """A connected driver, for one thread: drivers are not thread-safe.

    Attributes:
        sent: requests begun since `fresh()` that may matter: with none, whatever went wrong went wrong here.
    """

    driver: Driver
    sent: int = 0

    def fresh(self) -> Driver:
        """The driver, at the beginning of a call."""
        self.sent = 0
        return self.driver


def connect(pool: CloudPool, record: DriverRecord, timeout: float) -> Link:
    """A driver of its own for the calling thread; `timeout` seconds end a read that stalls. Most send nothing here; some log in.

    Raises:
        Exception: whatever the driver's constructor thinks of its arguments.
    """
    from libcloud.compute.providers import get_driver

    driver: Driver = get_driver(record.name)(**record.construct({**record.args, **pool.args}))
    record.prepare(driver)
    connection = driver.connection
    for name, value in (("host", pool.host), ("port", pool.port), ("secure", pool.secure), ("timeout", timeout)):
        if value is not None:
            setattr(connection, name, value)
    connection.connect()
    link = Link(driver)
    request = connection.request

    def counted(action: str = "", *args: Any, **kwargs: Any) -> object:
        link.sent += not record.harmless(str(kwargs.get("method", "GET")), action)
        return request(action, *args, **kwargs)

    connection.request = counted
    return link
