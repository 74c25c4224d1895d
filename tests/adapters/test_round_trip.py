"""Round trips over real sockets: what comes back is timed, what does not is counted and said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from burstd.adapters import round_trip
from burstd.adapters.round_trip import RoundTrips, measure
from tests.haproxy_process import free_port
from tests.web import own_address


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_trip, "PACE", 0.01)
    monkeypatch.setattr(round_trip, "PATIENCE", 0.3)


@pytest.fixture
def door() -> Iterator[tuple[str, int]]:
    with socket.create_server((own_address(), 0)) as listening:
        yield listening.getsockname()


def test_each_trip_to_a_port_that_listens_is_timed(door: tuple[str, int]) -> None:
    found = measure([door, door], 3)[door]
    assert (found.address, len(found.seconds), found.lost, found.fault) == (door[0], 3, 0, "")
    assert found.shortest is not None
    assert found.middle is not None
    assert found.longest is not None
    assert 0 < found.shortest <= found.middle <= found.longest < 0.3
    assert found.nearly_all == found.longest


def test_of_many_trips_one_that_was_late_is_not_what_nearly_all_need() -> None:
    found = RoundTrips("10.0.0.1", tuple(number / 1000 for number in range(1, 201)))
    assert (found.nearly_all, found.longest) == (0.198, 0.2)


def test_a_refusal_is_no_round_trip(door: tuple[str, int]) -> None:
    closed = (own_address(), free_port(own_address()))
    found = measure([closed, door], 2)
    assert found[closed] == RoundTrips(own_address(), (), 2, "refused: nothing listens on that port")
    assert (found[closed].shortest, found[closed].middle, found[closed].longest) == (None, None, None)
    assert found[door].lost == 0


def test_what_gives_no_answer_is_lost_and_holds_nobody_up(door: tuple[str, int]) -> None:
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server((own_address(), 0), backlog=0))
        for _ in range(3):  # its queue is full: Linux drops who comes next
            caller = stack.enter_context(socket.socket())
            caller.settimeout(0.0)
            caller.connect_ex(deaf.getsockname())
        place = deaf.getsockname()
        found = measure([place, door], 2)
    assert (found[place].lost, found[place].fault) == (2, "no answer within 0.3 s")
    assert found[door].lost == 0


def test_a_name_that_stands_for_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = measure([("nowhere.invalid", 80)], 4)[("nowhere.invalid", 80)]
    assert found == RoundTrips(None, (), 4, "its name stands for no address (Name or service not known)")


def test_a_look_up_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hanging(*_: object, **__: object) -> None:
        over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(round_trip, "_LOOK_UP", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    found = measure([("slow.example", 80)], 1)[("slow.example", 80)]
    over.set()
    assert found == RoundTrips(None, (), 1, "its name is still being looked up")


def test_the_look_up_of_a_name_does_not_count(monkeypatch: pytest.MonkeyPatch, door: tuple[str, int]) -> None:
    looked_up = socket.getaddrinfo
    over = threading.Event()

    def slow(host: str, *others: object, **more: object) -> object:
        over.wait(0.5)
        return looked_up(door[0], *others, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    found = measure([("core.example", door[1])], 1)[("core.example", door[1])]
    assert found.address == door[0]
    assert found.seconds[0] < 0.3


def test_nothing_to_go_to_takes_no_time() -> None:
    assert measure([], 5) == {}
