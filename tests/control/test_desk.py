from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from burstd.control.desk import KEPT, Desk, unheard
from burstd.errors import AskOperator, Retry
from burstd.model.event import Event
from burstd.model.faults import Fault, FaultKind
from burstd.model.orders import ScaleAuto, ScaleTo
from tests.turns import NOW, POLICY, quiet_turn, rich_turn
from tests.waiting import wait_until

LONG = 60.0
"""Seconds that no test waits for: who waits this long and is woken, comes back at once."""


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool


def test_an_order_wakes_the_loop_and_its_answer_reaches_who_gave_it(caller: ThreadPoolExecutor) -> None:
    desk = Desk()
    told = caller.submit(desk.submit, ScaleTo(3, "anna"))
    desk.wait(LONG)
    (pending,) = desk.take()
    assert pending.order == ScaleTo(3, "anna")
    pending.answer("3 instances wanted")
    assert told.result() == "3 instances wanted"


def test_what_the_loop_refuses_an_order_with_is_raised_where_it_was_given(caller: ThreadPoolExecutor) -> None:
    desk = Desk()
    told = caller.submit(desk.submit, ScaleTo(999, "anna"))
    desk.wait(LONG)
    desk.take()[0].refuse(AskOperator("fleet.max is 4"))
    with pytest.raises(AskOperator, match=r"fleet\.max is 4"):
        told.result()


def test_orders_are_taken_in_the_order_in_which_they_came_and_once_each(caller: ThreadPoolExecutor) -> None:
    desk = Desk()
    told: list[Future[str]] = []
    for count in (1, 2, 3):
        told.append(caller.submit(desk.submit, ScaleTo(count, "anna")))
        wait_until(lambda: desk._inbox.qsize() == len(told), "the order is handed over")
    desk.wait(LONG)
    desk.wait(LONG)  # at once again: what has come in waits to be taken
    taken = desk.take()
    assert [each.order for each in taken] == [ScaleTo(count, "anna") for count in (1, 2, 3)]
    assert desk.take() == []
    for pending in taken:
        pending.answer("done")
    assert [each.result() for each in told] == ["done"] * 3


def test_an_order_that_the_loop_never_takes_is_withdrawn_and_never_carried_out() -> None:
    desk = Desk()
    with pytest.raises(Retry, match="nothing was changed"):
        desk.submit(ScaleTo(3, "anna"), patience=0.01)
    assert desk.take() == []


def test_an_order_that_the_loop_is_still_at_says_so_instead_of_claiming_that_nothing_happened(caller: ThreadPoolExecutor) -> None:
    desk = Desk()
    told = caller.submit(desk.submit, ScaleTo(3, "anna"), 0.2)
    desk.wait(LONG)
    (pending,) = desk.take()
    with pytest.raises(Retry, match="still at the order"):
        told.result()
    pending.answer("too late to be heard, and no harm done")


def test_a_wait_ends_when_its_time_is_over() -> None:
    Desk().wait(0.001)
    Desk().wait(-5.0)


def test_waking_ends_the_wait_that_runs() -> None:
    desk = Desk()
    loop = threading.Thread(target=desk.wait, args=(LONG,))
    loop.start()
    desk.wake()
    loop.join(timeout=LONG / 2)
    assert not loop.is_alive()


def test_a_call_that_comes_before_the_wait_is_not_lost_even_if_orders_are_taken_in_between() -> None:
    desk = Desk()
    desk.wake()
    assert desk.take() == []
    begun = time.monotonic()
    desk.wait(LONG)
    assert time.monotonic() - begun < LONG
    desk.wait(0.001)


def test_a_signal_handler_may_wake_the_very_thread_that_waits() -> None:
    desk = Desk()
    before = signal.signal(signal.SIGUSR1, lambda *_: desk.stop())
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        timer.start()
        desk.wait(LONG)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert desk.stopping


def test_a_stopping_daemon_takes_no_order() -> None:
    desk = Desk()
    desk.stop()
    with pytest.raises(Retry, match="stopping"):
        desk.submit(ScaleAuto("anna"))


def test_closing_refuses_the_orders_that_still_wait(caller: ThreadPoolExecutor) -> None:
    desk = Desk()
    told = caller.submit(desk.submit, ScaleAuto("anna"))
    wait_until(desk._inbox.qsize, "the order is handed over")
    desk.close()
    with pytest.raises(Retry, match="stopping"):
        told.result()


def test_the_latest_cycle_is_there_with_its_policy() -> None:
    desk = Desk()
    assert desk.latest is None
    turn = quiet_turn()
    desk.publish(turn, POLICY)
    assert desk.latest == (turn, POLICY)


def test_the_age_counts_from_the_opening_and_then_from_the_last_cycle() -> None:
    now = 100.0
    desk = Desk(clock=lambda: now)
    now = 107.0
    assert (desk.finished_at, desk.age) == (None, 7.0)
    desk.publish(quiet_turn(), POLICY)
    now = 110.0
    assert (desk.finished_at, desk.age) == (107.0, 3.0)


def test_events_follow_the_history_and_the_oldest_go() -> None:
    history = [Event(NOW - KEPT + number, "cycle", "", f"event {number}") for number in range(KEPT)]
    desk = Desk(history)
    turn = rich_turn()
    desk.publish(turn, POLICY)
    assert desk.events(1) == list(turn.events)
    assert desk.events() == [*history[1:], *turn.events]
    assert desk.events(3) == [*history[-2:], *turn.events]


def test_events_can_be_read_while_cycles_are_published(caller: ThreadPoolExecutor) -> None:
    desk, turn, done = Desk(), rich_turn(), threading.Event()

    def read() -> int:
        looks = 0
        while not done.is_set():
            assert set(desk.events()) <= set(turn.events)
            looks += 1
        return looks

    readers = [caller.submit(read) for _ in range(2)]
    for _ in range(3000):
        desk.publish(turn, POLICY)
    done.set()
    assert all(each.result() for each in readers)


def test_a_cycle_that_heard_haproxy_and_one_core_makes_it_ready_and_it_stays_so() -> None:
    desk, seeing = Desk(), rich_turn()
    blind = replace(seeing, snapshot=replace(seeing.snapshot, gateway=Fault("haproxy", FaultKind.UNREACHABLE, "refused")))
    desk.publish(blind, POLICY)
    assert not desk.ready
    desk.publish(seeing, POLICY)
    desk.publish(blind, POLICY)
    assert desk.ready


def test_what_was_not_heard_is_named() -> None:
    seeing = rich_turn()
    no_core = {"core-oslo-01": Fault("core-oslo-01", FaultKind.UNREACHABLE, "refused")}
    assert unheard(seeing) == ""
    assert unheard(replace(seeing, snapshot=replace(seeing.snapshot, cores=no_core))) == "no core server answers (core-oslo-01: refused)"
    assert unheard(replace(seeing, snapshot=replace(seeing.snapshot, cores={}))) == "no core server answers (none was read)"
    gone = Fault("haproxy", FaultKind.UNREACHABLE, "refused")
    assert unheard(replace(seeing, snapshot=replace(seeing.snapshot, gateway=gone))) == "haproxy: refused"
