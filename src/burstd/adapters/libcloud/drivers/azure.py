"""Microsoft Azure (Resource Manager): a machine is a resource in a group, put by name, with a network interface of its own beside it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, country_listed
from burstd.adapters.libcloud.faults import Dialect, Reply, http_reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode
    from libcloud.compute.base import NodeImage

_CODED: Final = re.compile(r"\[(\w+)\] (.*)", re.DOTALL)
_OWN_DISK: Final = {"ex_use_managed_disks": True, "ex_os_disk_delete": True}
_URN: Final = 4
"""Parts of "publisher:offer:sku:version"."""


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    from libcloud.compute.base import NodeAuthSSHKey

    arguments: dict[str, Any] = {key: value for key, value in _OWN_DISK.items() if key not in pool.create}
    arguments["ex_tags"] = dict(request.tags)
    # Bytes, because libcloud encodes them as they are; see `_prepare` for the other half.
    arguments["ex_customdata"] = (request.user_data or "").encode()
    # Without a key, libcloud makes up a password, which nobody ever learns.
    arguments["auth"] = NodeAuthSSHKey(pool.keypair) if pool.keypair else None
    if pool.networks:
        network, _, subnet = pool.networks[0].partition("/")
        arguments |= {"ex_network": network, "ex_subnet": subnet or "default"}
    return arguments


def _image(driver: Driver, name: str) -> NodeImage:
    """An image of the marketplace by its URN, another by its resource id."""
    from libcloud.compute.drivers.azure_arm import AzureComputeGalleryImage, AzureImage

    parts = name.split(":")
    if len(parts) == _URN:
        publisher, offer, sku, version = parts
        urn: NodeImage = AzureImage(version, sku, offer, publisher, None, driver)  # type: ignore[no-untyped-call] # libcloud's class
        return urn
    image: NodeImage = AzureComputeGalleryImage("", "", "", name, driver)  # type: ignore[no-untyped-call] # libcloud's class
    image.id = name
    return image


def _grouped(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    found: list[LibcloudNode] = driver.list_nodes(ex_resource_group=pool.create["ex_resource_group"])
    return found


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    return [driver.ex_get_node(node_id)]


def _reply(error: Exception) -> Reply | None:
    """The code stands before the words, in brackets."""
    reply = http_reply(error)
    found = _CODED.match(reply.words) if reply else None
    return replace(reply, words=f"{found[1]}: {found[2]}") if reply and found else reply


def _prepare(driver: Driver) -> None:
    """Let user-data through: libcloud hands its base64 as bytes to a JSON encoder that knows none."""
    driver.connection.encode_data = lambda data: json.dumps(data, default=bytes.decode)


AZURE: Final = DriverRecord(
    name="azure_arm",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(reply=_reply, gone=frozenset({"ResourceNotFound", "NotFound"}), full=("quota",), sessions=True),
    listed=_grouped,
    image=_image,
    # The interface is made first; that it could be made says nothing of the machine.
    harmless=lambda _method, action: "/Microsoft.Network/" in action,
    country=country_listed,
    takes=frozenset({"networks", "keypair"}),
    needs=("location", "networks", "create.ex_resource_group"),
    prepare=_prepare,
)
