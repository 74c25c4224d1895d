"""What goes wrong between burstd and a cloud: libcloud's real EC2 driver in front of a peer that misbehaves on the wire."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import requests
import urllib3
from libcloud.common.exceptions import BaseHTTPError, exception_from_message
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.types import KeyPairDoesNotExistError

from burstd.adapters.libcloud import CloudPool, workers
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.drivers import DRIVERS, connect
from burstd.adapters.libcloud.faults import LONGEST_WAIT, Redactor, Verdict, judge
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
from tests.canned_peer import Answer, CannedPeer, canned_peer, http, raw, reset, stall
from tests.web import own_address

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
SECRET = "wJalrXUtnFEMI/K7MDENG"
USER_DATA = "#cloud-config\nchpasswd: {root: correct-horse-battery}\n"
TAGS = {OWNER_TAG: "owner-1", OPERATION_TAG: "op-1"}

CREATE = CreateCall("op-1", LaunchRequest("dublin", "burst-1", "ami-1", "m5.large", "eu-west-1a", tuple(TAGS.items()), "op-1", USER_DATA))
DESTROY = DestroyCall("op-1", "dublin", "i-1")


def instance(state: str = "running", tags: dict[str, str] = TAGS, address: str = "198.51.100.7") -> str:
    tag_set = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())
    public = f"<ipAddress>{address}</ipAddress>" if address else ""
    return (
        f"<instancesSet><item><instanceId>i-1</instanceId><instanceState><name>{state}</name></instanceState>"
        f"<privateIpAddress>10.0.0.7</privateIpAddress>{public}<tagSet>{tag_set}</tagSet></item></instancesSet>"
    )


def answer(action: str, inner: str, namespace: str = NAMESPACE) -> Answer:
    return http("200 OK", f'<{action}Response xmlns="{namespace}">{inner}</{action}Response>')


def error(status: str, code: str, message: str = "as it says", headers: str = "") -> Answer:
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
    return http(status, body, headers)


def ec2(**described: Any) -> dict[str, Answer]:
    """An EC2 that has one machine."""
    return {
        "RunInstances": answer("RunInstances", instance("pending", address="")),
        "DescribeInstances": answer("DescribeInstances", f"<reservationSet><item>{instance(**described)}</item></reservationSet>"),
        "DescribeAddresses": answer("DescribeAddresses", "<addressesSet/>"),
        "TerminateInstances": answer(
            "TerminateInstances",
            "<instancesSet><item><instanceId>i-1</instanceId><currentState><name>shutting-down</name></currentState></item></instancesSet>",
        ),
    }


def by_action(answers: dict[str, Answer]) -> Answer:
    def choose(request: str, connection: socket.socket, over: threading.Event) -> None:
        action = next(each for each in answers if f"Action={each}" in request)
        answers[action](request, connection, over)

    return choose


def pool(peer: CannedPeer) -> CloudPool:
    return CloudPool("dublin", "ec2", {"key": "AKIAEXAMPLE", "secret": SECRET, "region": "eu-west-1"}, "ami-1", "m5.large",
                     host=peer.host, port=peer.port, secure=False)  # fmt: skip


def calls(peer: CannedPeer) -> tuple[PoolCalls, Seat]:
    """The pool's calls, with a driver whose reads end after a quarter of a second."""
    the_pool, record = pool(peer), DRIVERS["ec2"]
    return PoolCalls(the_pool, record, "owner-1"), Seat(lambda: connect(the_pool, record, 0.25))


HTML = "<html><body>Please log in to the hotel's network</body></html>"

