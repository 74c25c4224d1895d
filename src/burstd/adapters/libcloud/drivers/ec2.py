"""Amazon's EC2, and the local provider, which speaks as it does."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord
from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import OWNER_TAG, LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode

_DIALECT: Final = Dialect(gone=frozenset({"InvalidInstanceID.NotFound"}))


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    found: list[LibcloudNode] = driver.list_nodes(ex_node_ids=[node_id])
    return found


def _local_launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:  # noqa: ARG001 - the record's form
    return {"ex_tags": dict(request.tags), "ex_clienttoken": request.token, "ex_userdata": request.user_data}


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "ex_metadata": dict(request.tags),
        "ex_clienttoken": request.token,
        "ex_mincount": 1,
        "ex_maxcount": 1,
        "ex_userdata": request.user_data,
    }
    if pool.networks:
        arguments["ex_subnet"] = SimpleNamespace(id=pool.networks[0])
    if pool.security_groups:
        # In a subnet of one's own EC2 wants their ids, in the default one their names; libcloud refuses ids without a subnet.
        subnet = pool.networks or pool.create.get("ex_subnet")
        arguments["ex_security_group_ids" if subnet else "ex_security_groups"] = list(pool.security_groups)
    if pool.keypair:
        arguments["ex_keyname"] = pool.keypair
    return arguments


def _owned(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Filtered also because libcloud ignores EC2's nextToken: unfiltered, a long list is silently cut.
    found: list[LibcloudNode] = driver.list_nodes(ex_filters={f"tag:{OWNER_TAG}": owner})
    return found


def _zone(driver: Driver, name: str | None) -> dict[str, Any]:
    from libcloud.compute.drivers.ec2 import EC2NodeLocation, ExEC2AvailabilityZone

    if name is None:
        return {"location": None}
    zone = ExEC2AvailabilityZone(name, "available", driver.region_name)  # type: ignore[no-untyped-call] # libcloud's class
    return {"location": EC2NodeLocation(name, name, driver.country, driver, zone)}  # type: ignore[no-untyped-call] # libcloud's class


def _raw(create: Mapping[str, object]) -> dict[str, Any]:
    """The settings name a subnet by its id; libcloud wants an object that has one."""
    subnet = create.get("ex_subnet")
    return {**create, "ex_subnet": SimpleNamespace(id=subnet)} if isinstance(subnet, str) else dict(create)


def _strict(driver: Driver) -> None:
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


LOCAL: Final = DriverRecord(name="local", launch=_local_launch, read=_by_id, dialect=_DIALECT, remote=False, tokens=True, catalogue=True)

EC2: Final = DriverRecord(
    name="ec2",
    launch=_launch,
    read=_by_id,
    dialect=_DIALECT,
    listed=_owned,
    place=_zone,
    country=lambda driver, _pool: str(driver.country),
    raw=_raw,
    takes=frozenset({"networks", "keypair", "security_groups"}),
    tokens=True,
    args={"signature_version": "4"},
    prepare=_strict,
)
