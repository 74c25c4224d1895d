"""What a driver's record holds: how tags, tokens, user-data, networks and errors are said to one cloud. No cloud is named here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from burstd.adapters.libcloud.faults import Dialect
from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.cloud import LaunchRequest, NodeState

if TYPE_CHECKING:
    from libcloud.compute.base import Node as LibcloudNode
    from libcloud.compute.base import NodeImage, NodeSize

Driver: TypeAlias = Any
"""A libcloud driver: what all have in common says nothing of the arguments that matter, so there is no useful type."""

PLACING: Final = ("networks", "keypair", "security_groups")
"""The settings that say what a machine is connected to, by the pool's own names for them."""


def _nothing(driver: Driver) -> None:
    """Most drivers can be used as they come."""


def every_node(driver: Driver, pool: CloudPool, owner: str) -> list[LibcloudNode]:  # noqa: ARG001 - most clouds cannot filter
    """Whatever the account has."""
    found: list[LibcloudNode] = driver.list_nodes()
    return found


def _by_size(driver: Driver, request: LaunchRequest) -> NodeSize:
    from libcloud.compute.base import NodeSize

    # Made by hand: listing sizes and images costs calls, and on EC2 minutes.
    return NodeSize(request.size, request.size, 0, 0, None, 0.0, driver)


def _destroyed(driver: Driver, node: LibcloudNode) -> bool:
    return bool(driver.destroy_node(node))


def _none(method: str, action: str) -> bool:  # noqa: ARG001 - most drivers' creates begin with the create
    return False


def _by_name(driver: Driver, name: str) -> NodeImage:
    from libcloud.compute.base import NodeImage

    return NodeImage(name, name, driver)


def numbered_image(driver: Driver, name: str) -> NodeImage:
    """An image by its number, as a number, or by its name."""
    image = _by_name(driver, name)
    if name.isdecimal():
        image.id = int(name)  # type: ignore[assignment] # libcloud makes it a string, which these clouds take for a name
    return image


def at_location(driver: Driver, name: str | None) -> dict[str, Any]:
    """`location`, as most drivers take it: an object, of which they use the id."""
    from libcloud.compute.base import NodeLocation

    return {"location": None if name is None else NodeLocation(name, name, "", driver)}


def no_country(driver: Driver, pool: CloudPool) -> str | None:  # noqa: ARG001 - the record's form
    """Most drivers know none, or, as GCE's, make one up from the name of the zone."""
    return None


def country_listed(driver: Driver, pool: CloudPool) -> str | None:
    """What libcloud calls the country of the pool's location, among those that the cloud lists; None where it does not say."""
    places = (each for each in driver.list_locations() if pool.location in {str(each.id), str(each.name)})
    return next((each.country for each in places), None)


def named(each: object) -> object:
    """A name in the settings as the object that some drivers want, of which they read the id or the name; other values as they are."""
    return SimpleNamespace(id=each, name=each) if isinstance(each, str) else each


def tolerant(states: Mapping[str, str]) -> Mapping[str, str]:
    """A driver's table of states that reads one it has not heard of as unknown: else one stranger's machine would fail the whole list."""
    from libcloud.compute.types import NodeState as Foreign

    class States(dict[str, str]):
        def __missing__(self, state: str) -> str:
            return Foreign.UNKNOWN

    return States(states)


def ipv4_first(public: list[str], private: list[str]) -> list[str]:
    """Where a cloud lists both kinds in no order: the web servers of most sites listen on IPv4 for sure."""
    return sorted([*public, *private], key=lambda address: ":" in address)


