"""The site: two gateways with two core servers each, and burstd beside the first; real programs in one scratch folder, on loopback.

Both sides are equal but for burstd, and with spillover for the limit of its core servers. Whatever was started is ended by the end of
the block, the cloud's machines too.
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
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from burstd.adapters.local.driver import LocalNodeDriver
from burstd.adapters.local.machines import Machine, Machines
from burstd.demo.generator import Generator
from burstd.demo.layout import CHECK_PATH, CORES, SERVICE_MS, WORKERS, Layout, Side, burstd_toml, gateway_config
from burstd.demo.network import own_network
from burstd.demo.program import Program
from burstd.demo.scenario import Scenario
from burstd.errors import AskOperator, BurstdError, Unreachable
from burstd.model.policy import Mode
from burstd.render.haproxy import render

_SOCKET_PATH: Final = 90
"""Characters of a runtime socket's path: of the 107 that Linux takes, HAProxy needs some for the name that it binds first."""
_STARTING: Final = 15.0
"""Seconds that a program may take until it serves: far more than it needs, short enough to be told in time."""
_PAUSE: Final = 0.05

Ask = Callable[[str], dict[str, Any]]
"""The daemon's document at a path of its API; raises what `burstd.cli.client.Client.get` does."""


class Site:
    """What the demo and the tests of the whole daemon play on.

    Attributes:
        layout: who listens where.
        ask: the daemon, by its control socket.
        daemon: burstd, once it is started.
    """

    def __init__(self, client: Callable[[str], Ask], *, without: bool = True, most: int = 4, mode: Mode = Mode.WEIGHTED) -> None:
        """Lay it out; nothing is started yet.

        Args:
            client: from a control socket's path to who asks there.
            without: also the side that has no burstd, to compare with.
            most: instances that burstd may rent.
            mode: how traffic comes to them.
        """
        # A short name, because paths of sockets must be short.
        folder = Path(tempfile.gettempdir(), f"burstd-{secrets.token_hex(4)}")
        self.layout = Layout(folder, own_network(), most, ("with", "without") if without else ("with",), mode)
        self.ask = client(str(self.layout.control))
        self.daemon: Program | None = None
        self._programs: dict[str, Program] = {}
        self._cleaning = ExitStack()

    def __enter__(self) -> Self:
        """Start everything but the daemon.

        Raises:
            AskOperator: something cannot be started; the line says what to mend.
        """
        with ExitStack() as stack:
            self._make_folder()
            stack.callback(shutil.rmtree, self.layout.folder, ignore_errors=True)
            stack.callback(self._clear_cloud)
            self._cleaning = stack
            for side in self.layout.sides.values():
                self._start_cores(side)
            for side in self.layout.sides.values():
                self._start_gateway(side)
            self._cleaning = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End everything, the youngest first, the cloud's machines and the folder last."""
        self._cleaning.close()

    def machines(self) -> list[Machine]:
        """The cloud's own books: every machine, those that have ended within the last minute too."""
        return Machines(self.layout.cloud).all()

    def start_daemon(self, settings: str | None = None) -> None:
        """Start burstd, again where it has ended, and wait for its first cycle; `settings` is its file's text, where not the demo's own.

        Raises:
            AskOperator: it does not start; the line has its last words.
        """
        self.layout.settings.write_text(settings or burstd_toml(self.layout))
        command = [sys.executable, "-P", "-m", "burstd", "run", "--config", str(self.layout.settings)]
        self.daemon = self._start("burstd", command)
        self._wait(self.daemon, self._answers, "finishes no cycle")

    def start_traffic(self, scenario: Scenario) -> tuple[float, dict[str, Generator]]:
        """Let the users come, on all sides at once; when the scenario starts (monotonic seconds), and each side's generator."""
        start = time.monotonic() + 1.0  # by then both processes are up
        generators = {}
        for side in self.layout.sides.values():
            generators[side.name] = Generator(f"traffic-{side.name}", self.layout.folder, side.gateway, CORES, scenario, start)
            self._cleaning.callback(generators[side.name].end)
        return start, generators

    def reload_gateway(self) -> None:
        """Have HAProxy read its file anew, as `systemctl reload haproxy` does; the servers that burstd has added are lost to it."""
        self._programs[self.layout.sides["with"].program].signal(signal.SIGUSR2)

    def check_alive(self) -> None:
        """Look after the programs that should run.

        Raises:
            Unreachable: one has ended.
        """
        for program in self._programs.values():
            if not program.alive:
                raise Unreachable(f"{program.name} has ended in the middle of the demo; its last words: {program.last_words}")

    def _make_folder(self) -> None:
        folder = self.layout.folder
        longest = max(len(str(side.socket)) for side in self.layout.sides.values())
        if longest > _SOCKET_PATH:
            expected = f"expected a shorter path, a socket's has at most {_SOCKET_PATH} characters"
            raise AskOperator(f"TMPDIR {folder.parent}: {expected}; set TMPDIR=/tmp")
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            said = f"expected a folder to write to, the system says: {error.strerror}"
            raise AskOperator(f"TMPDIR {folder.parent}: {said}; set TMPDIR=/tmp") from error

    def _start(self, name: str, command: list[str]) -> Program:
        program = Program(name, command, self.layout.folder)
        self._cleaning.callback(program.end)
        self._programs[name] = program
        return program

    def _start_cores(self, side: Side) -> None:
        for number, name in enumerate(CORES):
            address, ports = side.core(number), (self.layout.network.web, self.layout.network.exporter)
            words = ["--name", name, "--address", address, "--port", str(ports[0]), "--metrics-port", str(ports[1])]
            words += ["--workers", str(WORKERS), "--service-ms", str(SERVICE_MS), "--service", "fixed"]
            core = self._start(f"{name}-{side.name}", [sys.executable, "-P", "-m", "burstd.adapters.local.server", *words])
            self._wait(core, partial(_listens, address, ports), "does not listen")

    def _start_gateway(self, side: Side) -> None:
        haproxy = _haproxy()
        file = self.layout.folder / f"{side.program}.cfg"
        file.write_text(render(gateway_config(self.layout, side)))
        # -W: a master in the foreground, whose worker a SIGUSR2 replaces.
        gateway = self._start(side.program, [haproxy, "-W", "-f", str(file)])
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
        driver = LocalNodeDriver(state_dir=str(self.layout.cloud))
        for node in driver.list_nodes():
            driver.destroy_node(node)


def _haproxy() -> str:
    path = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/sbin")
    if path is None:
        raise AskOperator("haproxy: expected it on the PATH, found none; install it (apt-get install haproxy)")
    return path


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
