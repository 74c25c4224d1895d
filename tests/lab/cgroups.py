"""Control groups of the lab's own: a CPU quota for each host, and the certainty about which processes are the lab's.

On the hierarchies of version 1, as they are mounted. Everything lies under one folder `burstd-lab` of each hierarchy: a process is the
lab's exactly when it is in there, whatever has become of who started it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Final

LAB: Final = "burstd-lab"
PERIOD: Final = 100_000
"""Microseconds of one quota period; the kernel's default."""

SHARES: Final = 4096
"""The lab's weight against everything else on the machine, which counts 1024 for each task: its own load is bounded by the quotas."""

WITHOUT: Final = frozenset({"hugetlb"})
"""Hierarchies that nothing here uses."""

FILLED: Final = ("cpuset.cpus", "cpuset.mems")
"""A group of the cpuset hierarchy takes no process before these say the same as its parent's. lxcfs finds a host's CPU seconds by it."""


def hierarchies() -> dict[str, Path]:
    """Where each hierarchy is mounted: by its controllers, "name=systemd", or "unified"."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        place = Path(mount.split(" ")[4])
        if kind == "cgroup2":
            found["unified"] = place
        elif kind == "cgroup":
            names = [each for each in options.split(",") if each not in {"rw", "ro", "xattr", "clone_children"}]
            found[",".join(each for each in names if not each.startswith("release_agent"))] = place
    return found


def cpu_place() -> Path | None:
    """The cpu hierarchy, on its own or together with cpuacct."""
    return next((place for names, place in hierarchies().items() if "cpu" in names.split(",")), None)


def groups(name: str) -> list[Path]:
    """The host's group in every hierarchy that takes part."""
    return [place / LAB / name for names, place in hierarchies().items() if not WITHOUT & set(names.split(","))]


def make(name: str, cpus: float | None = None) -> list[Path]:
    """Make the groups, with a quota in CPUs; the files to write a pid into."""
    for group in groups(name):
        group.mkdir(parents=True, exist_ok=True)
        for folder, file in product((group.parent, group), FILLED):
            if (folder / file).exists():
                (folder / file).write_text((folder.parent / file).read_text())
    place = cpu_place()
    if place is not None:
        (place / LAB / "cpu.shares").write_text(str(SHARES))
        if cpus is not None:
            (place / LAB / name / "cpu.cfs_period_us").write_text(str(PERIOD))
            (place / LAB / name / "cpu.cfs_quota_us").write_text(str(round(PERIOD * cpus)))
    return [group / "cgroup.procs" for group in groups(name)]


def members(name: str) -> set[int]:
    """The processes in the host's groups, as seen from here."""
    pids: set[int] = set()
    for group in groups(name):
        for file in _below(group, "cgroup.procs"):
            with suppress(OSError):
                pids |= {int(line) for line in file.read_text().split()}
    return pids - {0, os.getpid()}


def kill(name: str) -> None:
    """SIGKILL for every process in the host's groups: they are the lab's, nobody else's can be there."""
    for pid in members(name):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def drop(name: str) -> None:
    """Take the host's groups away; one with processes in it stays."""
    for group in groups(name):
        for folder in [*sorted(_folders(group), key=lambda path: len(path.parts), reverse=True), group]:
            with suppress(OSError):
                folder.rmdir()


def named() -> set[str]:
    """All groups of the lab, whoever made them."""
    return {folder.name for place in hierarchies().values() for folder in _children(place / LAB)}


def drop_all() -> None:
    """Take the lab's own folder away from every hierarchy, once it is empty."""
    for place in hierarchies().values():
        with suppress(OSError):
            (place / LAB).rmdir()


def _children(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_dir()] if folder.is_dir() else []


def _folders(folder: Path) -> Iterator[Path]:
    for child in _children(folder):
        yield child
        yield from _folders(child)


def _below(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    for child in _folders(folder):
        yield child / name
