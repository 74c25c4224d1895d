"""What the clouds have, for `burstd fleet`: our machines, orphans, and strangers that one might take for ours. It locks nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from burstd.adapters.libcloud import forbid_blind_retries, survey
from burstd.adapters.local import register
from burstd.adapters.sqlite import owner_of
from burstd.errors import Misconfigured
from burstd.model.cloud import Node, NodeState
from burstd.model.faults import Fault
from burstd.settings import Settings
from burstd.wiring import cloud_pools

Records = Mapping[tuple[str, str], str]
"""The daemon's phases, by (pool, cloud's id) and by (pool, name)."""


class Whose(StrEnum):
    """Whose a machine is."""

    OURS = "ours"
    ORPHAN = "orphan"
    """Ours by its tags, and the daemon has no record of it: it destroys it."""
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of a pool.

    Attributes:
        phase: where the daemon has it in its life; None where nobody knows.
        remark: what a person should know of it; may be empty.
    """

    node: Node
    whose: Whose
    phase: str | None
    remark: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """All of them.

    Attributes:
        recorded: a daemon has told its records, so that orphans are known.
        faults: pools that could not be listed.
    """

    owner: str
    machines: tuple[Machine, ...]
    recorded: bool
    faults: tuple[Fault, ...]


def take_inventory(settings: Settings, instances: Callable[[], Iterable[Mapping[str, Any]] | None]) -> Inventory:
    """List every pool.

    Args:
        settings: in force.
        instances: asks the daemon for the instances of its status; None where none answers.

    Raises:
        AskOperator: no fleet was ever started here, the owner file or a secret cannot be read, or a driver is not known.
    """
    forbid_blind_retries()
    register()
    owner = owner_of(settings.fleet.state_dir)
    if owner is None:
        raise Misconfigured(f"{settings.fleet.state_dir}/owner tells no owner, so no machine is ours; `burstd run` starts a fleet")
    before = instances()
    shown = survey(cloud_pools(settings), owner, strangers=True)
    told = [each for each in (before, instances()) if each is not None]  # both: a record may come or go while the pools are listed
    records = _records(each for instances in told for each in instances) if told else None
    nodes = (node for each in shown.values() if not isinstance(each, Fault) for node in each)
    machines = (_machine(node, owner, settings.fleet.name, records) for node in nodes if node.state is not NodeState.TERMINATED)
    return Inventory(
        owner,
        tuple(each for each in machines if each is not None),
        records is not None,
        tuple(each for each in shown.values() if isinstance(each, Fault)),
    )


def _records(instances: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    records = {}
    for each in instances:
        # A machine whose create has not been answered yet has no id there: its name stands for it.
        records[(str(each["pool"]), str(each["node_id"] or each["name"]))] = str(each["phase"])
    return records


def _machine(node: Node, owner: str, prefix: str, records: Records | None) -> Machine | None:
    """What there is to say of a machine; None of a stranger that nobody would take for ours."""
    if node.owner == owner and node.operation:
        if records is None:
            return Machine(node, Whose.OURS, None, "")
        phase = records.get((node.pool, node.id)) or records.get((node.pool, node.name))
        if phase is None:
            return Machine(node, Whose.ORPHAN, None, "no record: the daemon destroys it")
        return Machine(node, Whose.OURS, phase, "")
    if node.owner == owner:
        remark = "our owner tag without an operation tag: never touched"
    elif node.owner or node.operation:
        remark = f"of another burstd, owner {node.owner}" if node.owner else "an operation tag without an owner tag"
    elif node.name.startswith(f"{prefix}-"):
        remark = "a name like ours, no tags"
    else:
        return None
    return Machine(node, Whose.STRANGER, None, remark)
