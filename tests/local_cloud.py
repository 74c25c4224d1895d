"""A `local` cloud of a test's own: its folder, network and ports, and the certainty that none of its machines outlives the test."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burstd.adapters.local import process, register
from burstd.adapters.local.driver import LocalNodeDriver
from tests.waiting import wait_until

_numbers = itertools.count(os.getpid())


@dataclass(frozen=True)
class LocalCloud:
    """What `local_cloud` yields: the driver's constructor arguments."""

    args: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The state folder."""
        return Path(self.args["state_dir"])

    @property
    def records(self) -> Path:
        """Where the machines' files lie."""
        return self.folder / "machines"

    def driver(self, **changes: Any) -> LocalNodeDriver:
        """A driver of this cloud."""
        return LocalNodeDriver(**{**self.args, **changes})

    def identity(self, node_id: str | None) -> process.Identity:
        """The process behind a machine."""
        identity = process.holder(self.records / f"{node_id}.lock")
        assert identity is not None
        return identity


@contextmanager
def local_cloud(folder: Path, **changes: Any) -> Iterator[LocalCloud]:
    """A cloud that boots at once, on a network that no other running test process uses."""
    register()
    number = next(_numbers)
    network = f"127.{128 + (number >> 8) % 127}.{number & 255}"
    args = {"state_dir": str(folder / "cloud"), "network": f"{network}.0/24", "boot_seconds": 0.0, "service_ms": 1.0}
    with socket.socket() as web, socket.socket() as metrics:
        web.bind((f"{network}.1", 0))
        metrics.bind((f"{network}.1", 0))
        args |= {"port": web.getsockname()[1], "metrics_port": metrics.getsockname()[1]}
    cloud = LocalCloud({**args, **changes})
    try:
        yield cloud
    finally:
        for lock in cloud.records.glob("*.lock"):
            identity = process.holder(lock)
            if identity is not None:
                process.end(identity, patience=0.0)
        wait_until(lambda: not any(map(process.alive, cloud.records.glob("*.lock"))), "no machine is left")
