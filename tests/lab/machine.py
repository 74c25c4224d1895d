"""What the lab needs of the machine it runs on, asked before anything is made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.lab import cgroups

PROGRAMS: Final = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "lxcfs": "lxcfs",
    "wrk": "wrk",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
}
"""Each program, and the Debian package it is in."""

DEVICES: Final = {
    "/dev/net/tun": "the WAN is a switch of TAPs",
    "/dev/fuse": "lxcfs gives each host its own load average and CPU seconds",
}


NO_ROOT: Final = "root: namespaces, mounts and control groups are root's alone"


def is_root() -> bool:
    """Without it not even a look is possible."""
    return os.geteuid() == 0


def lacking() -> list[str]:
    """What this machine lacks, a line each; empty where the lab can run."""
    return list(_lacking())


def _lacking() -> Iterator[str]:
    if os.uname().sysname != "Linux":
        yield "Linux: the hosts are containers"
        return
    if not is_root():
        yield NO_ROOT
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            yield f"the program {program} (Debian package {package}); script/lab installs it where it may"
    if shutil.which("apt-get") is None:
        yield "apt-get: the hosts' root file system is made from the machine's own apt sources"
    yield from _lacking_of_the_kernel()


def _lacking_of_the_kernel() -> Iterator[str]:
    for device, reason in DEVICES.items():
        if not os.access(device, os.R_OK | os.W_OK):
            yield f"the device {device}: {reason}"
    names = {each for mounted in cgroups.hierarchies() for each in mounted.split(",")}
    for wanted in ("cpu", "cpuacct", "cpuset", "name=systemd"):
        if wanted not in names:
            yield f"control groups of version 1 with the hierarchy {wanted} mounted: quotas, load averages and CPU seconds hang on them"
    if "overlay" not in Path("/proc/filesystems").read_text():
        yield "the file system overlay: each host is a layer over one root file system"