BROKEN: dict[str, tuple[Answer, FaultKind]] = {
    "reset": (reset, FaultKind.UNREACHABLE),
    "closed without a word": (raw(b""), FaultKind.UNREACHABLE),
    "stall": (stall, FaultKind.UNREACHABLE),
    "short body": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<Run"), FaultKind.GARBLED),
    "short chunk": (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n<Run"), FaultKind.GARBLED),
    "half the headers": (raw(b"HTTP/1.1 200 OK\r\nContent-Le"), FaultKind.GARBLED),
    "empty 200": (http("200 OK"), FaultKind.GARBLED),
    "a captive portal's 200": (http("200 OK", HTML), FaultKind.GARBLED),
    "another namespace": (answer("RunInstances", instance(), NAMESPACE.rstrip("/")), FaultKind.GARBLED),
    "malformed 200": (http("200 OK", "<RunInstances"), FaultKind.GARBLED),
    "HTML 500": (http("500 Oops", "<h1>Bad gateway<br></h1>"), FaultKind.GARBLED),
    "a proxy's HTML 403": (http("403 Forbidden", "<p>no<br>way"), FaultKind.GARBLED),
    "a 400 without a word": (http("400 Bad Request", "<Response/>"), FaultKind.UNREACHABLE),
    "InternalError": (error("500 Oops", "InternalError"), FaultKind.UNREACHABLE),
    "Unavailable": (error("503 Busy", "Unavailable"), FaultKind.UNREACHABLE),
    "a junk Retry-After": (http("429 Slow", "<Response/>", "Retry-After: soon\r\n"), FaultKind.GARBLED),
}
"""What leaves open whether the call was executed."""

REFUSED: dict[str, tuple[Answer, FaultKind, float | None]] = {
    "InsufficientInstanceCapacity": (error("500 Oops", "InsufficientInstanceCapacity"), FaultKind.NO_CAPACITY, None),
    "InstanceLimitExceeded": (error("400 Bad", "InstanceLimitExceeded"), FaultKind.NO_CAPACITY, None),
    "RequestLimitExceeded": (error("503 Busy", "RequestLimitExceeded", headers="Retry-After: 7\r\n"), FaultKind.THROTTLED, 7.0),
    "429": (http("429 Slow", "<Response/>", "Retry-After: 3\r\n"), FaultKind.THROTTLED, 3.0),
    "AuthFailure": (error("401 No", "AuthFailure"), FaultKind.DENIED, None),
    "RequestExpired": (error("400 Bad", "RequestExpired"), FaultKind.DENIED, None),
    "UnauthorizedOperation": (error("403 No", "UnauthorizedOperation"), FaultKind.DENIED, None),
    "InvalidAMIID.NotFound": (error("400 Bad", "InvalidAMIID.NotFound"), FaultKind.REJECTED, None),
    "InvalidKeyPair.NotFound": (error("400 Bad", "InvalidKeyPair.NotFound", "The key pair 'k' does not exist"), FaultKind.REJECTED, None),
    "404": (error("404 Not Found", "InvalidAction"), FaultKind.REJECTED, None),
    "InvalidParameterValue": (error("400 Bad", "InvalidParameterValue"), FaultKind.REJECTED, None),
}
"""What is certainly not executed."""


@pytest.mark.parametrize("name", BROKEN)
def test_a_create_whose_answer_is_lost_or_unreadable_is_unknown_and_was_sent_once(name: str) -> None:
    broken, kind = BROKEN[name]
    with canned_peer(broken) as peer:
        to, seat = calls(peer)
        outcome = to.create(seat, CREATE)
        assert isinstance(outcome, CreateUnknown)
        assert outcome.fault.kind is kind
        assert len(peer.requests) == 1


@pytest.mark.parametrize("name", REFUSED)
def test_a_create_that_the_cloud_refuses_has_certainly_made_nothing(name: str) -> None:
    refused, kind, retry_after = REFUSED[name]
    with canned_peer(refused) as peer:
        to, seat = calls(peer)
        outcome = to.create(seat, CREATE)
        assert isinstance(outcome, CreateFailed)
        assert (outcome.fault.kind, outcome.retry_after) == (kind, retry_after)


@pytest.mark.parametrize("name", [*BROKEN, *REFUSED])
def test_a_failed_listing_is_a_fault_and_never_an_empty_cloud(name: str) -> None:
    with canned_peer((BROKEN.get(name) or REFUSED[name])[0]) as peer:
        to, seat = calls(peer)
        assert isinstance(to.list(seat), Verdict)


@pytest.mark.parametrize("name", [*BROKEN, *REFUSED])
def test_a_failed_destroy_is_tried_again(name: str) -> None:
    with canned_peer(by_action({**ec2(), "TerminateInstances": (BROKEN.get(name) or REFUSED[name])[0]})) as peer:
        to, seat = calls(peer)
        outcome = to.destroy(seat, DESTROY)
        assert isinstance(outcome, DestroyFailed)
        assert outcome.fault.peer == "pool dublin"


@pytest.mark.parametrize("name", [*BROKEN, *REFUSED])
def test_nothing_is_destroyed_that_could_not_be_read_again(name: str) -> None:
    with canned_peer(by_action({**ec2(), "DescribeInstances": (BROKEN.get(name) or REFUSED[name])[0]})) as peer:
        to, seat = calls(peer)
        assert isinstance(to.destroy(seat, DESTROY), DestroyFailed)
        assert not any("TerminateInstances" in each for each in peer.requests)


def test_a_refused_connection_and_an_unknown_name_have_certainly_sent_nothing() -> None:
    with socket.create_server((own_address(), 0)) as closed:
        port = closed.getsockname()[1]
    peer = CannedPeer(raw(b""))
    peer.port = port
    to, seat = calls(peer)
    outcome = to.create(seat, CREATE)
    assert isinstance(outcome, CreateFailed)
    assert (outcome.fault.kind, outcome.fault.text) == (FaultKind.UNREACHABLE, "connection refused")
    peer.host = "no-such-host.invalid"
    to, seat = calls(peer)
    outcome = to.create(seat, CREATE)
    assert isinstance(outcome, CreateFailed)
    assert outcome.fault.kind is FaultKind.UNREACHABLE


def test_a_token_that_was_used_with_other_parameters_has_made_a_machine() -> None:
    with canned_peer(error("400 Bad", "IdempotentParameterMismatch")) as peer:
        to, seat = calls(peer)
        assert isinstance(to.create(seat, CREATE), CreateUnknown)


def test_arguments_that_the_driver_refuses_have_certainly_sent_nothing() -> None:
    with canned_peer(raw(b"")) as peer:
        wrong = replace(pool(peer), create={"ex_security_group_ids": ["sg-1"]})
        outcome = PoolCalls(wrong, DRIVERS["ec2"], "owner-1").create(Seat(lambda: connect(wrong, DRIVERS["ec2"], 0.25)), CREATE)
        assert isinstance(outcome, CreateFailed)
        assert "ex_subnet" in outcome.fault.text
        nowhere = replace(wrong, args={**wrong.args, "region": "atlantis"})
        outcome = PoolCalls(nowhere, DRIVERS["ec2"], "owner-1").create(Seat(lambda: connect(nowhere, DRIVERS["ec2"], 0.25)), CREATE)
        assert isinstance(outcome, CreateFailed)
        assert outcome.fault.text == "the driver refuses the call: Invalid region: atlantis"
        assert peer.requests == []


def test_a_create_carries_tags_token_zone_and_user_data_in_its_one_request() -> None:
    with canned_peer(by_action(ec2())) as peer:
        to, seat = calls(peer)
        outcome = to.create(seat, CREATE)
        assert isinstance(outcome, Created)
        assert (outcome.node.id, outcome.node.state, outcome.node.owner, outcome.node.operation) == (
            "i-1",
            NodeState.PENDING,
            "owner-1",
            "op-1",
        )
        (request,) = peer.requests
        tags = {("Name", "burst-1"), *TAGS.items()}
        assert all(f"Key={key}&" in request and f"Value={value}&" in request for key, value in tags)
        encoded = quote(base64.b64encode(USER_DATA.encode()).decode(), safe="")
        for part in (
            "ClientToken=op-1&",
            "MinCount=1&",
            "MaxCount=1&",
            "AvailabilityZone=eu-west-1a",
            f"UserData={encoded}",
            "AWS4-HMAC-SHA256",
        ):
            assert part in request


def test_raw_arguments_of_the_settings_are_added_and_replace_none_of_ours() -> None:
    with canned_peer(by_action(ec2())) as peer:
        more = {"ex_subnet": "subnet-1", "ex_security_group_ids": ["sg-1"], "ex_maxcount": 9, "ex_metadata": {}, "ex_clienttoken": "x"}
        rich = replace(pool(peer), create=more)
        outcome = PoolCalls(rich, DRIVERS["ec2"], "owner-1").create(Seat(lambda: connect(rich, DRIVERS["ec2"], 0.25)), CREATE)
        assert isinstance(outcome, Created)
        (request,) = peer.requests
        assert all(
            part in request for part in ("SubnetId=subnet-1", "SecurityGroupId.1=sg-1", "MaxCount=1&", "ClientToken=op-1", "owner-1")
        )


@pytest.mark.parametrize(
    ("networks", "said"), [(("subnet-1",), ("SubnetId=subnet-1&", "SecurityGroupId.2=sg-2&")), ((), ("SecurityGroup.1=sg-1&",))]
)
def test_networks_key_and_security_groups_are_said_as_ec2_wants_them(networks: tuple[str, ...], said: tuple[str, ...]) -> None:
    with canned_peer(by_action(ec2())) as peer:
        placed = replace(pool(peer), networks=networks, keypair="ops", security_groups=("sg-1", "sg-2"))
        outcome = PoolCalls(placed, DRIVERS["ec2"], "owner-1").create(Seat(lambda: connect(placed, DRIVERS["ec2"], 0.25)), CREATE)
        assert isinstance(outcome, Created)
        assert all(part in f"{peer.requests[0]}&" for part in (*said, "KeyName=ops&"))


def test_a_listing_is_filtered_by_owner_and_names_the_public_address_first() -> None:
    with canned_peer(by_action(ec2())) as peer:
        to, seat = calls(peer)
        nodes = to.list(seat)
        assert isinstance(nodes, tuple)
        assert [(each.id, each.state, each.addresses) for each in nodes] == [("i-1", NodeState.RUNNING, ("198.51.100.7", "10.0.0.7"))]
        described = next(each for each in peer.requests if "Action=DescribeInstances" in each)
        assert f"Filter.1.Name=tag%3A{OWNER_TAG}" in described
        assert "owner-1" in described


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {OWNER_TAG: "owner-1"},
        {OPERATION_TAG: "op-1"},
        {OWNER_TAG: "owner-2", OPERATION_TAG: "op-1"},
        {OWNER_TAG: "owner-1", OPERATION_TAG: "op-2"},
        {OWNER_TAG: "Owner-1", OPERATION_TAG: "op-1"},
    ],
)
def test_what_is_not_ours_by_both_tags_is_never_destroyed(tags: dict[str, str]) -> None:
    with canned_peer(by_action(ec2(tags=tags))) as peer:
        to, seat = calls(peer)
        outcome = to.destroy(seat, DESTROY)
        assert isinstance(outcome, DestroyFailed)
        assert outcome.fault.kind is FaultKind.REJECTED
        assert not any("TerminateInstances" in each for each in peer.requests)


