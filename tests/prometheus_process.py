"""A real Prometheus for tests, that scrapes what it is told twice a second."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.waiting import wait_until
from tests.web import own_address

BINARY = shutil.which("prometheus") or ""
SCRAPE = 0.5
"""Seconds between two scrapes: a test has its history within a few."""


@contextmanager
def prometheus(folder: Path, jobs: Mapping[str, str]) -> Iterator[str]:
    """The URL of one that scrapes these targets ("HOST:PORT" by job), with its data in the folder."""
    with socket.socket() as probe:
        probe.bind((own_address(), 0))
        host, port = probe.getsockname()
    scraped = "".join(f'  - {{job_name: {job}, static_configs: [{{targets: ["{target}"]}}]}}\n' for job, target in jobs.items())
    every = f"{round(SCRAPE * 1000)}ms"
    (folder / "prometheus.yml").write_text(f"global: {{scrape_interval: {every}, scrape_timeout: {every}}}\nscrape_configs:\n{scraped}")
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={host}:{port}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([BINARY, *options], stdout=log, stderr=log)
    try:
        wait_until(lambda: _ready(f"http://{host}:{port}/-/ready"), f"prometheus is ready, see {folder}/prometheus.log", within=30)
        yield f"http://{host}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _ready(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - our own URL
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
