"""Round trips by the time that a TCP connection takes to be made: one trip there and one back, with no privilege and no agent.

A name is looked up before the clock starts, and nothing is sent over the connection. Who answers with a refusal, or not at all, has
not been measured: a port must listen. It reads no settings and knows nothing of what the places are.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

PACE: Final = 0.1
"""Seconds between two trips to one place: they shall not wait for each other in any queue on the way."""
PATIENCE: Final = 1.0
"""Seconds after which a trip is lost: three times around the world."""
_LOOK_UP: Final = 5.0
"""Seconds for the look-up of a name, which has no deadline of its own."""
_AT_ONCE: Final = 32
"""Places measured side by side: more threads would make each other late."""

Place = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """What a few trips to one place have shown.

    Attributes:
        address: the IP address that the host's name stands for; None where it stands for none.
        seconds: of each trip that came back.
        lost: trips that did not.
        fault: why the last of these did not; empty where none was lost.
    """

    address: str | None
    seconds: tuple[float, ...] = ()
    lost: int = 0
    fault: str = ""

    @property
    def shortest(self) -> float | None:
        """Seconds; None where none came back."""
        return min(self.seconds, default=None)

    @property
    def middle(self) -> float | None:
        """The median, seconds; None where none came back."""
        return median(self.seconds) if self.seconds else None

    @property
    def longest(self) -> float | None:
        """Seconds; None where none came back."""
        return max(self.seconds, default=None)


def measure(places: Sequence[Place], count: int) -> Mapping[Place, RoundTrips]:
    """Make `count` round trips to each place, side by side.

    Never raises; returns within a few seconds more than count x (`PACE` + `PATIENCE`) for each 32 places.
    """
    found: dict[Place, RoundTrips] = {}
    turns = threading.Semaphore(_AT_ONCE)

    def visit(place: Place) -> None:
        with turns:
            found[place] = _trips(place, count)

    different = list(dict.fromkeys(places))
    threads = [threading.Thread(target=visit, args=(place,), daemon=True) for place in different]
    rounds = -(-len(different) // _AT_ONCE)
    end = time.monotonic() + rounds * (_LOOK_UP + count * (PACE + PATIENCE))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = RoundTrips(None, lost=count, fault="its name is still being looked up")
    return {place: found.get(place, late) for place in different}


def _trips(place: Place, count: int) -> RoundTrips:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        return RoundTrips(None, lost=count, fault=f"its name stands for no address ({_said(error)})")
    seconds: list[float] = []
    fault = ""
    for number in range(count):
        if number:
            time.sleep(PACE)
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(PATIENCE)
            begun = time.perf_counter()
            try:
                connection.connect(address)
            except OSError as error:
                fault = f"no answer within {PATIENCE:g} s" if isinstance(error, TimeoutError) else _said(error)
            else:
                seconds.append(time.perf_counter() - begun)
    return RoundTrips(str(address[0]), tuple(seconds), count - len(seconds), fault)


def _said(error: OSError | UnicodeError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused: nothing listens on that port"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(getattr(error, "strerror", None) or error)
