"""Equinix Metal: whole machines, in a project, at a metro; tags are taken and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord
from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"cloud_init": request.user_data}
    if pool.keypair:
        arguments["project_ssh_keys"] = [pool.keypair]
    return arguments


def _metro(driver: Driver, name: str | None) -> dict[str, Any]:
    from libcloud.compute.base import NodeLocation

    return {"location": NodeLocation(str(name), str(name), "", driver, extra={"code": name})}


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by list_nodes, which uses what Python 3.11 has taken out, nor by its part for one project, which reads a single page.
    found, page, pages = [], 1, 1
    while page <= pages:
        path = f"/metal/v1/projects/{pool.create['ex_project_id']}/devices"
        answer = driver.connection.request(path, params={"include": "plan", "page": page, "per_page": 100}).object
        found += answer["devices"]
        page, pages = page + 1, answer["meta"]["last_page"]
    return [driver._to_node(each) for each in found]  # noqa: SLF001 - as said


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    answer = driver.connection.request(f"/metal/v1/devices/{node_id}", params={"include": "plan"})
    return [driver._to_node(answer.object)]  # noqa: SLF001 - there is no reader by id


def _destroy(driver: Driver, node: LibcloudNode) -> bool:
    # libcloud waits for 200, and the API says 204.
    return bool(driver.connection.request(f"/metal/v1/devices/{node.id}", method="DELETE").success())


def _prepare(driver: Driver) -> None:
    """Keep the status of each error: libcloud makes them into bare exceptions."""

    class TellingResponse(driver.connection.responseCls):  # type: ignore[misc] # the driver's own class
        def parse_error(self) -> str:
            body = self.parse_body()
            said = body.get("errors") or [body.get("error") or body.get("message")]
            return "; ".join(str(each) for each in said if each)

    driver.connection.responseCls = TellingResponse


EQUINIXMETAL: Final = DriverRecord(
    name="equinixmetal",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(gone=frozenset({"HTTP 404"}), full=("no available servers", "not enough servers", "limit reached")),
    listed=_all,
    by_name=True,
    place=_metro,
    destroy=_destroy,
    takes=frozenset({"keypair"}),
    needs=("location", "create.ex_project_id"),
    prepare=_prepare,
)
