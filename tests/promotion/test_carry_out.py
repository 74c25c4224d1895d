"""The steps on a pair in memory: whatever fails or is killed in between, it converges, and never promotes before it has fenced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.adapters.memory import MemoryDatabase, MemoryFence, MemoryListener, MemoryRecord
from burstd.doors import DatabaseDoors
from burstd.errors import AskOperator, BurstdError, Retry, Unreachable
from burstd.model.promotion import Fence, PromotionOrder, Stage
from burstd.model.replication import Server, ThreadState
from burstd.model.steps import Do, Errand, Finished, Step, Verb
from burstd.promotion import BackgroundPromoter, carry_out, take_back
from tests.waiting import wait_until

ANNA = PromotionOrder("anna")
FORCE = PromotionOrder("anna", force=True)
ALONE = PromotionOrder("burstd", fence=True, unattended=True)


class Pair:
    """A pair in memory, and what was done to it."""

    def __init__(self, *, fence: bool = False) -> None:
        self.time = 1_700_000_000.0
        self.database = MemoryDatabase(self.now)
        self.listener = MemoryListener()
        self.record = MemoryRecord()
        self.fence = MemoryFence(self.database)
        self.doors = DatabaseDoors(
            ("10.0.0.5", "10.1.0.5"), self.now, self.database, self.listener, self.record, self.fence if fence else None
        )
        self.done: list[Verb] = []

    def now(self) -> float:
        self.time += 0.01
        return self.time

    def hear(self, step: Step, _words: str) -> None:
        if isinstance(step, Do):
            self.done.append(step.verb)

    def promote(self, order: PromotionOrder = ANNA) -> Finished:
        return carry_out(self.doors, order, self.hear, pause=0.0, patience=0.05)

    @property
    def promoted(self) -> bool:
        return not self.database.read_only[Server.REPLICA]

    @property
    def finished(self) -> bool:
        record, view = self.record.promotion(), self.listener.read()
        return record is not None and record.stage is Stage.PROMOTED and self.promoted and view.fenced and view.open


def test_the_steps_come_in_the_order_that_loses_nothing() -> None:
    pair = Pair()
    pair.doors.view(fresh=True)
    pair.database.dead.add(Server.PRIMARY)
    finished = pair.promote()
    assert pair.done == [Verb.FENCE_LISTENER, Verb.STOP_RECEIVING, Verb.PROMOTE, Verb.VERIFY, Verb.OPEN_LISTENER]
    assert finished.loss is not None
    assert (finished.loss.known, pair.finished) == (0, True)


def test_a_primary_that_hands_over_is_waited_for() -> None:
    pair = Pair()
    pair.database.pace = 1
    pair.database.commit(5)
    finished = pair.promote(FORCE)
    assert finished.loss is not None
    assert (finished.loss.known, pair.database.applied) == (0, 15)
    assert pair.done[:2] == [Verb.FENCE_LISTENER, Verb.FENCE_PRIMARY]


def test_what_does_not_move_is_given_up_and_gone_on_with_later() -> None:
    pair = Pair()
    pair.database.dead.add(Server.PRIMARY)
    pair.database.received, pair.database.pace = 20, 0
    with pytest.raises(Retry, match="the replica applies what it has received: nothing has moved for"):
        pair.promote()
    pair.database.pace = 3
    assert pair.promote().loss is not None
    assert pair.database.applied == 20


def test_a_step_without_effect_is_given_up() -> None:
    pair = Pair()
    pair.database.dead.add(Server.PRIMARY)
    pair.listener.fence = lambda _server: None  # type: ignore[method-assign, assignment]  # a HAProxy that says yes and does nothing
    with pytest.raises(Retry, match="the listener drops the primary and cuts its sessions: nothing has moved"):
        pair.promote()


def test_the_fence_command_shoots_and_its_failure_is_heard() -> None:
    pair = Pair(fence=True)
    pair.fence.trouble = Unreachable("the switch is silent")
    with pytest.raises(AskOperator, match="fence_command has failed"):
        pair.promote(PromotionOrder("anna", fence=True))
    assert not pair.promoted
    pair.fence.trouble = None
    pair.promote(PromotionOrder("anna", fence=True))
    record = pair.record.promotion()
    assert record is not None
    assert (record.fence, pair.finished) == (Fence.COMMAND, True)


def test_what_has_not_come_to_the_replica_is_taken_back() -> None:
    pair = Pair(fence=True)
    pair.fence.trouble = Unreachable("the switch is silent")
    with suppress(AskOperator):
        pair.promote(PromotionOrder("anna", fence=True))
    take_back(pair.doors, pair.hear, pause=0.0)
    assert pair.record.promotion() is None
    assert pair.listener.read().serving == (Server.PRIMARY,)
    pair.database.commit()


def test_two_do_not_promote_at_once() -> None:
    pair = Pair()
    with pair.record.hold(), pytest.raises(AskOperator, match="already"):
        pair.promote()


class Killed(BaseException):
    """A kill: nothing of burstd's runs after it."""


