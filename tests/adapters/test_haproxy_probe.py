"""What `burstd check` finds, on a real HAProxy and its file."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from burstd.adapters.haproxy import HAProxyGateway
from burstd.adapters.haproxy.configuration import has_option, stats_timeout
from burstd.errors import Unreachable
from tests.haproxy_process import BACKEND, HAProxy, haproxy, is_ours
from tests.haproxy_versions import per_version
from tests.web import WebServer, web


@pytest.fixture(scope="module")
def core() -> Iterator[WebServer]:
    with web("core-1") as server:
        yield server


@pytest.fixture(scope="module", params=per_version())
def proxy(core: WebServer, request: pytest.FixtureRequest) -> Iterator[HAProxy]:
    with haproxy([core], binary=request.param) as running:
        yield running


def probe(path: Path, backend: str = BACKEND, *, expected: tuple[str, ...] = (), config_file: Path | None = None) -> tuple[str, ...]:
    problems = HAProxyGateway(path, backend, is_ours=is_ours).probe(expected, config_file)
    assert all("\n" not in problem and ";" in problem for problem in problems)  # one line, and a mend
    return problems


def only(problems: tuple[str, ...]) -> str:
    assert len(problems) == 1, problems
    return problems[0]


def test_nothing_is_found_where_nothing_is_wrong_and_nothing_is_changed(proxy: HAProxy) -> None:
    before = proxy.gateway().read().backends[0].servers
    assert probe(proxy.socket, expected=("core-1",), config_file=proxy.config) == ()
    assert [server.name for server in proxy.gateway().read().backends[0].servers] == [server.name for server in before]


def test_an_absent_socket_is_named(tmp_path: Path) -> None:
    assert only(probe(tmp_path / "x.sock")).startswith(f"haproxy.socket {tmp_path}/x.sock: no such file; start HAProxy")


def test_a_file_that_is_no_socket_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.sock").touch()
    assert "not a socket" in only(probe(tmp_path / "x.sock"))


def test_a_socket_that_is_not_ours_to_open_is_named(proxy: HAProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # root, whom tests may run as, would not get it

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert "not allowed to connect; write `mode 660 group haproxy`" in only(probe(proxy.socket))


def test_a_haproxy_that_is_down_is_not_the_settings_fault(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "x.sock"))
    with pytest.raises(Unreachable):
        probe(tmp_path / "x.sock")


def test_a_level_too_low_is_named(proxy: HAProxy) -> None:
    assert "write `level admin` on its line" in only(probe(proxy.user_socket))


def test_a_backend_that_is_missing_is_named(proxy: HAProxy) -> None:
    assert only(probe(proxy.socket, "app_clutser")).startswith("haproxy.backend app_clutser: HAProxy has no such backend")


def test_a_static_balance_and_a_missing_core_are_found_together(core: WebServer) -> None:
    with haproxy([core], balance="static-rr") as running:
        problems = probe(running.socket, expected=("core-1", "core-2", "core-3"))
    assert [problem.split(":")[0] for problem in problems] == [f"haproxy.backend {BACKEND}", "core server core-2", "core server core-3"]


def test_a_hidden_backend_is_named(core: WebServer) -> None:
    with haproxy([core]) as running:
        running.config.write_text(running.config.read_text().replace("frontend web", f"frontend {BACKEND}"))
        running.reload()
        assert "a frontend has the same name" in only(probe(running.socket))


def test_a_file_without_redispatch_is_named_on_2_x_alone(proxy: HAProxy, tmp_path: Path) -> None:
    copy = tmp_path / "haproxy.cfg"
    copy.write_text(proxy.config.read_text().replace("option redispatch", "no option redispatch"))
    problems = probe(proxy.socket, config_file=copy)
    if proxy.gateway().read().version < (3, 0, 0):
        assert "lacks `option redispatch`" in only(problems)
    else:
        assert problems == ()


def test_a_file_that_is_another_one_or_cannot_be_read_is_named(proxy: HAProxy, tmp_path: Path) -> None:
    copy = tmp_path / "haproxy.cfg"
    copy.write_text("global\n")
    assert f"no `backend {BACKEND}` in it" in only(probe(proxy.socket, config_file=copy))
    assert "No such file or directory" in only(probe(proxy.socket, config_file=tmp_path / "nowhere"))


def test_a_stats_timeout_shorter_than_an_exchange_is_named(proxy: HAProxy, tmp_path: Path) -> None:
    copy = tmp_path / "haproxy.cfg"
    copy.write_text(proxy.config.read_text().replace("global\n", "global\n stats timeout 1500\n"))
    problem = only(probe(proxy.socket, config_file=copy))
    assert problem.startswith(f"haproxy.config_file {copy}: `stats timeout` is 1.5 s, less than haproxy.deadline (2 s)")
    assert "write `stats timeout 10s`" in problem
    assert HAProxyGateway(proxy.socket, BACKEND, is_ours=is_ours, deadline=1.5).probe((), copy) == ()


def test_a_deadline_longer_than_haproxys_own_stats_timeout_is_named(proxy: HAProxy) -> None:
    patient = HAProxyGateway(proxy.socket, BACKEND, is_ours=is_ours, deadline=12.0)
    assert "write `stats timeout 24s`" in only(patient.probe((), proxy.config))


def test_the_file_is_looked_at_even_where_the_socket_is_wrong(tmp_path: Path) -> None:
    assert len(probe(tmp_path / "x.sock", config_file=tmp_path / "nowhere")) == 2


BARE = "backend app\n server a 127.0.0.1:80\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("frontend app\n option redispatch\n", None),
        (BARE, False),
        (BARE + " option redispatch\n", True),
        (BARE + " option redispatch 3 # of each\n", True),
        (BARE + " # option redispatch\n", False),
        (BARE + " option redispatch\nbackend other\n no option redispatch\n", True),
        (BARE + "backend other\n option redispatch\n", False),
        ("defaults\n option redispatch\n" + BARE, True),
        ("defaults\n option redispatch\n" + BARE + " no option redispatch\n", False),
        ("defaults\n option redispatch\ndefaults\n mode http\n" + BARE, False),
        ("defaults one\n option redispatch\ndefaults two\n mode http\n" + BARE, False),
        ("defaults one\n option redispatch\ndefaults two\n" + BARE.replace("app", "app from one"), True),
        ("defaults one\n option redispatch\ndefaults two from one\n mode http\n" + BARE, True),
        ("defaults one\n option redispatch\nfrontend f\n bind :80\n" + BARE, True),
        ("defaults\n option redispatch\nlisten app\n bind :80\n", True),
    ],
)
def test_redispatch_is_inherited_as_haproxy_does(text: str, found: bool | None) -> None:  # noqa: FBT001 - a parametrized value
    assert has_option(text, "app", "redispatch") is found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 10.0),
        ("global\n", 10.0),
        ("global\n stats timeout 30s\n", 30.0),
        ("global\n stats timeout 1500 # of a second\n", 1.5),
        ("global\n stats timeout 2m\n", 120.0),
        ("global\n # stats timeout 1s\n", 10.0),
        ("global\n stats timeout 1s\nglobal\n stats timeout 5s\n", 5.0),
        ("global\n stats timeout 5s\ndefaults\n stats timeout 1s\n", 5.0),
        ("global\n stats timeout $TIMEOUT\n", None),
        ("global\n stats timeout 3weeks\n", None),
        ("global\n stats timeout\n", None),
    ],
)
def test_the_stats_timeout_is_read_as_haproxy_does(text: str, seconds: float | None) -> None:
    assert stats_timeout(text) == seconds
