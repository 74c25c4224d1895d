"""The real daemon against EC2's real wire protocol: every call spoilt in every way, and the daemon killed at every point of each.

After each point: one more start where it was killed, and then cloud, roster and HAProxy name the same instances, nobody else's is
touched, and there were never more than `fleet.max`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.ec2_site import Ec2Site, ec2_site
from tests.fault_proxy import Call, Fault, Moment
from tests.waiting import wait_until

MAX = 2
GROWING = {Call.CREATE: True, Call.FIND: False, Call.DESTROY: False}
LONG = pytest.mark.slow  # the whole table takes a few minutes, and what libcloud asks on the side is the less telling part of it
SPOILT = [pytest.param(call, marks=LONG) if call is Call.FIND else call for call in Call]
KILLED = [pytest.param(call, marks=LONG) if call in {Call.FIND, Call.ADDRESSES} else call for call in Call]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ec2Site]:
    quick = {"backoff": 0.2, "backoff_max": 0.4, "settle": 1, "destroy_retry": 0.4, "drain_deadline": 1}
    with ec2_site(tmp_path_factory.mktemp("wire"), min=1, max=MAX, **quick) as made:
        yield made


@pytest.fixture
def fleet(running: Ec2Site) -> Iterator[Ec2Site]:
    """One that serves one instance or two, as the point before has left it."""
    running.start()
    yield running
    assert not running.proxy.armed
    assert running.untouched()
    assert running.peer.peak(running.owner) <= MAX


def brought_to(fleet: Ec2Site, count: int, *, ready: bool) -> None:
    """Two instances, of which the second serves or waits for its check path as said; or one."""
    phases = sorted(each["phase"] for each in fleet.instances().values())
    if phases != ["in_service"] * count and (ready or phases != ["in_service", "syncing"][:count]):
        fleet.peer.boot(ready=True)
        fleet.order(1)
        fleet.converged(1)
        if count == 2:
            grow(fleet, ready=ready)


def grow(fleet: Ec2Site, *, ready: bool) -> None:
    fleet.peer.boot(ready=ready)
    fleet.order(2)
    fleet.converged(2 if ready else 1, 0 if ready else 1)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("call", SPOILT)
def test_a_spoilt_call_loses_no_instance_and_makes_none_too_many(fleet: Ec2Site, call: Call, fault: Fault) -> None:
    growing = GROWING.get(call, len(fleet.instances()) < MAX)
    brought_to(fleet, 1 if growing else 2, ready=False)
    fleet.peer.boot(ready=False)
    fleet.proxy.strike(call, fault)
    fleet.order(2 if growing else 1)
    wait_until(lambda: not fleet.proxy.armed, f"a {call} has met its fault")
    fleet.converged(1, 1 if growing else 0)


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("call", KILLED)
def test_killed_at_any_point_of_a_call_it_takes_the_fleet_over_at_the_next_start(fleet: Ec2Site, call: Call, moment: Moment) -> None:
    growing = GROWING.get(call, len(fleet.instances()) < MAX)
    brought_to(fleet, 1 if growing else 2, ready=True)
    fleet.peer.boot(ready=True)
    with_every_cycle = call in {Call.LIST, Call.ADDRESSES}
    if not with_every_cycle:
        fleet.proxy.stop_at(call, moment, fleet.kill)
    fleet.order(2 if growing else 1)
    if with_every_cycle:  # also with the one before the order
        fleet.proxy.stop_at(call, moment, fleet.kill)
    wait_until(lambda: not fleet.proxy.armed, f"the daemon is killed {moment} of a {call}")
    fleet.start()
    fleet.converged(2 if growing else 1)


def test_a_create_that_was_on_its_way_when_the_daemon_died_is_found_and_not_bought_again(fleet: Ec2Site) -> None:
    brought_to(fleet, 1, ready=True)
    arrives = threading.Event()

    def died_in_the_meantime() -> bool:
        fleet.kill()
        return arrives.wait(30)

    fleet.proxy.stop_at(Call.CREATE, Moment.ARRIVED, died_in_the_meantime)
    fleet.gateway.settings["fleet"]["settle"] = 60  # as in life: longer than anything is on its way
    fleet.gateway.write(fleet.gateway.settings)
    fleet.order(2)
    wait_until(lambda: fleet.daemon and fleet.daemon.poll() is not None, "the daemon is dead")
    fleet.start()
    wait_until(lambda: "unknown" in {each["phase"] for each in fleet.instances().values()}, "nobody knows what has come of the create")
    before = len(fleet.ours())
    arrives.set()
    fleet.converged(2)
    assert before == 1
    fleet.gateway.settings["fleet"]["settle"] = 1
    fleet.gateway.write(fleet.gateway.settings)
    fleet.kill()
