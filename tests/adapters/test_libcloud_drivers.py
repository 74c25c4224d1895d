"""Each driver's own create, list, read and destroy, called as burstd calls them, in front of a peer that answers as that API does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from burstd.adapters.libcloud import CloudPool, probe
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.adapters.libcloud.drivers.tag_strings import from_strings, to_strings
from burstd.adapters.libcloud.faults import Verdict
from burstd.adapters.libcloud.workers import Seat
from burstd.errors import Misconfigured
from burstd.model.cloud import (
    OPERATION_TAG,
    OWNER_TAG,
    CreateCall,
    Created,
    CreateFailed,
    CreateUnknown,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    LaunchRequest,
    NodeState,
)
from burstd.model.faults import FaultKind
from tests.json_peer import Answered, JsonPeer, json_peer

OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
OPERATION = "1" * 32
NAME = "burst-0a1b-1111111111"
USER_DATA = "#cloud-config\npackages: [nginx]\n"
TAGS = ((OWNER_TAG, OWNER), (OPERATION_TAG, OPERATION), ("team", "web shop"))
WORDS = [f"burstd-owner:{OWNER}", f"burstd-operation:{OPERATION}", "team:web_20shop"]

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Api:
    """One cloud's API, as its driver's code and its documents have it.

    Attributes:
        pool: less the endpoint.
        machine: a machine as the API shows it, with these tags.
        sent: the create's body, exactly.
        one: the path of the machine.
        many: the path of the list.
        wrap_one: the answer about one machine.
        wrap_many: the answer about all.
        state: of the machine as shown, in burstd's words.
        addresses: of the machine as shown.
        made: the create's status.
        unmade: the destroy's status.
        missing: the answer about a machine that is not there.
        refusals: answers to a create that certainly made nothing, with what they mean and the patience they ask for.
        unsure: answers to a create that leave open whether there is a machine.
        query: the list's query, beyond paging.
    """

    pool: CloudPool
    machine: Callable[[Tags], dict[str, Any]]
    sent: Mapping[str, Any]
    one: str
    many: str
    wrap_one: Callable[[dict[str, Any]], Any]
    wrap_many: Callable[[list[dict[str, Any]]], Any]
    missing: Answered
    refusals: tuple[tuple[Answered, FaultKind, float | None], ...]
    state: NodeState = NodeState.RUNNING
    addresses: tuple[str, ...] = ("198.51.100.7", "10.0.0.7")
    made: int = 200
    unmade: int = 204
    unsure: tuple[Answered, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)


DIGITALOCEAN = Api(
    pool=CloudPool(
        "here", "digitalocean", {"key": "dop_v1_secret"}, "ubuntu-24-04-x64", "s-1vcpu-1gb", "ams3",
        create={"ex_create_attr": {"monitoring": True, "tags": ["shop"]}},
        networks=("760e09ef-dc84-11e8-981e-3cfdfeaae000",), keypair="289794",
    ),
    machine=lambda tags: {
        "id": 3164444, "name": NAME, "status": "active", "created_at": "2026-07-21T18:37:44Z", "tags": to_strings(tags),
        "networks": {"v4": [{"ip_address": "10.0.0.7", "type": "private"}, {"ip_address": "198.51.100.7", "type": "public"}], "v6": []},
        "region": {"name": "Amsterdam 3"},
    },
    sent={
        "name": NAME, "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64", "region": "ams3", "user_data": USER_DATA, "monitoring": True,
        "tags": ["shop", *WORDS], "ssh_keys": [289794], "vpc_uuid": "760e09ef-dc84-11e8-981e-3cfdfeaae000",
    },
    one="/v2/droplets/3164444",
    many="/v2/droplets",
    wrap_one=lambda machine: {"droplet": machine},
    wrap_many=lambda machines: {"droplets": machines, "links": {}, "meta": {"total": len(machines)}},
    made=202,
    missing=Answered(404, {"id": "not_found", "message": "The resource you requested could not be found."}),
    refusals=(
        (Answered(422, {"id": "unprocessable_entity", "message": "creating this/these droplet(s) will exceed your droplet limit"}),
         FaultKind.NO_CAPACITY, None),
        (Answered(429, {"id": "too_many_requests", "message": "API rate limit exceeded."}, {"Retry-After": "9"}), FaultKind.THROTTLED, 9.0),
        (Answered(401, {"id": "unauthorized", "message": "Unable to authenticate you"}), FaultKind.DENIED, None),
        (Answered(422, {"id": "unprocessable_entity", "message": "You specified an invalid image."}), FaultKind.REJECTED, None),
    ),
    query={"tag_name": f"burstd-owner:{OWNER}"},
)  # fmt: skip

LINODE = Api(
    pool=CloudPool("here", "linode", {"key": "secret-token"}, "linode/debian12", "g6-nanode-1", "nl-ams",
                   create={"root_pass": "Pa55word!Pa55word"}, keypair="ssh-ed25519 AAAA ops"),
    machine=lambda tags: {
        "id": 123, "label": NAME, "status": "running", "created": "2026-01-01T00:01:01", "tags": to_strings(tags), "region": "nl-ams",
        "ipv4": ["198.51.100.7", "10.0.0.7"], "ipv6": "c001:d00d::1337/128", "hypervisor": "kvm", "specs": {}, "alerts": {}, "backups": {},
        "watchdog_enabled": True, "type": "g6-nanode-1", "image": "linode/debian12",
    },
    sent={
        "label": NAME, "region": "nl-ams", "type": "g6-nanode-1", "image": "linode/debian12", "private_ip": False, "backups_enabled": False,
        "metadata": {"user_data": "I2Nsb3VkLWNvbmZpZwpwYWNrYWdlczogW25naW54XQo="}, "root_pass": "Pa55word!Pa55word", "tags": WORDS,
        "authorized_keys": ["ssh-ed25519 AAAA ops"],
    },
    one="/v4/linode/instances/123",
    many="/v4/linode/instances",
    wrap_one=lambda machine: machine,
    wrap_many=lambda machines: {"data": machines, "page": 1, "pages": 1, "results": len(machines)},
    unmade=200,
    missing=Answered(404, {"errors": [{"reason": "Not found"}]}),
    refusals=(
        (Answered(400, {"errors": [{"reason": "Account Limit reached. Please open a support ticket."}]}), FaultKind.NO_CAPACITY, None),
        (Answered(429, {"errors": [{"reason": "Too many requests"}]}), FaultKind.THROTTLED, None),
        (Answered(401, {"errors": [{"reason": "Invalid Token"}]}), FaultKind.DENIED, None),
        (Answered(400, {"errors": [{"reason": "image is not valid", "field": "image"}]}), FaultKind.REJECTED, None),
    ),
    unsure=(Answered(400, {"errors": [{"reason": "Label must be unique among your linodes", "field": "label"}]}),),
)  # fmt: skip

VULTR = Api(
    pool=CloudPool("here", "vultr", {"key": "secret-key"}, "2136", "vc2-1c-1gb", "ams", networks=("net-1", "net-2"), keypair="key-1",
                   security_groups=("fw-1",)),
    machine=lambda tags: {
        "id": "cb676a46", "label": NAME, "status": "active", "power_status": "running", "server_status": "ok", "main_ip": "198.51.100.7",
        "v6_main_ip": "", "internal_ip": "10.0.0.7", "plan": "vc2-1c-1gb", "os_id": 2136, "date_created": "2026-10-10T01:56:20+00:00",
        "region": "ams", "ram": 1024, "disk": 25, "netmask_v4": "255.255.254.0", "gateway_v4": "198.51.100.1", "v6_network": "",
        "v6_network_size": 0, "app_id": 0, "image_id": "", "features": [], "tag": ",".join(to_strings(tags)), "os": "Debian 12",
        "vcpu_count": 1, "allowed_bandwidth": 1, "firewall_group_id": "fw-1",
    },
    sent={
        "label": NAME, "region": "ams", "plan": "vc2-1c-1gb", "enable_ipv6": False, "activation_email": False, "os_id": 2136,
        "sshkey_id": ["key-1"], "user_data": "I2Nsb3VkLWNvbmZpZwpwYWNrYWdlczogW25naW54XQo=", "tag": ",".join(WORDS),
        "attach_private_network": ["net-1", "net-2"], "firewall_group_id": "fw-1",
    },
    one="/v2/instances/cb676a46",
    many="/v2/instances",
    wrap_one=lambda machine: {"instance": machine},
    wrap_many=lambda machines: {"instances": machines, "meta": {"total": len(machines), "links": {"next": "", "prev": ""}}},
    made=202,
    missing=Answered(404, {"error": "Invalid instance-id", "status": 404}),
    refusals=(
        (Answered(429, {"error": "Rate limit exceeded", "status": 429}), FaultKind.THROTTLED, None),
        (Answered(401, {"error": "Invalid API token.", "status": 401}), FaultKind.DENIED, None),
        (Answered(400, {"error": "Invalid os_id.", "status": 400}), FaultKind.REJECTED, None),
    ),
)  # fmt: skip

CLOUDSCALE = Api(
    pool=CloudPool("here", "cloudscale", {"key": "secret-token"}, "debian-12", "flex-4-1", "lpg1",
                   create={"ex_create_attr": {"use_ipv6": False}},
                   networks=("public", "2db69ba3"), keypair="ssh-ed25519 AAAA ops"),
    machine=lambda tags: {
        "uuid": "47cec963", "name": NAME, "status": "running", "tags": dict(tags),
        "flavor": {"slug": "flex-4-1", "name": "Flex-4-1", "vcpu_count": 1, "memory_gb": 4},
        "image": {"slug": "debian-12", "name": "Debian 12", "operating_system": "Debian"},
        "interfaces": [{"type": "public", "addresses": [{"address": "198.51.100.7"}]},
                       {"type": "private", "addresses": [{"address": "10.0.0.7"}]}],
    },
    sent={
        "name": NAME, "image": "debian-12", "flavor": "flex-4-1", "zone": "lpg1", "use_ipv6": False, "user_data": USER_DATA,
        "tags": dict(TAGS), "ssh_keys": ["ssh-ed25519 AAAA ops"], "interfaces": [{"network": "public"}, {"network": "2db69ba3"}],
    },
    one="/v1/servers/47cec963",
    many="/v1/servers",
    wrap_one=lambda machine: machine,
    wrap_many=lambda machines: machines,
    made=201,
    missing=Answered(404, {"detail": "Not found."}),
    refusals=(
        (Answered(429, {"detail": "Request was throttled."}, {"Retry-After": "4"}), FaultKind.THROTTLED, 4.0),
        (Answered(401, {"detail": "Invalid token."}), FaultKind.DENIED, None),
        (Answered(400, {"image": "This image does not exist."}), FaultKind.REJECTED, None),
    ),
)  # fmt: skip

APIS = {api.pool.driver: api for api in (CLOUDSCALE, DIGITALOCEAN, LINODE, VULTR)}

REFUSALS = [pytest.param(api, *refusal, id=f"{name}-{refusal[1]}") for name, api in APIS.items() for refusal in api.refusals]
UNSURE = [pytest.param(api, answered, id=name) for name, api in APIS.items() for answered in api.unsure]


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as made:
        yield made


@pytest.fixture(params=list(APIS.values()), ids=list(APIS))
def api(request: pytest.FixtureRequest) -> Api:
    """Every API."""
    chosen: Api = request.param
    return chosen


def at(pool: CloudPool, peer: JsonPeer) -> CloudPool:
    return replace(pool, host=peer.host, port=peer.port, secure=False)


def calls(pool: CloudPool) -> tuple[PoolCalls, Seat]:
    record = record_of(pool)
    return PoolCalls(pool, record, OWNER), Seat(lambda: connect(pool, record, 5.0))


def creation(pool: CloudPool, user_data: str | None = USER_DATA) -> CreateCall:
    return CreateCall(OPERATION, LaunchRequest("here", NAME, pool.image, pool.size, pool.location, TAGS, OPERATION, user_data))


def alive(api: Api, peer: JsonPeer, tags: Tags = TAGS) -> str:
    """Let the API have one machine; its id."""
    machine = api.machine(tags)
    peer.answers |= {
        ("POST", api.many): Answered(api.made, api.wrap_one(machine)),
        ("GET", api.many): Answered(200, api.wrap_many([machine])),
        ("GET", api.one): Answered(200, api.wrap_one(machine)),
        ("DELETE", api.one): Answered(api.unmade, {} if api.unmade == 200 else None),
    }
    return api.one.rpartition("/")[2]


def test_a_create_sends_all_in_one_request_and_reads_the_machine_back(api: Api, peer: JsonPeer) -> None:
    node_id = alive(api, peer)
    to, seat = calls(at(api.pool, peer))
    outcome = to.create(seat, creation(api.pool))
    assert isinstance(outcome, Created), outcome
    [asked] = peer.asked
    assert (asked.route, asked.body) == (("POST", api.many), api.sent)
    assert asked.headers["Authorization"] == f"Bearer {api.pool.args['key']}"
    node = outcome.node
    assert (node.id, node.name, node.owner, node.operation) == (node_id, NAME, OWNER, OPERATION)
    assert (node.state, node.addresses) == (api.state, api.addresses)


def test_a_create_without_user_data_names_none(api: Api, peer: JsonPeer) -> None:
    alive(api, peer)
    to, seat = calls(at(api.pool, peer))
    assert isinstance(to.create(seat, creation(api.pool, None)), Created)
    [body] = peer.bodies("POST")
    assert None not in body.values()
    assert not body.get("user_data")


def test_a_listing_shows_owner_and_operation_and_a_strangers_machine_without(api: Api, peer: JsonPeer) -> None:
    alive(api, peer)
    machines = [api.machine(TAGS), api.machine((("team", "web"),))]
    peer.answers["GET", api.many] = Answered(200, api.wrap_many(machines))
    to, seat = calls(at(api.pool, peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [(each.owner, each.operation, each.addresses) for each in nodes] == [
        (OWNER, OPERATION, api.addresses),
        (None, None, api.addresses),
    ]
    assert peer.asked[0].query.items() >= api.query.items()


def test_a_machine_of_ours_is_destroyed_after_it_was_read_by_id(api: Api, peer: JsonPeer) -> None:
    node_id = alive(api, peer)
    to, seat = calls(at(api.pool, peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", node_id)) == Destroyed(OPERATION, node_id, absent=False)
    assert [each.route for each in peer.asked] == [("GET", api.one), ("DELETE", api.one)]


@pytest.mark.parametrize("tags", [(), TAGS[:1], TAGS[1:], ((OWNER_TAG, "9" * 32), TAGS[1])], ids=["none", "owner", "operation", "stranger"])
def test_a_machine_that_is_not_ours_by_both_tags_is_never_destroyed(api: Api, peer: JsonPeer, tags: Tags) -> None:
    node_id = alive(api, peer, tags)
    to, seat = calls(at(api.pool, peer))
    outcome = to.destroy(seat, DestroyCall(OPERATION, "here", node_id))
    assert isinstance(outcome, DestroyFailed)
    assert outcome.fault.kind is FaultKind.REJECTED
    assert [each.method for each in peer.asked] == ["GET"]


@pytest.mark.parametrize("route", ["GET", "DELETE"])
def test_a_machine_that_the_api_itself_does_not_know_is_gone(api: Api, peer: JsonPeer, route: str) -> None:
    node_id = alive(api, peer)
    peer.answers[route, api.one] = api.missing
    to, seat = calls(at(api.pool, peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", node_id)) == Destroyed(OPERATION, node_id, absent=True)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_page_of_something_in_between_proves_nothing(api: Api, peer: JsonPeer, status: int) -> None:
    node_id = alive(api, peer)
    page = Answered(status, "<html><body>Please log in to the hotel's network</body></html>", {"Content-Type": "text/html"})
    peer.answers |= {("GET", api.one): page, ("GET", api.many): page, ("POST", api.many): page}
    to, seat = calls(at(api.pool, peer))
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", node_id)), DestroyFailed)
    assert isinstance(to.list(seat), Verdict)
    assert isinstance(to.create(seat, creation(api.pool)), CreateUnknown)


@pytest.mark.parametrize(("chosen", "answered", "kind", "retry_after"), REFUSALS)
def test_a_refused_create_has_certainly_made_nothing_and_says_why(
    chosen: Api, peer: JsonPeer, answered: Answered, kind: FaultKind, retry_after: float | None
) -> None:
    peer.answers["POST", chosen.many] = answered
    to, seat = calls(at(chosen.pool, peer))
    outcome = to.create(seat, creation(chosen.pool))
    assert isinstance(outcome, CreateFailed), outcome
    assert (outcome.fault.kind, outcome.retry_after) == (kind, retry_after)
    assert str(chosen.pool.args["key"]) not in outcome.fault.text


@pytest.mark.parametrize(("chosen", "answered"), UNSURE)
def test_a_name_that_is_taken_is_this_very_creates_from_before(chosen: Api, peer: JsonPeer, answered: Answered) -> None:
    peer.answers["POST", chosen.many] = answered
    to, seat = calls(at(chosen.pool, peer))
    assert isinstance(to.create(seat, creation(chosen.pool)), CreateUnknown)


def test_a_failed_listing_is_a_fault_and_never_an_empty_cloud(api: Api, peer: JsonPeer) -> None:
    to, seat = calls(at(api.pool, peer))
    for answered in (Answered(200, {}), Answered(200, "[1]"), Answered(500, {"message": "oops"}), api.missing):
        peer.answers["GET", api.many] = answered
        listed = to.list(seat)
        assert isinstance(listed, Verdict), answered
        assert listed.kind is not FaultKind.MISSING


def test_a_pool_is_probed_without_buying(api: Api, peer: JsonPeer) -> None:
    alive(api, peer)
    assert probe(at(api.pool, peer)) == ()
    assert {each.method for each in peer.asked} == {"GET"}


def test_every_page_of_digitaloceans_list_is_read(peer: JsonPeer) -> None:
    alive(DIGITALOCEAN, peer)
    listed = {"droplets": [DIGITALOCEAN.machine(TAGS)], "links": {"pages": {"last": "http://x.example/v2/droplets?page=3"}}}
    peer.answers["GET", "/v2/droplets"] = Answered(200, listed)
    to, seat = calls(at(DIGITALOCEAN.pool, peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple)
    assert [each.query.get("page") for each in peer.asked] == [None, "2", "3"]
    assert all(each.query["tag_name"] == f"burstd-owner:{OWNER}" for each in peer.asked)
    assert len(nodes) == 3


def test_a_state_that_libcloud_has_not_heard_of_spoils_no_list_of_linodes(peer: JsonPeer) -> None:
    alive(LINODE, peer)
    stranger = {**LINODE.machine(()), "status": "billing_suspension"}
    peer.answers["GET", LINODE.many] = Answered(200, LINODE.wrap_many([stranger, LINODE.machine(TAGS)]))
    to, seat = calls(at(LINODE.pool, peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [each.state for each in nodes] == [NodeState.UNKNOWN, NodeState.RUNNING]


def test_a_linode_gets_a_root_password_that_nobody_knows(peer: JsonPeer) -> None:
    alive(LINODE, peer)
    to, seat = calls(at(replace(LINODE.pool, create={}, keypair="operator"), peer))
    to.create(seat, creation(LINODE.pool))
    to.create(seat, creation(LINODE.pool))
    passwords = {body["root_pass"] for body in peer.bodies("POST")}
    assert len(passwords) == 2
    assert min(map(len, passwords)) >= 43
    assert {tuple(body["authorized_users"]) for body in peer.bodies("POST")} == {("operator",)}


def test_a_name_that_linode_refuses_has_sent_nothing(peer: JsonPeer) -> None:
    to, seat = calls(at(LINODE.pool, peer))
    call = creation(LINODE.pool)
    outcome = to.create(seat, replace(call, request=replace(call.request, name="9--lives")))
    assert isinstance(outcome, CreateFailed)
    assert (outcome.fault.kind, peer.asked) == (FaultKind.REJECTED, [])


def test_vultrs_placeholder_is_no_address(peer: JsonPeer) -> None:
    alive(VULTR, peer)
    booting = {**VULTR.machine(TAGS), "status": "pending", "main_ip": "0.0.0.0", "internal_ip": ""}  # noqa: S104 - Vultr's placeholder
    peer.answers["POST", VULTR.many] = Answered(202, VULTR.wrap_one(booting))
    to, seat = calls(at(VULTR.pool, peer))
    outcome = to.create(seat, creation(VULTR.pool))
    assert isinstance(outcome, Created)
    assert (outcome.node.state, outcome.node.addresses) == (NodeState.PENDING, ())


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"driver": "linode", "networks": ("vpc-1",)}, 'networks cannot be said with driver "linode"; leave it out'),
        ({"driver": "digitalocean", "networks": ("a", "b")}, 'networks has 2 entries; driver "digitalocean" takes at most 1'),
        (
            {"driver": "digitalocean", "security_groups": ("web",)},
            'security_groups cannot be said with driver "digitalocean"; leave it out',
        ),
        ({"driver": "vultr", "security_groups": ("a", "b")}, 'security_groups has 2 entries; driver "vultr" takes at most 1'),
        ({"driver": "linode", "location": None}, 'location is needed by driver "linode"; set it'),
        (
            {"driver": "openstack", "host": "api.example.com", "args": {"ex_force_auth_url": "https://keystone.example.com"}},
            'api_host cannot be said with driver "openstack"; set args.ex_force_auth_url instead',
        ),
        ({"driver": "openstack"}, 'args.ex_force_auth_url is needed by driver "openstack"; set it'),
        ({"driver": "local", "keypair": "ops"}, 'keypair cannot be said with driver "local"; leave it out'),
    ],
)
def test_a_pool_that_asks_what_its_driver_cannot_do_is_refused_before_anything_is_bought(changes: dict[str, Any], line: str) -> None:
    pool = replace(CloudPool("here", "linode", {"key": "k"}, "debian-12", "small", "ams"), **changes)
    with pytest.raises(Misconfigured) as refused:
        record_of(pool)
    assert str(refused.value) == f"pool here: {line}"
    [problem] = probe(pool)
    assert (problem.text, problem.kind) == (str(refused.value), FaultKind.MISCONFIGURED)


@pytest.mark.parametrize("text", ["", "web", "Ünïcode", "a:b,c_d e", "_20", "ab_cd", "x" * 300])
def test_tag_strings_hold_legal_characters_alone_and_come_back(text: str) -> None:
    [string] = to_strings([(text, text)])
    assert set(string) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:")
    assert from_strings([string, "a-strangers-word"]) == {text: text}
