"""The lab's cloud: HTTP and JSON like most, with tags, tokens and a filter by owner (docs/lab.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord
from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import OWNER_TAG, LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:  # noqa: ARG001 - the record's form
    return {"ex_tags": dict(request.tags), "ex_clienttoken": request.token, "ex_userdata": request.user_data}


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    return [driver.ex_get_node(node_id)]


def _owned(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    found: list[LibcloudNode] = driver.list_nodes(ex_tags={OWNER_TAG: owner})
    return found


LAB: Final = DriverRecord(
    name="lab",
    launch=_launch,
    read=_by_id,
    listed=_owned,
    dialect=Dialect(gone=frozenset({"MachineNotFound"})),
    tokens=True,
    catalogue=True,
)
