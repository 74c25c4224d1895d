"""wrk on the gateway's network, beside its quota: many visitors who check every answer."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.lab import container
from tests.lab.hosts import GATEWAY_HOST

SCRIPT: Final = Path(__file__).with_name("load.lua")
LONGEST: Final = 600
"""Seconds after which wrk ends by itself, whoever has forgotten it."""


@dataclass(slots=True)
class Visit:
    """wrk's own summary, once it has ended."""

    found: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Requests that got no answer, another status, or the wrong content."""
        return int(self.found["wrong"]) + sum(int(self.found[kind]) for kind in ("connect", "read", "write", "timeout"))

    def told(self) -> str:
        """In a line."""
        return f"{self.failed} of {self.found['answered']} failed" + (f" ({self.found['example']})" if self.found["example"] else "")


@contextmanager
def visitors(number: int, think_ms: int = 1000) -> Iterator[Visit]:
    """So many at once, until the block is left; then the summary is there."""
    words = [
        "wrk",
        "--threads",
        "1",
        "--connections",
        str(number),
        "--duration",
        f"{LONGEST}s",
        "--timeout",
        "20s",
        "--script",
        str(SCRIPT),
    ]
    words += [f"http://{GATEWAY_HOST.address}", "--", "1", str(think_ms)]
    visit = Visit()
    with subprocess.Popen(container.within_network(GATEWAY_HOST.name, *words), stdout=subprocess.PIPE, text=True) as wrk:
        try:
            yield visit
        finally:
            wrk.send_signal(signal.SIGINT)
            said = wrk.communicate(timeout=30)[0]
            visit.found.update(json.loads(said.rpartition("DRILL ")[2]))
