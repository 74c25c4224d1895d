"""Vultr: one string for all tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, country_listed, numbered_image
from burstd.adapters.libcloud.drivers.tag_strings import from_strings, to_strings
from burstd.adapters.libcloud.faults import Dialect, Reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode

_NOT_YET: Final = "0.0.0.0"  # noqa: S104 - what Vultr shows as the address of a machine that has none yet


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"ex_tag": ",".join(to_strings(request.tags)), "ex_userdata": request.user_data}
    if pool.networks:
        arguments["ex_private_network_ids"] = list(pool.networks)
    if pool.security_groups:
        arguments["ex_firewall_group_id"] = pool.security_groups[0]
    if pool.keypair:
        arguments["ex_ssh_key_ids"] = [pool.keypair]
    return arguments


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Without the bare metals, which burstd does not make: they are another list, and another request.
    found: list[LibcloudNode] = driver.list_nodes(ex_list_bare_metals=False)
    return found


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    return [driver.ex_get_node(node_id)]


def _reply(error: Exception) -> Reply | None:
    from libcloud.common.vultr import VultrException

    return Reply(int(error.code), str(error.message)) if isinstance(error, VultrException) else None


def _addresses(public: list[str], private: list[str]) -> list[str]:
    return [each for each in (*public, *(private or ())) if each != _NOT_YET]


VULTR: Final = DriverRecord(
    name="vultr",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(reply=_reply, gone=frozenset({"HTTP 404"})),
    listed=_all,
    tags=lambda extra: from_strings(str(extra.get("tag") or "").split(",")),
    addresses=_addresses,
    image=numbered_image,
    country=country_listed,
    takes=frozenset({"networks", "keypair", "security_groups"}),
    most_networks=5,
    most_security_groups=1,
    needs=("location",),
)
