"""How a driver is made and connected, and what is counted of its requests."""

from __future__ import annotations

from collections.abc import Mapping
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

    arguments = record.construct({**record.args, **pool.args})
    chosen = get_driver(record.name)
    driver: Driver = chosen(**arguments) if pool.proxy is None else _made_behind(pool.proxy, chosen, arguments)
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


def _made_behind(proxy: str, chosen: Any, arguments: Mapping[str, Any]) -> Driver:  # noqa: ANN401 - a driver's class, see Driver
    """A driver all of whose requests go by this proxy, those that its constructor sends too.

    Few constructors take libcloud's `proxy_url`, and Azure's login does not heed it; every request is made by a driver's
    `connectionCls`, and by the `conn_class` of that. What `chosen(**arguments)` does in one step is done in two here, because several
    drivers choose their class, and with it their `connectionCls`, only then.
    """
    driver: Driver = chosen.__new__(chosen, **arguments)

    class Transport(driver.connectionCls.conn_class):  # type: ignore[misc] # the driver's own class, whichever it is
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "proxy_url": proxy})
            merge = self.session.merge_environment_settings

            def ours_first(url: str, proxies: Mapping[str, str], *others: Any) -> object:
                return merge(url, {**proxies, **self.session.proxies}, *others)

            # requests lets the proxies of the environment count over those of a session.
            self.session.merge_environment_settings = ours_first

    class Connection(driver.connectionCls):  # type: ignore[misc] # as above
        conn_class = Transport

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "proxy_url": proxy})

    driver.connectionCls = Connection
    driver.__init__(**arguments)
    return driver
