"""A libcloud driver for the lab's cloud; `burstd.adapters.lab.register` makes it known to libcloud.

The API is the lab's own (tests/lab/cloud.py): a bearer token, machines as JSON, errors as a status and `{"error": {"code", "message"}}`.
It keeps tags from a machine's first moment and makes one machine for each client token. It never imports anything of the daemon's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from libcloud.common.base import ConnectionKey, JsonResponse
from libcloud.common.types import MalformedResponseError
from libcloud.compute.base import Node, NodeDriver, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState

STATES: Final = {
    "pending": NodeState.PENDING,
    "running": NodeState.RUNNING,
    "error": NodeState.ERROR,
    "terminated": NodeState.TERMINATED,
}


class LabResponse(JsonResponse):
    """An answer of the lab's API; whatever is not one is refused, so that it is never taken for "no machines"."""

    def parse_body(self) -> Any:  # noqa: ANN401 - JSON
        """The answer's object.

        Raises:
            MalformedResponseError: not an answer of the lab.
        """
        body = super().parse_body()  # type: ignore[no-untyped-call] # libcloud's class is not annotated
        if not isinstance(body, dict) or len(body) != 1:
            raise MalformedResponseError("not an answer of the lab")
        return body

    def parse_error(self) -> str:
        """`Code: message`.

        Raises:
            MalformedResponseError: not an error of the lab.
        """
        error = self.parse_body().get("error")
        if not isinstance(error, dict) or not {"code", "message"} <= error.keys():
            raise MalformedResponseError("not an error of the lab")
        return f"{error['code']}: {error['message']}"


class LabConnection(ConnectionKey):
    """Bearer token, JSON."""

    host = "127.0.0.1"
    port = 8080
    responseCls = LabResponse  # noqa: N815 - libcloud's name

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """Who we are, and what we speak."""
        return {**headers, "Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}


class LabNodeDriver(NodeDriver):
    """Machines that are hosts of the lab."""

    type = "lab"
    name = "Lab hosts"
    website = "https://libcloud.apache.org"
    connectionCls = LabConnection  # noqa: N815 - libcloud's name
    features: dict[str, list[str]] = {"create_node": []}  # noqa: RUF012 - as libcloud declares it

    def list_nodes(self, ex_tags: Mapping[str, str] | None = None) -> list[Node]:
        """Every machine of the account, or those that bear all of these tags; terminated ones for a minute."""
        asked = "&".join(f"tag={quote(f'{key}={value}', safe='')}" for key, value in (ex_tags or {}).items())
        return [self._node(each) for each in self._ask(f"/v1/machines?{asked}" if asked else "/v1/machines", "machines")]

    def ex_get_node(self, node_id: str) -> Node:
        """One machine; an error where there is none."""
        return self._node(self._ask(f"/v1/machines/{quote(node_id, safe='')}", "machine"))

    def create_node(  # type: ignore[override] # drivers add arguments  # noqa: PLR0913, PLR0917 - libcloud's signature
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: None = None,
        ex_tags: Mapping[str, str] | None = None,
        ex_clienttoken: str = "",
        ex_userdata: str | None = None,
    ) -> Node:
        """One machine, which boots from then on; cloud-init applies the user-data. The same token gives the same machine again."""
        del auth
        wanted = {
            "name": name,
            "size": size.id,
            "image": image.id,
            "location": None if location is None else location.id,
            "tags": dict(ex_tags or {}),
            "token": ex_clienttoken,
            "user_data": ex_userdata or "",
        }
        return self._node(self._ask("/v1/machines", "machine", method="POST", data=json.dumps(wanted)))

    def destroy_node(self, node: Node) -> bool:
        """Give the machine back, which is done when this returns; a terminated one is terminated once more."""
        return bool(self._ask(f"/v1/machines/{quote(str(node.id), safe='')}", "machine", method="DELETE")["state"] == "terminated")

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """What there is to buy; the price is the article's provider's, of nobody's currency."""
        del location
        return [NodeSize(each["id"], each["id"], each["ram_mb"], 0, 0, each["price"], self) for each in self._ask("/v1/sizes", "sizes")]

    def list_images(self, location: NodeLocation | None = None) -> list[NodeImage]:
        """The images."""
        del location
        return [NodeImage(each["id"], each["id"], self) for each in self._ask("/v1/images", "images")]

    def list_locations(self) -> list[NodeLocation]:
        """The sites that hold machines."""
        return [NodeLocation(each["id"], each["id"], each["country"], self) for each in self._ask("/v1/locations", "locations")]

    def _ask(self, path: str, wanted: str, **request: Any) -> Any:  # noqa: ANN401 - JSON
        answer = self.connection.request(path, **request).object  # type: ignore[no-untyped-call] # libcloud's method is not annotated
        if wanted not in answer:
            raise MalformedResponseError("not an answer of the lab", driver=self)
        return answer[wanted]

    def _node(self, machine: Mapping[str, Any]) -> Node:
        return Node(
            id=machine["id"],
            name=machine["name"],
            state=STATES.get(machine["state"], NodeState.UNKNOWN),
            public_ips=[machine["address"]] if machine["address"] else [],
            private_ips=[],
            driver=self,
            extra={"tags": dict(machine["tags"]), "size": machine["size"], "image": machine["image"], "location": machine["location"]},
            created_at=datetime.fromtimestamp(machine["created_at"], UTC),
        )
