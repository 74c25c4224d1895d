from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from burstd.demo.generator import Generator
from burstd.demo.scenario import Scenario, Stretch
from burstd.demo.traffic import Second, Traffic
from tests.waiting import wait_until
from tests.web import own_address, web

FEW = Scenario((Stretch("few", 1, 2),), think_seconds=0.01)

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Served-By: core-1\r\n\r\nok"


class Heard:
    """What `traffic` yields: everything that the users have met so far."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.all = Second()

    def update(self) -> Second:
        new = self._traffic.take()
        self.all.core += new.core
        self.all.burst += new.burst
        self.all.errors += new.errors
        self.all.again += new.again
        self.all.ms += new.ms
        self.all.first_burst = self.all.first_burst or new.first_burst
        return self.all


@contextmanager
def traffic(host: str, port: int, scenario: Scenario = FEW, start: float = 0.0) -> Iterator[Heard]:
    running = Traffic((host, port), ["core-1"], scenario, start)
    running.start()
    heard = Heard(running)
    try:
        yield heard
    finally:
        running.stop()
        heard.update()


@contextmanager
def closing_server() -> Iterator[tuple[str, int]]:
    """Answers one request on each connection as if it would keep it, and closes it."""
    listener = socket.create_server((own_address(), 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if connection.recv(4096):
                    connection.sendall(ANSWER)

    thread = Thread(target=serve)
    thread.start()
    try:
        host, port = listener.getsockname()
        yield host, port
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_answers_of_core_servers_are_counted_as_theirs() -> None:
    with web("core-1") as server:
        with traffic(server.host, server.port) as heard:
            wait_until(lambda: heard.update().core >= 10, "ten answers")
        assert heard.all.core == server.served == len(heard.all.ms)
    assert (heard.all.burst, heard.all.errors, heard.all.first_burst) == (0, Counter(), None)


def test_answers_of_anybody_else_are_the_instances_and_the_first_of_them_is_noted() -> None:
    started = time.monotonic()
    with web("burst-1") as server, traffic(server.host, server.port, start=started) as heard:
        wait_until(lambda: heard.update().burst >= 5, "five answers")
        first = heard.all.first_burst
        wait_until(lambda: heard.update().burst >= 10, "ten answers")
    assert first is not None
    assert 0 <= first <= time.monotonic() - started
    assert heard.all.first_burst == first


def test_an_answer_other_than_200_is_an_error() -> None:
    with web("core-1") as server:
        server.status = 503
        with traffic(server.host, server.port) as heard:
            wait_until(lambda: heard.update().errors.total() >= 2, "two errors")
    assert set(heard.all.errors) == {"HTTPException: status 503"}
    assert heard.all.core == 0


def test_a_refused_connection_is_an_error() -> None:
    with web("core-1") as server:
        server.stop()
        with traffic(server.host, server.port) as heard:
            wait_until(lambda: heard.update().errors.total() >= 2, "two errors")
    assert all("ConnectionRefusedError" in what for what in heard.all.errors)


def test_a_request_on_a_connection_that_was_closed_while_idle_is_sent_once_more_and_is_no_error() -> None:
    with closing_server() as (host, port), traffic(host, port) as heard:
        wait_until(lambda: heard.update().again >= 5, "five requests sent once more")
    assert heard.all.errors == Counter()
    assert heard.all.core > heard.all.again


def test_users_who_are_not_there_yet_ask_nothing() -> None:
    later = Scenario((Stretch("nobody", 3600, 0), Stretch("everybody", 1, 2)))
    with web("core-1") as server:
        with traffic(server.host, server.port, later, start=time.monotonic()):
            pass
        assert server.served == 0


def test_the_generator_tells_whole_seconds_and_answers_what_is_in_flight_before_it_ends(tmp_path: Path) -> None:
    with web("core-1") as server:
        generator = Generator("traffic", tmp_path, (server.host, server.port), ["core-1"], FEW, time.monotonic())
        seconds: list[Second] = []
        try:
            wait_until(lambda: len(read_more(generator, seconds)) >= 2, "two seconds")
        finally:
            generator.end()
        seconds += generator.read()
        assert sum(each.core for each in seconds) == server.served > 0
    assert [each.at for each in seconds] == sorted(each.at for each in seconds)
    assert not any(each.errors for each in seconds)
    assert generator.last_words == "nothing"


def read_more(generator: Generator, seconds: list[Second]) -> list[Second]:
    seconds += generator.read()
    return seconds


def test_a_line_that_is_still_being_written_is_read_later(tmp_path: Path) -> None:
    with web("core-1") as server:
        generator = Generator("traffic", tmp_path, (server.host, server.port), ["core-1"], FEW, time.monotonic())
        generator.end()
    lines = tmp_path / "traffic.jsonl"
    whole = lines.read_bytes()
    lines.write_bytes(whole[:-5])
    before = generator.read()
    lines.write_bytes(whole)
    assert len(before) + len(generator.read()) == whole.count(b"\n")
