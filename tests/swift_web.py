"""Web servers that keep up with a load generator at full speed: HAProxy itself, answering every request."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.haproxy_process import free_port
from tests.haproxy_versions import found
from tests.waiting import wait_until
from tests.web import own_address


@dataclass(frozen=True)
class SwiftWeb:
    """A name at an address, as a line of HAProxy's needs it."""

    name: str
    host: str
    port: int


@contextmanager
def swift_web(*names: str, host: str = "", port: int = 0) -> Iterator[Sequence[SwiftWeb]]:
    """Servers that answer 200 and their name to everything: one process of one thread for all of them.

    They listen on free ports of this process's own address, where nothing else is said.
    """
    where = host or own_address()
    servers = [SwiftWeb(name, where, port or free_port(where)) for name in names]
    answer = "http-request return status 200 content-type text/plain string"
    parts = [f"listen {each.name}\n    bind {each.host}:{each.port}\n    {answer} {each.name}\n" for each in servers]
    folder = Path(tempfile.mkdtemp(prefix="burstd-"))
    config = folder / "haproxy.cfg"
    times = "timeout client 1m\n    timeout server 1m\n    timeout connect 1s\n"
    config.write_text(f"global\n    nbthread 1\n    stats socket {folder}/s\ndefaults\n    mode http\n    {times}{''.join(parts)}")
    process = subprocess.Popen([list(found().values())[-1], "-db", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_until((folder / "s").exists, "the web servers listen")
        yield servers
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
