"""A whole gateway for tests: real HAProxy, real node_exporter, the local cloud, two core web servers, and the real command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from burstd.cli.client import Client
from burstd.errors import BurstdError
from tests.exporter_process import node_exporter
from tests.haproxy_process import HAProxy, haproxy
from tests.local_cloud import LocalCloud, local_cloud
from tests.waiting import wait_until
from tests.web import CHECK_PATH, WebServer

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "burstd")

Document = dict[str, Any]
Ran = subprocess.CompletedProcess[str]


class Site:
    """What `site` yields.

    Attributes:
        folder: holds the settings, the state and the control socket.
        settings: the tables of the settings file; change a copy and give it to `burstd`.
    """

    def __init__(self, folder: Path, proxy: HAProxy, exporter: str, cloud: LocalCloud, cores: list[WebServer]) -> None:
        self.folder = folder
        self.haproxy = proxy
        self.exporter = exporter
        self.cloud = cloud
        self.cores = cores
        self.config = folder / "burstd.toml"
        self.client = Client(str(folder / "control.sock"))
        self.settings: Document = {
            "fleet": {"state_dir": "state", "poll_interval": 0.2},
            "load": {"policy": "threshold", "deadline": 1, "scale_out_above": 1000},  # whatever load this machine has, orders alone scale
            "haproxy": {"socket": str(proxy.socket), "config_file": str(proxy.config), "check_interval": 0.2},
            "core": [{"name": core.name, "exporter": exporter} for core in cores],
            "pool": [
                {
                    "name": "local",
                    "driver": "local",
                    "image": "web-1",
                    "size": "small",
                    "args": dict(cloud.args),
                    "port": cloud.args["port"],
                    "metrics_port": cloud.args["metrics_port"],
                }
            ],
            "control": {"socket": "control.sock"},
            "metrics": {"listen": ""},
        }
        self.write(self.settings)

    def write(self, settings: Document) -> None:
        """Write the settings file."""
        self.config.write_text(as_toml(settings))

    def render_gateway(self, mode: str, **core: Any) -> None:
        """Give HAProxy the file that `burstd render haproxy` makes of the settings, and have it reload; `core` is said of every core."""
        for table, server in zip(self.settings["core"], self.cores, strict=True):
            table.update(address=server.host, port=server.port, **core)
        self.settings["haproxy"]["mode"] = mode
        self.settings["pool"][0]["check_path"] = CHECK_PATH
        bind = f"{self.haproxy.host}:{self.haproxy.port}"
        self.settings["render"] = {"bind": bind, "user": "", "group": "", "chroot": "", "log": "", "maxconn": 400}
        self.write(self.settings)
        ran = self.burstd("render", "haproxy", "--output", str(self.haproxy.config), "--force")
        assert ran.returncode == 0, ran.stderr
        self.haproxy.reload()

    def burstd(self, *arguments: str, **environment: str) -> Ran:
        """Run a verb to its end."""
        return subprocess.run(
            [*COMMAND, "--config", str(self.config), *arguments],
            env=self._environment(environment),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    @contextmanager
    def daemon(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`burstd run` whose first cycle has finished; ended by SIGTERM, unless it has ended before."""
        log = self.folder / "daemon.log"
        with log.open("a") as errors:
            command = [*COMMAND, "--config", str(self.config), "run", *arguments]
            process = subprocess.Popen(command, env=self._environment({}), stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            wait_until(lambda: self.cycle() is not None or process.poll() is not None, "the daemon's first cycle", within=60)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)

    def cycle(self) -> int | None:
        """The number of the daemon's last finished cycle; None where there is none."""
        try:
            return int(self.client.get("/v1/status")["cycle"])
        except BurstdError:
            return None

    def in_service(self, count: int) -> None:
        """Wait until exactly so many instances are in service."""
        wait_until(lambda: self.client.get("/v1/status")["in_service"] == count, f"{count} in service", within=60)

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BURSTD_")}
        return {**kept, "PYTHONPATH": str(ROOT / "src"), **more}


@contextmanager
def site(folder: Path, **cloud: Any) -> Iterator[Site]:
    """A site whose peers run; `cloud` are arguments of the local driver."""
    with ExitStack() as stack:
        cores = [WebServer("core-1"), WebServer("core-2")]
        for core in cores:
            stack.callback(core.stop)
        proxy = stack.enter_context(haproxy(cores))
        exporter = stack.enter_context(node_exporter())
        yield Site(folder, proxy, exporter, stack.enter_context(local_cloud(folder, **cloud)), cores)


def as_toml(settings: Document) -> str:
    """The tables as TOML: plain values, lists of tables, and tables in them as inline ones."""
    lines = []
    for name, section in settings.items():
        for table in section if isinstance(section, list) else [section]:
            lines.append(f"[[{name}]]" if isinstance(section, list) else f"[{name}]")
            lines.extend(f"{key} = {_value(value)}" for key, value in table.items())
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    return str(value)
