"""The site on paper: who listens where, and the two configurations that say so. Pure; nothing is started or written here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from burstd.demo.network import Network
from burstd.model.policy import Mode
from burstd.render.haproxy import BackendConfig, CoreLine, HAProxyConfig

BACKEND: Final = "app_cluster"
OVERFLOW: Final = "app_cloud"
CORES: Final = ("core-1", "core-2")
CHECK_PATH: Final = "/health"

WORKERS: Final = 2
SERVICE_MS: Final = 40.0
"""A core server answers 50 requests/s at the very most. The time is spent sleeping, so that all of the site fits on a small machine."""

THRESHOLD: Final = 4.0
"""The article's."""

CORE_LIMIT: Final = 3
"""With spillover, requests at once for each core server: its two workers, and one that waits, so that none is ever without work."""

_BURST_LIMIT: Final = 6
"""With spillover, requests at once for each instance: its four workers, and two that wait."""

_RETRIES: Final = 2

_APART: Final = 16
"""Addresses from one side to the next."""


@dataclass(frozen=True, slots=True)
class Side:
    """One gateway and its core servers.

    Attributes:
        name: "with" or "without" burstd.
        first: its lowest address; the gateway's, the core servers follow.
        network: its addresses and ports.
        folder: the site's.
    """

    name: str
    first: int
    network: Network
    folder: Path

    @property
    def program(self) -> str:
        """The gateway's name among the programs."""
        return f"haproxy-{self.name}"

    @property
    def socket(self) -> Path:
        """The gateway's runtime socket."""
        return self.folder / f"{self.program}.sock"

    @property
    def gateway(self) -> tuple[str, int]:
        """Where its users come in."""
        return self.network.host(self.first), self.network.web

    def core(self, number: int) -> str:
        """The address of the core server of that number, from 0."""
        return self.network.host(self.first + 1 + number)

    @property
    def exporters(self) -> dict[str, str]:
        """URL of each core server's metrics page, by its name."""
        return {name: f"http://{self.core(number)}:{self.network.exporter}/metrics" for number, name in enumerate(CORES)}


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole site.

    Attributes:
        folder: its scratch folder.
        network: its addresses and ports.
        most: instances that burstd may rent.
        names: of its sides; the one "with" burstd first.
        mode: how traffic comes to the instances.
    """

    folder: Path
    network: Network
    most: int
    names: tuple[str, ...]
    mode: Mode = Mode.WEIGHTED

    @property
    def sides(self) -> dict[str, Side]:
        """The sides by name."""
        sides = (Side(name, 1 + _APART * number, self.network, self.folder) for number, name in enumerate(self.names))
        return {side.name: side for side in sides}

    @property
    def settings(self) -> Path:
        """The settings file of burstd, beside the side with it."""
        return self.folder / "burstd.toml"

    @property
    def control(self) -> Path:
        """Burstd's control socket."""
        return self.folder / "control.sock"

    @property
    def cloud(self) -> Path:
        """The cloud's books."""
        return self.folder / "cloud"

    @property
    def metrics(self) -> str:
        """Where burstd's metrics page listens, HOST:PORT."""
        return f"{self.network.host(1)}:{self.network.metrics}"


def gateway_config(layout: Layout, side: Side) -> HAProxyConfig:
    """A side's HAProxy, as who starts it, on loopback; only the one with burstd has where to spill over to, and so a limit of its core."""
    host, port = side.gateway
    spills = layout.mode is Mode.SPILLOVER and side.name == "with"
    limit = CORE_LIMIT if spills else None
    cores = tuple(CoreLine(name, side.core(number), side.network.web, maxconn=limit) for number, name in enumerate(CORES))
    return HAProxyConfig(
        bind=f"{host}:{port}",
        socket=str(side.socket),
        socket_mode="600",
        backends=(BackendConfig(BACKEND, cores, OVERFLOW if spills else None),),
        check_path=CHECK_PATH,
        maxconn=400,  # what a plain user's limit of open files allows
        retries=_RETRIES,
        queue_timeout=20.0,
    )


def burstd_toml(layout: Layout) -> str:
    """The settings file of burstd, beside the side with it."""
    side, network = layout.sides["with"], layout.network
    if layout.mode is Mode.SPILLOVER:
        routing = f'mode = "spillover"\noverflow = "{OVERFLOW}"\nmaxconn = {_BURST_LIMIT}'
    else:
        routing = 'burst_weight = "auto"\ntarget_load = 2.5'
    cores = "".join(f'\n[[core]]\nname = "{name}"\nexporter = "{url}"\n' for name, url in side.exporters.items())
    return f"""# The demo's settings. The threshold is a real site's; the times are short, because two minutes are.
[fleet]
state_dir = "state"
max = {layout.most}
max_step = 2
poll_interval = 1
minimum_lifetime = "10s"
drain_deadline = "10s"

[load]
policy = "threshold" # nobody is patient enough to watch a quarter of an hour without a scale-in
scale_out_above = {THRESHOLD}
scale_in_below = 3
steps = [{{ ratio = 1.0, count = 2 }}] # two at a time: the rise is steep
warm_up = "8s"
cooldown_out = "10s"
scale_in_after = "8s"
stabilization = "8s"
cooldown_in = "3s"
stale_after = "5s"
{cores}
[haproxy]
socket = "{side.socket}"
backend = "{BACKEND}"
{routing}
check_interval = 0.2
retries = {_RETRIES}

[[pool]]
name = "local"
driver = "local"
image = "web-1"
size = "medium"
port = {network.web}
check_path = "{CHECK_PATH}"
metrics_port = {network.exporter}

[pool.args]
state_dir = "{layout.cloud}"
network = "{network.rented}"
port = {network.web}
metrics_port = {network.exporter}
boot_seconds = 3.0
service_ms = {SERVICE_MS}

[control]
socket = "{layout.control}"

[metrics]
listen = "{layout.metrics}"

[log]
format = "console"
"""
