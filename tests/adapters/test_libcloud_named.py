"""Drivers that cannot tag: each one's own create, list, read and destroy, where a machine is ours by its whole name and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from burstd.adapters.libcloud import caution, probe, survey
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import DRIVERS, connect, record_of
from burstd.adapters.libcloud.faults import Verdict
from burstd.adapters.libcloud.pool import CloudPool
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
from burstd.model.naming import marked_name
from tests import named_clouds
from tests.http_proxy import http_proxy
from tests.json_peer import Answered, Asked
from tests.named_clouds import (
    CLOUDSTACK,
    GRIDSCALE,
    MARKED,
    NAME,
    NAMED,
    OPERATION,
    OVH,
    OWNER,
    SCALEWAY,
    UPCLOUD,
    USER_DATA,
    Named,
    NamedPeer,
    body_of,
    is_change,
    named_peer,
    route_of,
)

LIKE_OURS = {
    "of another owner": marked_name(NAME, "9" * 32, OPERATION),
    "with the wrong proof": MARKED[:-1] + ("a" if MARKED[-1] != "a" else "b"),
    "with more behind it": f"{MARKED}-2",
    "with more before it": f"old-{MARKED}",
    "in capital letters": MARKED.upper(),
    "by burstd's other rule": NAME,
    "cut": MARKED[:-1],
}
TAGS = ((OWNER_TAG, OWNER), (OPERATION_TAG, OPERATION))
REFUSALS = [pytest.param(cloud, *refusal, id=f"{name}-{refusal[1]}") for name, cloud in NAMED.items() for refusal in cloud.refusals]


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[NamedPeer]:
    # OVH's driver asks for the time by a request of its own, at the port of TLS.
    monkeypatch.setattr("libcloud.common.ovh.get_response_object", lambda **_asked: type("Time", (), {"body": "1790000000"}))
    with named_peer() as made:
        yield made


@pytest.fixture(params=list(NAMED.values()), ids=list(NAMED))
def cloud(request: pytest.FixtureRequest) -> Named:
    """Every cloud without tags."""
    chosen: Named = request.param
    return chosen


def calls(pool: CloudPool) -> tuple[PoolCalls, Seat]:
    record = record_of(pool)
    return PoolCalls(pool, record, OWNER), Seat(lambda: connect(pool, record, 5.0))


def creation(pool: CloudPool) -> CreateCall:
    user_data = USER_DATA if record_of(pool).user_data else None
    return CreateCall(OPERATION, LaunchRequest("here", NAME, pool.image, pool.size, pool.location, TAGS, OPERATION, user_data))


def test_every_record_without_tags_is_tried_here() -> None:
    assert NAMED.keys() == {name for name, record in DRIVERS.items() if record.by_name}


def test_a_create_asks_for_the_marked_name_and_the_rest_of_burstd_sees_its_own(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer)
    to, seat = calls(cloud.at(peer))
    outcome = to.create(seat, creation(cloud.at(peer)))
    assert isinstance(outcome, Created), outcome
    assert peer.changes()[0] == cloud.first
    sent = body_of(next(each for each in peer.asked if is_change(route_of(each))))
    assert sent[cloud.called] == MARKED
    assert {key: sent.get(key) for key in cloud.sent} == cloud.sent
    node = outcome.node
    assert (node.id, node.name, node.owner, node.operation) == (cloud.id, NAME, OWNER, OPERATION)
    assert (node.state, node.addresses) == (cloud.fresh, cloud.addresses)


def test_the_key_of_the_mark_is_never_told_to_the_cloud(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer)
    to, seat = calls(cloud.at(peer))
    to.create(seat, creation(cloud.at(peer)))
    to.list(seat)
    to.destroy(seat, DestroyCall(OPERATION, "here", cloud.id))
    assert len(peer.asked) >= 4
    for asked in peer.asked:
        assert OWNER not in json.dumps([asked.path, asked.query, dict(asked.headers), asked.body])


def test_a_listing_shows_ours_as_ours_and_a_like_name_as_a_strangers(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer)
    names = [MARKED, *LIKE_OURS.values()]
    peer.answers[cloud.many] = cloud.listed([cloud.machine(name, cloud.states[0]) for name in names])
    to, seat = calls(cloud.at(peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [(each.name, each.owner, each.operation) for each in nodes] == [
        (NAME, OWNER, OPERATION),
        *((name, None, None) for name in LIKE_OURS.values()),
    ]
    assert (nodes[0].state, nodes[0].addresses) == (NodeState.RUNNING, cloud.addresses)


@pytest.mark.parametrize("name", LIKE_OURS.values(), ids=list(LIKE_OURS))
def test_a_machine_with_a_name_like_ours_is_never_destroyed(cloud: Named, peer: NamedPeer, name: str) -> None:
    cloud.live(peer, name)
    to, seat = calls(cloud.at(peer))
    outcome = to.destroy(seat, DestroyCall(OPERATION, "here", cloud.id))
    assert isinstance(outcome, DestroyFailed)
    assert outcome.fault.kind is FaultKind.REJECTED
    assert peer.changes() == []


def test_a_machine_of_another_operation_of_ours_is_not_destroyed_in_its_place(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer)
    to, seat = calls(cloud.at(peer))
    assert isinstance(to.destroy(seat, DestroyCall("2" * 32, "here", cloud.id)), DestroyFailed)
    assert peer.changes() == []


def test_a_machine_that_the_api_itself_does_not_know_is_gone(cloud: Named, peer: NamedPeer) -> None:
    peer.answers[cloud.one] = cloud.gone
    to, seat = calls(cloud.at(peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", cloud.id)) == Destroyed(OPERATION, cloud.id, absent=True)
    assert peer.changes() == []


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_page_of_something_in_between_proves_nothing(cloud: Named, peer: NamedPeer, status: int) -> None:
    page = Answered(status, "<html><body>Please log in to the hotel's network</body></html>", {"Content-Type": "text/html"})
    peer.answers |= {**cloud.making({}), cloud.one: page, cloud.many: page, cloud.first: page}
    to, seat = calls(cloud.at(peer))
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", cloud.id)), DestroyFailed)
    assert isinstance(to.list(seat), Verdict)
    assert isinstance(to.create(seat, creation(cloud.at(peer))), CreateUnknown)


@pytest.mark.parametrize(("chosen", "answered", "kind"), REFUSALS)
def test_a_refused_create_has_certainly_made_nothing_and_says_why(
    chosen: Named, peer: NamedPeer, answered: Answered, kind: FaultKind
) -> None:
    chosen.live(peer)
    peer.answers[chosen.first] = answered
    to, seat = calls(chosen.at(peer))
    outcome = to.create(seat, creation(chosen.at(peer)))
    assert isinstance(outcome, CreateFailed), outcome
    assert outcome.fault.kind is kind
    assert not any(secret in outcome.fault.text for secret in map(str, chosen.pool.args.values()))


def test_a_failed_listing_is_a_fault_and_never_an_empty_cloud(cloud: Named, peer: NamedPeer) -> None:
    to, seat = calls(cloud.at(peer))
    for answered in (Answered(200, {}), Answered(200, "[1]"), Answered(500, {"message": "oops"}), Answered(404, {"message": "what?"})):
        peer.answers[cloud.many] = answered
        listed = to.list(seat)
        assert isinstance(listed, Verdict), answered
        assert listed.kind is not FaultKind.MISSING


def test_a_state_that_libcloud_has_not_heard_of_spoils_no_list(cloud: Named, peer: NamedPeer) -> None:
    _running, _stopped, unheard = cloud.states
    cloud.live(peer)
    strangers = [] if unheard is None else [cloud.machine("web-7", unheard)]
    peer.answers[cloud.many] = cloud.listed([*strangers, cloud.machine(MARKED, cloud.states[0])])
    to, seat = calls(cloud.at(peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [each.state for each in nodes] == [*(NodeState.UNKNOWN for _ in strangers), NodeState.RUNNING]


@pytest.mark.parametrize("driver", ["cloudstack", "exoscale", "gridscale", "scaleway"])
def test_a_machine_that_was_made_and_not_yet_started_is_waited_for(driver: str, peer: NamedPeer) -> None:
    cloud = NAMED[driver]
    cloud.live(peer, state=cloud.states[1])
    to, seat = calls(cloud.at(peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert [each.state for each in nodes] == [NodeState.PENDING]


def test_a_machine_that_the_cloud_has_named_otherwise_is_told_and_not_taken_for_ours(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer, MARKED[:40])
    to, seat = calls(cloud.at(peer))
    outcome = to.create(seat, creation(cloud.at(peer)))
    assert isinstance(outcome, CreateUnknown)
    assert outcome.fault.text == f'the cloud has named machine {cloud.id} "{MARKED[:40]}", not as asked: destroy it by hand'


def test_a_pool_is_probed_without_buying_and_warned_of(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer)
    assert probe(cloud.at(peer)) == ()
    assert peer.changes() == []
    told = caution(cloud.pool)
    assert told is not None
    assert told.startswith(f'pool here: driver "{cloud.pool.driver}" cannot tag, so a machine is ours by its name alone: renamed, it is a')
    assert ("bake the image" in told) is not DRIVERS[cloud.pool.driver].user_data
    assert "\n" not in told


def test_a_pool_is_listed_and_bought_from_by_a_proxy(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer)
    with http_proxy((peer.host, peer.port)) as proxy:
        pool = replace(cloud.at(peer), proxy=proxy.url())
        to, seat = calls(pool)
        assert isinstance(to.list(seat), tuple)
        assert isinstance(to.create(seat, creation(pool)), Created)
        assert len(proxy.passed) == len(peer.asked)


def test_a_fleet_with_its_strangers_is_seen_by_one_listing(cloud: Named, peer: NamedPeer) -> None:
    cloud.live(peer)
    peer.answers[cloud.many] = cloud.listed([cloud.machine(MARKED, cloud.states[0])])
    shown = survey([cloud.at(peer)], OWNER, strangers=True)["here"]
    assert isinstance(shown, tuple), shown
    assert [(each.name, each.operation) for each in shown] == [(NAME, OPERATION)]


def test_what_a_driver_cannot_say_is_refused_and_never_dropped(cloud: Named) -> None:
    pool = replace(cloud.pool, args={**cloud.pool.args, "url": "https://cloud.example/client/api"})
    assert record_of(pool).name == pool.driver
    asked = [replace(pool, tags=True), *(() if DRIVERS[pool.driver].user_data else (replace(pool, user_data=True),))]
    for each, key, mend in zip(asked, ("tags", "user_data"), ("leave it out", "leave it out, and bake the image"), strict=False):
        with pytest.raises(Misconfigured) as refused:
            record_of(each)
        assert str(refused.value) == f'pool here: {key} cannot be said with driver "{pool.driver}"; {mend}'


def test_a_tagging_driver_needs_no_warning() -> None:
    assert caution(CloudPool("here", "ec2", {}, "ami-1", "t3.small")) is None
    assert caution(CloudPool("here", "no-such-cloud", {}, "ami-1", "t3.small")) is None


CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "cloudstack": (("destroyVirtualMachine", named_clouds.CLOUDSTACK_PATH),),
    "equinixmetal": (("DELETE", "/metal/v1/devices/dev-1"),),
    "exoscale": (("destroyVirtualMachine", "/compute"),),
    "ovh": (("DELETE", f"{named_clouds.OVH_PROJECT}/instance/ovh-1"),),
    "scaleway": (("POST", "/servers/srv-1/action"),),
    "upcloud": (("POST", "/1.2/server/up-1/stop"), ("DELETE", "/1.2/server/up-1"), ("DELETE", "/1.2/storage/disk-1")),
}


@pytest.mark.parametrize("driver", CHANGES)
def test_a_machine_of_ours_is_destroyed_with_what_its_create_made_and_nothing_else(driver: str, peer: NamedPeer) -> None:
    cloud = NAMED[driver]
    cloud.live(peer)
    to, seat = calls(cloud.at(peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", cloud.id)) == Destroyed(OPERATION, cloud.id, absent=False)
    assert route_of(peer.asked[0]) == cloud.one
    assert tuple(peer.changes()) == CHANGES[driver]


def test_a_gridscale_machine_is_powered_off_first_and_then_deleted_with_its_disk_and_address(peer: NamedPeer) -> None:
    GRIDSCALE.live(peer)
    to, seat = calls(GRIDSCALE.at(peer))
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", "gs-1")), DestroyFailed)
    assert peer.changes() == [("PATCH", "/objects/servers/gs-1/power")]
    assert peer.asked[-1].body == {"power": False}
    peer.asked.clear()
    GRIDSCALE.live(peer, state="off")
    assert to.destroy(seat, DestroyCall(OPERATION, "here", "gs-1")) == Destroyed(OPERATION, "gs-1", absent=False)
    assert peer.changes() == [
        ("DELETE", "/objects/servers/gs-1"),
        ("DELETE", "/objects/storages/disk-1"),
        ("DELETE", "/objects/ips/ip-1"),
    ]


def test_a_gridscale_create_that_fails_after_its_first_step_leaves_open_what_there_is(peer: NamedPeer) -> None:
    for route in (("GET", "/requests/rq-1"), ("POST", "/objects/storages/"), ("POST", "/objects/ips/")):
        GRIDSCALE.live(peer)
        peer.answers[route] = Answered(400, {"message": "not now"})
        to, seat = calls(GRIDSCALE.at(peer))
        assert isinstance(to.create(seat, creation(GRIDSCALE.at(peer))), CreateUnknown), route


def test_an_upcloud_machine_in_error_is_deleted_as_it_is(peer: NamedPeer) -> None:
    UPCLOUD.live(peer, state="error")
    to, seat = calls(UPCLOUD.at(peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", "up-1")) == Destroyed(OPERATION, "up-1", absent=False)
    assert peer.changes() == [("DELETE", "/1.2/server/up-1"), ("DELETE", "/1.2/storage/disk-1")]


def test_a_scaleway_machine_that_never_started_is_deleted_with_its_own_disk(peer: NamedPeer) -> None:
    SCALEWAY.live(peer, state="stopped")
    peer.answers |= {("DELETE", "/servers/srv-1"): Answered(204), ("DELETE", "/volumes/vol-1"): Answered(204)}
    to, seat = calls(SCALEWAY.at(peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", "srv-1")) == Destroyed(OPERATION, "srv-1", absent=False)
    assert peer.changes() == [("DELETE", "/servers/srv-1"), ("DELETE", "/volumes/vol-1")]


def test_a_scaleway_machine_that_was_made_and_could_not_be_started_may_be_there(peer: NamedPeer) -> None:
    SCALEWAY.live(peer)
    peer.answers["POST", "/servers/srv-1/action"] = Answered(400, {"message": "cannot start"})
    to, seat = calls(SCALEWAY.at(peer))
    assert isinstance(to.create(seat, creation(SCALEWAY.at(peer))), CreateUnknown)


def test_scaleways_region_has_its_own_address_and_another_one_is_refused_before_anything_is_sent(
    peer: NamedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("libcloud.compute.drivers.scaleway", fromlist=["_"]).SCALEWAY_API_HOSTS, "ams1", peer.host)
    SCALEWAY.live(peer)
    there = replace(SCALEWAY.at(peer), host="127.0.0.1", location="ams1")
    to, seat = calls(there)
    assert isinstance(to.list(seat), tuple)
    assert isinstance(to.create(seat, creation(there)), Created)
    assert isinstance(to.destroy(seat, DestroyCall(OPERATION, "here", "srv-1")), Destroyed)
    peer.asked.clear()
    [problem] = probe(replace(there, location="osl1"))
    assert problem.text == 'pool here: the driver refuses the call: location "osl1": expected one of ams1, par1'
    assert peer.asked == []


@pytest.mark.parametrize(
    ("cloud", "size", "line"),
    [
        (UPCLOUD, "1xCPU-2GB", 'size "1xCPU-2GB": expected PLAN/GB, the plan and the size of its disk, such as "1xCPU-2GB/50"'),
        (GRIDSCALE, "2-4", 'size "2-4": expected CORES-MEMORY-DISK, both in GB, such as "2-4-20"'),
    ],
    ids=["upcloud", "gridscale"],
)
def test_a_size_that_says_too_little_is_told_before_anything_is_bought(cloud: Named, peer: NamedPeer, size: str, line: str) -> None:
    cloud.live(peer)
    [problem] = probe(replace(cloud.at(peer), size=size))
    assert (problem.text, problem.kind) == (f"pool here: the driver refuses the call: {line}", FaultKind.REJECTED)


def test_a_key_that_ovh_does_not_know_has_bought_nothing(peer: NamedPeer) -> None:
    OVH.live(peer)
    to, seat = calls(replace(OVH.at(peer), keypair="nobody"))
    outcome = to.create(seat, creation(OVH.at(peer)))
    assert isinstance(outcome, CreateFailed)
    assert (outcome.fault.kind, outcome.fault.text, peer.changes()) == (FaultKind.REJECTED, "No key named 'nobody'", [])


def test_every_page_of_cloudstacks_list_is_read(peer: NamedPeer) -> None:
    def page(asked: Asked) -> Answered:
        count = 100 if asked.query["page"] == "1" else 3
        return CLOUDSTACK.listed([CLOUDSTACK.machine(f"web-{number}", "Running") for number in range(count)])

    peer.answer = page  # type: ignore[method-assign] # a page by its number
    to, seat = calls(CLOUDSTACK.at(peer))
    nodes = to.list(seat)
    assert isinstance(nodes, tuple), nodes
    assert (len(nodes), [each.query["page"] for each in peer.asked]) == (103, ["1", "2"])


def test_a_cloudstack_job_that_failed_leaves_open_what_there_is_and_says_why(peer: NamedPeer) -> None:
    CLOUDSTACK.live(peer)
    failed = {"jobstatus": 2, "jobresult": {"errorcode": 533, "errortext": "Unable to create a deployment for VM instance"}}
    peer.answers["queryAsyncJobResult", named_clouds.CLOUDSTACK_PATH] = Answered(200, {"queryasyncjobresultresponse": failed})
    to, seat = calls(CLOUDSTACK.at(peer))
    outcome = to.create(seat, creation(CLOUDSTACK.at(peer)))
    assert isinstance(outcome, CreateUnknown)
    assert (outcome.fault.kind, outcome.fault.text) == (FaultKind.NO_CAPACITY, "Unable to create a deployment for VM instance")


def test_a_cloudstack_that_refuses_an_unknown_id_has_no_such_machine(peer: NamedPeer) -> None:
    text = "Invalid parameter id value=vm-1 due to incorrect long value format, or entity does not exist"
    peer.answers[CLOUDSTACK.one] = Answered(431, {"listvirtualmachinesresponse": {"errorcode": 431, "errortext": text}})
    to, seat = calls(CLOUDSTACK.at(peer))
    assert to.destroy(seat, DestroyCall(OPERATION, "here", "vm-1")) == Destroyed(OPERATION, "vm-1", absent=True)
