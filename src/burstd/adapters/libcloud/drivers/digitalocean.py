"""DigitalOcean: tags are bare words, and a filter by tag is there, though libcloud does not offer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, numbered_image
from burstd.adapters.libcloud.drivers.tag_strings import from_strings, to_strings
from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import OWNER_TAG, LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    given: Any = pool.create.get("ex_create_attr") or {}
    attributes = {**given, "tags": [*given.get("tags", ()), *to_strings(request.tags)]}
    if pool.keypair:
        attributes["ssh_keys"] = [int(pool.keypair) if pool.keypair.isdecimal() else pool.keypair]
    if pool.networks:
        attributes["vpc_uuid"] = pool.networks[0]
    # libcloud sends null where there is no user-data, which the API's document forbids; an empty one is allowed and means the same.
    return {"ex_create_attr": attributes, "ex_user_data": request.user_data or ""}


def _owned(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    [tag] = to_strings([(OWNER_TAG, owner)])
    found = driver._paginated_request(f"/v2/droplets?tag_name={quote(tag, safe='')}", "droplets")  # noqa: SLF001 - its own list cannot filter
    return [driver._to_node(each) for each in found]  # noqa: SLF001 - the same


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    answer = driver.connection.request(f"/v2/droplets/{quote(node_id, safe='')}")
    return [driver._to_node(answer.object["droplet"])]  # noqa: SLF001 - there is no reader by id


def _prepare(driver: Driver) -> None:
    """Let through what libcloud would silently drop from a create."""
    driver.EX_CREATE_ATTRIBUTES = [*driver.EX_CREATE_ATTRIBUTES, "monitoring", "public_networking", "vpc_uuid", "with_droplet_agent"]


DIGITALOCEAN: Final = DriverRecord(
    name="digitalocean",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(gone=frozenset({"HTTP 404"}), full=("droplet limit",)),
    listed=_owned,
    tags=lambda extra: from_strings(extra.get("tags") or ()),
    image=numbered_image,
    merged=frozenset({"ex_create_attr"}),
    takes=frozenset({"networks", "keypair"}),
    needs=("location",),
    prepare=_prepare,
)
