"""The load generator of one site as its starter sees it: a program whose lines are read as they come."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from burstd.demo import traffic
from burstd.demo.program import Program
from burstd.demo.scenario import Scenario
from burstd.demo.traffic import Second


class Generator(Program):
    """A running `burstd.demo.traffic`."""

    def __init__(  # noqa: PLR0913, PLR0917 - the traffic's own arguments, and where to keep what it says
        self, name: str, folder: Path, address: tuple[str, int], cores: Sequence[str], scenario: Scenario, start: float
    ) -> None:
        """Start it; `start` is the scenario's, on the monotonic clock."""
        self._lines = folder / f"{name}.jsonl"
        self._read = 0
        command = [sys.executable, "-P", "-m", traffic.__name__, *traffic.arguments(address, cores, scenario, start)]
        super().__init__(name, command, folder, output=self._lines)

    def read(self) -> list[Second]:
        """What it has told since the last call; a line that is still being written is left for the next one."""
        with self._lines.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        return [_second(line) for line in whole.splitlines()]


def _second(line: bytes) -> Second:
    values = json.loads(line)
    return Second(**values | {"errors": Counter(values["errors"])})
