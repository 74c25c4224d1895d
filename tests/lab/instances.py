"""What the lab's cloud sells: hosts that boot on demand, to which the real cloud-init applies the user-data."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path

from tests.lab import container
from tests.lab.cloud import Machine
from tests.lab.hosts import instance

SEED = "var/lib/cloud/seed/nocloud"
"""Where cloud-init's NoCloud source looks."""


class Instances:
    """Machines made of hosts. Thread-safe."""

    def __init__(self) -> None:
        self._gone: set[str] = set()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def boot(self, machine: Machine) -> None:
        """Boot its host; returns when systemd says that it is up, cloud-init's work done.

        Raises:
            AssertionError: not up in time, or given back meanwhile.
        """

        def fill(layer: Path) -> None:
            if machine.id in self._gone:
                container.clear(machine.name)  # its record and its folders: nobody asks for it any more
                raise AssertionError("given back before it was made")
            seed = layer / SEED
            seed.mkdir(parents=True)
            (seed / "meta-data").write_text(f"instance-id: {machine.id}\nlocal-hostname: {machine.name}\n")
            (seed / "user-data").write_text(machine.user_data or "#cloud-config\n{}\n")
            (seed / "user-data").chmod(0o600)

        container.boot(instance(machine.name, machine.place), fill, alone=self._locks[machine.id])

    def halt(self, machine: Machine) -> None:
        """Power off, at once."""
        with self._locks[machine.id]:
            self._gone.add(machine.id)
            container.clear(machine.name)
