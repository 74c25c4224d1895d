from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from burstd.adapters.http_check import HttpContent
from burstd.adapters.memory import MemoryContent, MemoryWorld
from burstd.model.faults import Fault
from burstd.model.fleet import Instance, Phase
from burstd.model.policy import PoolPolicy
from burstd.ports import Content
from tests.turns import instance
from tests.web import CHECK_PATH, WebServer, web

PATH = "/.burstd/token"


class Stage(ABC):
    """An implementation, and machines that serve or do not."""

    content: Content

    @abstractmethod
    def serving(self, number: int) -> tuple[Instance, PoolPolicy]:
        """The numbered instance, which serves."""

    @abstractmethod
    def serve_token(self, instance: Instance, token: str) -> None:
        """From now on it serves that token at `PATH`."""

    @abstractmethod
    def broken(self, number: int) -> tuple[Instance, PoolPolicy]:
        """The numbered instance, which does not."""


class MemoryStage(Stage):
    def __init__(self) -> None:
        self._world = MemoryWorld()
        self.content = MemoryContent(self._world)

    def serving(self, number: int) -> tuple[Instance, PoolPolicy]:
        machine = self._world.make("memory", str(number), {})
        return replace(instance(number, Phase.SYNCING), address=machine.address), PoolPolicy("p", "i", "s")

    def serve_token(self, instance: Instance, token: str) -> None:
        self._world.tokens[instance.address or ""] = token

    def broken(self, number: int) -> tuple[Instance, PoolPolicy]:
        served = self.serving(number)
        self._world.machines[-1].healthy = False
        return served


class HttpStage(Stage):
    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self._servers: dict[str, WebServer] = {}
        self.content = checker = HttpContent(5.0)
        held.callback(checker.close)

    def serving(self, number: int) -> tuple[Instance, PoolPolicy]:
        return self._served(number, 200)

    def serve_token(self, instance: Instance, token: str) -> None:
        self._servers[instance.operation].name = token

    def broken(self, number: int) -> tuple[Instance, PoolPolicy]:
        return self._served(number, 503)

    def _served(self, number: int, status: int) -> tuple[Instance, PoolPolicy]:
        server = self._held.enter_context(web())
        server.status = status
        self._servers[instance(number, Phase.SYNCING).operation] = server
        pool = PoolPolicy("p", "i", "s", port=server.port, check_path=CHECK_PATH)
        return replace(instance(number, Phase.SYNCING), address=server.host), pool


@pytest.fixture(params=["memory", "http"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Every implementation."""
    with ExitStack() as held:
        yield MemoryStage() if request.param == "memory" else HttpStage(held)


def test_an_instance_that_serves_passes(stage: Stage) -> None:
    one = stage.serving(1)
    assert dict(stage.content.check([one])) == {one[0].operation: None}


def test_an_instance_that_does_not_serve_is_a_fault_in_its_name(stage: Stage) -> None:
    one = stage.broken(1)
    fault = stage.content.check([one])[one[0].operation]
    assert isinstance(fault, Fault)
    assert fault.peer == one[0].name
    assert "\n" not in fault.text


def test_an_instance_without_an_address_does_not_pass(stage: Stage) -> None:
    one, pool = stage.serving(1)
    assert isinstance(stage.content.check([(replace(one, address=None), pool)])[one.operation], Fault)


def test_every_instance_gets_its_own_answer_by_its_operation(stage: Stage) -> None:
    asked = [stage.serving(1), stage.broken(2), stage.serving(3)]
    answers = stage.content.check(asked)
    assert [answers[each.operation] is None for each, _ in asked] == [True, False, True]
    assert len(answers) == 3


def test_a_token_is_read_where_one_is_served(stage: Stage) -> None:
    one = stage.serving(1)
    stage.serve_token(one[0], "token-1")
    assert stage.content.tokens([one], PATH) == {one[0].operation: "token-1"}


def test_where_no_token_is_served_it_is_a_fault_in_the_instances_name(stage: Stage) -> None:
    broken, nowhere = stage.broken(1), stage.serving(2)
    nowhere = (replace(nowhere[0], address=None), nowhere[1])
    found = stage.content.tokens([broken, nowhere], PATH)
    for each in (broken[0], nowhere[0]):
        fault = found[each.operation]
        assert isinstance(fault, Fault)
        assert fault.peer == each.name


def test_nobody_to_ask_is_no_answer(stage: Stage) -> None:
    assert dict(stage.content.check([])) == {}
