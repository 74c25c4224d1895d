"""UpCloud: a machine is cloned from a template; libcloud stops and deletes it, and its disk is taken away here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, country_listed, ipv4_first, tolerant
from burstd.adapters.libcloud.faults import Dialect, Reply, http_reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest
from burstd.model.naming import read_marked_name

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode
    from libcloud.compute.base import NodeImage, NodeSize

_DISK: Final = "burstd"
"""The title of every disk that burstd's creates make: another disk on the same machine was attached by somebody else."""


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    from libcloud.compute.base import NodeAuthSSHKey

    return {"auth": NodeAuthSSHKey(str(pool.keypair)), "ex_hostname": request.name}


def _size(driver: Driver, request: LaunchRequest) -> NodeSize:
    from libcloud.compute.base import NodeSize

    plan, _, disk = request.size.partition("/")
    if not disk.isdecimal():
        raise ValueError(f'size "{request.size}": expected PLAN/GB, the plan and the size of its disk, such as "1xCPU-2GB/50"')
    return NodeSize(plan, plan, 0, int(disk), None, 0.0, driver)


def _image(driver: Driver, name: str) -> NodeImage:
    from libcloud.compute.base import NodeImage

    return NodeImage(name, _DISK, driver, extra={"type": "template"})


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by list_nodes, which asks about every stranger's machine too, and fails on one that has just gone.
    shown = driver.connection.request("1.2/server").object["servers"]["server"]
    return [_node(driver, _asked(driver, each["uuid"]) if read_marked_name(owner, each["title"]) else each) for each in shown]


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    return [_node(driver, _asked(driver, node_id))]


def _asked(driver: Driver, node_id: str) -> dict[str, Any]:
    server: dict[str, Any] = driver.connection.request(f"1.2/server/{node_id}").object["server"]
    return server


def _node(driver: Driver, server: dict[str, Any]) -> LibcloudNode:
    bare: dict[str, Any] = {"ip_addresses": {"ip_address": []}, "vnc_password": None}
    node: LibcloudNode = driver._to_node({**bare, **server})  # noqa: SLF001 - there is no reader by id
    return node


def _destroy(driver: Driver, node: LibcloudNode) -> bool:
    """Waits, for up to 40 seconds, until the machine has stopped."""
    from libcloud.compute.types import NodeState as Foreign

    devices = _asked(driver, str(node.id))["storage_devices"]["storage_device"]
    if node.state == Foreign.ERROR:  # libcloud does not even try
        done = bool(driver.connection.request(f"1.2/server/{node.id}", method="DELETE").success())
    else:
        done = bool(driver.destroy_node(node))
    for device in devices if done else ():
        if (device["type"], device["storage_title"]) == ("disk", _DISK):
            driver.connection.request(f"1.2/storage/{device['storage']}", method="DELETE")
    return done


def _reply(error: Exception) -> Reply | None:
    """Take the words out of the body, which libcloud leaves whole."""
    from libcloud.common.exceptions import BaseHTTPError

    body = error.message if isinstance(error, BaseHTTPError) else None
    told = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, BaseHTTPError) and isinstance(told, dict):
        return Reply(error.code, f"{told.get('error_code')}: {told.get('error_message')}")
    return http_reply(error)


def _prepare(driver: Driver) -> None:
    driver.NODE_STATE_MAP = tolerant(driver.NODE_STATE_MAP)


UPCLOUD: Final = DriverRecord(
    name="upcloud",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(reply=_reply, gone=frozenset({"SERVER_NOT_FOUND"})),
    listed=_all,
    by_name=True,
    user_data=False,
    leaves="a destroy cut off half-way leaves a disk called burstd",
    addresses=ipv4_first,
    size=_size,
    image=_image,
    destroy=_destroy,
    country=country_listed,
    takes=frozenset({"keypair"}),
    needs=("location", "keypair"),
    prepare=_prepare,
)
