"""What the daemon tells systemd, by the protocol of sd_notify(3): a datagram of `KEY=value` lines on $NOTIFY_SOCKET.

It never raises and never waits: a supervisor that does not listen is no reason to stop. Without the variable it does nothing.
"""

from __future__ import annotations

import os
import socket
import time


def ready() -> None:
    """The first cycle has finished, or a reload is over: the service is up."""
    _tell("READY=1")


def alive(sentence: str) -> None:
    """A cycle has finished: feed the watchdog, and show its sentence in `systemctl status`."""
    _tell("WATCHDOG=1", f"STATUS={' '.join(sentence.split())}")


def reloading() -> None:
    """A reload begins; `ready` ends it. systemd wants the monotonic time in microseconds with it (Type=notify-reload)."""
    _tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping() -> None:
    """The daemon is on its way out."""
    _tell("STOPPING=1")


def watchdog() -> float | None:
    """Seconds after which systemd ends a service that has not fed it; None where it does not watch this process."""
    told = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(told) / 1e6 if told.isdigit() and watched else None


def _tell(*lines: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as door:
            door.sendto("\n".join(lines).encode(errors="replace"), address)
    except OSError:
        pass
