"""Google Compute Engine: everything is named by its path, and a name is taken once in a zone."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord
from burstd.adapters.libcloud.drivers.tag_strings import LOWER, escaped
from burstd.adapters.libcloud.faults import Dialect, Reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode
    from libcloud.compute.base import NodeImage, NodeSize


def _at(path: str) -> object:
    """What libcloud would look up by several requests, by its path alone."""
    return SimpleNamespace(name=path.rpartition("/")[2], extra={"selfLink": path})


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    zone = request.location or ""
    items = [("user-data", request.user_data), ("ssh-keys", pool.keypair)]
    arguments: dict[str, Any] = {
        "ex_labels": {escaped(key, LOWER): escaped(value, LOWER) for key, value in request.tags},
        "ex_metadata": {"items": [{"key": key, "value": value} for key, value in items if value]},
    }
    if "ex_disk_type" not in pool.create:
        arguments["ex_disk_type"] = _at(f"zones/{zone}/diskTypes/pd-balanced")
    network, _, subnetwork = pool.networks[0].partition("/") if pool.networks else ("default", "", "")
    if pool.networks or "ex_network" not in pool.create:
        arguments["ex_network"] = _at(f"global/networks/{network}")
    if subnetwork:
        arguments["ex_subnetwork"] = _at(f"regions/{zone.rpartition('-')[0]}/subnetworks/{subnetwork}")
    if pool.security_groups:
        arguments["ex_tags"] = list(pool.security_groups)
    return arguments


def _size(driver: Driver, request: LaunchRequest) -> NodeSize:
    from libcloud.compute.base import NodeSize

    path = {"selfLink": f"zones/{request.location}/machineTypes/{request.size}"}
    return NodeSize(request.size, request.size, 0, 0, None, 0.0, driver, extra=path)


def _image(driver: Driver, name: str) -> NodeImage:
    from libcloud.compute.base import NodeImage

    return NodeImage(name, name, driver, extra={"selfLink": name if "/" in name else f"global/images/{name}"})


def _in_zone(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    found: list[LibcloudNode] = driver.list_nodes(ex_zone=pool.location)
    return found


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:
    return [driver.ex_get_node(node_id, pool.location)]  # the API takes an id for a name


def _destroy(driver: Driver, node: LibcloudNode) -> bool:
    """Asked for, not waited for: libcloud would poll for up to three minutes."""
    return bool(driver.destroy_node(node, ex_sync=False))


def _reply(error: Exception) -> Reply | None:
    from libcloud.common.google import GoogleBaseError

    if not isinstance(error, GoogleBaseError):
        return None
    # The reason may be in the value alone: a ResourceNotFoundError loses its code on the way up. With neither, the API has not spoken.
    value: Any = error.value
    told = value if isinstance(value, dict) else {"message": value}
    code = error.code or told.get("reason")
    return Reply(int(error.http_code), f"{code}: {told.get('message')}" if code else "")


def _strict(driver: Driver) -> None:
    """Refuse answers that are not the API's: everything of its has a kind, and libcloud reads an empty table as an empty list."""
    from libcloud.common.types import MalformedResponseError

    class StrictResponse(driver.connection.responseCls):  # type: ignore[misc] # the driver's own class, whichever it is
        def parse_body(self) -> object:
            body = super().parse_body()
            if not isinstance(body, dict) or "kind" not in body:
                raise MalformedResponseError("not an answer of Compute Engine", driver=driver)
            return body

    driver.connection.responseCls = StrictResponse


GCE: Final = DriverRecord(
    name="gce",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(reply=_reply, gone=frozenset({"notFound"}), taken=("alreadyExists",)),
    listed=_in_zone,
    tags=lambda extra: extra.get("labels") or {},
    size=_size,
    image=_image,
    destroy=_destroy,
    takes=frozenset({"networks", "keypair", "security_groups"}),
    needs=("location", "args.project"),
    args={"credential_file": os.devnull},  # libcloud's default is to keep the session's token in a file of the home folder
    prepare=_strict,
)
