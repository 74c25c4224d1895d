"""Every request of DigitalOcean's driver against the API's own published document, and the document's own answers through the driver."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import jsonschema  # type: ignore[import-untyped] # two calls are not worth a package of stubs
import pytest
import yaml  # type: ignore[import-untyped] # the same
from libcloud.compute.base import NodeImage, NodeLocation, NodeSize

from burstd.adapters.libcloud import CloudPool, probe
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.adapters.libcloud.workers import Seat
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, CreateCall, Created, DestroyCall, Destroyed, DestroyFailed, LaunchRequest
from tests.house.checkout import ROOT
from tests.json_peer import Answered, Asked, JsonPeer, serving

DOCUMENT = ROOT.parent / "shared/openapi/digitalocean-droplets.yaml"
OWNER, OPERATION = "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "1" * 32
TAGS = ((OWNER_TAG, OWNER), (OPERATION_TAG, OPERATION), ("team", "web shop"))

Json: TypeAlias = Any
"""Part of a document."""

pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="DigitalOcean's OpenAPI document is not beside this checkout")


class DocumentPeer(JsonPeer):
    """A peer that answers as a test has set it, and notes each request that the document does not allow in `breaches`."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.breaches: list[str] = []
        self._document = document

    def answer(self, asked: Asked) -> Answered:
        self.breaches += [f"{asked.method} {asked.path}: {breach}" for breach in self._breaches(asked)]
        return super().answer(asked)

    def example(self, response: str, name: str) -> Json:
        """An answer that the document shows."""
        example = self._resolved(self._document["components"]["responses"][response]["content"]["application/json"]["examples"][name])
        return example["value"]

    def _breaches(self, asked: Asked) -> Iterator[str]:
        for template, operations in self._document["paths"].items():
            found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template), asked.path)
            if found and asked.method.lower() in operations:
                break
        else:
            yield "no such operation"
            return
        operation = operations[asked.method.lower()]
        given = {"path": found.groupdict(), "query": asked.query}
        named = [self._resolved(each) for each in (*operations.get("parameters", ()), *operation.get("parameters", ()))]
        for parameter in named:
            value = given.get(parameter["in"], {}).get(parameter["name"])
            if value is not None and parameter["schema"]["type"] == "integer":
                value = int(value) if value.isdecimal() else value
            if value is not None:
                yield from self._broken(parameter["schema"], value)
        # libcloud pages every request alike; a parameter that is not an operation's own is left unread.
        unknown = asked.query.keys() - {each["name"] for each in named} - {"per_page"}
        yield from (f"the query's {each} is not in the document" for each in sorted(unknown))
        if "requestBody" in operation and asked.method == "POST":
            yield from self._broken(operation["requestBody"]["content"]["application/json"]["schema"], asked.body)
            known = self._document["components"]["schemas"]["droplet_create"]["properties"].keys() | {"name"}
            yield from (f"the body's {each} is not in the document" for each in sorted(asked.body.keys() - known))

    def _broken(self, schema: Mapping[str, Any], value: object) -> Iterator[str]:
        whole = {**schema, "components": self._document["components"]}
        yield from (error.message for error in jsonschema.Draft4Validator(whole).iter_errors(value))

    def _resolved(self, part: Json) -> Json:
        while "$ref" in part:
            target: Json = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            part = target
        return part


