"""A program that the demo has started: known by its pid, with a log, and ended for certain. It ends nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from burstd.errors import AskOperator

PATIENCE: Final = 10.0
"""Seconds between asking a program to end and ending it: requests in flight deserve an answer."""


class Program:
    """One process, in a session of its own, so that a Ctrl-C in the terminal reaches the demo alone, which then ends all in order.

    Attributes:
        name: for people.
        log: where its words go; `output` where that is given and they are complaints alone.
    """

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path, *, output: Path | None = None) -> None:
        """Start it.

        Raises:
            AskOperator: the system cannot start it.
        """
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log, (output or self.log).open("ab") as out:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, cwd=folder, env=_environment(), start_new_session=True
                )
            except OSError as error:
                raise AskOperator(f"{command[0]}: cannot be started, the system says: {error.strerror}; install what is missing") from error

    @property
    def pid(self) -> int:
        """Its process id; of its process group too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens where it has ended."""
        self._process.send_signal(number)

    def end(self) -> None:
        """Ask it to end, then end it and what it has left in its process group."""
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.signal(signal.SIGKILL)
        self._process.wait()


def _environment() -> dict[str, str]:
    """The caller's, without any setting of a burstd that runs here for real."""
    return {key: value for key, value in os.environ.items() if not key.startswith("BURSTD_")}
