"""The run queue and its load average, against the kernel's formula worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.adapters.local.run_queue import EXP_1, FIXED_1, LOAD_FREQ, RunQueue, calc_load


def queue_with(requests: int, workers: int = 2) -> RunQueue:
    queue = RunQueue(workers, now=0.0)
    for _ in range(requests):
        queue.arrive(0.0)
        if queue.free:
            queue.start(0.0)
    return queue


def test_one_fold_is_the_kernels_sum_to_the_bit() -> None:
    # kernel: (load * exp + active * (2048 - exp) [+ 2047 while rising]) / 2048
    assert calc_load(0, EXP_1, 4 * FIXED_1) == (4 * FIXED_1 * (FIXED_1 - EXP_1) + FIXED_1 - 1) // FIXED_1 == 656
    assert calc_load(656, EXP_1, 0) == 656 * EXP_1 // FIXED_1 == 603


def test_the_constant_is_five_seconds_in_a_minute() -> None:
    assert pytest.approx(math.exp(-LOAD_FREQ / 60), abs=0.001) == EXP_1 / FIXED_1


def test_running_and_waiting_requests_both_count() -> None:
    queue = queue_with(6, workers=2)
    assert (queue.running, queue.waiting) == (2, 4)
    # After a minute of six, six times what a damped filter has reached by then.
    assert queue.load1(60.0) == pytest.approx(6 * (1 - math.exp(-1)), abs=0.05)


def test_the_load_is_sampled_every_five_seconds_and_not_in_between() -> None:
    queue = queue_with(4)
    assert queue.load1(4.9) == 0.0
    assert queue.load1(5.0) == queue.load1(9.9) == 0.32


def test_what_has_come_and_gone_between_two_samples_is_not_seen() -> None:
    queue = RunQueue(1, now=0.0)
    queue.arrive(1.0)
    queue.finish(queue.start(1.0), 4.0)
    assert queue.load1(5.0) == 0.0
    assert queue.cpu_seconds(5.0) == [(3.0, 2.0)]


def test_a_steady_queue_is_reached_to_the_bit_and_an_empty_one_as_well() -> None:
    queue = queue_with(4)
    assert queue.load1(3600.0) == 4.0
    queue.finish(0, 3600.0)
    queue.finish(1, 3600.0)
    for _ in range(2):
        queue.finish(queue.start(3600.0), 3600.0)
    assert queue.load1(7200.0) == 0.0


def test_a_busy_worker_is_a_busy_cpu() -> None:
    queue = queue_with(1, workers=2)
    assert queue.cpu_seconds(10.0) == [(10.0, 0.0), (0.0, 10.0)]
    queue.finish(0, 10.0)
    assert queue.cpu_seconds(15.0) == [(10.0, 5.0), (0.0, 15.0)]


def test_no_worker_serves_two() -> None:
    queue = queue_with(3, workers=2)
    assert not queue.free
    with pytest.raises(ValueError, match="not in list"):
        queue.start(1.0)


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.booleans()), max_size=60), st.integers(1, 4))
def test_no_load_is_ever_above_the_longest_queue_and_no_second_is_lost(steps: list[tuple[float, bool]], workers: int) -> None:
    queue, now, longest, running = RunQueue(workers, 0.0), 0.0, 0, list[int]()
    for pause, arrives in steps:
        now += pause
        if arrives:
            queue.arrive(now)
        elif running:
            queue.finish(running.pop(0), now)
        while queue.waiting and queue.free:
            running.append(queue.start(now))
        longest = max(longest, queue.waiting + queue.running)
        assert 0.0 <= queue.load1(now) <= longest
    assert all(busy + idle == pytest.approx(now) for busy, idle in queue.cpu_seconds(now))
