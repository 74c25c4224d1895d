"""A real node_exporter for tests, with the two collectors that burstd reads."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.waiting import wait_until
from tests.web import own_address

BINARY = "prometheus-node-exporter"


@contextmanager
def node_exporter(*collectors: str) -> Iterator[str]:
    """The URL of its metrics page; `collectors` are the only ones that are on, by default cpu and loadavg."""
    with socket.socket() as probe:
        probe.bind((own_address(), 0))
        host, port = probe.getsockname()
    wanted = [f"--collector.{each}" for each in collectors or ("cpu", "loadavg")]
    exporter = subprocess.Popen(
        [BINARY, f"--web.listen-address={host}:{port}", "--collector.disable-defaults", *wanted],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _listens(host, port), f"node_exporter listens on {host}:{port}")
        yield f"http://{host}:{port}/metrics"
    finally:
        exporter.terminate()
        exporter.wait(timeout=15)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True
