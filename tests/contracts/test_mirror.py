"""One suite over the mirror's fake and the real one: ssh, the program, lsyncd, rsync and sshd; systemd by a stand-in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from burstd.adapters.clock import SystemClock
from burstd.adapters.lsyncd import LsyncdMirror
from burstd.adapters.memory import MemoryMirror, MemoryWorld
from burstd.model.content import MirrorTarget, MirrorView
from burstd.ports import Mirror
from tests.mirror_host import MirrorHost, mirror_host
from tests.waiting import wait_until


class Stage(ABC):
    """An implementation, and instances that can be pushed to."""

    mirror: Mirror

    @abstractmethod
    def instance(self) -> MirrorTarget:
        """One more that is reached."""

    @abstractmethod
    def dark(self) -> MirrorTarget:
        """One more that is not."""

    @abstractmethod
    def token(self, target: MirrorTarget) -> str:
        """What it serves as the token; empty where there is none."""

    @abstractmethod
    def storm(self) -> None:
        """So many files go that the mirror holds."""

    @abstractmethod
    def until(self, condition: Callable[[MirrorView], object], what: str) -> MirrorView:
        """The first view for which that is true."""


class MemoryStage(Stage):
    def __init__(self) -> None:
        self._world = MemoryWorld()
        self.memory = self.mirror = MemoryMirror(self._world, self._world.clock)

    def instance(self) -> MirrorTarget:
        return MirrorTarget(self._world.make("memory", "x", {}).address, "ssh-ed25519 AAAA")

    def dark(self) -> MirrorTarget:
        target = self.instance()
        self.memory.dark.add(target.address)
        return target

    def token(self, target: MirrorTarget) -> str:
        return self._world.tokens.get(target.address, "")

    def storm(self) -> None:
        self.memory.held = "many files are gone"

    def until(self, condition: Callable[[MirrorView], object], what: str) -> MirrorView:
        for _ in range(100):
            view = self.mirror.observe()
            if condition(view):
                return view
            self._world.clock.advance(5.0)
        raise AssertionError(f"never: {what}")


class LsyncdStage(Stage):
    def __init__(self, host: MirrorHost) -> None:
        self._host = host
        for number in range(40):
            (host.content / f"page-{number}.html").write_text(f"page {number}\n")
        self.mirror = LsyncdMirror(host.listen(), SystemClock(), interval=0.5, max_drift=60.0)

    def instance(self) -> MirrorTarget:
        server, _ = self._host.instance()
        return MirrorTarget(server.address, server.host_key)

    def dark(self) -> MirrorTarget:
        return MirrorTarget("127.0.0.99", self.instance().host_key)

    def token(self, target: MirrorTarget) -> str:
        file = self._host.there(target.address) / ".burstd/token"
        return file.read_text().strip() if file.exists() else ""

    def storm(self) -> None:
        for number in range(30):
            (self._host.content / f"page-{number}.html").unlink()

    def until(self, condition: Callable[[MirrorView], object], what: str) -> MirrorView:
        def looked() -> MirrorView | None:
            view = self.mirror.observe()
            return view if condition(view) else None

        found = wait_until(looked, what, within=60)
        assert found is not None
        return found


@pytest.fixture(params=["memory", "lsyncd"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Every implementation."""
    if request.param == "memory":
        yield MemoryStage()
        return
    with mirror_host(tmp_path) as host:
        real = LsyncdStage(host)
        yield real
        real.mirror.close()


def test_before_it_is_told_of_a_list_it_asks_nobody(stage: Stage) -> None:
    assert stage.mirror.observe() == MirrorView()


def test_an_empty_list_is_a_list_and_brings_tokens(stage: Stage) -> None:
    stage.mirror.want([])
    view = stage.until(lambda view: len(view.tokens) >= 2, "two tokens")
    assert (view.told, view.fault, view.held, view.states) == ((), None, "", {})
    assert [each.at for each in view.tokens] == sorted(each.at for each in view.tokens)
    assert view.flows


def test_a_token_that_proves_the_content_arrives_and_the_dark_one_never_proves_any(stage: Stage) -> None:
    one, dark = stage.instance(), stage.dark()
    stage.mirror.want([one, dark])
    stage.until(lambda view: view.complete(stage.token(one), one), "the instance serves a token that proves it")
    view = stage.until(lambda view: view.states, "the states")
    assert view.told == (one, dark)
    assert view.states[one.address].synced
    assert not view.states[dark.address].synced
    assert not any(dark in each.synced for each in view.tokens)


def test_who_is_no_longer_wanted_gets_no_newer_token(stage: Stage) -> None:
    one, other = stage.instance(), stage.instance()
    stage.mirror.want([one, other])
    stage.until(lambda view: view.tokens and stage.token(one) and stage.token(other), "both serve a token")
    stage.mirror.want([one])
    stage.until(lambda view: set(view.states) == {one.address}, "the other is let go")
    last = stage.token(other)
    stage.until(lambda view: view.tokens and stage.token(one) not in {"", last} and view.complete(stage.token(one), one), "a newer token")
    assert stage.token(other) == last


def test_a_hold_ends_the_tokens_until_it_is_released(stage: Stage) -> None:
    one = stage.instance()
    stage.mirror.want([one])
    stage.until(lambda view: view.complete(stage.token(one), one), "it is whole")
    stage.storm()
    held = stage.until(lambda view: view.held, "the hold")
    assert (held.flows, held.steady_since) == (False, None)
    assert "\n" not in held.held
    again = stage.until(lambda view: (view.answered_at or 0) > (held.answered_at or 0), "one more answer")
    assert again.tokens == held.tokens
    stage.mirror.release()
    stage.until(lambda view: view.flows and view.tokens[-1] != held.tokens[-1], "new tokens")


def test_host_keys_are_all_different_and_have_their_two_halves(stage: Stage) -> None:
    keys = list(islice(stage.mirror.host_keys(), 3))
    assert len({each.public for each in keys}) == len({each.private for each in keys}) == 3
    assert all(each.public.startswith("ssh-ed25519 ") and each.public not in each.private for each in keys)
