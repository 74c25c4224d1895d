"""A small web server that really slows down as it fills; it is a `local` instance, and the demo's core server.

    python -m burstd.adapters.local.server --address 127.1.0.7 --port 8080 --metrics-port 9100 --workers 4 --service-ms 40 --name web-7

A fixed number of workers serves: a request waits for a free one, then holds it for its service time, spent sleeping, so that many
such servers fit on one small machine. The service time is drawn from an exponential distribution around the mean (or always the
mean, `--service fixed`). `/health` takes no worker, nor does a file of `--content`. Every answer says who gave it (`X-Served-By`).
SIGTERM: no new connection, requests in flight are answered, then it exits with 0.

The metrics page speaks node_exporter's text format: `node_load1` and `node_cpu_seconds_total`. Be clear about these two: they stand in for
the kernel, because one machine has only one load average. They come by the kernel's own formula from this server's own run queue
(`burstd.adapters.local.run_queue`); the queueing itself is real.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from burstd.adapters.local.process import prove_life
from burstd.adapters.local.run_queue import RunQueue

ENDINGS = (signal.SIGTERM, signal.SIGINT)

FAREWELL = 10.0
"""Seconds that requests in flight may still take after SIGTERM; long against any service time, short against a supervisor's patience."""


class Application(Collector):
    """Workers, the queue before them, and what a node_exporter would say of it."""

    def __init__(self, name: str, workers: int, service: Callable[[], float], content: Path | None = None) -> None:
        self.name = name
        self.content = content
        self.ending = False
        self._service = service
        self._queue = RunQueue(workers, time.monotonic())
        self._lock = threading.Lock()
        self._worker_free = threading.Condition(self._lock)
        self._all_answered = threading.Condition(self._lock)
        self._in_flight = 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        """One request, from its first line to the last byte of its answer: what the end waits for."""
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self._all_answered.notify()

    def work(self) -> None:
        """Wait for a worker and hold it for the service time."""
        with self._lock:
            self._queue.arrive(time.monotonic())
            self._worker_free.wait_for(lambda: self._queue.free)
            worker = self._queue.start(time.monotonic())
        time.sleep(self._service())
        with self._lock:
            self._queue.finish(worker, time.monotonic())
            self._worker_free.notify()

    def end(self, patience: float) -> None:
        """Answer what is in flight, for at most `patience` seconds."""
        with self._lock:
            self.ending = True
            self._all_answered.wait_for(lambda: self._in_flight == 0, patience)

    def collect(self) -> Iterator[Metric]:
        """The two families of node_exporter that burstd reads."""
        with self._lock:
            now = time.monotonic()
            load1, seconds = self._queue.load1(now), self._queue.cpu_seconds(now)
        load = GaugeMetricFamily("node_load1", "1m load average.")
        load.add_metric([], load1)
        yield load
        cpu = CounterMetricFamily("node_cpu_seconds", "Seconds the CPUs spent in each mode.", labels=("cpu", "mode"))
        for number, (busy, idle) in enumerate(seconds):
            cpu.add_metric([str(number), "idle"], idle)
            cpu.add_metric([str(number), "user"], busy)
        yield cpu


class Door(ThreadingHTTPServer):
    """A listening socket of an application, a thread for every connection."""

    daemon_threads = True
    request_queue_size = 1024  # the kernel caps it (net.core.somaxconn): a full server must queue, not refuse

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], application: Application) -> None:
        self.application = application
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without asking the DNS for this address's name, as HTTPServer would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type] # handed through as it came


class Exchange(BaseHTTPRequestHandler):
    """Keep-alive, one write for each answer, and no line of log for each request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Door

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""

    def answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        """Send a whole answer; the last one on this connection when the server is ending."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Served-By", self.server.application.name)
        if self.server.application.ending:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


class WebExchange(Exchange):
    """The web door."""

    def do_GET(self) -> None:
        """Answer, after a worker has had its time."""
        application = self.server.application
        with application.answering():
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/health":
                self.answer(200, b"ok\n")
            elif (file := self._file()) is not None:
                self.answer(200, file)
            else:
                application.work()
                self.answer(200, f"served by {application.name}\n".encode())

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server's names

    def _file(self) -> bytes | None:
        """The file of the content that is asked for; None where there is none."""
        root = self.server.application.content
        path = self.path.partition("?")[0].lstrip("/")
        if root is None or not path or ".." in path.split("/"):
            return None
        try:
            return (root / path).read_bytes()
        except OSError:
            return None


class MetricsExchange(Exchange):
    """The exporter's door."""

    def do_GET(self) -> None:
        """The metrics page, in the text format."""
        if self.path.partition("?")[0] != "/metrics":
            return self.answer(404, b"the metrics are at /metrics\n")
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self.server.application)
        return self.answer(200, generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8")

    do_HEAD = do_GET  # noqa: N815 - http.server's name


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    options = _parser().parse_args(arguments)
    # Blocked in every thread and waited for in this one: no handler can ever run in the middle of anything.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    if options.lock_fd is not None:
        prove_life(options.lock_fd, os.getpid())
    if signal.sigtimedwait(ENDINGS, options.boot_seconds):
        return 0
    mean = options.service_ms / 1000
    draw = random.Random()  # noqa: S311 - service times, no secret
    service = (lambda: mean) if options.service == "fixed" or mean == 0 else (lambda: draw.expovariate(1 / mean))
    application = Application(options.name, options.workers, service, options.content)
    doors = [Door((options.address, port), WebExchange, application) for port in options.port]
    if options.metrics_port is not None:
        doors.append(Door((options.address, options.metrics_port), MetricsExchange, application))
    for door in doors:
        # The interval is how long an ending may go unnoticed; requests wake the loop at once.
        threading.Thread(target=door.serve_forever, args=(0.2,), daemon=True).start()
    signal.sigwait(ENDINGS)
    for door in doors:
        door.shutdown()
        door.socket.close()
    application.end(FAREWELL)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="burstd.adapters.local.server", description="A web server that really slows down as it fills.")
    parser.add_argument("--address", required=True, help="IP address to listen on")
    parser.add_argument("--port", type=int, action="append", required=True, help="of the web server; may be repeated")
    parser.add_argument("--metrics-port", type=int, help="of the metrics page; without it there is none")
    parser.add_argument("--workers", type=int, default=4, help="requests served at once (default: 4)")
    parser.add_argument("--service-ms", type=float, default=40.0, help="mean time a request holds a worker, milliseconds (default: 40)")
    parser.add_argument("--service", choices=("exponential", "fixed"), default="exponential", help="distribution of that time")
    parser.add_argument("--name", default="local", help="says who answered, in X-Served-By (default: local)")
    parser.add_argument("--content", type=Path, help="folder of files that are served as they are; everything else as without it")
    parser.add_argument("--lock-fd", type=int, help="an inherited file descriptor, locked: the proof of life of a `local` instance")
    parser.add_argument("--boot-seconds", type=float, default=0.0, help="listen only after this long, as a machine that boots")
    return parser


if __name__ == "__main__":
    sys.exit(main())
