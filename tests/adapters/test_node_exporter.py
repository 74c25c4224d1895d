from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.adapters import http_fetch
from burstd.adapters.clock import SystemClock
from burstd.adapters.node_exporter import NodeExporterLoad
from burstd.model.faults import Fault, FaultKind
from burstd.model.load import Reading, Sample, Target
from tests.exporter_process import node_exporter
from tests.fault_http import Flood, Script, answer, fault_server, in_turn, raw, reset, silence, trickle
from tests.waiting import wait_until

PAGE = """\
# HELP node_cpu_guest_seconds_total Seconds the CPUs spent in guests (VMs) for each mode.
# TYPE node_cpu_guest_seconds_total counter
node_cpu_guest_seconds_total{cpu="0",mode="user"} 1000
# HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 5000.5
node_cpu_seconds_total{cpu="0",mode="iowait"} 300
node_cpu_seconds_total{cpu="0",mode="steal"} 0.5
node_cpu_seconds_total{cpu="0",mode="user"} 20.25
node_cpu_seconds_total{cpu="1",mode="idle"} 5000
node_cpu_seconds_total{cpu="1",mode="system"} 1e+01
# HELP node_load1 1m load average.
# TYPE node_load1 gauge
node_load1 4.25
# HELP node_load15 15m load average.
# TYPE node_load15 gauge
node_load15 99
"""
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.fixture
def load() -> Iterator[NodeExporterLoad]:
    """The adapter, with a deadline that a loaded machine keeps."""
    reader = NodeExporterLoad(5.0, SystemClock())
    yield reader
    reader.close()


@pytest.fixture
def hasty() -> Iterator[NodeExporterLoad]:
    """The adapter, with a deadline that hanging peers are to outlast."""
    reader = NodeExporterLoad(0.5, SystemClock())
    yield reader
    reader.close()


def read(load: NodeExporterLoad, url: str) -> Reading:
    return load.read([Target("core", url)])["core"]


def read_from(load: NodeExporterLoad, script: Script) -> Reading:
    with fault_server(script) as peer:
        return read(load, f"{peer.url}/metrics")


def faulted(reading: Reading) -> Fault:
    assert isinstance(reading, Fault), reading
    assert reading.peer == "core"
    assert "\n" not in reading.text
    return reading


def fetch_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("fetch ")]


def test_a_page_becomes_a_load_the_number_of_cpus_and_their_busy_seconds(load: NodeExporterLoad) -> None:
    reading = read_from(load, answer(PAGE))
    assert isinstance(reading, Sample)
    assert (reading.load1, reading.cpus) == (4.25, 2)
    assert reading.busy_seconds == pytest.approx(0.5 + 20.25 + 10)
    assert reading.idle_seconds == pytest.approx(5000.5 + 300 + 5000)
    assert reading.iowait_seconds == pytest.approx(300)


def test_idle_waiting_and_guest_time_are_not_counted_as_busy(load: NodeExporterLoad) -> None:
    quiet = "".join(line for line in PAGE.splitlines(keepends=True) if not any(mode in line for mode in ("steal", '"user"} 20', "system")))
    reading = read_from(load, answer(quiet))
    assert isinstance(reading, Sample)
    assert reading.busy_seconds == 0


def test_a_page_without_cpu_seconds_still_gives_the_load(load: NodeExporterLoad) -> None:
    reading = read_from(load, answer("node_load1 0.5\n"))
    assert isinstance(reading, Sample)
    assert (reading.load1, reading.cpus, reading.busy_seconds, reading.idle_seconds) == (0.5, None, None, None)
    assert reading.iowait_seconds is None


def test_cpu_seconds_that_cannot_be_true_are_unknown_and_the_load_counts(load: NodeExporterLoad) -> None:
    reading = read_from(load, answer('node_load1 0.5\nnode_cpu_seconds_total{cpu="0",mode="user"} NaN\n'))
    assert isinstance(reading, Sample)
    assert (reading.load1, reading.cpus, reading.busy_seconds) == (0.5, 1, None)


