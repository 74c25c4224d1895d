"""cloudscale.ch: everything beside name, image and size travels in one table of attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord
from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    given: Any = pool.create.get("ex_create_attr") or {}
    attributes = {**given, "tags": {**given.get("tags", {}), **dict(request.tags)}}
    if request.user_data is not None:
        attributes["user_data"] = request.user_data
    if request.location is not None:
        attributes["zone"] = request.location
    if pool.keypair:
        attributes["ssh_keys"] = [pool.keypair]
    if pool.networks:
        attributes["interfaces"] = [{"network": each} for each in pool.networks]
    return {"ex_create_attr": attributes}


def _nowhere(driver: Driver, name: str | None) -> dict[str, Any]:  # noqa: ARG001 - libcloud ignores the location; the zone is an attribute
    return {}


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by list_nodes, which reads an empty table as an empty list.
    from libcloud.common.types import MalformedResponseError

    found = driver.connection.request("/v1/servers").object
    if not isinstance(found, list):
        raise MalformedResponseError("not a list of servers", driver=driver)
    return [driver._to_node(each) for each in found]  # noqa: SLF001 - as said


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    return [driver.ex_node_by_uuid(node_id)]


CLOUDSCALE: Final = DriverRecord(
    name="cloudscale",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(gone=frozenset({"HTTP 404"})),
    listed=_all,
    place=_nowhere,
    merged=frozenset({"ex_create_attr"}),
    takes=frozenset({"networks", "keypair"}),
    most_networks=16,
    needs=("keypair",),
)
