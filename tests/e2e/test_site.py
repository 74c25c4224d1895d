"""The whole of it under traffic: real HAProxy, the daemon as a process, rented machines; what a reload and a kill do to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from burstd.cli.client import Client
from burstd.demo.generator import Generator
from burstd.demo.scenario import Scenario, Stretch
from burstd.demo.site import Site
from burstd.demo.traffic import Second
from tests.waiting import wait_until

RUSH = Scenario((Stretch("rush", 1, 60),))
"""Everybody at once: both instances serve after some twenty seconds."""

INSTANCES = 2


@dataclass
class Busy:
    """A site in the middle of its rush, both instances in service."""

    site: Site
    generator: Generator
    seconds: list[Second] = field(default_factory=list)

    @property
    def status(self) -> dict[str, Any]:
        return self.site.ask("/v1/status")

    def answers_by_instances(self) -> int:
        self.seconds += self.generator.read()
        return sum(each.burst for each in self.seconds)

    def errors(self) -> list[str]:
        self.seconds += self.generator.read()
        return [what for each in self.seconds for what in each.errors]

    def serve(self, count: int) -> None:
        """Wait until the instances have answered so many more requests."""
        goal = self.answers_by_instances() + count
        wait_until(
            lambda: self.answers_by_instances() >= goal, f"the instances answer {count} more; errors: {self.errors()[:3]}", within=30
        )


@pytest.fixture(scope="module")
def busy() -> Iterator[Busy]:
    with Site(lambda path: Client(path).get, without=False, most=INSTANCES) as site:
        site.start_daemon()
        _, generators = site.start_traffic(RUSH)
        found = Busy(site, generators["with"])
        wait_until(lambda: found.status["in_service"] == INSTANCES, "both instances are in service", within=60, every=0.2)
        found.serve(100)
        yield found


def test_a_reload_of_haproxy_loses_no_request_and_burstd_heals_it_within_two_cycles(busy: Busy) -> None:
    for _ in range(3):
        old = busy.status["gateway"]["pid"]
        busy.site.reload_gateway()
        healed_after = cycles_until_healed(busy, old)
        assert healed_after <= 2
        busy.serve(50)
    assert busy.errors() == []


def cycles_until_healed(busy: Busy, old: int) -> int:
    """From the first cycle that has read the new HAProxy to the first that found both instances up in it."""
    seen: list[int] = []

    def healed() -> bool:
        status = busy.status
        if status["gateway"]["pid"] in {old, None}:
            return False
        seen.append(status["cycle"])
        return [each["status"] for each in status["instances"]] == ["UP"] * INSTANCES

    wait_until(healed, "both instances are up in the new HAProxy", within=30, every=0.1)
    return seen[-1] - seen[0]


def test_a_killed_daemon_finds_its_instances_again_and_neither_loses_nor_doubles_one(busy: Busy) -> None:
    before = busy.status
    known = {(each["name"], each["node_id"]) for each in before["instances"]}
    machines = {each.id for each in busy.site.machines()}
    assert busy.site.daemon is not None
    busy.site.daemon.kill()
    busy.serve(100)
    busy.site.start_daemon()
    wait_until(lambda: busy.status["cycle"] >= 6, "the new daemon turns", within=30)
    after = busy.status
    assert {(each["name"], each["node_id"]) for each in after["instances"]} == known
    assert [each["phase"] for each in after["instances"]] == ["in_service"] * INSTANCES
    assert {each.id for each in busy.site.machines()} == machines
    assert all(each.terminated_at is None for each in busy.site.machines())
    served = {each["name"]: each["requests"] for each in before["instances"]}
    assert all(each["requests"] > served[each["name"]] for each in after["instances"])  # never taken out of HAProxy
    busy.serve(100)
    assert busy.errors() == []


def test_a_killed_daemon_goes_on_with_the_weight_that_it_had_reckoned(busy: Busy) -> None:
    wait_until(lambda: busy.site.ask("/v1/explain")["weight"]["reason"].startswith("the cores carry"), "the capacity is learned", within=30)
    assert busy.site.daemon is not None
    busy.site.daemon.kill()
    busy.site.start_daemon()
    told = busy.site.ask("/v1/events")["events"]
    start = max(number for number, each in enumerate(told) if "has started" in each["text"])
    first = next(each["text"] for each in told[start:] if each["kind"] == "cycle")
    assert "the request rate is not known yet" in first  # and not: the cores' capacity is not learned yet
