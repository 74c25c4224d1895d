"""OVHcloud's public cloud, by OVH's own API: an OpenStack behind it whose metadata this API does not show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, ipv4_first, tolerant
from burstd.adapters.libcloud.faults import Dialect, Reply, http_reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode

_BAD_REQUEST: Final = 400


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:  # noqa: ARG001 - the record's form
    return {"ex_keyname": pool.keypair} if pool.keypair else {}


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by list_nodes, which reads an empty table as an empty list.
    from libcloud.common.types import MalformedResponseError

    found = driver.connection.request(driver._get_project_action("instance")).object  # noqa: SLF001 - as said
    if not isinstance(found, list):
        raise MalformedResponseError("not a list of instances", driver=driver)
    return [driver._to_node(each) for each in found]  # noqa: SLF001 - as said


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    return [driver.ex_get_node(node_id)]


def _reply(error: Exception) -> Reply | None:
    """The words are the body: JSON, because libcloud lets nothing else through. An unknown key is a bare exception of the driver's."""
    if type(error) is Exception and str(error).startswith("No key named"):
        return Reply(_BAD_REQUEST, str(error))
    reply = http_reply(error)
    body = json.loads(reply.words) if reply and reply.words.startswith("{") else None
    return replace(reply, words=f"{body.get('errorCode')}: {body.get('message')}") if reply and body else reply


def _prepare(driver: Driver) -> None:
    driver.NODE_STATE_MAP = tolerant(driver.NODE_STATE_MAP)


OVH: Final = DriverRecord(
    name="ovh",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(reply=_reply, gone=frozenset({"HTTP 404"}), full=("quota", "no valid host")),
    listed=_all,
    by_name=True,
    user_data=False,
    addresses=ipv4_first,
    # The key is looked up by its name first, which makes no machine.
    harmless=lambda _method, action: action.endswith("/sshkey"),
    # Not its list_locations, which breaks at a region that libcloud has not heard of.
    country=lambda driver, pool: driver.connectionCls.LOCATIONS.get(pool.location or "", {}).get("country"),
    takes=frozenset({"keypair"}),
    needs=("location", "args.ex_project_id", "args.ex_consumer_key"),
    prepare=_prepare,
)
