"""The run queue of a server as the M/M/c queue: what a load average says about utilisation.

A load average counts the tasks that run or wait. In an M/M/c system with c CPUs at utilisation r the mean of that number is
L = c r + C(c, c r) r / (1 - r), with C the Erlang C probability of waiting (Kleinrock, Queueing Systems I, 1975, section 3.5).
"""

from __future__ import annotations

from functools import lru_cache

_HALVINGS = 40
"""Bisection steps: 2^-40 of the interval is far below what a load average can tell."""


def mean_load(cpus: int, utilisation: float) -> float:
    """Mean number of running and waiting tasks, load units, for 0 <= utilisation < 1."""
    offered = cpus * utilisation
    blocking = 1.0
    for servers in range(1, cpus + 1):
        blocking = offered * blocking / (servers + offered * blocking)
    waiting = blocking / (1 - utilisation * (1 - blocking))
    return offered + waiting * utilisation / (1 - utilisation)


@lru_cache(maxsize=256)
def utilisation_at(load: float, cpus: int) -> float:
    """The utilisation, 0..1, at which a server of `cpus` CPUs shows this mean load; the inverse of `mean_load`."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if mean_load(cpus, middle) < load:
            low = middle
        else:
            high = middle
    return low
