"""The processes behind `local` machines: started so that they outlive the daemon, known again without a doubt, ended for certain.

Proof of life is a lock file that is locked before the process starts and inherited by it: the kernel keeps the lock exactly as long as
the process lives, whoever dies first. The file's content is the process's identity, pid and start time, so that a pid which the
kernel has given to somebody else since is never signalled.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PATIENCE: Final = 3.0
"""Seconds between SIGTERM and SIGKILL: the machine has been drained, so what is left deserves a moment, not a minute."""

_children: Final[list[subprocess.Popen[bytes]]] = []
_children_lock: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Identity:
    """One process for ever.

    Attributes:
        pid: its process id, which the kernel gives to others later.
        started: its start, in clock ticks since the host's boot (field 22 of /proc/PID/stat, proc(5)).
    """

    pid: int
    started: int


def identify(pid: int) -> Identity | None:
    """Who has this pid now; None where nobody lives behind it (a zombie is dead)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = stat.rpartition(") ")[2].split()  # the name before it, in brackets, may hold anything
    return None if state in {"Z", "X"} else Identity(pid, int(rest[18]))


def prove_life(lock: int, pid: int) -> None:
    """Write who holds the lock into it. The starter and the process itself both do, so that a kill of the starter in between is mended."""
    identity = identify(pid)
    if identity is not None:
        os.pwrite(lock, b"%d %d\n" % (identity.pid, identity.started), 0)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """The file, made if needed and locked by us alone, for as long as this block or a process that inherited it lives."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def start(command: Sequence[str], lock: int, log: Path, environment: dict[str, str]) -> None:
    """Start a process in a session of its own that holds the lock and writes its complaints to the log.

    Raises:
        OSError: it could not be started; nothing runs.
    """
    with log.open("ab") as complaints:
        child = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=complaints,
            stderr=complaints,
            pass_fds=(lock,),
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    try:
        prove_life(lock, child.pid)
    except OSError:
        child.kill()
        child.wait()
        raise
    with _children_lock:
        _children.append(child)


def alive(lock: Path) -> bool:
    """A process holds this lock file."""
    _reap()
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look at the same time do not take each other for the process.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(lock: Path) -> Identity | None:
    """Who was written into this lock file; None where nobody was yet."""
    try:
        pid, started = lock.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return Identity(int(pid), int(started))


def end(identity: Identity, patience: float) -> bool:
    """End this very process: SIGTERM, after `patience` seconds SIGKILL. True once it is dead; whoever has its pid by then is left alone."""
    try:
        # From here on the descriptor means this process and no later one, so the identity is checked once.
        process = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        if identify(identity.pid) != identity:
            return True
        ended = select.poll()
        ended.register(process, select.POLLIN)
        for ending, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, PATIENCE)):
            signal.pidfd_send_signal(process, ending)
            if ended.poll(wait * 1000):
                return True
    except ProcessLookupError:
        return True
    finally:
        os.close(process)
        _reap()
    return False


def _reap() -> None:
    """Let the kernel forget our dead children."""
    with _children_lock:
        _children[:] = [child for child in _children if child.poll() is None]
