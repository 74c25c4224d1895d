"""Small files of the state folder that survive a kill at any instant, and belong to the folder's owner whoever wrote them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def write_durably(path: Path, text: str) -> None:
    """Replace a small file, for its owner's eyes alone, so that a kill at any instant leaves the old one or the new one."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    hand_over(new)
    new.replace(path)
    keep_names(path.parent)


def hand_over(path: Path) -> None:
    """What root makes in somebody's folder is theirs: `sudo burstd adopt` must not leave a roster that the daemon cannot write."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)  # a link there may lead to a file of the system


def keep_names(folder: Path) -> None:
    """A new name is durable once its folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(path: Path) -> int | str:
    """Take a lock: the descriptor that holds it until it is closed, or the process ends in whatever way; else the pid that has it.

    Raises:
        OSError: the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        hand_over(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        return holder
    except OSError:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
