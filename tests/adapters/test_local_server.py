"""The web server behind `local` instances, as a process: it queues, tells its load, and leaves nobody without an answer."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from burstd.adapters.local.server import Application
from tests.waiting import wait_until
from tests.web import own_address


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    host: str
    port: int
    metrics_port: int

    def get(self, path: str = "/") -> requests.Response:
        return requests.get(f"http://{self.host}:{self.port}{path}", timeout=30)

    def metric(self, name: str, **labels: str) -> float:
        page = requests.get(f"http://{self.host}:{self.metrics_port}/metrics?collect[]=loadavg&collect[]=cpu", timeout=30).text
        samples = [each for family in text_string_to_metric_families(page) for each in family.samples]
        return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())


@contextmanager
def server(*options: str) -> Iterator[Server]:
    host = own_address()
    with socket.create_server((host, 0)) as web, socket.create_server((host, 0)) as metrics:
        port, metrics_port = web.getsockname()[1], metrics.getsockname()[1]
    where = ["--address", host, "--port", str(port), "--metrics-port", str(metrics_port)]
    command = [sys.executable, "-m", "burstd.adapters.local.server", *where, "--name", "web-7", "--service", "fixed", *options]
    with subprocess.Popen(command) as running:
        started = Server(running, host, port, metrics_port)
        try:
            wait_until(lambda: listens(started), "the server listens")
            yield started
        finally:
            running.kill()


def test_it_serves_on_every_port_that_it_is_given() -> None:
    with socket.create_server((own_address(), 0)) as free:
        further = free.getsockname()[1]
    with server("--port", str(further), "--service-ms", "0") as started:
        for port in (started.port, further):
            assert requests.get(f"http://{started.host}:{port}/", timeout=30).headers["X-Served-By"] == "web-7"


def listens(started: Server) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex((started.host, started.metrics_port)) == 0


def background(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_every_answer_says_who_gave_it_over_one_connection() -> None:
    with server("--service-ms", "1") as started:
        connection = http.client.HTTPConnection(started.host, started.port, timeout=30)
        connection.connect()
        kept = connection.sock
        for method, body in (("GET", None), ("HEAD", None), ("POST", b"x" * 70_000), ("GET", None)):
            connection.request(method, "/page", body=body)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["X-Served-By"]) == (200, "web-7")
            assert answer.read() == (b"" if method == "HEAD" else b"served by web-7\n")
            assert connection.sock is kept
        connection.close()


def test_a_request_waits_for_a_worker_and_no_more_run_than_there_are() -> None:
    gate = threading.Event()
    application = Application("web", 2, lambda: float(not gate.wait(30)))
    threads = [background(application.work) for _ in range(6)]
    queue = application._queue
    wait_until(lambda: (queue.running, queue.waiting) == (2, 4), "two run and four wait")
    gate.set()
    for thread in threads:
        thread.join(30)
    assert (queue.running, queue.waiting) == (0, 0)


def test_health_is_answered_while_every_worker_is_taken() -> None:
    with server("--workers", "1", "--service-ms", "60000") as started, socket.create_connection((started.host, started.port)) as stuck:
        stuck.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: started.metric("node_cpu_seconds_total", mode="user") > 0, "the worker is taken")
        assert started.get("/health").text == "ok\n"


def test_the_metrics_page_is_node_exporters_with_a_cpu_for_every_worker() -> None:
    with server("--workers", "3", "--service-ms", "5") as started:
        assert all(started.get().status_code == 200 for _ in range(4))
        page = requests.get(f"http://{started.host}:{started.metrics_port}/metrics", timeout=30)
        assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = {family.name: family for family in text_string_to_metric_families(page.text)}
        assert {name: family.type for name, family in families.items()} == {"node_load1": "gauge", "node_cpu_seconds": "counter"}
        cpus = {(each.labels["cpu"], each.labels["mode"]) for each in families["node_cpu_seconds"].samples}
        assert cpus == {(cpu, mode) for cpu in "012" for mode in ("idle", "user")}
        assert started.metric("node_cpu_seconds_total", mode="user") >= 4 * 0.005


def test_requests_that_run_and_wait_show_as_load() -> None:
    with server("--workers", "1", "--service-ms", "60000") as started:
        stuck = [socket.create_connection((started.host, started.port)) for _ in range(5)]
        for each in stuck:
            each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: started.metric("node_load1") > 0, "the first sample of the load", within=30)
        # The first fold of five requests: 5 * (1 - 1884/2048), shown with two decimals.
        assert started.metric("node_load1") >= 0.4
        for each in stuck:
            each.close()


def test_sigterm_lets_requests_in_flight_finish_and_takes_no_new_connection() -> None:
    with server("--workers", "1", "--service-ms", "1000") as started:
        answers: list[requests.Response] = []
        asking = background(lambda: answers.append(started.get()))
        wait_until(lambda: started.metric("node_cpu_seconds_total", mode="user") > 0, "the request holds its worker")
        started.process.send_signal(signal.SIGTERM)
        asking.join(30)
        assert [(each.status_code, each.headers["Connection"]) for each in answers] == [(200, "close")]
        assert started.process.wait(30) == 0
        assert not listens(started)


def test_a_server_that_is_told_to_end_while_it_boots_ends(tmp_path: Path) -> None:
    proof = tmp_path / "lock"
    with proof.open("w") as lock:
        options = ["--address", own_address(), "--port", "1", "--boot-seconds", "60", "--lock-fd", str(lock.fileno())]
        with subprocess.Popen([sys.executable, "-m", "burstd.adapters.local.server", *options], pass_fds=(lock.fileno(),)) as booting:
            try:
                wait_until(proof.read_text, "it has proved that it lives")
                booting.terminate()
                assert booting.wait(30) == 0
            finally:
                booting.kill()