def test_a_machine_of_ours_is_destroyed_after_it_was_read_by_id() -> None:
    with canned_peer(by_action(ec2())) as peer:
        to, seat = calls(peer)
        assert to.destroy(seat, DESTROY) == Destroyed("op-1", "i-1", absent=False)
        actions = [each.partition("Action=")[2].partition("&")[0] for each in peer.requests]
        assert actions == ["DescribeInstances", "DescribeAddresses", "TerminateInstances"]
        assert all("InstanceId.1=i-1" in each for each in peer.requests if "Addresses" not in each)


@pytest.mark.parametrize(
    "answers",
    [
        {"DescribeInstances": error("400 Bad", "InvalidInstanceID.NotFound")},
        {"TerminateInstances": error("400 Bad", "InvalidInstanceID.NotFound")},
        ec2(state="terminated"),
    ],
    ids=["unknown to the cloud", "gone in between", "terminated"],
)
def test_a_machine_that_is_not_there_any_more_is_destroyed(answers: dict[str, Answer]) -> None:
    with canned_peer(by_action({**ec2(), **answers})) as peer:
        to, seat = calls(peer)
        assert to.destroy(seat, DESTROY) == Destroyed("op-1", "i-1", absent=True)


def test_an_answer_about_nothing_does_not_prove_that_a_machine_is_gone() -> None:
    with canned_peer(by_action({**ec2(), "DescribeInstances": answer("DescribeInstances", "<reservationSet/>")})) as peer:
        to, seat = calls(peer)
        outcome = to.destroy(seat, DESTROY)
        assert isinstance(outcome, DestroyFailed)
        assert outcome.fault.kind is FaultKind.GARBLED


