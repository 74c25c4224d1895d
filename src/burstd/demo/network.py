"""A loopback network of one's own, and ports that are free there: demos and tests may run side by side."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Final

_WEB: Final = 8080
_EXPORTER: Final = 9100
_METRICS: Final = 9123
"""The customary ports, taken where nobody on this machine listens on them, be it on every address."""


@dataclass(frozen=True, slots=True)
class Network:
    """256 addresses of 127.0.0.0/8, and three ports that are free on them.

    Attributes:
        prefix: the first three numbers of the addresses ("127.130.7").
        web: port of the gateways and of every web server.
        exporter: port of every server's metrics page.
        metrics: port of burstd's own metrics page.
    """

    prefix: str
    web: int
    exporter: int
    metrics: int

    def host(self, number: int) -> str:
        """The numbered address, 1 to 127."""
        return f"{self.prefix}.{number}"

    @property
    def rented(self) -> str:
        """The upper half, for the cloud."""
        return f"{self.prefix}.128/25"


def own_network() -> Network:
    """The network that this process's id points at, in 127.128.0.0/10, which nothing else uses by custom."""
    second, third = divmod(os.getpid() % (64 * 256), 256)
    return Network(f"127.{128 + second}.{third}", _free(_WEB), _free(_EXPORTER), _free(_METRICS))


def _free(port: int) -> int:
    """The port, or any other where somebody listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a demo of a minute ago has left is nobody listening
        try:
            probe.bind(("", port))
        except OSError:
            probe.bind(("", 0))
        bound: int = probe.getsockname()[1]
        return bound
