"""A libcloud driver that does what a test says: hang, raise, lie. Known to libcloud and to burstd as `scripted`."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from libcloud.common.base import ConnectionKey
from libcloud.compute.base import Node, NodeDriver
from libcloud.compute.providers import DRIVERS as KNOWN
from libcloud.compute.providers import set_driver
from libcloud.compute.types import NodeState

from burstd.adapters.libcloud import CloudPool, drivers
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG

_numbers = itertools.count()
_scripts: dict[str, Script] = {}


@dataclass
class Script:
    """What `scripted_pool` yields; assign a function to change what the driver does.

    Attributes:
        nodes: what the default listing shows and the default calls change.
        drivers: every driver that was made for it.
        calls: (name of the call, id of the driver, thread it ran on).
        over: set when the test is over; a script that hangs waits for it, so that no thread is left.
    """

    pool: CloudPool
    nodes: list[Node] = field(default_factory=list)
    drivers: list[NodeDriver] = field(default_factory=list)
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    on_list: Callable[[], list[Node]] | None = None
    on_create: Callable[[], Node | None] | None = None
    on_destroy: Callable[[], bool] | None = None

    def hang(self) -> NoReturn:
        """Hang until the test is over."""
        self.over.wait(60)
        raise TimeoutError

    def node(self, node_id: str, owner: str | None = None, operation: str | None = None, state: NodeState = NodeState.RUNNING) -> Node:
        """A machine with these tags."""
        tags = {key: value for key, value in ((OWNER_TAG, owner), (OPERATION_TAG, operation)) if value is not None}
        return Node(node_id, f"name of {node_id}", state, ["192.0.2.1"], ["10.0.0.1"], None, extra={"tags": tags})


class NoConnection(ConnectionKey):
    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to connect to."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to ask; burstd counts the call."""


class ScriptedDriver(NodeDriver):
    type = "scripted"
    name = "Scripted"
    connectionCls = NoConnection  # noqa: N815 - libcloud's name

    def __init__(self, key: str) -> None:
        super().__init__(key)  # type: ignore[no-untyped-call] # libcloud's base is not annotated
        self.script = _scripts[key]
        self.script.drivers.append(self)

    def _called(self, name: str) -> None:
        self.connection.request(name)  # type: ignore[no-untyped-call] # declared so by libcloud
        self.script.calls.append((name, id(self), threading.get_ident()))

    def list_nodes(self, ex_node_ids: list[str] | None = None) -> list[Node]:
        self._called("list")
        if self.script.on_list:
            return self.script.on_list()
        return [each for each in self.script.nodes if ex_node_ids is None or each.id in ex_node_ids]

    def create_node(self, **arguments: Any) -> Node | None:  # type: ignore[override] # a script takes anything
        self._called("create")
        if self.script.on_create:
            return self.script.on_create()
        tags = arguments["ex_tags"]
        node = self.script.node(f"i-{len(self.script.nodes)}", tags[OWNER_TAG], tags[OPERATION_TAG])
        self.script.nodes.append(node)
        return node

    def destroy_node(self, node: Node) -> bool:
        self._called("destroy")
        if self.script.on_destroy:
            return self.script.on_destroy()
        self.script.nodes.remove(node)
        return True


@contextmanager
def scripted_pool(name: str = "scripted", **changes: Any) -> Iterator[Script]:
    """A pool whose driver follows a script of its own."""
    if "scripted" not in KNOWN:
        set_driver("scripted", __name__, "ScriptedDriver")  # type: ignore[arg-type] # names, not modules
    drivers.DRIVERS["scripted"] = replace(drivers.DRIVERS["local"], name="scripted", **changes)
    key = f"script {next(_numbers)}"
    script = _scripts[key] = Script(CloudPool(name, "scripted", {"key": key}, image="web-1", size="small"))
    try:
        yield script
    finally:
        script.over.set()
        del _scripts[key]
        if not _scripts:
            del drivers.DRIVERS["scripted"]
