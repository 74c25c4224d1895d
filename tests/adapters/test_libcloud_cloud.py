"""The cloud port's threads: nothing hangs the loop, nothing is lost, nothing is told twice. The driver does what each test says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from libcloud.common.exceptions import BaseHTTPError, exception_from_message
from libcloud.compute.types import NodeState as LibcloudState

from burstd.adapters.libcloud import CloudPool, LibcloudCloud, drivers, forbid_blind_retries
from burstd.adapters.libcloud.calls import PoolCalls
from burstd.adapters.libcloud.place import CALLS, HUNG
from burstd.adapters.libcloud.workers import Seat
from burstd.errors import Misconfigured, Retry
from burstd.model.cloud import (
    OPERATION_TAG,
    OWNER_TAG,
    CloudView,
    CreateCall,
    Created,
    CreateFailed,
    CreateUnknown,
    DestroyCall,
    Destroyed,
    DestroyFailed,
    LaunchRequest,
    NodeState,
    Outcome,
)
from burstd.model.faults import Fault, FaultKind
from tests.scripted_driver import Script, scripted_pool
from tests.waiting import wait_until

OWNER = "owner-1"


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted_pool() as made:
        yield made


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def cloud(script: Script, clock: HandClock) -> Iterator[LibcloudCloud]:
    made = LibcloudCloud([script.pool], OWNER, clock)
    yield made
    script.over.set()
    made.close()


def create(operation: str = "op-1", pool: str = "scripted") -> CreateCall:
    tags = ((OWNER_TAG, OWNER), (OPERATION_TAG, operation))
    return CreateCall(operation, LaunchRequest(pool, f"burst-{operation}", "web-1", "small", None, tags, operation))


def refused() -> BaseHTTPError:
    raised = exception_from_message(400, "InvalidParameterValue: no")  # type: ignore[no-untyped-call] # libcloud's function
    assert isinstance(raised, BaseHTTPError)
    return raised


def outcomes(cloud: LibcloudCloud, count: int = 1) -> list[Outcome]:
    """Observe until so many outcomes have come."""
    seen: list[Outcome] = []

    def enough() -> bool:
        seen.extend(cloud.observe().outcomes)
        return len(seen) >= count

    wait_until(enough, f"{count} outcomes")
    return seen


def outcomes_until_no_thread_hangs(cloud: LibcloudCloud) -> list[Outcome]:
    seen: list[Outcome] = []
    place = cloud._places["scripted"]

    def back() -> bool:
        seen.extend(cloud.observe().outcomes)
        return not place._callers.hung and not place._listers.hung

    wait_until(back, "the hung threads are back")
    return seen


def listed(cloud: LibcloudCloud, serial: int = 1, pool: str = "scripted") -> CloudView:
    """Observe until the pool's listing with this serial is there."""

    def view() -> CloudView | None:
        seen = cloud.observe()
        found = seen.listing(pool)
        return seen if found and found.serial >= serial else None

    seen = wait_until(view, f"listing {serial}")
    assert seen is not None
    return seen


def in_the_middle(script: Script, name: str, count: int = 1) -> None:
    wait_until(lambda: [each[0] for each in script.calls].count(name) >= count, f"{count} calls of {name} have begun")


def test_a_machine_is_created_listed_and_destroyed(cloud: LibcloudCloud) -> None:
    cloud.submit(create())
    (created,) = outcomes(cloud)
    assert isinstance(created, Created)
    assert (created.node.owner, created.node.operation, created.node.state) == (OWNER, "op-1", NodeState.RUNNING)
    cloud.submit(DestroyCall("op-1", "scripted", created.node.id))
    assert outcomes(cloud) == [Destroyed("op-1", created.node.id, absent=False)]


def test_observing_never_waits_and_a_call_is_in_flight_until_its_outcome_is_told(cloud: LibcloudCloud, script: Script) -> None:
    script.on_create = script.on_list = script.hang
    cloud.submit(create())
    in_the_middle(script, "create")
    view = cloud.observe()
    assert view == CloudView(in_flight=frozenset({"op-1"}), resends=frozenset({"scripted"}))