def test_a_destroy_that_the_cloud_does_not_confirm_has_not_happened() -> None:
    with canned_peer(by_action({**ec2(), "TerminateInstances": answer("TerminateInstances", "<instancesSet/>")})) as peer:
        to, seat = calls(peer)
        assert isinstance(to.destroy(seat, DESTROY), DestroyFailed)


def test_a_driver_is_made_anew_after_trouble_or_a_long_rest_and_kept_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    with canned_peer(by_action(ec2())) as peer:
        to, seat = calls(peer)
        to.list(seat)
        kept = seat.link()
        to.list(seat)
        assert seat.link() is kept
        peer.answer = reset
        to.list(seat)
        second = seat.link()
        assert second is not kept
        monkeypatch.setattr(workers, "IDLE", -1.0)
        assert seat.link() is not second


def test_an_earlier_attempt_that_never_got_through_says_nothing_about_the_one_that_did() -> None:
    raised = requests.ConnectionError("reset")
    raised.__context__ = requests.ConnectionError(urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPConnection("x"), "refused"))
    assert not judge(raised, 1, Redactor(CloudPool("dublin", "ec2", {}, "ami-1", "m5.large"))).nothing_done


def echo(request: str) -> str:
    """What a careless peer, proxy or library might repeat of a request."""
    return (
        f"{request} at http://api.example:80/?Action=RunInstances&UserData=x {SECRET} {quote(SECRET, safe='')} AKIAEXAMPLE "
        f"{USER_DATA} {base64.b64encode(USER_DATA.encode()).decode()} {quote(USER_DATA)}"
    )


