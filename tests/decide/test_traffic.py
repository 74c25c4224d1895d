"""What the counters of CPU seconds tell of a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from burstd.decide.capacity import learn_work
from burstd.decide.traffic import arrivals, busy, demand, saturated, work
from burstd.model.decision import Memory, Traffic


def history(*, busy_share: float, ticking: float = 1.0, cpus: int | None = 1, idle: bool = True) -> tuple[Traffic, ...]:
    """A minute of a server that answers ten requests a second; `ticking`: the part of its CPUs' time that its counters count."""
    counted = [(at, at * ticking * (cpus or 1)) for at in (0.0, 30.0, 60.0)]
    return tuple(
        Traffic(
            at=at,
            requests=round(10 * at),
            busy_seconds=1000 + busy_share * seconds,
            load1=1.0,
            idle_seconds=5000 + (1 - busy_share) * seconds if idle else None,
            cpus=cpus,
        )
        for at, seconds in counted
    )


def test_a_server_that_is_busy_half_of_its_time_uses_half_of_its_cpus() -> None:
    seen = history(busy_share=0.5, cpus=4)
    assert busy(seen) == pytest.approx(2.0)
    assert work(seen) == pytest.approx(0.2)


def test_a_server_held_to_a_part_of_its_cpu_is_full_when_it_has_no_idle_time() -> None:
    """A container's quota: lxcfs counts three tenths of a second each second, whatever they were spent on."""
    seen = history(busy_share=1.0, ticking=0.3)
    assert busy(seen) == pytest.approx(1.0)
    assert work(seen) == pytest.approx(0.1)


@pytest.mark.parametrize("unknown", ["idle", "cpus"])
def test_where_the_idle_time_or_the_cpus_are_unknown_the_busy_seconds_count_as_they_are(unknown: str) -> None:
    seen = history(busy_share=0.5, idle=unknown != "idle", cpus=None if unknown == "cpus" else 1)
    assert busy(seen) == pytest.approx(0.5)
    assert work(seen) == pytest.approx(0.05)


def test_a_server_that_was_never_busy_says_nothing_of_what_a_request_costs() -> None:
    seen = history(busy_share=0.0)
    assert busy(seen) == 0
    assert work(seen) is None


def test_idle_seconds_that_run_backwards_are_not_believed() -> None:
    _, first, last = history(busy_share=0.5)
    assert busy((first, Traffic(last.at, last.requests, last.busy_seconds, 1.0, {}, 0.0, 1))) == pytest.approx(0.5)


@pytest.mark.parametrize("rate_of", [demand, arrivals])
def test_two_looks_at_one_moment_tell_no_rate(rate_of: Callable[..., float | None]) -> None:
    point = Traffic(5.0, 10, None, None, {"app": 10})
    assert rate_of([(point, point)], ["app"]) is None
    assert rate_of([], ["app"]) is None


@pytest.mark.parametrize(("usual", "window"), [(200, 5), (60, 10), (10, 20)])
def test_the_more_come_the_newer_is_the_rate_of_arrivals(usual: int, window: int) -> None:
    """For a minute so many come each second, and in the last five seconds twice as many."""
    came, points = 0, []
    for at in range(0, 65, 5):
        points.append(Traffic(float(at), came, None, None, {"app": came}))
        came += 5 * usual
    points.append(Traffic(65.0, came + 5 * usual, None, None, {"app": came + 5 * usual}))
    assert arrivals([tuple(points)], ["app"]) == pytest.approx(usual * (window + 5) / window)


def test_a_shorter_look_at_the_cpus_shows_a_surge_that_the_longer_one_hides() -> None:
    calm = history(busy_share=0.1)
    last = calm[-1]
    surge = Traffic(last.at + 10, last.requests, (last.busy_seconds or 0) + 10, 9.0, {}, last.idle_seconds, 1)
    assert busy((*calm, surge), 10.0) == pytest.approx(1.0)
    assert busy((*calm, surge)) == pytest.approx(13 / 40)


def test_requests_whose_clients_gave_up_do_not_make_requests_look_cheap() -> None:
    usual, lost = history(busy_share=0.5), history(busy_share=1.0)
    lost = tuple(replace(each, requests=10 * each.requests) for each in lost)
    assert (saturated(usual), saturated(lost)) == (False, True)
    assert learn_work(Memory(traffic={"core": usual}), {"core"}) == {"core": pytest.approx(0.05)}
    assert learn_work(Memory(traffic={"core": lost}, work={"core": 0.05}), {"core"}) == {"core": 0.05}


def test_requests_that_cost_more_are_learned_in_an_overload_too() -> None:
    assert learn_work(Memory(traffic={"core": history(busy_share=1.0)}, work={"core": 0.05}), {"core"}) == {"core": pytest.approx(0.1)}


def test_where_the_cpus_are_not_known_nothing_is_full_and_a_moment_is_too_short_to_tell() -> None:
    assert not saturated(history(busy_share=1.0, cpus=None))
    assert not saturated(())
    close = tuple(replace(each, at=each.at / 100) for each in history(busy_share=1.0))
    assert not saturated(close)


def test_an_instance_that_begins_in_an_overload_teaches_nothing_yet() -> None:
    full = history(busy_share=1.0)
    assert learn_work(Memory(traffic={"core": full, "burst": full}), {"core"}) == {"core": pytest.approx(0.1)}