def test_a_chunked_answer_is_read_whole(load: NodeExporterLoad) -> None:
    half = len(PAGE) // 2
    chunks = b"".join(f"{len(part):x}\r\n{part}\r\n".encode() for part in (PAGE[:half], PAGE[half:], ""))
    reading = read_from(load, raw(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks))
    assert isinstance(reading, Sample)
    assert reading.cpus == 2


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        pytest.param(answer("<!DOCTYPE html><p>Welcome", content_type="text/html"), FaultKind.GARBLED, "answered HTML", id="HTML"),
        pytest.param(answer(""), FaultKind.MISSING, "no node_load1", id="empty"),
        pytest.param(answer("up 1\n"), FaultKind.MISSING, "is the URL right?", id="another exporter"),
        pytest.param(answer(PAGE.replace("node_load1 ", "#")), FaultKind.MISSING, "--no-collector.loadavg", id="no loadavg"),
        pytest.param(answer("node_load1 1\nnode_load1 2\n"), FaultKind.GARBLED, "2 values", id="two loads"),
        pytest.param(answer('node_load1{instance="a"} 1\nnode_load1{instance="b"} 2\n'), FaultKind.GARBLED, "federation", id="federation"),
        pytest.param(answer("node_load1 NaN\n"), FaultKind.ABSURD, "node_load1 is nan", id="NaN"),
        pytest.param(answer("node_load1 +Inf\n"), FaultKind.ABSURD, "node_load1 is inf", id="infinite"),
        pytest.param(answer("node_load1 -1\n"), FaultKind.ABSURD, "node_load1 is -1", id="negative"),
        pytest.param(answer("node_load1 1e+09\n"), FaultKind.ABSURD, "expected 0 to 100000", id="absurd"),
        pytest.param(answer("node_load1 four\n"), FaultKind.GARBLED, "text format", id="no number"),
        pytest.param(answer("node_load1 4\nnode_cpu_seconds_total{cpu} 1\n"), FaultKind.GARBLED, "text format", id="no labels"),
        pytest.param(answer(b"node_load1{\xff} 4\n"), FaultKind.GARBLED, "text format", id="no text"),
        pytest.param(answer("node_load1 4"), FaultKind.MISSING, "no node_load1", id="last line cut"),
        pytest.param(answer("no", "401 Unauthorized"), FaultKind.DENIED, "answered 401 Unauthorized, expected 200: no", id="401"),
        pytest.param(answer("", "403 Forbidden"), FaultKind.DENIED, "answered 403 Forbidden", id="403"),
        pytest.param(answer("", "404 Not Found"), FaultKind.MISSING, "answered 404 Not Found", id="404"),
        pytest.param(answer("", "429 Too Many Requests"), FaultKind.THROTTLED, "answered 429", id="429"),
        pytest.param(answer("\x1b[2Jboom\nmore", "500 Oops"), FaultKind.MISSING, "expected 200: ?[2Jboom", id="500"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.2\r\n"), FaultKind.GARBLED, "does not answer in HTTP", id="no HTTP"),
        pytest.param(raw(b""), FaultKind.UNREACHABLE, "closed the connection", id="closed"),
        pytest.param(reset, FaultKind.UNREACHABLE, "closed the connection", id="reset"),
        pytest.param(
            raw(OK_HEAD + b"Content-Length: 100\r\n\r\nnode_load1 4\n"),
            FaultKind.UNREACHABLE,
            "before the end of its answer",
            id="short body",
        ),
        pytest.param(
            raw(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nnode_load1 4\n"),
            FaultKind.UNREACHABLE,
            "before the end",
            id="short chunk",
        ),
    ],
)
def test_whatever_is_no_load_is_a_fault_that_says_what_it_is(load: NodeExporterLoad, script: Script, kind: FaultKind, words: str) -> None:
    fault = faulted(read_from(load, script))
    assert fault.kind is kind, fault
    assert words in fault.text


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(silence, id="nothing"),
        pytest.param(trickle(b"HTTP/1.1 200 OK\r\nX-Slow: "), id="the head trickles"),
        pytest.param(trickle(OK_HEAD + b"Content-Length: 9999\r\n\r\nnode_load1 4\n"), id="the body trickles"),
        pytest.param(trickle(OK_HEAD + b"\r\nnode_load1 4\n"), id="the body has no end"),
        pytest.param(trickle(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n#\r\n"), id="the chunks trickle"),
    ],
)
def test_an_answer_that_does_not_end_is_given_up_at_the_deadline_and_its_thread_is_free_again(
    hasty: NodeExporterLoad, script: Script
) -> None:
    with fault_server(script) as peer:
        for _ in range(2):
            fault = faulted(read(hasty, f"{peer.url}/metrics"))
            assert fault.kind is FaultKind.UNREACHABLE
            assert fault.text == f"no whole answer from {peer.url.removeprefix('http://')} within 0.5 s"
            wait_until(lambda: not hasty._fetcher._lines["core"].busy, "the thread is back")
        assert fetch_threads() == ["fetch core"]


