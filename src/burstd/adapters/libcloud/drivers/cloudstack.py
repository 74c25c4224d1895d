"""CloudStack, and Exoscale's older API, which is one: a deploy is a job that libcloud waits for; tags can only be put on afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, named, tolerant
from burstd.adapters.libcloud.faults import Dialect, Reply
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest, NodeState

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode

_PAGE: Final = 100
"""Machines asked for at once; a cloud may refuse more than it has set as its greatest page (500 as it comes)."""
_GONE: Final = "NotFound"
_JOB_FAILED: Final = 530
"""CloudStack's own status for "I could not do it"."""


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    # Said outright: libcloud's default is to leave the machine stopped.
    arguments: dict[str, Any] = {"ex_userdata": request.user_data, "ex_start_vm": True}
    if pool.networks:
        arguments["networks"] = [named(each) for each in pool.networks]
    if pool.security_groups:
        arguments["ex_security_groups"] = list(pool.security_groups)
    if pool.keypair:
        arguments["ex_keyname"] = pool.keypair
    return arguments


def _construct(arguments: Mapping[str, object]) -> dict[str, Any]:
    """Say whether a URL means TLS: libcloud takes host, port and path out of it, and leaves its scheme."""
    return {"secure": not str(arguments.get("url")).startswith("http://"), **arguments}


def _all(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by list_nodes, which reads the first page alone, and asks three more questions about addresses and ports.
    found: list[Any] = []
    page = 0
    while True:
        page += 1
        answer = driver._sync_request("listVirtualMachines", params={"page": page, "pagesize": _PAGE})  # noqa: SLF001 - as said
        machines = answer.get("virtualmachine", [])
        found += machines
        if len(machines) < _PAGE:
            return [driver._to_node(each) for each in found]  # noqa: SLF001 - the same


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    from libcloud.common.types import ProviderError

    answer = driver._sync_request("listVirtualMachines", params={"id": node_id})  # noqa: SLF001 - ex_get_node asks four questions more
    if not answer.get("virtualmachine"):
        raise ProviderError(f"{_GONE}: no machine of this id is listed", 404, driver)
    return [driver._to_node(each) for each in answer["virtualmachine"]]  # noqa: SLF001 - the same


def _reply(error: Exception) -> Reply | None:
    """An error of the API, or of the job that it was made into: libcloud tells the latter as a bare exception."""
    from libcloud.common.types import ProviderError

    if type(error) is Exception:
        return Reply(_JOB_FAILED, str(error))
    if type(error) is not ProviderError:
        return None
    words = str(error.value)
    return Reply(int(error.http_code), f"{_GONE}: {words}" if "entity does not exist" in words.lower() else words)


def _prepare(driver: Driver) -> None:
    driver.NODE_STATE_MAP = tolerant(driver.NODE_STATE_MAP)


CLOUDSTACK: Final = DriverRecord(
    name="cloudstack",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(
        reply=_reply,
        gone=frozenset({_GONE}),
        full=("insufficient capacity", "insufficientservercapacity", "unable to create a deployment", "maximum number of resources",
              "maximum amount of resources", "resource limit"),
    ),
    listed=_all,
    by_name=True,
    # A machine is "Stopped" from the first moment of its deploy until it starts.
    states={"stopped": NodeState.PENDING},
    takes=frozenset({"networks", "keypair", "security_groups"}),
    most_networks=16,
    needs=("location", "args.url"),
    endpoint="url",
    construct=_construct,
    prepare=_prepare,
)  # fmt: skip

EXOSCALE: Final = replace(CLOUDSTACK, name="exoscale", needs=("location",), endpoint=None)
