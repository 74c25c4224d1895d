"""OpenStack's real driver in front of a Keystone and a Nova that check every request; what its contract does not say is here."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from burstd.adapters.libcloud import CloudPool, probe
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import connect, record_of
from burstd.adapters.libcloud.faults import Verdict
from burstd.adapters.libcloud.workers import Seat
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
from tests.json_peer import Answered, Asked
from tests.openstack_peer import FLAVOR, IMAGE, KEYPAIR, NETWORK, PASSWORD, SECURITY_GROUP, ZONE, OpenStackPeer, openstack_peer

OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
OPERATION = "1" * 32
NAME = "burst-0a1b-1111111111"
USER_DATA = "#cloud-config\npackages: [nginx]\n"
TAGS = ((OWNER_TAG, OWNER), (OPERATION_TAG, OPERATION), ("team", "web"))
HTML = Answered(404, "<html><body>The requested URL /servers/1 was not found</body></html>", {"Content-Type": "text/html"})


@pytest.fixture
def peer() -> Iterator[OpenStackPeer]:
    with openstack_peer() as made:
        yield made


@pytest.fixture
def pool(peer: OpenStackPeer) -> CloudPool:
    return CloudPool("oslo", "openstack", peer.args, IMAGE, FLAVOR, ZONE, networks=(NETWORK,), keypair=KEYPAIR,
                     security_groups=("default", SECURITY_GROUP))  # fmt: skip


def calls(pool: CloudPool) -> tuple[PoolCalls, Seat]:
    record = record_of(pool)
    return PoolCalls(pool, record, OWNER), Seat(lambda: connect(pool, record, 5.0))


def creation(pool: CloudPool, **changes: Any) -> CreateCall:
    request = LaunchRequest("oslo", NAME, pool.image, pool.size, pool.location, TAGS, OPERATION, USER_DATA)
    return CreateCall(OPERATION, replace(request, **changes))


def test_a_create_says_all_that_nova_needs_and_nothing_that_it_does_not_know(peer: OpenStackPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, Created), outcome
    [server] = peer.servers.values()
    assert server.asked == {
        "name": NAME, "imageRef": IMAGE, "flavorRef": FLAVOR, "metadata": dict(TAGS), "key_name": KEYPAIR, "availability_zone": ZONE,
        "user_data": base64.b64encode(USER_DATA.encode()).decode(), "networks": [{"uuid": NETWORK}],
        "security_groups": [{"name": "default"}, {"name": SECURITY_GROUP}],
    }  # fmt: skip
    node = outcome.node
    assert (node.id, node.state, node.addresses, node.owner, node.operation) == (server.id, NodeState.PENDING, (), OWNER, OPERATION)


def test_networks_and_groups_may_be_raw_arguments_too(peer: OpenStackPeer) -> None:
    create = {"networks": [NETWORK], "ex_security_groups": [SECURITY_GROUP], "ex_config_drive": True}
    pool = CloudPool("oslo", "openstack", peer.args, IMAGE, FLAVOR, create=create)
    to, seat = calls(pool)
    assert isinstance(to.create(seat, creation(pool, user_data=None)), Created)
    [server] = peer.servers.values()
    assert server.asked.keys() == {"name", "imageRef", "flavorRef", "metadata", "networks", "security_groups", "config_drive"}


def test_a_machine_builds_without_an_address_and_runs_with_one(peer: OpenStackPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    to.create(seat, creation(pool))
    seen = [listed for listed in (to.list(seat), to.list(seat)) if isinstance(listed, tuple)]
    assert [(each.state, each.addresses) for listed in seen for each in listed] == [
        (NodeState.PENDING, ()),
        (NodeState.RUNNING, ("10.20.0.4",)),
    ]


def test_a_machine_in_error_is_listed_as_such_and_destroyed(peer: OpenStackPeer, pool: CloudPool) -> None:
    peer.fails = True
    to, seat = calls(pool)
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, Created)
    assert outcome.node.state is NodeState.ERROR
    assert to.destroy(seat, DestroyCall(OPERATION, "oslo", outcome.node.id)) == Destroyed(OPERATION, outcome.node.id, absent=False)
    assert peer.servers == {}


def test_every_page_of_a_list_is_read(peer: OpenStackPeer, pool: CloudPool) -> None:
    ids = [peer.start(f"burst-{number}", {OWNER_TAG: OWNER, OPERATION_TAG: str(number)}) for number in range(5)]
    to, seat = calls(pool)
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [each.id for each in nodes] == ids
    assert len([each for each in peer.asked if each.path.endswith("/detail")]) == 3


def test_a_dead_token_fails_one_call_and_the_next_logs_in_again(peer: OpenStackPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    assert to.list(seat) == ()
    peer.tokens.clear()
    listed = to.list(seat)
    assert isinstance(listed, Verdict)
    assert (listed.kind, listed.text) == (FaultKind.UNREACHABLE, "the session has ended; the next call logs in again")
    assert to.list(seat) == ()
    peer.tokens.clear()
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, CreateFailed)
    assert isinstance(to.create(seat, creation(pool)), Created)


def test_one_login_serves_many_calls(peer: OpenStackPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    for _ in range(3):
        to.list(seat)
    assert len([each for each in peer.asked if each.path == "/v3/auth/tokens"]) == 1


@pytest.mark.parametrize("tail", ["", "/", "/v3", "/v3/", "/v3/auth/tokens"])
def test_keystones_address_may_be_as_an_openrc_file_has_it(peer: OpenStackPeer, pool: CloudPool, tail: str) -> None:
    assert probe(replace(pool, args={**peer.args, "ex_force_auth_url": peer.url + tail})) == ()


def test_a_wrong_password_is_told_at_the_login_and_never_shown(peer: OpenStackPeer, pool: CloudPool) -> None:
    wrong = replace(pool, args={**peer.args, "secret": "wrong-password"})
    to, seat = calls(wrong)
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, CreateFailed)
    assert outcome.fault.kind is FaultKind.DENIED
    assert "wrong-password" not in str(outcome)
    [problem] = probe(wrong)
    assert (problem.kind, problem.peer_down) == (FaultKind.DENIED, False)
    assert PASSWORD not in problem.text


REFUSALS: dict[str, tuple[Answered, FaultKind, float | None]] = {
    "quota": (Answered(403, {"forbidden": {"code": 403, "message": "Quota exceeded for cores: Requested 2"}}), FaultKind.NO_CAPACITY, None),
    "policy": (Answered(403, {"forbidden": {"code": 403, "message": "Policy doesn't allow it"}}), FaultKind.DENIED, None),
    "413": (Answered(413, {"overLimit": {"code": 413, "message": "slow"}}, {"Retry-After": "12"}), FaultKind.THROTTLED, 12.0),
    "429 of something in front": (Answered(429, "slow", {"Retry-After": "3", "Content-Type": "text/html"}), FaultKind.THROTTLED, 3.0),
    "conflict": (Answered(409, {"conflictingRequest": {"code": 409, "message": "Port is in use"}}), FaultKind.REJECTED, None),
    "bad image": (Answered(400, {"badRequest": {"code": 400, "message": "Can not find requested image"}}), FaultKind.REJECTED, None),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_create_has_certainly_made_nothing_and_says_why(peer: OpenStackPeer, pool: CloudPool, name: str) -> None:
    answered, kind, retry_after = REFUSALS[name]
    peer.faults = [answered]
    to, seat = calls(pool)
    outcome = to.create(seat, creation(pool))
    assert isinstance(outcome, CreateFailed), outcome
    assert (outcome.fault.kind, outcome.retry_after) == (kind, retry_after)
    assert peer.servers == {}


@pytest.mark.parametrize("changes", [{"name": " padded "}, {"image": "not-an-id"}, {"size": "m9.huge"}, {"user_data": "x" * 60_000}])
def test_what_nova_refuses_is_rejected(peer: OpenStackPeer, pool: CloudPool, changes: dict[str, Any]) -> None:
    to, seat = calls(pool)
    outcome = to.create(seat, creation(pool, **changes))
    assert isinstance(outcome, CreateFailed), outcome
    assert outcome.fault.kind is FaultKind.REJECTED


@pytest.mark.parametrize(
    "answered",
    [
        Answered(500, {"computeFault": {"code": 500, "message": "oops"}}),
        replace(HTML, status=502),
        replace(HTML, status=400),
        Answered(200, ""),
    ],
    ids=["500", "502", "400 of something in between", "empty"],
)
def test_a_create_whose_answer_says_nothing_is_unknown(peer: OpenStackPeer, pool: CloudPool, answered: Answered) -> None:
    peer.faults = [answered]
    to, seat = calls(pool)
    assert isinstance(to.create(seat, creation(pool)), CreateUnknown)


def test_a_create_that_cannot_be_read_back_has_been_made(peer: OpenStackPeer, pool: CloudPool) -> None:
    to, seat = calls(pool)
    peer.fails = True
    made: list[str] = []

    answer = peer.answer

    def vanish(asked: Asked) -> Answered:
        if asked.method == "GET" and "/servers/" in asked.path:
            made.extend(peer.servers)
            return Answered(404, {"itemNotFound": {"code": 404, "message": "Instance could not be found."}})
        return answer(asked)

    peer.answer = vanish  # type: ignore[method-assign] # one answer is another
    assert isinstance(to.create(seat, creation(pool)), CreateUnknown)
    assert len(made) == 1


def test_a_busy_machine_is_destroyed_later(peer: OpenStackPeer, pool: CloudPool) -> None:
    node_id = peer.start(NAME, dict(TAGS))
    peer.servers[node_id].busy = True
    to, seat = calls(pool)
    outcome = to.destroy(seat, DestroyCall(OPERATION, "oslo", node_id))
    assert isinstance(outcome, DestroyFailed)
    assert node_id in peer.servers
    peer.servers[node_id].busy = False
    assert to.destroy(seat, DestroyCall(OPERATION, "oslo", node_id)) == Destroyed(OPERATION, node_id, absent=False)


@pytest.mark.parametrize("answered", [HTML, Answered(404, {"error": {"message": "no route"}, "x": 1})], ids=["HTML", "another API's JSON"])
def test_a_404_that_is_not_novas_own_does_not_prove_that_a_machine_is_gone(
    peer: OpenStackPeer, pool: CloudPool, answered: Answered
) -> None:
    node_id = peer.start(NAME, dict(TAGS))
    to, seat = calls(pool)
    peer.faults = [answered]
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "oslo", node_id)), DestroyFailed)
    assert node_id in peer.servers


@pytest.mark.parametrize(
    "answered",
    [Answered(200, {}), Answered(200, {"servers": None}), replace(HTML, status=200), Answered(200, "[]"), Answered(404, HTML.body), HTML],
)
def test_a_failed_listing_is_a_fault_and_never_an_empty_cloud(peer: OpenStackPeer, pool: CloudPool, answered: Answered) -> None:
    to, seat = calls(pool)
    peer.faults = [answered]
    assert isinstance(to.list(seat), Verdict)


def test_a_pool_is_probed_without_buying(peer: OpenStackPeer, pool: CloudPool) -> None:
    assert probe(pool) == ()
    assert {each.method for each in peer.asked if not each.path.startswith("/v3")} == {"GET"}


def test_the_microversion_of_the_settings_is_asked_for(peer: OpenStackPeer, pool: CloudPool) -> None:
    to, seat = calls(replace(pool, args={**peer.args, "ex_force_microversion": "2.95"}))
    assert to.list(seat) == ()
    assert peer.asked[-1].headers["OpenStack-API-Version"] == "compute 2.95"
    to, seat = calls(replace(pool, args={**peer.args, "ex_force_microversion": "3.0"}))
    listed = to.list(seat)
    assert isinstance(listed, Verdict)
    assert listed.kind is FaultKind.REJECTED
