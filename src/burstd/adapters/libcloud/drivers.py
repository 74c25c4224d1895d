"""What burstd must know of each libcloud driver, one small record each, and how a driver is made and connected.

libcloud hides how a cloud is called, and leaves open how tags, tokens, user-data and filters are said to it: that is what a record
adds. A driver without one is refused, because its machines could not be told from a stranger's.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from burstd.adapters.libcloud.pool import CloudPool
from burstd.errors import Misconfigured
from burstd.model.cloud import OWNER_TAG, LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import NodeLocation

Driver: TypeAlias = Any
"""A libcloud driver: what all have in common says nothing of the arguments that matter, so there is no useful type."""


def _nothing(driver: Driver) -> None:
    """Most drivers can be used as they come."""


def _no_location(driver: Driver, name: str) -> NodeLocation:
    from libcloud.compute.base import NodeLocation

    return NodeLocation(name, name, "", driver)


def _tags(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    return extra.get("tags") or {}


def _public_first(public: list[str], private: list[str]) -> list[str]:
    return [*public, *private]


@dataclass(frozen=True, slots=True)
class DriverRecord:
    """How one driver is spoken to.

    Attributes:
        name: libcloud's name of the provider.
        launch: the create's arguments that carry tags, token and user-data, all in the one call that makes the machine.
        find: arguments of `list_nodes` that read one machine by id; a machine that is gone must make it raise, never answer with nothing.
        gone: the error codes that say so.
        owned: arguments of `list_nodes` that let the cloud itself filter by owner; none where it cannot.
        tags: the tags of a machine, out of libcloud's `extra`.
        addresses: of (public, private) ones, all of them, the one to reach it by first.
        location: libcloud's object for a location's name.
        raw: the raw arguments of the settings, made into what the driver wants.
        tokens: the same create sent twice makes one machine.
        catalogue: sizes and images are listed completely and at once, so a wrong one can be found by `burstd check`.
        args: constructor arguments that burstd insists on, unless the settings say otherwise.
        prepare: what is done to a new driver before its first call.
    """

    name: str
    launch: Callable[[LaunchRequest], dict[str, Any]]
    find: Callable[[str], dict[str, Any]]
    gone: frozenset[str]
    owned: Callable[[str], dict[str, Any]] = lambda owner: {}  # noqa: ARG005 - most clouds cannot filter
    tags: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _tags
    addresses: Callable[[list[str], list[str]], list[str]] = _public_first
    location: Callable[[Driver, str], NodeLocation] = _no_location
    raw: Callable[[Mapping[str, object]], dict[str, Any]] = dict
    tokens: bool = False
    catalogue: bool = False
    args: Mapping[str, object] = field(default_factory=dict)
    prepare: Callable[[Driver], None] = _nothing


@dataclass(slots=True)
class Link:
    """A connected driver, for one thread: drivers are not thread-safe.

    Attributes:
        sent: requests begun since `fresh()`: with none, whatever went wrong went wrong here, and the cloud has heard nothing.
    """

    driver: Driver
    sent: int = 0

    def fresh(self) -> Driver:
        """The driver, at the beginning of a call."""
        self.sent = 0
        return self.driver


def record_of(pool: CloudPool) -> DriverRecord:
    """The record of the pool's driver.

    Raises:
        Misconfigured: burstd knows no such driver.
    """
    record = DRIVERS.get(pool.driver)
    if record is None:
        raise Misconfigured(unknown(pool, "driver", pool.driver, sorted(DRIVERS)))
    return record


def unknown(pool: CloudPool, key: str, value: str, choices: list[str]) -> str:
    """The line for an operator who named something that is not there."""
    near = difflib.get_close_matches(value, choices, 1)
    guess = f'; did you mean "{near[0]}"?' if near else ""
    return f'{pool.peer}: {key} "{value}" is not known; use one of {", ".join(choices)}{guess}'


def connect(pool: CloudPool, record: DriverRecord, timeout: float) -> Link:
    """A driver of its own for the calling thread; `timeout` seconds end a read that stalls. Nothing is sent.

    Raises:
        Exception: whatever the driver's constructor thinks of its arguments.
    """
    from libcloud.compute.providers import get_driver

    driver: Driver = get_driver(record.name)(**{**record.args, **pool.args})
    record.prepare(driver)
    connection = driver.connection
    for name, value in (("host", pool.host), ("port", pool.port), ("secure", pool.secure), ("timeout", timeout)):
        if value is not None:
            setattr(connection, name, value)
    connection.connect()
    link = Link(driver)
    request = connection.request

    def counted(*args: Any, **kwargs: Any) -> object:
        link.sent += 1
        return request(*args, **kwargs)

    connection.request = counted
    return link


def _local_launch(request: LaunchRequest) -> dict[str, Any]:
    return {"ex_tags": dict(request.tags), "ex_clienttoken": request.token, "ex_userdata": request.user_data}


def _ec2_launch(request: LaunchRequest) -> dict[str, Any]:
    tagged = {"ex_metadata": dict(request.tags), "ex_clienttoken": request.token, "ex_mincount": 1, "ex_maxcount": 1}
    return {**tagged, "ex_userdata": request.user_data}


def _ec2_zone(driver: Driver, name: str) -> NodeLocation:
    from libcloud.compute.drivers.ec2 import EC2NodeLocation, ExEC2AvailabilityZone

    zone = ExEC2AvailabilityZone(name, "available", driver.region_name)  # type: ignore[no-untyped-call] # libcloud's class
    return EC2NodeLocation(name, name, driver.country, driver, zone)  # type: ignore[no-untyped-call] # libcloud's class


def _ec2_raw(create: Mapping[str, object]) -> dict[str, Any]:
    """The settings name a subnet by its id; libcloud wants an object that has one."""
    subnet = create.get("ex_subnet")
    return {**create, "ex_subnet": SimpleNamespace(id=subnet)} if isinstance(subnet, str) else dict(create)


def _ec2_strict(driver: Driver) -> None:
    """Refuse answers that are not EC2's: libcloud reads a captive portal's page, or a foreign namespace, as "no machines"."""
    from libcloud.common.types import MalformedResponseError
    from libcloud.compute.drivers.ec2 import NAMESPACE

    class StrictResponse(driver.connection.responseCls):  # type: ignore[misc] # the driver's own class, whichever it is
        def parse_body(self) -> object:
            body = super().parse_body()
            if not str(getattr(body, "tag", "")).startswith(f"{{{NAMESPACE}}}"):
                raise MalformedResponseError("not an answer of EC2", driver=driver)
            return body

    driver.connection.responseCls = StrictResponse


DRIVERS: Final[dict[str, DriverRecord]] = {
    each.name: each
    for each in (
        DriverRecord(
            name="local",
            launch=_local_launch,
            find=lambda node_id: {"ex_node_ids": [node_id]},
            gone=frozenset({"InvalidInstanceID.NotFound"}),
            tokens=True,
            catalogue=True,
        ),
        DriverRecord(
            name="ec2",
            launch=_ec2_launch,
            find=lambda node_id: {"ex_node_ids": [node_id]},
            gone=frozenset({"InvalidInstanceID.NotFound"}),
            # Also because libcloud ignores EC2's nextToken: unfiltered, a long list is silently cut.
            owned=lambda owner: {"ex_filters": {f"tag:{OWNER_TAG}": owner}},
            location=_ec2_zone,
            raw=_ec2_raw,
            tokens=True,
            args={"signature_version": "4"},
            prepare=_ec2_strict,
        ),
    )
}
"""By name."""
