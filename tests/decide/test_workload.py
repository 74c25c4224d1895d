"""The demand in servers: what comes, over what a full core server carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from burstd.decide.signal import read_signal
from burstd.decide.traffic import remember
from burstd.decide.workload import Workload, read_workload
from burstd.model.fleet import Phase
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.load import Sample
from burstd.model.policy import Mode, Policy
from burstd.model.snapshot import Snapshot
from tests.decide.test_demand import UNDER, site
from tests.given import AWAY, CORES, DARK, member, policy, rows
from tests.turns import NOW, server


def read(snapshot: Snapshot, under: Policy = UNDER) -> Workload | str:
    """The workload of a cycle."""
    traffic, _ = remember(snapshot, under)
    return read_workload(
        snapshot, under, replace(snapshot.memory, traffic=traffic, samples=snapshot_samples(snapshot)), read_signal(snapshot, under)
    )


def snapshot_samples(snapshot: Snapshot) -> dict[str, Sample]:
    return {name: each for name, each in snapshot.cores.items() if isinstance(each, Sample)}


def known(snapshot: Snapshot, under: Policy = UNDER) -> Workload:
    """The workload, which is known."""
    found = read(snapshot, under)
    assert isinstance(found, Workload)
    return found


@pytest.mark.parametrize("demand", [0.0, 0.5, 1.9, 2.6])
def test_the_demand_is_the_request_rate_over_what_a_core_carries_at_the_threshold(demand: float) -> None:
    found = known(site(demand))
    assert found.demand == pytest.approx(demand, abs=0.01)
    assert (found.cores, found.worth) == (2, 1.0)


def test_what_the_instances_serve_counts_too() -> None:
    assert known(site(3.0, fleet=[member(1), member(2)])).demand == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("phase", [Phase.JOINING, Phase.DRAINING])
def test_what_an_instance_serves_counts_from_its_joining_until_it_is_drained(phase: Phase) -> None:
    serving = site(3.0, fleet=[member(1)])
    assert known(replace(serving, fleet=(member(1, phase),))).demand == pytest.approx(3.0, abs=0.01)


def test_what_an_instance_served_a_moment_ago_is_not_missing_when_it_is_gone() -> None:
    traffic, process = remember(site(0.3, fleet=[member(1)]), UNDER)
    later = site(0.3, now=NOW + 5)  # in which nobody has asked since: its counters stand where the others stood
    gone = replace(later, memory=replace(later.memory, traffic=traffic, process=process))
    assert known(gone).demand == pytest.approx(0.3 * 20 / 25, abs=0.01)
    long_gone = replace(gone, now=NOW + 21)
    assert member(1).name not in remember(long_gone, UNDER)[0]


def test_with_thresholds_for_each_cpu_it_is_the_same() -> None:
    assert known(site(1.5), policy(load={"per_cpu": True, "scale_out_above": 1.0})).demand == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(("cpus", "worth"), [(2, 0.44), (4, 1.0), (8, 2.21), (64, 4.0)])
def test_an_instance_of_another_size_counts_as_what_it_carries(cpus: int, worth: float) -> None:
    bursts = {member(1).name: Sample(NOW, 1.0, cpus)}
    assert known(site(1.5, fleet=[member(1)], bursts=bursts)).worth == pytest.approx(worth, abs=0.15)


@pytest.mark.parametrize("joined", [None, NOW - 1])
def test_an_instance_that_is_cold_says_nothing_of_what_it_is_worth(joined: float | None) -> None:
    bursts = {member(1).name: Sample(NOW, 1.0, 2)}
    assert known(site(1.5, fleet=[member(1, joined_at=joined)], bursts=bursts)).worth == 1.0


def test_a_core_server_out_of_rotation_carries_nothing() -> None:
    snapshot = site(1.5)
    [backend] = snapshot.gateway.backends if isinstance(snapshot.gateway, GatewayView) else ()
    servers = (backend.servers[0], replace(backend.servers[1], status=ServerStatus.MAINT))
    found = known(replace(snapshot, gateway=replace(rows(), backends=(replace(backend, servers=servers),))))
    assert found.cores == 1


@pytest.mark.parametrize(
    ("why", "hide"),
    [
        ("HAProxy cannot be read", lambda each: replace(each, gateway=AWAY)),
        ("not every core answered: core-oslo-02 (no answer within 2 s)", lambda each: replace(each, cores={**each.cores, CORES[1]: DARK})),
        (
            "the work per request of core-oslo-01, core-oslo-02 is not learned yet",
            lambda each: replace(each, memory=replace(each.memory, work={})),
        ),
        (
            "the work per request of core-oslo-02 is not learned yet",
            lambda each: replace(each, cores={**each.cores, CORES[1]: Sample(NOW, 1.0, None)}),
        ),
        ("the request rate is not known yet", lambda each: replace(each, memory=replace(each.memory, traffic={}))),
        (
            "no core server takes traffic in HAProxy",
            lambda each: replace(
                each,
                gateway=replace(
                    rows(),
                    backends=(replace(rows().backends[0], servers=tuple(server(name, 100, ServerStatus.MAINT) for name in CORES)),),
                ),
            ),
        ),
    ],
)
def test_what_cannot_be_known_is_said_and_not_guessed(why: str, hide: Callable[[Snapshot], Snapshot]) -> None:
    assert read(hide(site(1.0))) == why


def test_with_spillover_the_threshold_decides() -> None:
    told = read(site(1.0), policy(routing={"mode": Mode.SPILLOVER}))
    assert told == "with spillover HAProxy itself decides what the core carries"
