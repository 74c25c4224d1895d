"""gridscale: a machine is put together from a server, a disk and an address by a dozen requests, and started last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, country_listed
from burstd.adapters.libcloud.faults import Dialect, Reply, http_reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest, NodeState

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode
    from libcloud.compute.base import NodeImage, NodeSize

_DISK: Final = "burstd"
"""The name of every disk that burstd's creates make: another disk on the same machine was attached by somebody else."""
_SIZE: Final = re.compile(r"(\d+)-(\d+)-(\d+)")
_MISSING: Final = "The resource you are looking for has not been found."
"""What libcloud makes of every 404 of the API."""


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:  # noqa: ARG001 - the record's form
    return {"ex_ssh_key_ids": [pool.keypair]} if pool.keypair else {}


def _size(driver: Driver, request: LaunchRequest) -> NodeSize:
    from libcloud.compute.base import NodeSize

    found = _SIZE.fullmatch(request.size)
    if found is None:
        raise ValueError(f'size "{request.size}": expected CORES-MEMORY-DISK, both in GB, such as "2-4-20"')
    cores, memory, disk = map(int, found.groups())
    return NodeSize(request.size, request.size, memory * 1024, disk, None, 0.0, driver, extra={"cores": cores})


def _image(driver: Driver, name: str) -> NodeImage:
    from libcloud.compute.base import NodeImage

    # libcloud names the disk by the kind of system.
    return NodeImage(name, name, driver, extra={"ostype": _DISK})


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by list_nodes, which takes whatever comes first in the answer for the servers.
    found = driver.connection.request("objects/servers/").object["servers"]
    return [driver._to_node(each) for each in found.values()]  # noqa: SLF001 - as said


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    answer = driver.connection.request(f"objects/servers/{node_id}")
    return [driver._to_node(answer.object["server"])]  # noqa: SLF001 - there is no reader by id


def _destroy(driver: Driver, node: LibcloudNode) -> bool:
    """Powered off at the first call and deleted at a later one, with the disk and the address that its create made."""
    from libcloud.compute.types import NodeState as Foreign

    if node.state == Foreign.RUNNING:
        driver.connection.request(f"objects/servers/{node.id}/power", data={"power": False}, method="PATCH")
        return False
    disks = [each for each in driver.ex_list_volumes_for_node(node) if each.name == _DISK]
    addresses = [each for each in driver.ex_list_ips_for_node(node) if each.extra["name"] == f"{node.name}_ip"]
    done = bool(driver.destroy_node(node))
    for disk in disks:
        driver.destroy_volume(disk)
    for address in addresses:
        driver.ex_destroy_ip(address)
    return done


def _reply(error: Exception) -> Reply | None:
    return Reply(404, f"NotFound: {_MISSING}") if type(error) is Exception and str(error) == _MISSING else http_reply(error)


def _prepare(driver: Driver) -> None:
    """Let a create's first request be counted like any other: libcloud sends it past `request`."""
    connection = driver.connection

    def begin_or_poll(**arguments: Any) -> object:
        answer = connection.request(**arguments)
        if connection.async_request_counter == 0:
            connection.poll_response_initial = answer
            connection.async_request_counter = 1
        return answer

    connection._poll_request_initial = begin_or_poll  # noqa: SLF001 - as said


GRIDSCALE: Final = DriverRecord(
    name="gridscale",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(reply=_reply, gone=frozenset({"NotFound"})),
    listed=_all,
    by_name=True,
    user_data=False,
    leaves="a create or a destroy cut off half-way leaves a disk called burstd, or an address",
    # It is off until the last step of its create.
    states={"stopped": NodeState.PENDING},
    size=_size,
    image=_image,
    destroy=_destroy,
    country=country_listed,
    takes=frozenset({"keypair"}),
    needs=("location",),
    prepare=_prepare,
)