class Chance:
    """Kills before or after a call, or lets it fail, as the draws say; once they are used up all goes well."""

    def __init__(self, door: Any, draws: Iterator[str]) -> None:  # noqa: ANN401 - any door
        self._door = door
        self._draws = draws

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the door has
        found = getattr(self._door, name)
        if name in {"look", "observe", "read", "promotion", "sighting", "see", "hold", "close"} or not callable(found):
            return found

        def call(*arguments: object) -> None:
            draw = next(self._draws, "")
            if draw == "before":
                raise Killed
            if draw == "fails":
                raise Unreachable("it does not answer")
            found(*arguments)
            if draw == "after":
                raise Killed

        return call


@given(
    draws=st.lists(st.sampled_from(["", "", "before", "after", "fails"]), max_size=30),
    dead=st.booleans(),
    order=st.sampled_from([ANNA, FORCE, PromotionOrder("anna", fence=True), ALONE]),
    behind=st.integers(0, 5),
    sql=st.booleans(),
)
def test_killed_or_failing_anywhere_it_converges_and_never_promotes_unfenced(
    draws: list[str],
    dead: bool,  # noqa: FBT001 - drawn
    order: PromotionOrder,
    behind: int,
    sql: bool,  # noqa: FBT001 - drawn
) -> None:
    pair = Pair(fence=order.fence)
    pair.doors.view(fresh=True)
    if not sql:
        pair.database.sql = ThreadState.STOPPED
    pair.database.received += behind
    pair.database.committed += behind
    pair.database.cut = True
    if dead:
        pair.database.dead.add(Server.PRIMARY)
    chances = iter(draws)
    doors = DatabaseDoors(
        pair.doors.addresses,
        pair.now,
        Chance(pair.database, chances),
        Chance(pair.listener, chances),
        Chance(pair.record, chances),
        Chance(pair.fence, chances) if order.fence else None,
    )
    for _ in range(len(draws) + 3):
        with suppress(Killed, BurstdError):
            carry_out(doors, order, pair.hear, pause=0.0, patience=0.0)
        record = pair.record.promotion()
        if pair.promoted:
            assert record is not None
            assert record.fence is not None
            assert pair.listener.read().fenced
            assert pair.database.applied >= 10 + behind
    allowed = dead or order.force or (order.fence and not order.unattended)
    if allowed:
        assert pair.finished
        primary_writes = Server.PRIMARY not in pair.database.dead and not pair.database.read_only[Server.PRIMARY]
        assert not primary_writes or order.force
    else:
        assert not pair.promoted


def submitted(promoter: BackgroundPromoter) -> None:
    wait_until(lambda: not promoter.work()[0], "the worker has ended")


def test_the_worker_promotes_beside_the_loop_and_tells_how_it_ended() -> None:
    pair, told = Pair(fence=True), list[str]()
    pair.database.dead.add(Server.PRIMARY)
    pair.database.cut = True
    pair.database.look()
    promoter = BackgroundPromoter(pair.doors, told.append)
    promoter.submit(ALONE)
    submitted(promoter)
    assert (promoter.work(), pair.finished, pair.fence.runs) == (("", None), True, 1)
    assert told[-1].startswith("10.1.0.5 is the primary")


def test_the_worker_says_why_it_did_not_and_takes_it_back() -> None:
    pair = Pair(fence=True)
    pair.fence.trouble = Unreachable("the switch is silent")
    pair.database.dead.add(Server.PRIMARY)
    pair.database.cut = True
    pair.database.look()
    promoter = BackgroundPromoter(pair.doors, lambda _: None)
    promoter.submit(ALONE)
    submitted(promoter)
    _, trouble = promoter.work()
    assert trouble is not None
    assert "fence_command has failed" in trouble.text
    pair.database.dead.clear()
    promoter.submit(Errand.TAKE_BACK)
    submitted(promoter)
    assert (promoter.work(), pair.record.promotion(), pair.listener.read().serving) == (("", None), None, (Server.PRIMARY,))


def test_the_worker_makes_a_returned_primary_read_only_and_does_one_thing_at_a_time() -> None:
    pair = Pair()
    held = threading.Event()
    plain = pair.database.fence_primary
    pair.database.fence_primary = lambda: (held.wait(10), plain())[-1]  # type: ignore[method-assign]  # a slow server
    promoter = BackgroundPromoter(pair.doors, lambda _: None)
    promoter.submit(Errand.RESTRICT)
    assert promoter.work()[0] == "the old primary is being made read-only"
    promoter.submit(FORCE)
    held.set()
    submitted(promoter)
    assert pair.database.read_only[Server.PRIMARY]
    assert not pair.promoted


def test_a_bug_of_the_worker_is_told_and_does_not_block_the_next_work() -> None:
    pair = Pair()
    pair.doors.servers.look = None  # type: ignore[method-assign, assignment]  # what cannot be called
    promoter = BackgroundPromoter(pair.doors, lambda _: None)
    promoter.submit(FORCE)
    submitted(promoter)
    _, trouble = promoter.work()
    assert trouble is not None
    assert "it broke off: TypeError" in trouble.text
