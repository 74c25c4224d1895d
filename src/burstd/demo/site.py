"""The site: two gateways with two core servers each, and burstd beside the first; real programs in one scratch folder, on loopback.

Both sides are equal but for burstd. Whatever was started is ended by the end of the block, the cloud's machines too.
"""

from __future__ import annotations

import http.client
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from burstd.adapters.local.driver import LocalNodeDriver
from burstd.adapters.local.machines import Machine, Machines
from burstd.demo.generator import Generator
from burstd.demo.network import Network, own_network
from burstd.demo.program import Program
from burstd.demo.scenario import Scenario
from burstd.errors import AskOperator, BurstdError, Unreachable
from burstd.render.haproxy import CoreLine, HAProxyConfig, render

BACKEND: Final = "app_cluster"
CORES: Final = ("core-1", "core-2")
CHECK_PATH: Final = "/health"

WORKERS: Final = 2
SERVICE_MS: Final = 40.0
"""A core server answers 50 requests/s at the very most. The time is spent sleeping, so that all of the site fits on a small machine."""

THRESHOLD: Final = 4.0
"""The article's."""

_RETRIES: Final = 2
_SOCKET_PATH: Final = 90
"""Characters of a runtime socket's path: of the 107 that Linux takes, HAProxy needs some for the name that it binds first."""
_STARTING: Final = 15.0
"""Seconds that a program may take until it serves: far more than it needs, short enough to be told in time."""
_PAUSE: Final = 0.05

Ask = Callable[[str], dict[str, Any]]
"""The daemon's document at a path of its API; raises what `burstd.cli.client.Client.get` does."""


@dataclass(frozen=True, slots=True)
class Side:
    """One gateway and its core servers.

    Attributes:
        name: "with" or "without" burstd.
        first: its lowest address; the gateway's, the core servers follow.
        socket: the gateway's runtime socket.
    """

    name: str
    first: int
    network: Network
    socket: Path

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