def test_a_page_of_ten_megabytes_is_refused_without_being_read(load: NodeExporterLoad) -> None:
    flood = Flood(10_000_000)
    fault = faulted(read_from(load, flood))
    assert fault.kind is FaultKind.TOO_LARGE
    assert "larger than 1,048,576 bytes" in fault.text
    assert flood.sent < flood.size


def test_a_redirect_is_named_and_not_followed(load: NodeExporterLoad) -> None:
    with fault_server(answer("", "302 Found", Location="/metrics")) as peer:
        fault = faulted(read(load, f"{peer.url}/metrics"))
        assert len(peer.requests) == 1
    assert fault.kind is FaultKind.MISCONFIGURED
    assert fault.text == "answered 302 Found, a redirect to /metrics; name the final URL"


def test_a_port_on_which_nothing_listens_is_said_with_what_should_listen(load: NodeExporterLoad) -> None:
    with fault_server(silence) as peer:
        url = f"{peer.url}/metrics"
    fault = faulted(read(load, url))
    assert fault.kind is FaultKind.UNREACHABLE
    assert "does node_exporter run there?" in fault.text


def test_a_name_that_does_not_resolve_is_said(load: NodeExporterLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    fault = faulted(read(load, "http://core-oslo-09:9100/metrics"))
    assert (fault.kind, fault.text) == (FaultKind.UNREACHABLE, "the name in core-oslo-09:9100 does not resolve; is the URL right?")


def test_a_host_without_a_route_is_said(load: NodeExporterLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(socket, "create_connection", lost)
    fault = faulted(read(load, "http://192.0.2.1:9100/metrics"))
    assert (fault.kind, fault.text) == (FaultKind.UNREACHABLE, "192.0.2.1:9100 cannot be reached: No route to host")


def test_tls_where_there_is_none_is_said(load: NodeExporterLoad) -> None:
    with fault_server(answer(PAGE)) as peer:
        fault = faulted(read(load, peer.url.replace("http:", "https:")))
    assert fault.kind is FaultKind.MISCONFIGURED
    assert "is it an https port" in fault.text


@pytest.mark.parametrize(
    "url", ["", "metrics", "ftp://core/metrics", "http://", "http://core:port/", "http://[::1/", "http://a b/", "http://ø\udcff/"]
)
def test_a_url_that_is_none_is_a_fault_like_any_other(load: NodeExporterLoad, url: str) -> None:
    assert faulted(read(load, url)).kind is FaultKind.MISCONFIGURED


def test_a_password_in_a_url_is_refused_and_never_shown(load: NodeExporterLoad) -> None:
    fault = faulted(read(load, "http://anna:hunter2@127.0.0.1:1/metrics"))
    assert fault.kind is FaultKind.MISCONFIGURED
    assert "hunter2" not in str(fault)


def test_one_that_hangs_holds_up_nobody_else() -> None:
    patient = NodeExporterLoad(2.0, SystemClock())  # for those that answer, on a loaded machine
    with fault_server(silence) as hanging, fault_server(answer(PAGE)) as well, closing(patient):
        readings = patient.read([Target("a", hanging.url), Target("b", well.url), Target("c", hanging.url), Target("d", well.url)])
    assert [name for name, reading in readings.items() if isinstance(reading, Sample)] == ["b", "d"]


def test_a_read_that_hangs_beyond_its_deadline_is_told_at_once_and_not_doubled(
    hasty: NodeExporterLoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    asked = []

    def hang(*arguments: object) -> None:
        asked.append(arguments)
        release.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    url = "http://core-oslo-09:9100/metrics"
    assert "within 0.5 s" in faulted(read(hasty, url)).text
    for _ in range(3):
        assert faulted(read(hasty, url)).text == "an earlier read from core-oslo-09:9100 still hangs"
    assert len(asked) == 1
    assert fetch_threads() == ["fetch core"]
    release.set()
    wait_until(lambda: "does not resolve" in faulted(read(hasty, url)).text, "the next read is made")


def test_the_connection_is_kept_from_read_to_read(load: NodeExporterLoad) -> None:
    with fault_server(answer(PAGE)) as peer:
        assert all(isinstance(read(load, peer.url), Sample) for _ in range(3))
        assert (peer.connections, len(peer.requests)) == (1, 3)


def test_a_kept_connection_that_the_peer_has_closed_costs_no_sample(load: NodeExporterLoad) -> None:
    page = OK_HEAD + f"Content-Length: {len(PAGE)}\r\n\r\n{PAGE}".encode()
    with fault_server(raw(page)) as peer:  # says nothing of it and closes after each answer
        assert all(isinstance(read(load, peer.url), Sample) for _ in range(3))
        assert peer.connections == 3


def test_what_is_left_of_a_refused_answer_is_not_taken_for_the_next(load: NodeExporterLoad) -> None:
    with fault_server(in_turn(answer("x" * 500, "503 Service Unavailable", content_type="text/html"), answer(PAGE))) as peer:
        assert faulted(read(load, peer.url)).kind is FaultKind.MISSING
        assert isinstance(read(load, peer.url), Sample)


def test_only_two_collectors_are_asked_for_and_the_url_keeps_its_own_query(load: NodeExporterLoad) -> None:
    with fault_server(answer(PAGE)) as peer:
        load.read([Target("plain", f"{peer.url}/metrics"), Target("query", f"{peer.url}/metrics?site=oslo")])
        assert sorted(peer.requests) == [
            "GET /metrics?collect[]=loadavg&collect[]=cpu HTTP/1.1",
            "GET /metrics?site=oslo&collect[]=loadavg&collect[]=cpu HTTP/1.1",
        ]


def test_a_proxy_in_the_environment_is_not_asked(load: NodeExporterLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server(reset) as proxy, fault_server(answer(PAGE)) as peer:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert isinstance(read(load, peer.url), Sample)
        assert proxy.connections == 0


def test_the_thread_of_a_target_that_is_gone_is_given_back(load: NodeExporterLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_fetch, "IDLE", 0.0)
    with fault_server(answer(PAGE)) as peer:
        load.read([Target("gone", peer.url)])
        load.read([Target("core", peer.url)])
        wait_until(lambda: fetch_threads() == ["fetch core"], "the first target's thread has ended")


def test_a_target_with_a_new_url_is_read_there(load: NodeExporterLoad) -> None:
    with fault_server(answer("node_load1 1\n")) as old, fault_server(answer("node_load1 2\n")) as new:
        readings = [read(load, old.url), read(load, new.url)]
    assert [each.load1 for each in readings if isinstance(each, Sample)] == [1, 2]


def test_a_sample_is_stamped_when_it_arrives_by_our_own_clock(load: NodeExporterLoad) -> None:
    clock = SystemClock()
    before = clock.now()
    reading = read_from(load, answer("node_load1 1 1000\n"))
    assert isinstance(reading, Sample)
    assert before - 1 <= reading.at <= clock.now() + 1


def test_an_exporter_without_the_cpu_collector_says_so(load: NodeExporterLoad) -> None:
    with node_exporter("loadavg") as url:
        fault = faulted(read(load, url))
    assert fault.kind is FaultKind.REJECTED
    assert fault.text.startswith("answered 400 Bad Request, expected 200: ")
    assert "cpu" in fault.text


LINES = st.lists(
    st.one_of(
        st.sampled_from([line.encode() for line in PAGE.splitlines()]),
        st.builds(b"node_load1 ".__add__, st.binary(max_size=12)),
        st.builds(b"node_cpu_seconds_total{".__add__, st.binary(max_size=30)),
        st.builds(lambda text: f'node_cpu_seconds_total{{cpu="{text}",mode="{text}"}} 1'.encode(errors="replace"), st.text(max_size=8)),
        st.binary(max_size=40),
    )
)


@given(LINES)
def test_no_page_whatever_becomes_more_than_a_sane_sample_or_a_fault(lines: list[bytes]) -> None:
    load = NodeExporterLoad(1.0, SystemClock())
    try:
        reading = load._sample("core", b"\n".join(lines))
    except (IndexError, KeyError, AttributeError, TypeError) as error:
        raise AssertionError("the parser lets through what it should refuse") from error
    if isinstance(reading, Sample):
        assert 0 <= reading.load1 <= 100_000
        assert reading.busy_seconds is None or 0 <= reading.busy_seconds < float("inf")
