"""The `FenceCommand` port: a program of the operator's that makes sure that the primary takes no writes, such as its power switch.

Started without a shell, with nothing on its standard input. Its exit code counts; where that is not 0, the end of what it has said on
standard error is told.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from burstd.errors import Misconfigured, Rejected, Unreachable

PATIENCE: Final = 60.0
"""Seconds: a power switch that is slow answers in a few, and the database waits meanwhile."""


class ProcessFence:
    """One command."""

    def __init__(self, command: Sequence[str], patience: float = PATIENCE) -> None:
        """Nothing runs yet. `patience`: seconds after which it is ended."""
        self._command = tuple(command)
        self._patience = patience

    def run(self) -> None:
        """Run it to its end, as the port has it; one that takes too long is ended with all that it has started."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own words, no shell
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            said = f"cannot be started, the system says: {error.strerror}"
            raise Misconfigured(f"database.fence_command {self._command[0]}: {said}; mend the path, or its mode") from error
        try:
            _, said_last = process.communicate(timeout=self._patience)
        except subprocess.TimeoutExpired as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Unreachable(f"database.fence_command {self._command[0]}: did not end within {self._patience:g} s") from error
        if process.returncode:
            last = " ".join(said_last.decode(errors="replace").split())[-200:]
            raise Rejected(f"database.fence_command {self._command[0]}: exit code {process.returncode}{f', {last}' if last else ''}")
