"""One host: a systemd-nspawn container that boots systemd, with its own namespace, address, CPU quota and load average."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from tests.lab import cgroups, image, place, wan
from tests.lab.hosts import Host
from tests.waiting import wait_until

BOOT: Final = 120.0
"""Seconds for a boot; usually 3 to 15. On a machine that others use as well a quota says nothing about the rest."""

HALT: Final = 10.0
"""Seconds for a halt; usually 2."""

Fill = Callable[[Path], None]
"""Puts a host's own files into its layer, before it boots."""


class NotUp(Exception):
    """The host is not running; the message says which."""


def boot(host: Host, fill: Fill, binds: Sequence[str] = (), alone: AbstractContextManager[object] | None = None) -> None:
    """Make the host and return once its systemd says that it is up.

    Args:
        host: which; one of that name must not be running.
        fill: puts its own files in place.
        binds: further arguments of systemd-nspawn.
        alone: held until the host is there to be taken away again; the boot itself needs it no more.

    Raises:
        AssertionError: not up in time.
        place.Failed: a part could not be made.
    """
    with _ready_socket(host) as ready:
        with alone or nullcontext():
            _make(host, fill)
            _exec(host, binds)
        _wait_for(host, ready)


def again(host: Host, binds: Sequence[str] = ()) -> None:
    """Boot a killed host once more, from its own disk as it is."""
    with _ready_socket(host) as ready:
        _exec(host, binds)
        _wait_for(host, ready)


@contextmanager
def _ready_socket(host: Host) -> Iterator[socket.socket]:
    """Where systemd-nspawn says that the host is up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        _notify(host).unlink(missing_ok=True)
        ready.bind(str(_notify(host)))
        ready.setblocking(False)  # noqa: FBT003 - the socket's own signature
        yield ready


def _wait_for(host: Host, ready: socket.socket) -> None:
    log = place.LOGS / f"{host.name}.log"
    wait_until(lambda: _said_ready(ready) or _died(host), f"{host.name} is up; see {log}", within=BOOT, every=0.1)
    if _died(host):
        raise AssertionError(f"{host.name} ended while it booted; see {log}")


def _make(host: Host, fill: Fill) -> None:
    """Everything of the host but its processes."""
    place.record(host)
    upper, _ = image.lay(host.name)
    (upper / "etc").mkdir()
    (upper / "etc/hostname").write_text(f"{host.name}\n")
    (upper / "etc/resolv.conf").write_text("")
    for unit in host.units:
        image.enable(upper, unit)
    fill(upper)
    image.mount(host.name)
    space = place.namespace(host.name)
    if not (place.NAMESPACES / space).exists():
        place.run(["ip", "netns", "add", space])
    wan.order(place.CONTROL, "plug", name=host.name, site=host.site, mac=host.mac, address=host.address, namespace=space)


def _exec(host: Host, binds: Sequence[str]) -> None:
    words = [
        "systemd-nspawn", f"--directory={place.layers(host.name) / 'root'}", f"--machine={place.namespace(host.name)}", "--register=no",
        "--keep-unit", "--quiet", "--boot", f"--network-namespace-path={place.NAMESPACES / place.namespace(host.name)}",
        "--console=passive", "--kill-signal=SIGRTMIN+3", "--notify-ready=yes", f"--hostname={host.name}", *image.bound(), *binds,
    ]  # fmt: skip
    place.spawn(host.name, words, cpus=host.cpus, env={"NOTIFY_SOCKET": str(_notify(host))})


def _notify(host: Host) -> Path:
    return place.RECORDS / f"{host.name}.notify"


def _said_ready(ready: socket.socket) -> bool:
    with suppress(BlockingIOError):
        while True:
            if b"READY=1" in ready.recv(4096).splitlines():
                return True
    return False


def _died(host: Host) -> bool:
    return place.noted(host.name) is None


def leader(name: str) -> int:
    """The pid of the host's systemd, as seen from here.

    Raises:
        NotUp: there is no such host, or it is not running.
    """
    nspawn = place.noted(name)
    if nspawn is not None:
        with suppress(OSError):
            for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
                return int(child)
    raise NotUp(f"{name}: expected a host that is up; see script/lab status")


def inside(name: str, *words: str) -> list[str]:
    """The command line that runs these words in the host, in its control groups, as root."""
    pid = leader(name)
    enter = 'for group in $GROUPS_OF_LAB; do echo $$ > $group; done; unset GROUPS_OF_LAB; exec nsenter -t $0 -m -u -i -n -p -C -- "$@"'
    files = " ".join(
        str(group / "cgroup.procs") for group in cgroups.groups(name) if "systemd" not in str(group) and "unified" not in str(group)
    )
    environment = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TERM=xterm", "HOME=/"]
    return [*environment, f"GROUPS_OF_LAB={files}", "sh", "-c", enter, str(pid), *words]


def within_network(name: str, *words: str) -> list[str]:
    """The command line that runs these words on the machine, but in the host's network: beside its quota."""
    return ["nsenter", f"--net={place.NAMESPACES / place.namespace(name)}", "--", *words]


def call(name: str, *words: str, given: str = "", within: float = 60.0) -> str:
    """Run a command in the host to its end; what it printed.

    Raises:
        NotUp: the host is not running.
        place.Failed: the command did not succeed, or not within so many seconds.
    """
    return place.run(inside(name, *words), input=given, timeout=within)


def shell(name: str, command: Sequence[str]) -> int:
    """The command in the host, or a shell for whoever sits here; the exit code."""
    return subprocess.run(inside(name, *(command or ("/bin/bash", "--login"))), check=False).returncode


def load1(name: str) -> float | None:
    """The host's own load average, from its node_exporter; None where none answers."""
    with suppress(NotUp, place.Failed):
        page = call(name, "curl", "-s", "-m", "5", "http://127.0.0.1:9100/metrics", within=10)
        return next((float(line.split()[1]) for line in page.splitlines() if line.startswith("node_load1 ")), None)
    return None


def halt(names: Sequence[str]) -> None:
    """Halt these hosts side by side, kill what is left of them, and take everything of them away. What is gone already is fine."""
    for name in names:
        pid = place.noted(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    with suppress(AssertionError):
        wait_until(lambda: not any(place.noted(name) for name in names), "they have halted", within=HALT, every=0.1)
    for name in names:
        clear(name)


def kill(name: str) -> None:
    """Every process of the host is gone at once. Its disk stays; its network refuses connections, as a crashed host's neighbour would."""
    place.end(name)


def clear(name: str) -> None:
    """Whatever is left of a host: processes, interface, namespace, mounts, layers, the record at last."""
    place.end(name)
    with suppress(OSError, wan.Refused):
        wan.order(place.CONTROL, "unplug", name=name)
    space = place.namespace(name)
    if (place.NAMESPACES / space).exists():
        subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)
    root = place.layers(name) / "root"
    while root.is_mount():
        place.run(["umount", "--lazy", str(root)])
    shutil.rmtree(place.layers(name), ignore_errors=True)
    with suppress(OSError):
        Path("/run/systemd/nspawn/propagate", space).rmdir()
    (place.RECORDS / f"{name}.notify").unlink(missing_ok=True)
    place.forget(name)
