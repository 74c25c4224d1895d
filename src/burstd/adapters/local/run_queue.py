"""A server's run queue and what the kernel would say of it: load average and CPU seconds. Pure: the time is an argument.

One machine has one load average, so a host that plays several servers cannot ask the kernel for each one's. This class stands in for
it, by the kernel's own formula and constants.
"""

from __future__ import annotations

from typing import Final

# include/linux/sched/loadavg.h: load averages are fixed-point numbers of 11 bits, folded every 5 seconds. The kernel's LOAD_FREQ has
# one tick more (5*HZ+1), so that it does not beat with what wakes every 5 seconds; here nothing does.
FSHIFT: Final = 11
FIXED_1: Final = 1 << FSHIFT
EXP_1: Final = 1884  # 1/exp(5sec/1min) as fixed-point
LOAD_FREQ: Final = 5.0


def calc_load(load: int, exp: int, active: int) -> int:
    """One fold of the load average, all three fixed-point: `calc_load()` of include/linux/sched/loadavg.h.

    load * exp + active * (1 - exp), rounded up while the load rises, so that it can reach its limit.
    """
    folded = load * exp + active * (FIXED_1 - exp)
    if active >= load:
        folded += FIXED_1 - 1
    return folded // FIXED_1


class RunQueue:
    """Requests that run on a fixed number of workers, and those that wait for one.

    A worker is a CPU: while a request holds it, it is busy. Not thread-safe, and `now` (seconds, any zero) must never go back.

    Attributes:
        waiting: requests without a worker.
    """

    def __init__(self, workers: int, now: float) -> None:
        self.waiting = 0
        self._started = now
        self._busy = [0.0] * workers
        self._since: list[float | None] = [None] * workers
        self._load = 0
        self._fold_at = now + LOAD_FREQ

    @property
    def running(self) -> int:
        """Requests that hold a worker."""
        return sum(since is not None for since in self._since)

    @property
    def free(self) -> bool:
        """A waiting request could start."""
        return self.running < len(self._since)

    def arrive(self, now: float) -> None:
        """A request comes in and waits for a worker."""
        self._fold(now)
        self.waiting += 1

    def start(self, now: float) -> int:
        """A waiting request takes the first free worker, whose number is returned.

        Raises:
            ValueError: no worker is free.
        """
        self._fold(now)
        worker = self._since.index(None)
        self.waiting -= 1
        self._since[worker] = now
        return worker

    def finish(self, worker: int, now: float) -> None:
        """The request on this worker is done."""
        self._fold(now)
        since = self._since[worker]
        if since is not None:
            self._busy[worker] += now - since
        self._since[worker] = None

    def load1(self, now: float) -> float:
        """The one-minute load average in load units, with the two decimals of /proc/loadavg (fs/proc/loadavg.c)."""
        self._fold(now)
        shown = self._load + FIXED_1 // 200
        return (shown >> FSHIFT) + ((shown & (FIXED_1 - 1)) * 100 >> FSHIFT) / 100

    def cpu_seconds(self, now: float) -> list[tuple[float, float]]:
        """(busy, idle) seconds of every worker since the start."""
        busy = [spent + (now - since if since is not None else 0.0) for spent, since in zip(self._busy, self._since, strict=True)]
        return [(each, max(0.0, now - self._started - each)) for each in busy]

    def _fold(self, now: float) -> None:
        """Make up for the folds since the last change: the queue has not changed in between, so none is missed."""
        active = (self.waiting + self.running) << FSHIFT
        while self._fold_at <= now:
            self._load = calc_load(self._load, EXP_1, active)
            self._fold_at += LOAD_FREQ
