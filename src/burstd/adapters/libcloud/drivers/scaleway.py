"""Scaleway: a machine is made stopped and started by a second request; its disk goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, country_listed
from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest, NodeState

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode
    from libcloud.compute.base import NodeImage


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:  # noqa: ARG001 - all that it takes is where and what
    return {}


def _region(name: str | None) -> str | None:
    """The region, if libcloud has an address for it: it would fail on another one after the call has begun."""
    from libcloud.compute.drivers.scaleway import SCALEWAY_API_HOSTS

    known = sorted(SCALEWAY_API_HOSTS.keys() - {"default", "account"})
    if name is not None and name not in known:
        raise ValueError(f'location "{name}": expected one of {", ".join(known)}')
    return name


def _place(driver: Driver, name: str | None) -> dict[str, Any]:  # noqa: ARG001 - the record's form
    return {"region": _region(name)}


def _image(driver: Driver, name: str) -> NodeImage:
    from libcloud.compute.base import NodeImage

    # Without a size, libcloud adds no disk of its own beside the image's.
    return NodeImage(name, name, driver, extra={"size": 0})


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    found: list[LibcloudNode] = driver.list_nodes(_region(pool.location))
    return found


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:
    # The region stays with the connection from here on: the destroy that follows has no argument for it.
    answer = driver.connection.request(f"/servers/{node_id}", region=_region(pool.location))
    return [driver._to_node(answer.object["server"])]  # noqa: SLF001 - there is no reader by id


def _destroy(driver: Driver, node: LibcloudNode) -> bool:
    from libcloud.compute.types import NodeState as Foreign

    if node.state != Foreign.STOPPED:
        return bool(driver.destroy_node(node))
    # Only a running machine can be told to take its disks with it. "0" is the one that its create made.
    driver.connection.request(f"/servers/{node.id}", method="DELETE")
    driver.connection.request(f"/volumes/{node.extra['volumes']['0']['id']}", method="DELETE")
    return True


SCALEWAY: Final = DriverRecord(
    name="scaleway",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(gone=frozenset({"HTTP 404"}), full=("out of stock",)),
    listed=_all,
    by_name=True,
    user_data=False,
    leaves="a destroy cut off half-way may leave a disk",
    # Between the create's two requests it is stopped.
    states={"stopped": NodeState.PENDING},
    place=_place,
    country=country_listed,
    image=_image,
    destroy=_destroy,
)
