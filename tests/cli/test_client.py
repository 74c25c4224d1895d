from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from burstd.cli.client import Client
from burstd.errors import AskOperator, Garbled, NoDaemon, Retry, Unreachable
from tests.served import served

Peer = Callable[[bytes], Path]


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    """Something that takes a call, sends those bytes whatever was asked, and closes."""
    doors: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: bytes) -> Path:
        path = tmp_path / "peer.sock"
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(path))
        door.listen()
        doors.append(door)

        def serve() -> None:
            with door, door.accept()[0] as call:
                call.recv(65536)
                call.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return path

    yield start
    for thread in threads:
        thread.join()
    for door in doors:
        door.close()


def test_a_document_comes_back_parsed(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        assert Client(str(daemon.socket)).get("/v1/status")["fleet"] == "burst"


def test_an_order_comes_back_as_its_sentence(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        client = Client(str(daemon.socket))
        assert client.post("/v1/scale", {"count": 2}) == "2 instances wanted until `burstd scale --auto`"
        assert client.delete("/v1/scale") == "the policies decide the number of instances"


def test_what_the_daemon_refuses_is_for_the_operator_to_mend(tmp_path: Path) -> None:
    with served(tmp_path) as daemon, pytest.raises(AskOperator, match=r"fleet\.max"):
        Client(str(daemon.socket)).post("/v1/scale", {"count": 999})


def test_what_the_daemon_cannot_do_now_is_to_be_tried_again(tmp_path: Path) -> None:
    with served(tmp_path, answering=False) as daemon:
        daemon.desk.stop()
        with pytest.raises(Retry, match="stopping: nothing was changed"):
            Client(str(daemon.socket)).post("/v1/scale", {"count": 1})


def test_without_a_socket_there_is_no_daemon_and_the_line_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match=r"no burstd daemon has its control socket there; start it \(systemctl start burstd\)"):
        Client(str(tmp_path / "control.sock")).get("/v1/status")


def test_a_socket_that_a_killed_daemon_left_is_no_daemon(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
    with pytest.raises(NoDaemon, match="no burstd daemon answers on the socket that one has left there"):
        Client(str(path)).get("/v1/status")


def test_a_file_that_is_no_socket_is_named_as_that(tmp_path: Path) -> None:
    path = tmp_path / "burstd.toml"
    path.touch()
    with pytest.raises(NoDaemon, match="expected a socket, found another kind of file"):
        Client(str(path)).get("/v1/status")


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoDaemon, match="cannot be reached there, the system says: AF_UNIX path too long"):
        Client(str(tmp_path / ("x" * 120))).get("/v1/status")


def test_who_may_not_talk_to_the_daemon_is_told_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:  # what the system says to anybody but root
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "control.sock"
    path.touch()
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(NoDaemon, match=r"you may not talk to the daemon; join the group \S+ \(usermod .*\), or ask as root \(sudo\)"):
        Client(str(path)).get("/v1/status")
    with pytest.raises(NoDaemon, match=r"join the group of the socket and of its folder \(control\.group\)"):
        Client(str(tmp_path / "hidden")).get("/v1/status")


def test_a_daemon_with_too_many_callers_is_to_be_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "control.sock")
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(socket.socket(socket.AF_UNIX))
        door.bind(path)
        door.listen(0)
        while True:
            caller = stack.enter_context(socket.socket(socket.AF_UNIX))
            caller.settimeout(0)
            if caller.connect_ex(path):
                break
        with pytest.raises(Retry, match="more callers than it takes at once"):
            Client(path).get("/v1/status")


def test_a_daemon_that_hangs_costs_the_deadline_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        with pytest.raises(Unreachable, match=r"gave no answer within 0\.1 s"):
            Client(str(path), deadline=0.1).get("/v1/status")


def test_a_peer_that_drips_cannot_stretch_the_deadline(tmp_path: Path) -> None:
    path, over = tmp_path / "control.sock", threading.Event()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()

        def drip() -> None:
            with door.accept()[0] as call:
                call.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not over.wait(0.02):
                    with contextlib.suppress(OSError):
                        call.sendall(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            with pytest.raises(Unreachable, match=r"within 0\.3 s"):
                Client(str(path), deadline=0.3).get("/v1/status")
        finally:
            over.set()
            dripping.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html></h",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\xff\xfe{}\xff",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["ssh", "html", "list", "bytes", "cut"],
)
def test_something_else_on_the_socket_is_not_taken_for_burstd(peer: Peer, answer: bytes) -> None:
    with pytest.raises(Garbled, match="something answers there that is not burstd"):
        Client(str(peer(answer))).get("/v1/status")


def test_a_daemon_that_goes_away_in_between_is_unreachable(peer: Peer) -> None:
    with pytest.raises(Unreachable, match="closed the connection before its answer"):
        Client(str(peer(b""))).get("/v1/status")


def test_an_error_without_a_reason_still_says_its_status(peer: Peer) -> None:
    with pytest.raises(AskOperator, match="the daemon answered 404"):
        Client(str(peer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"))).get("/v1/status")


def test_no_connection_is_left_open(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count, no paths
        for _ in range(5):
            Client(str(daemon.socket)).get("/v1/status")
        assert len(os.listdir("/proc/self/fd")) <= before + 5  # noqa: PTH208 - the server's ends may take a moment longer
