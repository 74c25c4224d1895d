"""A real HAProxy for tests: a master and its worker in the foreground, on this process's own loopback address, reloaded at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from burstd.adapters.haproxy import HAProxyGateway
from burstd.adapters.haproxy.answers import parse_info
from burstd.adapters.haproxy.runtime import converse
from burstd.errors import Retry
from tests.waiting import wait_until
from tests.web import CHECK_PATH, own_address


class Core(Protocol):
    """What a core server's line in haproxy.cfg needs."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


BACKEND = "app_cluster"
OURS = "burst-"
"""What the names of our servers begin with, in these tests."""


def is_ours(name: str) -> bool:
    """The ownership rule of these tests."""
    return name.startswith(OURS)


class HAProxy:
    """What `haproxy` yields.

    Attributes:
        folder: its scratch folder; short, because a unix socket's path must be.
        socket: its runtime socket of level admin.
        user_socket: another one, of level user.
        host: where its frontend listens.
        port: the frontend's port.
        config: its configuration file; change it and `reload`.
    """

    def __init__(self, folder: Path, cores: Sequence[Core], *, balance: str, binary: str) -> None:
        self.folder = folder
        self.socket = folder / "admin.sock"
        self.user_socket = folder / "user.sock"
        self.host = own_address()
        self.port = free_port(self.host)
        self.config = folder / "haproxy.cfg"
        self._master_socket = folder / "master.sock"
        self._log = folder / "log"
        self._binary = binary
        self._master: subprocess.Popen[bytes] | None = None
        self.write_config(cores, balance=balance)

    def write_config(self, cores: Sequence[Core], *, balance: str = "roundrobin", backend: str = BACKEND, level: str = "admin") -> None:
        """Write a configuration with these core servers and the socket at that level; one that runs takes it up at the next `reload`."""
        lines = [f"    server {core.name} {core.host}:{core.port} weight 100 check inter 200ms" for core in cores]
        self.config.write_text(
            f"""global
    stats socket {self.socket} mode 600 level {level} expose-fd listeners
    stats socket {self.user_socket} mode 600 level user

defaults
    mode http
    option redispatch
    option idle-close-on-response
    retries 3
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    timeout queue 5s

frontend web
    bind {self.host}:{self.port}
    default_backend {backend}

backend {backend}
    balance {balance}
    option httpchk GET {CHECK_PATH}
"""
            + "\n".join(lines)
            + "\n"
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            command = [self._binary, "-W", "-S", str(self._master_socket), "-f", str(self.config)]
            self._master = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_for_another(None)

    def reload(self) -> None:
        """Have the master replace its worker, as `systemctl reload haproxy` does, and wait until the new one answers."""
        before = self._process()
        self._signal(signal.SIGUSR2)
        self._wait_for_another(before)

    def stop(self) -> None:
        """Stop it at once, open connections and all."""
        if self._master is not None:
            self._signal(signal.SIGTERM)
            try:
                self._master.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._master.kill()
                self._master.wait()
            self._master = None

    @property
    def pid(self) -> int:
        """The worker's process id."""
        process = self._process()
        assert process is not None
        return process[0]

    def kill(self) -> None:
        """End master and worker at once, as by kill -9; `start` starts it again."""
        pid = self.pid
        assert self._master is not None
        self._master.kill()
        self._master.wait()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the worker is gone")
        self._master = None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The worker hangs until the end of the block: it listens, and answers nothing."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def command(self, line: str) -> str:
        """One command on the runtime socket, as an operator would type it; its answer."""
        with converse(self.socket, 5.0) as talk:
            return talk.ask(line)[0]

    def gateway(self, *, ours: Callable[[str], bool] = is_ours, deadline: float = 5.0, check_interval: float = 0.2) -> HAProxyGateway:
        """The adapter for it."""
        return HAProxyGateway(self.socket, BACKEND, is_ours=ours, deadline=deadline, check_interval=check_interval)

    def _wait_for_another(self, before: tuple[int, float] | None) -> None:
        wait_until(lambda: self._process() not in {None, before}, "a new worker of HAProxy answers")
        wait_until(self._master_listens, "HAProxy's master answers; a signal that comes earlier would be lost")

    def _master_listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self._master_socket))
                connection.sendall(b"show proc\n")
                return connection.recv(100) != b""
            except OSError:
                return False

    def _process(self) -> tuple[int, float] | None:
        try:
            info = parse_info(self.command("show info"))
        except Retry:
            return None
        return None if info.stopping else info.process

    def _signal(self, number: signal.Signals) -> None:
        assert self._master is not None
        self._master.send_signal(number)


@contextmanager
def haproxy(cores: Sequence[Core], *, balance: str = "roundrobin", binary: str = "haproxy") -> Iterator[HAProxy]:
    """A running HAProxy whose backend `app_cluster` has these core servers."""
    folder = Path(tempfile.mkdtemp(prefix="burstd-"))
    running = HAProxy(folder, cores, balance=balance, binary=binary)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def free_port(host: str) -> int:
    """A port of that address which nobody listens on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