CARELESS: list[Callable[[str], Answer]] = [
    lambda text: error("400 Bad", "InvalidParameterValue", text),
    lambda text: error("500 Oops", "InternalError", text),
    lambda text: error("401 No", "AuthFailure", text),
    lambda text: error("403 No", text, text),
    lambda text: http("500 Oops", text),
    lambda text: http("200 OK", text),
    lambda _text: reset,
    lambda _text: stall,
]


@pytest.mark.parametrize("careless", CARELESS)
def test_no_fault_repeats_credentials_user_data_or_a_query(careless: Callable[[str], Answer]) -> None:
    def repeat(request: str, connection: socket.socket, over: threading.Event) -> None:
        text = echo(request).replace("&", "&amp;").replace("<", "&lt;")
        careless(text)(request, connection, over)

    with canned_peer(repeat) as peer:
        to, seat = calls(peer)
        outcome = to.create(seat, CREATE)
        assert isinstance(outcome, CreateFailed | CreateUnknown)
        shown = f"{outcome} {outcome.fault} {CREATE} {pool(peer)}"
        encoded = base64.b64encode(USER_DATA.encode()).decode()
        for secret in (SECRET, "AKIAEXAMPLE", "correct-horse", encoded, encoded[:16], "Action=", "UserData", "Signature="):
            assert secret not in shown
        assert "\n" not in outcome.fault.text
        assert len(outcome.fault.text) < 250


def test_a_redacted_text_keeps_the_cloud_s_own_words() -> None:
    the_pool = CloudPool("dublin", "ec2", {"key": "AKIAEXAMPLE", "secret": SECRET, "region": "eu-west-1"}, "ami-1", "m5.large")
    redact = Redactor(replace(the_pool, args={**the_pool.args, "auth": {"keys": ["deep-secret", 7]}}), "packages: [nginx]")
    said = (
        "VcpuLimitExceeded: You have requested more vCPU capacity than your current limit of 5 in eu-west-1. See http://aws.example/limits"
    )
    assert redact(said) == said
    assert redact("see http://x.example/a?b=c") == "see http://x.example/a?[hidden]"
    assert redact("bad packages: [nginx] here") == "bad [hidden] here"
    assert redact("not deep-secret") == "not [hidden]"
    with_create = Redactor(replace(the_pool, create={"root_pass": "Pa55word", "ex_keyname": "operators"}))
    assert with_create("Pa55word is too weak for operators") == "[hidden] is too weak for operators"
    fragment = base64.b64encode(b"half of some user-data, cut off by the cloud").decode()[3:50]
    assert redact(f"cannot read {fragment}") == "cannot read [hidden]"


class Odd(Exception):
    """An error that nobody knows."""