def in_json_schema(part: object) -> object:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(part, list):
        return [in_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {key: in_json_schema(value) for key, value in part.items()}
    return made | {"type": [made["type"], "null"]} if part.get("nullable") is True and isinstance(made.get("type"), str) else made


@pytest.fixture(scope="module")
def document() -> Json:
    return in_json_schema(yaml.safe_load(DOCUMENT.read_text()))


@pytest.fixture
def peer(document: Json) -> Iterator[DocumentPeer]:
    made = DocumentPeer(document)
    with serving(made):
        yield made


@pytest.fixture
def pool(peer: DocumentPeer) -> CloudPool:
    return CloudPool("here", "digitalocean", {"key": "token"}, "ubuntu-20-04-x64", "s-1vcpu-1gb", "nyc3", networks=("760e09ef",),
                     keypair="289794", host=peer.host, port=peer.port, secure=False)  # fmt: skip


def calls(pool: CloudPool) -> tuple[PoolCalls, Seat]:
    record = record_of(pool)
    return PoolCalls(pool, record, OWNER), Seat(lambda: connect(pool, record, 5.0))


def creation(pool: CloudPool, user_data: str | None) -> CreateCall:
    request = LaunchRequest("here", "burst-0a1b-1111111111", pool.image, pool.size, pool.location, TAGS, OPERATION, user_data)
    return CreateCall(OPERATION, request)


@pytest.mark.parametrize("user_data", [None, "#cloud-config\n"])
@pytest.mark.parametrize(
    "changes", [{}, {"networks": (), "keypair": None}, {"image": "289794"}, {"keypair": "3b:16:e4:bf"},
                {"create": {"ex_create_attr": {"ipv6": True, "backups": False, "monitoring": True, "tags": ["shop"]}}}]
)  # fmt: skip
def test_a_create_is_as_the_document_has_it(peer: DocumentPeer, pool: CloudPool, changes: dict[str, Any], user_data: str | None) -> None:
    peer.answers["POST", "/v2/droplets"] = Answered(202, peer.example("droplet_create", "Single Droplet Create Response"))
    to, seat = calls(replace(pool, **changes))
    outcome = to.create(seat, creation(replace(pool, **changes), user_data))
    assert isinstance(outcome, Created), outcome
    assert peer.breaches == []


def test_a_list_is_as_the_document_has_it_and_reads_the_documents_own_answer(peer: DocumentPeer, pool: CloudPool) -> None:
    shown = peer.example("all_droplets", "All Droplets")
    peer.answers["GET", "/v2/droplets"] = Answered(200, {**shown, "links": {"pages": {"last": "https://x.example/v2/droplets?page=2"}}})
    to, seat = calls(pool)
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [each.id for each in nodes] == [str(each["id"]) for each in shown["droplets"]] * 2
    assert peer.breaches == []


def test_reading_destroying_and_probing_are_as_the_document_has_them(peer: DocumentPeer, pool: CloudPool) -> None:
    droplet = copy.deepcopy(peer.example("existing_droplet", "Single Droplet"))
    node_id = str(droplet["droplet"]["id"])
    path = f"/v2/droplets/{node_id}"
    peer.answers |= {("GET", path): Answered(200, droplet), ("DELETE", path): Answered(204)}
    peer.answers["GET", "/v2/droplets"] = Answered(200, {"droplets": [], "links": {}, "meta": {"total": 0}})
    to, seat = calls(pool)
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", node_id)), DestroyFailed)
    droplet["droplet"]["tags"] = [f"{OWNER_TAG}:{OWNER}", f"{OPERATION_TAG}:{OPERATION}"]
    assert to.destroy(seat, DestroyCall(OPERATION, "here", node_id)) == Destroyed(OPERATION, node_id, absent=False)
    assert probe(pool) == ()
    assert peer.breaches == []


@pytest.mark.parametrize(
    ("changes", "breach"),
    [
        ({"ex_user_data": None}, "None is not of type 'string'"),
        ({"ex_create_attr": {"tags": "web"}}, "'web' is not of type 'array'"),
        ({"name": "burst_1"}, "'burst_1' does not match"),
    ],
)
def test_the_document_catches_what_libcloud_alone_would_send(
    peer: DocumentPeer, pool: CloudPool, changes: dict[str, Any], breach: str
) -> None:
    driver = connect(pool, record_of(pool), 5.0).driver
    size, image = NodeSize("s", "s", 0, 0, None, 0.0, driver), NodeImage("i", "i", driver)
    peer.answers["POST", "/v2/droplets"] = Answered(202, peer.example("droplet_create", "Single Droplet Create Response"))
    driver.create_node(
        **{"name": "burst-1", "size": size, "image": image, "location": NodeLocation("nyc3", "nyc3", "", driver), "ex_user_data": ""}
        | changes
    )
    assert peer.breaches
    # The document says "either one droplet or many": what is wrong with the one is a level below.
    one = {"$ref": "#/components/schemas/droplet_single_create"}
    assert any(breach in each for body in peer.bodies("POST") for each in peer._broken(one, body))