def _tags(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    return extra.get("tags") or {}


def _public_first(public: list[str], private: list[str]) -> list[str]:
    return [*public, *private]


@dataclass(frozen=True, slots=True)
class DriverRecord:
    """How one driver is spoken to.

    Attributes:
        name: libcloud's name of the provider.
        launch: the create's arguments that carry tags, token, user-data, networks, key and security groups, all in the one call that
            makes the machine.
        read: one machine by id; a machine that is gone must make it raise, never answer with nothing.
        dialect: how this cloud says what went wrong.
        listed: every machine of an owner's, or, where the cloud cannot filter, every machine.
        tags: the tags of a machine, out of libcloud's `extra`.
        by_name: this cloud cannot tag a machine in the call that makes it and read the tags back, so that ours are known by a marked
            name (`burstd.model.naming`) alone. Such a cloud is never told the owner id: it is the key of the mark.
        user_data: it takes user-data.
        states: libcloud's states that mean something else at this cloud than elsewhere.
        leaves: what may stay behind, in half a sentence for an operator.
        addresses: of (public, private) ones, all of them, the one to reach it by first.
        place: the create's arguments that say where.
        country: what libcloud calls the country of the pool's location; None where it does not know.
        size: libcloud's object for the size's name.
        image: libcloud's object for an image's name.
        destroy: give it back; true when the cloud has taken the order.
        harmless: of a request's method and path: whatever its answer, it makes no machine and is not a question about one.
        raw: the raw arguments of the settings, made into what the driver wants.
        merged: raw arguments that `launch` has taken up into its own of the same name.
        takes: which of `PLACING` this driver can say in its create.
        most_networks: so many of them.
        most_security_groups: so many of them.
        endpoint: the driver's own argument for another API endpoint, where its host and port alone cannot say it.
        remote: its API is reached over HTTP.
        needs: the settings that this driver cannot do without, as keys ("location", "create.ex_resource_group").
        tokens: the same create sent twice makes one machine.
        catalogue: sizes and images are listed completely and at once, so a wrong one can be found by `burstd check`.
        args: constructor arguments that burstd insists on, unless the settings say otherwise.
        construct: all constructor arguments, made into what the driver wants.
        prepare: what is done to a new driver before its first call.
    """

    name: str
    launch: Callable[[LaunchRequest, CloudPool], dict[str, Any]]
    read: Callable[[Driver, CloudPool, str], list[LibcloudNode]]
    dialect: Dialect
    listed: Callable[[Driver, CloudPool, str], list[LibcloudNode]] = every_node
    tags: Callable[[Mapping[str, Any]], Mapping[str, Any]] = _tags
    by_name: bool = False
    user_data: bool = True
    states: Mapping[str, NodeState] = field(default_factory=dict)
    leaves: str = ""
    addresses: Callable[[list[str], list[str]], list[str]] = _public_first
    place: Callable[[Driver, str | None], dict[str, Any]] = at_location
    country: Callable[[Driver, CloudPool], str | None] = no_country
    size: Callable[[Driver, LaunchRequest], NodeSize] = _by_size
    image: Callable[[Driver, str], NodeImage] = _by_name
    destroy: Callable[[Driver, LibcloudNode], bool] = _destroyed
    harmless: Callable[[str, str], bool] = _none
    raw: Callable[[Mapping[str, object]], dict[str, Any]] = dict
    merged: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    most_networks: int = 1
    most_security_groups: int = 16
    remote: bool = True
    needs: tuple[str, ...] = ()
    endpoint: str | None = None
    tokens: bool = False
    catalogue: bool = False
    args: Mapping[str, object] = field(default_factory=dict)
    construct: Callable[[Mapping[str, object]], dict[str, Any]] = dict
    prepare: Callable[[Driver], None] = _nothing

    def misfits(self, pool: CloudPool) -> list[str]:
        """What the pool asks of this driver that it cannot do, or lacks: a line each, for an operator."""
        lines = [
            f'{pool.peer}: {key} cannot be said with driver "{self.name}"; leave it out'
            for key in PLACING
            if getattr(pool, key) and key not in self.takes
        ]
        if pool.tags and self.by_name:
            lines.append(f'{pool.peer}: tags cannot be said with driver "{self.name}"; leave it out')
        if pool.user_data and not self.user_data:
            lines.append(f'{pool.peer}: user_data cannot be said with driver "{self.name}"; leave it out, and bake the image')
        for key, most in (("networks", self.most_networks), ("security_groups", self.most_security_groups)):
            if key in self.takes and len(getattr(pool, key)) > most:
                lines.append(f'{pool.peer}: {key} has {len(getattr(pool, key))} entries; driver "{self.name}" takes at most {most}')
        if pool.proxy and not self.remote:
            lines.append(f'{pool.peer}: proxy cannot be said with driver "{self.name}"; leave it out')
        if pool.host and self.endpoint:
            lines.append(f'{pool.peer}: api_host cannot be said with driver "{self.name}"; set args.{self.endpoint} instead')
        has: dict[str, object] = {"location": pool.location, "keypair": pool.keypair, "networks": pool.networks}
        has |= {f"create.{key}": True for key in pool.create} | {f"args.{key}": True for key in pool.args}
        lines += [f'{pool.peer}: {key} is needed by driver "{self.name}"; set it' for key in self.needs if not has.get(key)]
        return lines

    def caution(self, pool: CloudPool) -> str | None:
        """What an operator takes on with this driver, in a line; None where there is nothing beyond the ordinary."""
        if not self.by_name:
            return None
        known = f'{pool.peer}: driver "{self.name}" cannot tag, so a machine is ours by its name alone: renamed, it is a stranger\'s'
        baked = None if self.user_data else "there is no user-data, so bake the image"
        return "; ".join(each for each in (known, baked, self.leaves) if each)