def status(code: int | None, message: object = "", headers: dict[str, str] | None = None) -> Exception:
    """What libcloud makes of an HTTP error."""
    raised = exception_from_message(code, message, headers)  # type: ignore[no-untyped-call] # libcloud's function
    assert isinstance(raised, BaseHTTPError)
    return raised


@pytest.mark.parametrize(
    ("raised", "sent", "expected"),
    [
        (InvalidCredsError("AuthFailure: x"), 1, (FaultKind.DENIED, True)),
        (status(500, "InsufficientInstanceCapacity: x"), 1, (FaultKind.NO_CAPACITY, True)),
        (status(400, "Client.InstanceLimitExceeded: x"), 1, (FaultKind.NO_CAPACITY, True)),
        (status(403, "403 Forbidden Quota exceeded for cores"), 1, (FaultKind.NO_CAPACITY, True)),
        (status(413, "Over limit"), 1, (FaultKind.THROTTLED, True)),
        (status(429), 1, (FaultKind.THROTTLED, True)),
        (status(401, {"error": "who?"}), 1, (FaultKind.DENIED, True)),
        (status(404, "No such server"), 1, (FaultKind.REJECTED, True)),
        (status(409, "Busy"), 1, (FaultKind.REJECTED, True)),
        (status(408, "Request Timeout"), 1, (FaultKind.UNREACHABLE, False)),
        (status(400, ""), 1, (FaultKind.UNREACHABLE, False)),
        (status(502, "Bad gateway"), 1, (FaultKind.UNREACHABLE, False)),
        (status(None, None), 1, (FaultKind.UNREACHABLE, False)),
        (MalformedResponseError("x", body="secret"), 1, (FaultKind.GARBLED, False)),
        (KeyPairDoesNotExistError("k", None), 1, (FaultKind.REJECTED, True)),  # type: ignore[no-untyped-call] # libcloud's class
        (LibcloudError("x"), 1, (FaultKind.UNKNOWN, False)),
        (ConnectionRefusedError(), 1, (FaultKind.UNREACHABLE, True)),
        (ConnectionResetError(), 1, (FaultKind.UNREACHABLE, False)),
        (socket.gaierror(), 1, (FaultKind.UNREACHABLE, True)),
        (TimeoutError(), 0, (FaultKind.UNREACHABLE, False)),
        (ValueError("bad"), 0, (FaultKind.REJECTED, True)),
        (ValueError("bad"), 1, (FaultKind.GARBLED, False)),
        (TypeError("bad"), None, (FaultKind.REJECTED, True)),
        (KeyError("state"), 1, (FaultKind.GARBLED, False)),
        (Odd("secret"), 0, (FaultKind.UNKNOWN, False)),
        (Odd("secret"), None, (FaultKind.UNKNOWN, True)),
        (requests.exceptions.InvalidURL("secret"), 1, (FaultKind.MISCONFIGURED, True)),
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError("secret")), 1, (FaultKind.MISCONFIGURED, True)),
        (requests.exceptions.SSLError(ssl.SSLEOFError("secret")), 1, (FaultKind.UNREACHABLE, False)),
        # From the second request on, a refusal is about a question, not about the create.
        (status(400, "InvalidParameterValue: x"), 2, (FaultKind.REJECTED, False)),
        (ConnectionRefusedError(), 2, (FaultKind.UNREACHABLE, False)),
    ],
)
def test_an_exception_is_judged_by_type_code_and_what_was_sent(
    raised: Exception, sent: int | None, expected: tuple[FaultKind, bool]
) -> None:
    verdict = judge(raised, sent, Redactor(CloudPool("dublin", "ec2", {}, "ami-1", "m5.large")))
    assert (verdict.kind, verdict.nothing_done) == expected
    assert "secret" not in verdict.text


@pytest.mark.parametrize(
    ("header", "expected"), [("12", 12.0), ("0", None), ("-3", None), ("nan", None), ("soon", None), ("1e9", LONGEST_WAIT)]
)
def test_patience_is_honoured_within_reason(header: str, expected: float | None) -> None:
    raised = status(503, "RequestLimitExceeded: x", {"retry-after": header})
    assert judge(raised, 1, Redactor(CloudPool("dublin", "ec2", {}, "ami-1", "m5.large"))).retry_after == expected
