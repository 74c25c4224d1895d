"""A pool behind an HTTP proxy: libcloud's real drivers, a real proxy, and hosts that nobody but the proxy can reach."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from burstd.adapters.libcloud import CloudPool
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.adapters.libcloud.faults import Redactor, Verdict, judge
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
    LaunchRequest,
)
from burstd.model.faults import FaultKind
from tests.ec2_peer import KEYS, Ec2Peer, ec2_peer
from tests.http_proxy import http_proxy
from tests.json_peer import Answered, JsonPeer, json_peer
from tests.openstack_peer import FLAVOR, IMAGE, openstack_peer
from tests.web import own_address

OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
OPERATION = "1" * 32
NOWHERE = "api.cloud.invalid"
"""A host that no name server knows (RFC 2606)."""

LISTS: dict[str, tuple[str, object]] = {
    "digitalocean": ("/v2/droplets", {"droplets": [], "links": {}, "meta": {"total": 0}}),
    "linode": ("/v4/linode/instances", {"data": [], "page": 1, "pages": 1, "results": 0}),
    "vultr": ("/v2/instances", {"instances": [], "meta": {"total": 0, "links": {"next": "", "prev": ""}}}),
    "cloudscale": ("/v1/servers", []),
}


@pytest.fixture(scope="module")
def ec2() -> Iterator[Ec2Peer]:
    with ec2_peer() as peer:
        yield peer


@pytest.fixture
def json() -> Iterator[JsonPeer]:
    with json_peer() as peer:
        yield peer


def ec2_pool(proxy: str | None, **changed: Any) -> CloudPool:
    return replace(
        CloudPool("dublin", "ec2", KEYS, "ami-12c6146b", "t3.small", host=NOWHERE, port=8773, secure=False, proxy=proxy), **changed
    )


def calls(pool: CloudPool) -> tuple[PoolCalls, Seat]:
    record = record_of(pool)
    return PoolCalls(pool, record, OWNER), Seat(lambda: connect(pool, record, 5.0))


def create(pool: CloudPool) -> CreateCall:
    tags = ((OWNER_TAG, OWNER), (OPERATION_TAG, OPERATION))
    return CreateCall(OPERATION, LaunchRequest(pool.name, "burst-0a1b-1", pool.image, pool.size, None, tags, OPERATION, "#cloud-config\n"))


def test_a_machines_whole_life_goes_by_the_proxy_and_only_there(ec2: Ec2Peer) -> None:
    subnet = ec2.reset()
    with http_proxy((ec2.host, ec2.port)) as proxy:
        the_calls, seat = calls(pool := ec2_pool(proxy.url("ops:correct%20horse"), networks=(subnet,)))
        made = the_calls.create(seat, create(pool))
        assert isinstance(made, Created)
        listed = the_calls.list(seat)
        assert isinstance(listed, tuple)
        assert [node.id for node in listed] == [made.node.id]
        gone = the_calls.destroy(seat, DestroyCall(OPERATION, pool.name, made.node.id))
    assert gone == Destroyed(OPERATION, made.node.id, absent=False)
    assert {each.target.partition("?")[0] for each in proxy.passed} == {f"http://{NOWHERE}:8773/"}
    assert {each.login for each in proxy.passed} == {"Basic " + base64.b64encode(b"ops:correct horse").decode()}


@pytest.mark.parametrize("driver", LISTS)
def test_each_driver_takes_the_proxy_as_it_takes_a_host(json: JsonPeer, driver: str) -> None:
    path, answer = LISTS[driver]
    json.answers["GET", path] = Answered(200, answer)
    pool = CloudPool(
        "here", driver, {"key": "k"}, "1", "s", "ams", keypair="key", host=NOWHERE, port=80, secure=False,
    )  # fmt: skip
    with http_proxy((json.host, json.port)) as proxy:
        the_calls, seat = calls(replace(pool, proxy=proxy.url()))
        assert the_calls.list(seat) == ()
    assert len(proxy.passed) == len(json.asked) > 0
    assert {each.target.partition("?")[0] for each in proxy.passed} == {f"http://{NOWHERE}{path}"}


def test_openstacks_login_and_calls_both_go_by_the_proxy() -> None:
    with openstack_peer() as peer, http_proxy((peer.host, peer.port)) as proxy:
        pool = CloudPool("here", "openstack", peer.args, IMAGE, FLAVOR, proxy=proxy.url())
        the_calls, seat = calls(pool)
        assert the_calls.list(seat) == ()
        assert len(proxy.passed) == len(peer.asked)
        assert [each.method for each in proxy.passed][:2] == ["POST", "GET"]


def test_azures_login_goes_by_the_proxy_too() -> None:
    args = {"tenant_id": "t-1", "subscription_id": "sub-1", "key": "app-1", "secret": "app-secret"}
    pool = CloudPool("here", "azure_arm", args, "a:b:c:d", "s", "northeurope", create={"ex_resource_group": "g"}, networks=("v/w",))
    with http_proxy() as proxy:
        the_calls, seat = calls(replace(pool, proxy=proxy.url()))
        listed = the_calls.list(seat)
    assert [(each.method, each.target) for each in proxy.passed] == [("CONNECT", "login.microsoftonline.com:443")]
    assert isinstance(listed, Verdict)
    assert (listed.kind, listed.text) == (FaultKind.UNREACHABLE, "the proxy does not connect us (HTTP 502)")


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_pools_proxy_counts_over_that_of_the_environment(ec2: Ec2Peer, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    ec2.reset()
    with http_proxy() as other, http_proxy((ec2.host, ec2.port)) as proxy:
        monkeypatch.setenv(variable, other.url())
        the_calls, seat = calls(ec2_pool(proxy.url()))
        assert the_calls.list(seat) == ()
    assert (len(other.passed), len(proxy.passed) > 0) == (0, True)


def refused_port() -> str:
    with socket.create_server((own_address(), 0)) as closed:
        return f"http://ops:hunter2-secret@{own_address()}:{closed.getsockname()[1]}"


def test_a_dead_proxy_has_certainly_passed_nothing_on() -> None:
    the_calls, seat = calls(pool := ec2_pool(refused_port()))
    outcome = the_calls.create(seat, create(pool))
    assert isinstance(outcome, CreateFailed)
    assert (outcome.fault.kind, outcome.fault.text) == (FaultKind.UNREACHABLE, "connection refused by the proxy")


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (502, FaultKind.UNREACHABLE, "the proxy does not connect us (HTTP 502)"),
        (403, FaultKind.UNREACHABLE, "the proxy does not connect us (HTTP 403)"),
        (407, FaultKind.DENIED, "the proxy does not accept the login (HTTP 407)"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_has_certainly_passed_nothing_on(status: int, kind: FaultKind, text: str) -> None:
    with http_proxy() as proxy:
        proxy.tunnel = status
        the_calls, seat = calls(pool := ec2_pool(proxy.url(), port=443, secure=True))
        outcome = the_calls.create(seat, create(pool))
    assert isinstance(outcome, CreateFailed)
    assert (outcome.fault.kind, outcome.fault.text) == (kind, text)
    assert [(each.method, each.target) for each in proxy.passed] == [("CONNECT", f"{NOWHERE}:443")]


def test_a_proxy_that_closes_after_passing_the_create_on_leaves_it_open(ec2: Ec2Peer) -> None:
    subnet = ec2.reset()
    with http_proxy((ec2.host, ec2.port)) as proxy:
        the_calls, seat = calls(pool := ec2_pool(proxy.url(), networks=(subnet,)))
        proxy.mute = True
        outcome = the_calls.create(seat, create(pool))
    assert isinstance(outcome, CreateUnknown)
    assert [tags[OPERATION_TAG] for tags in ec2.alive().values()] == [OPERATION]


def test_a_proxys_login_shows_nowhere() -> None:
    pool = ec2_pool("http://ops-user:correct%2Fhorse@proxy.example.com:3128")
    quoted = f"{pool.proxy} correct%2Fhorse correct/horse ops-user"
    for shown in (repr(pool), Redactor(pool)(quoted), judge(ValueError(quoted), 0, Redactor(pool)).text):
        assert not any(secret in shown for secret in ("correct", "ops-user"))


def test_the_local_driver_has_no_use_for_a_proxy() -> None:
    with pytest.raises(Misconfigured, match=r'pool here: proxy cannot be said with driver "local"; leave it out'):
        record_of(CloudPool("here", "local", {}, "web-1", "small", proxy="http://127.0.0.1:3128"))
