"""OpenStack: Nova's compute API over Keystone v3. Its errors carry a name, which libcloud drops; here it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from burstd.adapters.libcloud.drivers.record import Driver, DriverRecord, named
from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode

_AS_THEY_ARE: Final = (401, 429)
"""Statuses whose meaning needs no body; Keystone's middleware and rate limiters in front of Nova answer them in plain text or HTML."""


def _launch(request: LaunchRequest, pool: CloudPool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"ex_metadata": dict(request.tags), "ex_userdata": request.user_data}
    if pool.networks:
        arguments["networks"] = [named(each) for each in pool.networks]
    if pool.security_groups:
        arguments["ex_security_groups"] = [named(each) for each in pool.security_groups]
    if pool.keypair:
        arguments["ex_keyname"] = pool.keypair
    return arguments


def _construct(arguments: Mapping[str, object]) -> dict[str, Any]:
    """Keystone's address as every openrc file has it ends in /v3, which libcloud adds once more."""
    url = str(arguments["ex_force_auth_url"]).rstrip("/").removesuffix("/auth/tokens").removesuffix("/v3")
    return {**arguments, "ex_force_auth_url": url}


def _raw(create: Mapping[str, object]) -> dict[str, Any]:
    """Networks by id and security groups by name, of which libcloud wants objects."""
    lists = {key: [named(each) for each in value] for key, value in create.items() if key in _OBJECTS and isinstance(value, list | tuple)}
    return {**create, **lists}


_OBJECTS: Final = frozenset({"networks", "ex_security_groups"})


def _zone(driver: Driver, name: str | None) -> dict[str, Any]:  # noqa: ARG001 - the record's form
    return {} if name is None else {"ex_availability_zone": name}


def _by_id(driver: Driver, pool: CloudPool, node_id: str) -> list[LibcloudNode]:  # noqa: ARG001 - the record's form
    # Not by ex_get_node_details, which makes any 404 into None.
    return [driver._to_node_from_obj(driver.connection.request(f"/servers/{node_id}").object)]  # noqa: SLF001 - there is no other reader


def _strict(driver: Driver) -> None:
    """Refuse answers that are not Nova's, and keep the name of each error: `itemNotFound` proves what a bare 404 does not."""
    from libcloud.common.types import MalformedResponseError

    class StrictResponse(driver.connection.responseCls):  # type: ignore[misc] # the driver's own class, whichever it is
        def parse_body(self) -> object:
            if self.body and not self.has_content_type("application/json"):
                raise MalformedResponseError("not an answer of OpenStack", driver=driver)
            body = super().parse_body()
            # Without either, libcloud would read the answer as an empty list.
            if body is not None and self.success() and not (isinstance(body, dict) and {"server", "servers"} & body.keys()):
                raise MalformedResponseError("not an answer of Nova", driver=driver)
            return body

        def parse_error(self) -> str:
            if self.status in _AS_THEY_ARE:
                return f"HTTP {self.status}"
            body = self.parse_body()
            if not isinstance(body, dict) or len(body) != 1:
                raise MalformedResponseError("not an error of OpenStack", driver=driver)
            [(code, said)] = body.items()
            return f"{code}: {said['message']}"

    driver.connection.responseCls = StrictResponse


OPENSTACK: Final = DriverRecord(
    name="openstack",
    launch=_launch,
    read=_by_id,
    dialect=Dialect(gone=frozenset({"itemNotFound"}), full=("quota exceeded", "no valid host"), sessions=True),
    tags=lambda extra: extra.get("metadata") or {},
    place=_zone,
    raw=_raw,
    takes=frozenset({"networks", "keypair", "security_groups"}),
    most_networks=16,
    needs=("args.ex_force_auth_url",),
    endpoint="ex_force_auth_url",
    # libcloud's default is the API 1.1 of 2011, whose listing is not paginated.
    args={"api_version": "2.2", "ex_force_auth_version": "3.x_password"},
    construct=_construct,
    prepare=_strict,
)