class Site:
    """What the demo and the tests of the whole daemon play on.

    Attributes:
        folder: its scratch folder, which has a short name because paths of sockets must be short.
        settings: burstd's settings file.
        control: burstd's control socket.
        ask: the daemon behind it.
        sides: by name.
        daemon: burstd, once it is started.
    """

    def __init__(self, client: Callable[[str], Ask], *, without: bool = True, most: int = 4) -> None:
        """Lay it out; nothing is started yet.

        Args:
            client: from a control socket's path to who asks there.
            without: also the side that has no burstd, to compare with.
            most: instances that burstd may rent.
        """
        self.network = own_network()
        self.folder = Path(tempfile.gettempdir(), f"burstd-{secrets.token_hex(4)}")
        self.settings = self.folder / "burstd.toml"
        self.control = self.folder / "control.sock"
        self.ask = client(str(self.control))
        names = ("with", "without") if without else ("with",)
        self.sides = {
            name: Side(name, 1 + 16 * number, self.network, self.folder / f"haproxy-{name}.sock") for number, name in enumerate(names)
        }
        self.daemon: Program | None = None
        self._most = most
        self._gateways: dict[str, Program] = {}
        self._programs: list[Program] = []
        self._cloud = self.folder / "cloud"
        self._cleaning = ExitStack()

    def __enter__(self) -> Self:
        """Start everything but the daemon.

        Raises:
            AskOperator: something cannot be started; the line says what to mend.
        """
        with ExitStack() as stack:
            self._make_folder()
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            stack.callback(self._clear_cloud)
            self._cleaning = stack
            for side in self.sides.values():
                self._start_cores(side)
            for side in self.sides.values():
                self._start_gateway(side)
            self._cleaning = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End everything, the youngest first, the cloud's machines and the folder last."""
        self._cleaning.close()

    @property
    def metrics(self) -> str:
        """URL of burstd's metrics page."""
        return f"http://{self.network.host(1)}:{self.network.metrics}/metrics"

    def machines(self) -> list[Machine]:
        """The cloud's own books: every machine, those that have ended within the last minute too."""
        return Machines(self._cloud).all()

    def start_daemon(self) -> None:
        """Start burstd, again where it has ended, and wait for its first cycle.

        Raises:
            AskOperator: it does not start; the line has its last words.
        """
        self.settings.write_text(_burstd_toml(self, self._most))
        command = [sys.executable, "-P", "-m", "burstd", "run", "--config", str(self.settings)]
        self.daemon = self._start("burstd", command)
        self._wait(self.daemon, self._answers, "finishes no cycle")

    def start_traffic(self, scenario: Scenario) -> tuple[float, dict[str, Generator]]:
        """Let the users come, on all sides at once; when the scenario starts (monotonic seconds), and each side's generator."""
        start = time.monotonic() + 1.0  # by then both processes are up
        generators = {}
        for side in self.sides.values():
            generators[side.name] = Generator(f"traffic-{side.name}", self.folder, side.gateway, CORES, scenario, start)
            self._cleaning.callback(generators[side.name].end)
        return start, generators

    def reload_gateway(self) -> None:
        """Have HAProxy read its file anew, as `systemctl reload haproxy` does; the servers that burstd has added are lost to it."""
        self._gateways["with"].signal(signal.SIGUSR2)

    def check_alive(self) -> None:
        """Look after the programs that should run.

        Raises:
            Unreachable: one has ended.
        """
        for program in self._programs:
            if not program.alive:
                raise Unreachable(f"{program.name} has ended in the middle of the demo; its last words: {program.last_words}")

    def _make_folder(self) -> None:
        longest = max((str(side.socket) for side in self.sides.values()), key=len)
        if len(longest) > _SOCKET_PATH:
            raise AskOperator(
                f"TMPDIR {self.folder.parent}: expected a shorter path, a socket's has at most {_SOCKET_PATH} characters; set TMPDIR=/tmp"
            )
        try:
            self.folder.mkdir(mode=0o700)
        except OSError as error:
            raise AskOperator(f"TMPDIR {self.folder.parent}: expected a folder to write to, the system says: {error.strerror}") from error

    def _start(self, name: str, command: list[str]) -> Program:
        program = Program(name, command, self.folder)
        self._cleaning.callback(program.end)
        self._programs.append(program)
        return program

    def _start_cores(self, side: Side) -> None:
        for number, name in enumerate(CORES):
            address, ports = side.core(number), (self.network.web, self.network.exporter)
            words = ["--name", name, "--address", address, "--port", str(ports[0]), "--metrics-port", str(ports[1])]
            words += ["--workers", str(WORKERS), "--service-ms", str(SERVICE_MS), "--service", "fixed"]
            core = self._start(f"{name}-{side.name}", [sys.executable, "-P", "-m", "burstd.adapters.local.server", *words])
            self._wait(core, partial(_listens, address, ports), "does not listen")

    def _start_gateway(self, side: Side) -> None:
        haproxy = _haproxy()
        file = self.folder / f"haproxy-{side.name}.cfg"
        file.write_text(render(_gateway_config(side)))
        # -W: a master in the foreground, whose worker a SIGUSR2 replaces.
        gateway = self._start(f"haproxy-{side.name}", [haproxy, "-W", "-f", str(file)])
        self._gateways[side.name] = gateway
        self._wait(gateway, lambda: _serves(*side.gateway), "does not answer")

    def _wait(self, program: Program, ready: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + _STARTING
        while program.alive and time.monotonic() < end:
            if ready():
                return
            time.sleep(_PAUSE)
        what = otherwise if program.alive else "has ended"
        raise AskOperator(f"demo: {program.name} {what}, expected it to serve; mend what its log says: {program.last_words}")

    def _answers(self) -> bool:
        try:
            self.ask("/v1/status")
        except BurstdError:
            return False
        return True

    def _clear_cloud(self) -> None:
        """Give back what a daemon that was stopped in between has left running, as it should."""
        driver = LocalNodeDriver(state_dir=str(self._cloud))
        for node in driver.list_nodes():
            driver.destroy_node(node)


def _haproxy() -> str:
    path = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/sbin")
    if path is None:
        raise AskOperator("haproxy: expected it on the PATH, found none; install it (apt-get install haproxy)")
    return path


def _gateway_config(side: Side) -> HAProxyConfig:
    host, port = side.gateway
    return HAProxyConfig(
        bind=f"{host}:{port}",
        socket=str(side.socket),
        socket_mode="600",
        backend=BACKEND,
        cores=tuple(CoreLine(name, side.core(number), side.network.web) for number, name in enumerate(CORES)),
        check_path=CHECK_PATH,
        maxconn=400,  # what a plain user's limit of open files allows
        retries=_RETRIES,
        queue_timeout=20.0,
    )


def _burstd_toml(site: Site, most: int) -> str:
    side = site.sides["with"]
    cores = "".join(f'\n[[core]]\nname = "{name}"\nexporter = "{url}"\n' for name, url in side.exporters.items())
    return f"""# The demo's settings. The thresholds are those of a real site; the times are short, because two minutes are.
[fleet]
state_dir = "state"
max = {most}
max_step = 2
poll_interval = 1
minimum_lifetime = "10s"
drain_deadline = "10s"

[load]
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
burst_weight = "auto"
target_load = 2.5
check_interval = 0.2
retries = {_RETRIES}

[[pool]]
name = "local"
driver = "local"
image = "web-1"
size = "medium"
port = {site.network.web}
check_path = "{CHECK_PATH}"
metrics_port = {site.network.exporter}

[pool.args]
state_dir = "{site.folder / "cloud"}"
network = "{site.network.rented}"
port = {site.network.web}
metrics_port = {site.network.exporter}
boot_seconds = 3.0
service_ms = {SERVICE_MS}

[control]
socket = "{site.control}"

[metrics]
listen = "{site.network.host(1)}:{site.network.metrics}"

[log]
format = "console"
"""


def _listens(address: str, ports: Iterable[int]) -> bool:
    try:
        for port in ports:
            socket.create_connection((address, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _serves(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=1.0)
    try:
        connection.request("GET", CHECK_PATH)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
