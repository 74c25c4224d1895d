"""Round trips by the time that a TCP connection takes to be made: one trip there and one back, with no privilege and no agent.

A name is looked up before the clock starts, and nothing is sent over the connection. Who answers with a refusal, or not at all, has
not been measured: a port must listen. `measure` is for `burstd ping`, `TcpDistance` is the gate's `Distance` port. It reads no settings.
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

from burstd.decide.boot_times import quantile
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance
from burstd.model.policy import PoolPolicy

PACE: Final = 0.1
"""Seconds between two trips to one place: they shall not wait for each other in any queue on the way."""
PATIENCE: Final = 1.0
"""Seconds after which a trip is lost: three times around the world."""
_LOOK_UP: Final = 5.0
"""Seconds for the look-up of a name, which has no deadline of its own."""
_TRIPS: Final = 3
"""Trips of the gate to one instance in one cycle: their median, so that one late answer of a machine that still boots says nothing."""
_GATE_PACE: Final = 0.01
"""Seconds between two of these: the cycle waits for them."""
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
    def nearly_all(self) -> float | None:
        """What 99 of 100 do not exceed, seconds; of fewer than 100 the longest, and None where none came back."""
        return quantile(self.seconds, 0.99)

    @property
    def longest(self) -> float | None:
        """Seconds; None where none came back."""
        return max(self.seconds, default=None)


def measure(places: Sequence[Place], count: int, *, pace: float | None = None, patience: float | None = None) -> Mapping[Place, RoundTrips]:
    """Make `count` round trips to each place, side by side.

    Never raises; returns within a few seconds more than count x (pace + patience) for each 32 places. Both are seconds; where they are not
    given, `PACE` and `PATIENCE` count.
    """
    pace, patience = PACE if pace is None else pace, PATIENCE if patience is None else patience
    found: dict[Place, RoundTrips] = {}
    turns = threading.Semaphore(_AT_ONCE)

    def visit(place: Place) -> None:
        with turns:
            found[place] = _trips(place, count, pace, patience)

    different = list(dict.fromkeys(places))
    threads = [threading.Thread(target=visit, args=(place,), daemon=True) for place in different]
    rounds = -(-len(different) // _AT_ONCE)
    end = time.monotonic() + rounds * (_LOOK_UP + count * (pace + patience))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = RoundTrips(None, lost=count, fault="its name is still being looked up")
    return {place: found.get(place, late) for place in different}


def _trips(place: Place, count: int, pace: float, patience: float) -> RoundTrips:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        return RoundTrips(None, lost=count, fault=f"its name stands for no address ({_said(error)})")
    seconds: list[float] = []
    fault = ""
    for number in range(count):
        if number:
            time.sleep(pace)
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(patience)
            begun = time.perf_counter()
            try:
                connection.connect(address)
            except OSError as error:
                fault = f"no answer within {patience:g} s" if isinstance(error, TimeoutError) else _said(error)
            else:
                seconds.append(time.perf_counter() - begun)
    return RoundTrips(str(address[0]), tuple(seconds), count - len(seconds), fault)


class TcpDistance:
    """The `Distance` port: how long a TCP connection to an instance's web port takes to be made."""

    def __init__(self, deadline: float) -> None:
        """All trips to one instance together within `deadline` seconds."""
        self._patience = max(_GATE_PACE, deadline / _TRIPS - _GATE_PACE)

    def round_trips(self, instances: Sequence[tuple[Instance, PoolPolicy]]) -> Mapping[str, float | Fault]:
        """The median of a few trips to each, side by side; by operation, seconds or what is wrong. Never raises."""
        places = {each.operation: (each.address, pool.port) for each, pool in instances if each.address is not None}
        trips = measure(list(places.values()), _TRIPS, pace=_GATE_PACE, patience=self._patience)
        return {
            each.operation: _median(each, trips[places[each.operation]])
            if each.operation in places
            else Fault(each.name, FaultKind.MISSING, "has no address yet")
            for each, _ in instances
        }


def _median(instance: Instance, trips: RoundTrips) -> float | Fault:
    return Fault(instance.name, FaultKind.UNREACHABLE, f"no round trip: {trips.fault}") if trips.middle is None else trips.middle


def _said(error: OSError | UnicodeError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused: nothing listens on that port"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(getattr(error, "strerror", None) or error)
