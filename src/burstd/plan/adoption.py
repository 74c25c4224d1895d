"""What `burstd adopt` takes over: machines that carry our owner tag, and that no record stands for. Pure; nothing is stored here.

The rules are those of the ownership protocol (facts on clouds, 5, 6 and 9): ours is what has our owner tag and an operation tag; of two
machines of one operation the first stays; everything else is a stranger's.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from burstd.model.cloud import Node, NodeState
from burstd.model.fleet import Instance, Phase
from burstd.model.naming import instance_name
from burstd.model.policy import Policy
from burstd.plan.residency import outside
from burstd.plan.scaling import request_of


@dataclass(frozen=True, slots=True)
class Adoption:
    """What would be taken over.

    Attributes:
        instances: the new records, one for each of `nodes`, in their order.
        nodes: the machines that get a record.
        doubles: second machines of an operation: the ordinary cycle destroys them.
        abroad: machines of ours in pools outside of the allowed countries: none of them may serve.
        misnamed: machines of ours with another name than these settings give them: their servers in HAProxy would not be known as ours.
    """

    instances: tuple[Instance, ...] = ()
    nodes: tuple[Node, ...] = ()
    doubles: tuple[Node, ...] = ()
    misnamed: tuple[Node, ...] = ()
    abroad: tuple[Node, ...] = ()


def adopt(nodes: Iterable[Node], policy: Policy, known: Container[str], now: float) -> Adoption:
    """The adoption of these machines.

    Args:
        nodes: what the pools list; where one operation has two, the one to keep first.
        policy: the settings in force, and whose machines are ours.
        known: operations that the roster has a record of, live or ended.
        now: seconds on the timeline.
    """
    taken: dict[str, tuple[Instance, Node]] = {}
    doubles: list[Node] = []
    misnamed: list[Node] = []
    abroad: list[Node] = []
    for node in nodes:
        pool, operation = policy.pool(node.pool), node.operation
        ours = node.owner == policy.owner and operation and operation not in known
        if pool is None or not operation or not ours or node.state is NodeState.TERMINATED:
            continue
        if node.name != instance_name(policy.fleet.name, policy.owner, operation):
            misnamed.append(node)
        elif outside(policy, node.pool):
            abroad.append(node)
        elif operation in taken:
            doubles.append(node)
        else:
            instance = Instance(
                operation=operation,
                request=request_of(policy, pool, operation),
                phase=Phase.BOOTING,
                since=now,
                created_at=now,
                reason="adopted: ours by its tags",
                node_id=node.id,
                address=node.addresses[0] if node.addresses else None,
            )
            taken[operation] = (instance, node)
    instances, kept = zip(*taken.values(), strict=True) if taken else ((), ())
    return Adoption(instances, kept, tuple(doubles), tuple(misnamed), tuple(abroad))