def test_a_pool_is_listed_by_one_call_at_a_time_at_its_interval(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    script.nodes = [script.node("i-1", OWNER, "op-1"), script.node("i-2"), script.node("i-3", "owner-2", "op-3", LibcloudState.STOPPED)]
    first = listed(cloud).listing("scripted")
    assert first is not None
    assert (first.asked_at, first.serial) == (1000.0, 1)
    assert isinstance(first.nodes, tuple)
    assert [(each.id, each.owner, each.operation, each.state) for each in first.nodes] == [
        ("i-1", OWNER, "op-1", NodeState.RUNNING),
        ("i-2", None, None, NodeState.RUNNING),
        ("i-3", "owner-2", "op-3", NodeState.ERROR),
    ]
    clock.time += 4.0
    for _ in range(5):
        cloud.observe()
    assert len(script.calls) == 1
    clock.time += 1.0
    script.on_list = script.hang
    cloud.observe()
    in_the_middle(script, "list", 2)
    clock.time += 9.0
    assert cloud.observe().listing("scripted") == first
    assert len(script.calls) == 2


def test_a_listing_that_hangs_becomes_a_fault_and_the_next_one_is_not_kept_from_coming(
    cloud: LibcloudCloud, script: Script, clock: HandClock
) -> None:
    script.on_list = script.hang
    cloud.observe()
    in_the_middle(script, "list")
    clock.time += 10.0
    listing = cloud.observe().listing("scripted")
    assert listing is not None
    assert listing.nodes == Fault("pool scripted", FaultKind.UNREACHABLE, "no list within 10 s")
    in_the_middle(script, "list", 2)  # the same turn has started another, on another thread
    script.on_list = None
    clock.time += 10.0
    cloud.observe()
    listing = listed(cloud, serial=3).listing("scripted")
    assert listing is not None
    assert listing.nodes == ()
    script.over.set()
    outcomes_until_no_thread_hangs(cloud)
    assert cloud.observe().listing("scripted") == listing  # what comes late does not replace what is newer


def test_when_too_many_listings_hang_no_more_is_started_and_that_is_said(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    script.on_list = script.hang
    for number in range(HUNG):
        cloud.observe()
        in_the_middle(script, "list", number + 1)
        clock.time += 10.0
    cloud.observe()
    clock.time += 10.0
    listing = cloud.observe().listing("scripted")
    assert listing is not None
    assert isinstance(listing.nodes, Fault)
    assert listing.nodes.text == f"not listed: {HUNG} earlier calls still hang"
    assert [each[0] for each in script.calls] == ["list"] * HUNG


def test_a_throttled_listing_waits_as_long_as_the_cloud_asks(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    def throttled() -> list[object]:
        raise exception_from_message(503, "RequestLimitExceeded: slow", {"retry-after": "60"})  # type: ignore[no-untyped-call] # libcloud's

    script.on_list = throttled  # type: ignore[assignment] # it never returns
    listing = listed(cloud).listing("scripted")
    assert listing is not None
    assert isinstance(listing.nodes, Fault)
    assert listing.nodes.kind is FaultKind.THROTTLED
    clock.time += 59.0
    cloud.observe()
    assert not cloud._places["scripted"]._listers.running
    clock.time += 2.0
    cloud.observe()
    in_the_middle(script, "list", 2)


def test_a_create_past_its_deadline_is_unknown_and_its_late_answer_is_told_once(
    cloud: LibcloudCloud, script: Script, clock: HandClock
) -> None:
    answer = threading.Event()
    script.on_create = lambda: script.node("i-7", OWNER, "op-1") if answer.wait(30) else None
    cloud.submit(create())
    in_the_middle(script, "create")
    clock.time += 59.0
    assert cloud.observe().outcomes == ()
    clock.time += 1.0
    view = cloud.observe()
    assert view.outcomes == (CreateUnknown("op-1", "scripted", Fault("pool scripted", FaultKind.UNKNOWN, "no answer within 60 s")),)
    assert view.in_flight == frozenset()
    (left_behind,) = [each.thread for each in cloud._places["scripted"]._callers._hung]
    answer.set()
    (late,) = outcomes(cloud)
    assert isinstance(late, Created)
    assert late.node.id == "i-7"
    assert cloud.observe().outcomes == ()
    wait_until(lambda: not left_behind.is_alive(), "its thread has ended")


def test_a_late_failure_is_told_unless_the_create_was_sent_again_meanwhile(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    answer = threading.Event()

    def fail_late() -> None:
        answer.wait(30)
        raise refused()

    script.on_create = fail_late
    cloud.submit(create("op-1"))
    cloud.submit(create("op-2"))
    in_the_middle(script, "create", 2)
    clock.time += 60.0
    assert {type(each) for each in cloud.observe().outcomes} == {CreateUnknown}
    script.on_create = None
    cloud.submit(create("op-2"))
    (again,) = outcomes(cloud)
    assert isinstance(again, Created)
    answer.set()
    (late,) = outcomes_until_no_thread_hangs(cloud)
    assert isinstance(late, CreateFailed)
    assert late.operation == "op-1"


def test_a_late_answer_that_says_nothing_new_is_not_told(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    script.nodes = [script.node("i-1", OWNER, "op-2")]
    script.on_create = script.on_destroy = script.hang
    cloud.submit(create())
    cloud.submit(DestroyCall("op-2", "scripted", "i-1"))
    in_the_middle(script, "create")
    in_the_middle(script, "destroy")
    clock.time += 60.0
    assert {type(each) for each in cloud.observe().outcomes} == {CreateUnknown, DestroyFailed}
    script.over.set()
    assert outcomes_until_no_thread_hangs(cloud) == []


def test_a_destroy_past_its_deadline_has_failed_for_reasons_unknown(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    script.nodes = [script.node("i-1", OWNER, "op-1")]
    script.on_destroy = script.hang
    cloud.submit(DestroyCall("op-1", "scripted", "i-1"))
    in_the_middle(script, "destroy")
    clock.time += 60.0
    fault = Fault("pool scripted", FaultKind.UNKNOWN, "no answer within 60 s")
    assert cloud.observe().outcomes == (DestroyFailed("op-1", "i-1", fault),)


def test_when_too_many_calls_hang_nothing_more_is_sent(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    script.on_create = script.hang
    for number in range(HUNG):
        cloud.submit(create(f"op-{number}"))
    in_the_middle(script, "create", HUNG)
    clock.time += 60.0
    assert len(cloud.observe().outcomes) == HUNG
    with pytest.raises(Retry, match=f"{HUNG} earlier calls still hang"):
        cloud.submit(create("op-more"))
    assert cloud.observe().in_flight == frozenset()
    assert cloud.alive()
    script.over.set()
    script.on_create = None
    outcomes_until_no_thread_hangs(cloud)
    cloud.submit(create("op-more"))
    assert isinstance(outcomes(cloud)[0], Created)


def test_calls_run_side_by_side_up_to_the_number_of_workers(cloud: LibcloudCloud, script: Script) -> None:
    together = threading.Barrier(CALLS, timeout=30)
    script.on_create = lambda: script.node(f"i-{together.wait()}", OWNER, "op")
    for number in range(CALLS):
        cloud.submit(create(f"op-{number}"))
    with pytest.raises(Retry, match="all 8 workers are busy"):
        cloud.submit(create("op-more"))
    assert all(isinstance(each, Created) for each in outcomes(cloud, CALLS))


def test_one_operation_has_one_call_at_a_time(cloud: LibcloudCloud, script: Script) -> None:
    script.on_create = script.hang
    cloud.submit(create())
    with pytest.raises(Retry, match="has a call under way"):
        cloud.submit(create())


def test_every_driver_stays_on_the_thread_that_made_it(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    for turn in range(1, 4):
        for number in range(3):
            cloud.submit(create(f"op-{turn}-{number}"))
        outcomes(cloud, 3)
        listed(cloud, serial=turn)
        clock.time += 5.0
    threads: dict[int, set[int]] = {}
    for _name, driver, thread in script.calls:
        threads.setdefault(driver, set()).add(thread)
    assert all(len(each) == 1 for each in threads.values())
    assert 2 <= len(script.drivers) <= 4  # one for listing, and one for each worker, kept from call to call


def test_a_pool_that_hangs_does_not_hold_up_another(clock: HandClock) -> None:
    with scripted_pool("ill") as ill, scripted_pool("well") as well:
        ill.on_list = ill.on_create = ill.hang
        cloud = LibcloudCloud([ill.pool, well.pool], OWNER, clock)
        cloud.submit(create("op-1", "ill"))
        cloud.submit(create("op-2", "well"))
        (created,) = outcomes(cloud)
        assert created.operation == "op-2"
        assert listed(cloud, pool="well").listing("ill") is None
        ill.over.set()
        cloud.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_thread_that_dies_is_told_and_its_call_has_an_outcome(cloud: LibcloudCloud, script: Script) -> None:
    def die() -> None:
        raise SystemExit

    script.on_create = die
    cloud.submit(create())
    (outcome,) = outcomes(cloud)
    assert isinstance(outcome, CreateUnknown)
    assert outcome.fault.text == "the worker thread died in the middle of the call"
    assert not cloud.alive()
    assert cloud.observe().outcomes == ()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_after_it_was_given_up_is_told_too(cloud: LibcloudCloud, script: Script, clock: HandClock) -> None:
    answer = threading.Event()

    def die_late() -> None:
        answer.wait(30)
        raise SystemExit

    script.on_create = die_late
    cloud.submit(create())
    in_the_middle(script, "create")
    clock.time += 60.0
    assert len(cloud.observe().outcomes) == 1
    assert cloud.alive()
    answer.set()
    assert outcomes_until_no_thread_hangs(cloud) == []
    assert not cloud.alive()


def test_a_host_that_gives_no_more_threads_has_sent_nothing(cloud: LibcloudCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(Retry, match="gives no more threads"):
        cloud.submit(create())
    view = cloud.observe()
    assert view.in_flight == frozenset()
    listing = view.listing("scripted")
    assert listing is not None
    assert isinstance(listing.nodes, Fault)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listing_thread_that_dies_is_told_as_well(cloud: LibcloudCloud, script: Script) -> None:
    def die() -> None:
        raise SystemExit

    script.on_list = die  # type: ignore[assignment] # it never returns
    listing = listed(cloud).listing("scripted")
    assert listing is not None
    assert isinstance(listing.nodes, Fault)
    assert not cloud.alive()


def test_what_is_no_machine_is_not_taken_for_one(cloud: LibcloudCloud, script: Script) -> None:
    script.nodes = [script.node(""), script.node("i-1")]
    script.on_create = lambda: None
    cloud.submit(create())
    (outcome,) = outcomes(cloud)
    assert isinstance(outcome, CreateUnknown)
    listing = listed(cloud).listing("scripted")
    assert listing is not None
    assert isinstance(listing.nodes, tuple)
    assert [each.id for each in listing.nodes] == ["i-1"]


def test_a_machine_whose_description_cannot_be_read_has_been_made_all_the_same(script: Script) -> None:
    odd = script.node("i-1", OWNER, "op-1")
    odd.extra = {"tags": "burstd-owner=owner-1"}
    calls = PoolCalls(script.pool, drivers.DRIVERS["scripted"], OWNER)
    # A driver that speaks without libcloud's connection, so that nothing was seen to be sent.
    unseen = Seat(lambda: drivers.Link(SimpleNamespace(create_node=lambda **_: odd)))
    assert isinstance(calls.create(unseen, create()), CreateUnknown)


def test_a_destroy_of_a_stranger_is_refused(cloud: LibcloudCloud, script: Script) -> None:
    script.nodes = [script.node("i-1", "owner-2", "op-1"), script.node("i-2", OWNER, "op-2")]
    for node in ("i-1", "i-2"):
        cloud.submit(DestroyCall("op-1", "scripted", node))
        (outcome,) = outcomes(cloud)
        assert isinstance(outcome, DestroyFailed)
        assert outcome.fault.kind is FaultKind.REJECTED
    assert not any(name == "destroy" for name, _driver, _thread in script.calls)


def test_closing_waits_for_calls_in_flight_and_keeps_their_outcomes(cloud: LibcloudCloud, script: Script) -> None:
    release = threading.Event()
    script.on_create = lambda: script.node("i-1", OWNER, "op-1") if release.wait(30) else None
    cloud.submit(create())
    in_the_middle(script, "create")
    threading.Timer(0.1, release.set).start()
    cloud.close()
    (outcome,) = cloud.observe().outcomes
    assert isinstance(outcome, Created)
    with pytest.raises(Retry, match="the daemon is ending"):
        cloud.submit(create("op-2"))


def test_closing_does_not_wait_beyond_the_deadlines(script: Script, clock: HandClock) -> None:
    script.on_create = script.hang
    cloud = LibcloudCloud([replace(script.pool, create_deadline=0.2, destroy_deadline=0.2)], OWNER, clock)
    cloud.submit(create())
    in_the_middle(script, "create")
    cloud.close()
    assert not script.over.is_set()
    clock.time += 1.0
    assert [type(each) for each in cloud.observe().outcomes] == [CreateUnknown]


def test_a_pool_that_the_settings_do_not_have_takes_no_call(cloud: LibcloudCloud) -> None:
    with pytest.raises(Retry, match="pool elsewhere is not in the settings"):
        cloud.submit(create(pool="elsewhere"))


def test_an_unknown_driver_is_named_with_the_known_ones_and_a_guess(clock: HandClock) -> None:
    with pytest.raises(Misconfigured) as refused_pool:
        LibcloudCloud([CloudPool("dublin", "ec3", {}, "ami-1", "m5.large")], OWNER, clock)
    line = str(refused_pool.value)
    assert line.startswith('pool dublin: driver "ec3" is not known; use one of azure_arm, cloudscale, ')
    assert line.endswith('; did you mean "ec2"?')


def test_blind_retries_are_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "0")
    forbid_blind_retries()
    assert "LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS" not in os.environ
    forbid_blind_retries()


def test_importing_the_adapter_does_not_import_the_library() -> None:
    program = "import sys, burstd.adapters.libcloud, burstd.adapters.local; print({'libcloud', 'requests'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "set()\n"
