"""Linode (Akamai): labels are unique in the account, tags are bare words of at most 50 characters, an image needs a root password."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, country_listed, tolerant
from burstd.adapters.libcloud.drivers.tag_strings import from_strings, to_strings
from burstd.adapters.libcloud.faults import Dialect, Reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode

_STATUS: Final = re.compile(r"(.*) Status code: (\d{3})\.", re.DOTALL)
_PUBLIC_KEY: Final = ("ssh-", "ecdsa-", "sk-")


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"ex_tags": to_strings(request.tags), "ex_userdata": request.user_data}
    if "root_pass" not in pool.create:
        arguments["root_pass"] = secrets.token_urlsafe(48)  # nobody ever needs to know it
    if pool.keypair:
        public = pool.keypair.startswith(_PUBLIC_KEY)
        arguments["ex_authorized_keys" if public else "ex_authorized_users"] = [pool.keypair]
    return arguments


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by list_nodes, which reads an answer without a list as an empty one.
    found, page, pages = [], 1, 1
    while page <= pages:
        answer = driver.connection.request("/v4/linode/instances", params={"page": page}).object
        found += answer["data"]
        page, pages = page + 1, answer["pages"]
    return [driver._to_node(each) for each in found]  # noqa: SLF001 - as said


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    return [driver.ex_get_node(node_id)]


def _reply(error: Exception) -> Reply | None:
    """The status out of the text, where alone libcloud tells it."""
    from libcloud.common.linode import LinodeExceptionV4
    from libcloud.common.types import LibcloudError

    if isinstance(error, LinodeExceptionV4):  # raised by the driver itself, before it sends anything
        return Reply(400, str(error))
    found = _STATUS.fullmatch(str(error.value)) if type(error) is LibcloudError else None
    return Reply(int(found[2]), found[1]) if found else None


def _prepare(driver: Driver) -> None:
    driver.LINODE_STATES = tolerant(driver.LINODE_STATES)


LINODE: Final = DriverRecord(
    name="linode",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(reply=_reply, gone=frozenset({"HTTP 404"}), full=("limit reached",), taken=("label must be unique",)),
    listed=_all,
    tags=lambda extra: from_strings(extra.get("tags") or ()),
    country=country_listed,
    takes=frozenset({"keypair"}),
    needs=("location",),
    prepare=_prepare,
)
