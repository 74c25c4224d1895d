from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from burstd.adapters.clock import SystemClock
from burstd.adapters.memory import MemoryClock, MemoryLoad
from burstd.adapters.node_exporter import NodeExporterLoad
from burstd.model.faults import Fault
from burstd.model.load import Sample, Target
from burstd.ports import Clock, Load
from tests.exporter_process import node_exporter
from tests.waiting import wait_until
from tests.web import own_address


class Stage(ABC):
    """An implementation and its peers."""

    load: Load
    clock: Clock

    @abstractmethod
    def running(self, name: str) -> Target:
        """A target that answers."""

    @abstractmethod
    def dark(self, name: str) -> Target:
        """A target where nothing answers."""


class MemoryStage(Stage):
    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.load = self._load = MemoryLoad(self.clock)

    def running(self, name: str) -> Target:
        self._load.set(name, 0.25, cpus=2, busy_seconds=10.0, idle_seconds=30.0)
        return Target(name, "memory")

    def dark(self, name: str) -> Target:
        self._load.fail(name)
        return Target(name, "memory")


class ExporterStage(Stage):
    def __init__(self, held: ExitStack) -> None:
        self.clock = SystemClock()
        self.load = reader = NodeExporterLoad(5.0, self.clock)
        held.callback(reader.close)
        self._url = held.enter_context(node_exporter())

    def running(self, name: str) -> Target:
        return Target(name, self._url)

    def dark(self, name: str) -> Target:
        with socket.create_server((own_address(), 0)) as listener:
            host, port = listener.getsockname()
        return Target(name, f"http://{host}:{port}/metrics")


@pytest.fixture(params=["memory", "node_exporter"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Every implementation."""
    with ExitStack() as held:
        yield MemoryStage() if request.param == "memory" else ExporterStage(held)


def test_a_server_that_answers_gives_a_sane_sample(stage: Stage) -> None:
    before = stage.clock.now()
    sample = stage.load.read([stage.running("core")])["core"]
    assert isinstance(sample, Sample)
    assert before <= sample.at <= stage.clock.now()
    assert sample.load1 >= 0
    assert sample.cpus is not None
    assert sample.cpus >= 1
    assert sample.busy_seconds is not None
    assert sample.busy_seconds > 0
    assert sample.idle_seconds is not None
    assert sample.idle_seconds > 0


def test_busy_seconds_only_grow(stage: Stage) -> None:
    target = stage.running("core")
    first = stage.load.read([target])["core"]

    def later() -> bool:
        second = stage.load.read([target])["core"]
        assert isinstance(first, Sample)
        assert isinstance(second, Sample)
        assert first.busy_seconds is not None
        assert second.busy_seconds is not None
        return second.busy_seconds >= first.busy_seconds

    wait_until(later, "the CPU seconds go on")


def test_every_target_gets_a_reading_by_its_name_whatever_the_others_do(stage: Stage) -> None:
    readings = stage.load.read([stage.running("one"), stage.dark("two"), stage.running("three")])
    assert list(readings) == ["one", "two", "three"]
    assert [type(reading) for reading in readings.values()] == [Sample, Fault, Sample]


def test_a_server_that_does_not_answer_is_a_fault_in_its_name_and_never_a_zero(stage: Stage) -> None:
    fault = stage.load.read([stage.dark("core")])["core"]
    assert isinstance(fault, Fault)
    assert fault.peer == "core"
    assert fault.text
    assert "\n" not in fault.text


def test_no_targets_are_no_readings(stage: Stage) -> None:
    assert dict(stage.load.read([])) == {}
