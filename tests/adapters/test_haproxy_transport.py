"""The gateway against a peer that is no HAProxy, or one that is breaking: never a hang, never a success that was none."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from burstd.adapters.haproxy import HAProxyGateway, runtime
from burstd.errors import Garbled, Misconfigured, Retry, Unreachable
from burstd.model.faults import FaultKind
from burstd.model.gateway import AddServer, AdminState, GatewayEdit, RemoveServer, SetState
from tests.haproxy_process import BACKEND, is_ours
from tests.scripted_socket import Script, scripted_socket

PROCESS = (41, 1795386638.0)
INFO = f"Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: {PROCESS[0]}\nStopping: 0\nStart_time_sec: {PROCESS[1]:.0f}\n"
STAT = (
    "# pxname,svname,qcur,scur,slim,stot,econ,eresp,status,bck,type,check_status,hrsp_5xx,req_tot,addr,mode,algo,uweight,throttle,\n"
    f"{BACKEND},core-1,0,0,,7,0,0,UP,0,2,L7OK,0,7,127.0.0.1:80,http,,100,,\n"
    f"{BACKEND},BACKEND,0,0,100,7,0,0,UP,0,1,,0,7,,http,roundrobin,100,,\n"
)
ANSWERS = {
    "prompt": "",
    "show info": INFO,
    "show backend": f"# name\n{BACKEND}\n",
    f"show stat {BACKEND} 6 -1": STAT,
    f"add server {BACKEND}/burst-1": "New server registered.\n",
}
EDITS: tuple[GatewayEdit, ...] = (AddServer(BACKEND, "burst-1", "127.0.0.9", 80, 10), SetState(BACKEND, "burst-1", AdminState.READY))


def answer(line: str) -> bytes:
    """What HAProxy 2.6 says to that line."""
    text = next((text for start, text in ANSWERS.items() if line.startswith(start)), "")
    return f"{text}\n> ".encode()


def gateway(path: Path, deadline: float = 5.0) -> HAProxyGateway:
    return HAProxyGateway(path, BACKEND, is_ours=is_ours, deadline=deadline)


def honest(line: str, connection: socket.socket, _over: threading.Event) -> bool:
    connection.sendall(answer(line))
    return True


def after(budget: int, end: Script) -> Script:
    """Honest for that many bytes of each connection, and then `end`."""
    spent: dict[int, int] = {}

    def script(line: str, connection: socket.socket, over: threading.Event) -> bool:
        start = spent.get(id(connection), 0) if line != "prompt" else 0
        data = answer(line)
        spent[id(connection)] = start + len(data)
        connection.sendall(data[: max(0, budget - start)])
        return start + len(data) <= budget or end(line, connection, over)

    return script


def closes(_line: str, _connection: socket.socket, _over: threading.Event) -> bool:
    return False


def hangs(_line: str, _connection: socket.socket, over: threading.Event) -> bool:
    over.wait(30)
    return False


def goes_on_for_ever(_line: str, connection: socket.socket, over: threading.Event) -> bool:
    while not over.is_set():
        connection.sendall(b"x" * 65536)
    return False


def trickles(_line: str, connection: socket.socket, over: threading.Event) -> bool:
    while not over.wait(0.02):
        connection.sendall(b"x")
    return False


def replies_of(*lines: str) -> int:
    return sum(len(answer(line)) for line in lines)


READ = replies_of("prompt", "show info", "show backend", f"show stat {BACKEND} 6 -1", "show info")
APPLY = replies_of("prompt", "show info", f"show stat {BACKEND} 6 -1", f"add server {BACKEND}/burst-1", "enable", "set", "set", "show info")


@pytest.fixture
def trusted() -> Iterator[HAProxyGateway]:
    with scripted_socket(honest) as path:
        yield gateway(path)


def test_an_honest_peer_is_understood(trusted: HAProxyGateway) -> None:
    view = trusted.read()
    assert (view.pid, view.started) == PROCESS
    assert view.backends[0].requests == 7
    assert list(trusted.apply(EDITS, PROCESS)) == [None, None]


@pytest.mark.parametrize("budget", [*range(0, READ, 41), READ - 1])
def test_a_reading_that_is_torn_anywhere_is_no_reading(budget: int) -> None:
    with scripted_socket(after(budget, closes)) as path, pytest.raises(Retry):
        gateway(path).read()


@pytest.mark.parametrize("budget", [*range(0, APPLY, 23), APPLY - 1])
def test_edits_whose_answers_are_torn_anywhere_are_not_done(budget: int) -> None:
    with scripted_socket(after(budget, closes)) as path, pytest.raises(Retry):
        gateway(path).apply(EDITS, PROCESS)


@pytest.mark.parametrize("end", [hangs, goes_on_for_ever, trickles], ids=lambda end: end.__name__)
@pytest.mark.parametrize("budget", [0, 40, APPLY - 50])
def test_an_answer_that_does_not_end_ends_at_the_deadline(end: Script, budget: int) -> None:
    with scripted_socket(after(budget, end)) as path:
        with pytest.raises(Retry):
            gateway(path, deadline=0.3).read()
        with pytest.raises(Retry):
            gateway(path, deadline=0.3).apply(EDITS, PROCESS)


def test_an_answer_has_a_greatest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "MAX_ANSWER", 1_000_000)
    with scripted_socket(goes_on_for_ever) as path, pytest.raises(Garbled, match="endless"):
        gateway(path, deadline=60).apply(EDITS, PROCESS)


def test_bytes_that_are_no_utf_8_are_read_past() -> None:
    def script(line: str, connection: socket.socket, _over: threading.Event) -> bool:
        connection.sendall(answer(line).replace(b"Name: HAProxy", b"Name: \xff\xfe\x80").replace(b"L7OK", b"L7\xc3"))
        return True

    with scripted_socket(script) as path:
        view = gateway(path).read()
    assert not view.backends[0].servers[0].passing


def test_a_peer_that_says_more_than_it_was_asked_is_not_believed() -> None:
    def script(line: str, connection: socket.socket, _over: threading.Event) -> bool:
        connection.sendall(answer(line) + (answer("add server app_cluster/burst-1") if line == "show info" else b""))
        return True

    with scripted_socket(script) as path, pytest.raises(Retry):
        gateway(path).apply(EDITS, PROCESS)


def test_a_peer_that_is_something_else_is_not_believed() -> None:
    def script(_line: str, connection: socket.socket, _over: threading.Event) -> bool:
        connection.sendall(b"220 mail.example.org ESMTP\r\n> \n> ")
        return True

    with scripted_socket(script) as path, pytest.raises(Garbled, match="does not answer as HAProxy does"):
        gateway(path).read()


@pytest.mark.parametrize(
    "said", ["", "OK", "New server registered", "New server registered.\nand something else", "Unknown command: 'add'"]
)
def test_words_that_are_not_haproxys_own_are_no_success(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setitem(ANSWERS, f"add server {BACKEND}/burst-1", said)
    with scripted_socket(honest) as path:
        fault = gateway(path).apply(EDITS[:1], PROCESS)[0]
    assert fault is not None
    assert fault.kind is FaultKind.REJECTED


def test_an_added_server_whose_checks_could_not_be_enabled_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "enable health", "Health check was not configured on this server, cannot enable.\n")
    with scripted_socket(honest) as path:
        fault = gateway(path).apply(EDITS[:1], PROCESS)[0]
    assert fault is not None
    assert "cannot enable" in fault.text


def test_the_old_process_of_a_reload_is_neither_read_nor_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "show info", INFO.replace("Stopping: 0", "Stopping: 1"))
    with scripted_socket(honest) as path:
        with pytest.raises(Unreachable, match="reloaded or restarted"):
            gateway(path).read()
        with pytest.raises(Unreachable, match="reloaded or restarted"):
            gateway(path).apply(EDITS, PROCESS)


def test_a_reading_during_which_the_process_changed_is_made_again() -> None:
    infos = iter([INFO.replace("Pid: 41", "Pid: 40")])

    def script(line: str, connection: socket.socket, over: threading.Event) -> bool:
        if line == "show info" and (info := next(infos, None)):
            connection.sendall(f"{info}\n> ".encode())
            return True
        return honest(line, connection, over)

    with scripted_socket(script) as path:
        assert gateway(path).read().pid == PROCESS[0]


def test_a_process_that_changed_while_it_was_edited_leaves_nothing_certain() -> None:
    asked = []

    def script(line: str, connection: socket.socket, over: threading.Event) -> bool:
        asked.append(line)
        if asked.count("show info") == 2:
            connection.sendall(INFO.replace("Pid: 41", "Pid: 42").encode() + b"\n> ")
            return True
        return honest(line, connection, over)

    with scripted_socket(script) as path, pytest.raises(Unreachable, match="reloaded or restarted"):
        gateway(path).apply(EDITS, PROCESS)


def test_a_version_before_2_6_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "show info", INFO.replace("2.6.12-1+deb12u4", "2.4.22"))
    with scripted_socket(honest) as path, pytest.raises(Misconfigured, match=r"HAProxy 2\.4\.22 is too old; install 2\.6"):
        gateway(path).read()


def test_from_3_0_on_haproxy_itself_waits_until_a_server_is_removable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS, "show info", INFO.replace("2.6.12-1+deb12u4", "3.0.11"))
    monkeypatch.setitem(ANSWERS, "wait ", "Done.\n")
    monkeypatch.setitem(ANSWERS, "del server", "Server deleted.\n")
    asked = []

    def script(line: str, connection: socket.socket, over: threading.Event) -> bool:
        asked.append(line)
        return honest(line, connection, over)

    with scripted_socket(script) as path:
        assert gateway(path).read().removal_grace == 0
        asked.clear()
        assert list(gateway(path).apply([RemoveServer(BACKEND, "burst-1"), RemoveServer(BACKEND, "burst-2")], PROCESS)) == [None, None]
    assert asked[2:-1] == [
        f"wait 250ms srv-removable {BACKEND}/burst-1",
        f"del server {BACKEND}/burst-1",
        f"wait 250ms srv-removable {BACKEND}/burst-2",
        f"del server {BACKEND}/burst-2",
    ]


def slow(line: str, connection: socket.socket, over: threading.Event) -> bool:
    if line.startswith("add server"):
        over.wait(0.002)
        connection.sendall(b"New server registered.\n\n> ")
        return True
    return honest(line, connection, over)


MANY = [AddServer(BACKEND, f"burst-{number}", "127.0.0.9", 80, 10) for number in range(300)]


def test_under_traffic_there_are_pauses_between_batches_and_what_finds_no_time_is_left_for_the_next_cycle() -> None:
    requests = itertools.count(0, 1000)

    def busy(line: str, connection: socket.socket, over: threading.Event) -> bool:
        if line == "show info":
            connection.sendall(f"{INFO}CumReq: {next(requests)}\n\n> ".encode())
            return True
        return slow(line, connection, over)

    with scripted_socket(busy) as path:
        faults = gateway(path, deadline=2.0).apply(MANY, PROCESS)
    assert faults[:25] == [None] * 25
    last = faults[-1]
    assert last is not None
    assert last.kind is FaultKind.THROTTLED


def test_without_traffic_there_is_nothing_to_pause_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with scripted_socket(slow) as path:
        assert gateway(path, deadline=60.0).apply(MANY, PROCESS) == [None] * 300
    assert not any(pauses)


def test_an_absent_socket_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="nobody listens"):
        gateway(tmp_path / "admin.sock").read()


def test_a_socket_that_nobody_listens_on_is_unreachable() -> None:
    with scripted_socket(honest) as path:
        left_behind = path.with_name("old.sock")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(left_behind))
        with pytest.raises(Unreachable, match="nobody listens"):
            gateway(left_behind).read()


def test_edits_that_could_say_something_else_are_refused_without_a_connection(tmp_path: Path) -> None:
    edits: list[GatewayEdit] = [
        AddServer(BACKEND, "burst-1", "gateway.example.org", 80, 10),
        SetState(BACKEND, "burst-1 state ready;show", AdminState.READY),
    ]
    faults = gateway(tmp_path / "admin.sock").apply(edits, PROCESS)
    assert [fault and fault.kind for fault in faults] == [FaultKind.REJECTED] * 2
