"""A core server's end of the mirror on loopback addresses: real sshd, lsyncd, rsync and rrsync, and the units by a stand-in for systemd."""

from __future__ import annotations

import getpass
import itertools
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from burstd.adapters.lsyncd import Core, mirror_program
from burstd.model.content import MirrorTarget
from burstd.render.lsyncd import MirrorConfig, admits_core, lua, unit
from tests.haproxy_process import free_port
from tests.sshd_process import Sshd, key_pair, sshd
from tests.web import own_address

_numbers = itertools.count()


class MirrorHost:
    """What `mirror_host` yields: the core server.

    Attributes:
        content: the folder whose files are pushed.
        state: the program's own folder.
        port: of every instance's sshd.
        core: how burstd reaches it; None before `listen`.
    """

    def __init__(self, folder: Path, short: Path, stack: ExitStack, *, max_delete: float = 0.25) -> None:
        self.folder, self._short, self._stack = folder, short, stack
        self.home, self.content, self.bin = folder / "home", folder / "content", folder / "bin"
        for each in (self.home / ".ssh", self.content, self.bin / "units", self.bin / "runs"):
            each.mkdir(parents=True)
        self.state = self.home / ".local/state/burstd-mirror"
        self.port = free_port(own_address())
        self._instances: dict[str, ExitStack] = {}
        self.push_key = key_pair(self.home / ".ssh/burstd_push")
        self.identity = folder / "mirror.key"
        self.config = MirrorConfig(
            login="mirror@127.0.0.1",
            root=str(self.content),
            user=getpass.getuser(),
            token_path="/.burstd/token",
            delay=0.2,
            max_delete=max_delete,
            burstd_key=key_pair(self.identity),
            push_key=self.push_key,
            push_from=("127.0.0.0/8",),
        )
        (folder / "lsyncd.lua").write_text(lua(self.config))
        service = unit().replace("/etc/burstd/lsyncd.lua", str(folder / "lsyncd.lua"))
        (self.bin / "units" / "lsyncd@.service").write_text(service)
        systemctl = self.bin / "systemctl"
        source = Path(__file__).with_name("user_systemd.py").read_text()
        systemctl.write_text(f"#!{sys.executable} -IS\n{source}")
        systemctl.chmod(0o755)
        (self.bin / "burstd-mirror").write_text(mirror_program())

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self._short)}

    @property
    def _program(self) -> list[str]:
        options = {"--root": self.content, "--token": self.config.token_path, "--max-delete": self.config.max_delete, "--port": self.port}
        return [sys.executable, "-IS", str(self.bin / "burstd-mirror"), *(str(word) for pair in options.items() for word in pair)]

    def call(self, document: object) -> subprocess.CompletedProcess[str]:
        """Run the program once, as the forced command does, on this document or text."""
        text = document if isinstance(document, str) else json.dumps(document)
        return subprocess.run(self._program, input=text, env=self._environment, capture_output=True, text=True, timeout=60, check=False)

    def keep(self, *targets: Sshd | MirrorTarget, release: bool = False) -> dict[str, Any]:
        """Its answer to this list."""
        wanted = [{"address": each.address, "host_key": each.host_key} for each in targets]
        ran = self.call({"targets": wanted, "release": release})
        assert ran.returncode == 0, ran.stderr
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    def instance(self, address: str | None = None) -> tuple[Sshd, Path]:
        """An instance that is reached by ssh from now on, and its folder of content."""
        address = address or f"{own_address().rpartition('.')[0]}.{next(_numbers) % 200 + 20}"
        there = self.there(address)
        line = admits_core(replace(self.config, root=str(there)))
        held = self._stack.enter_context(ExitStack())
        server = held.enter_context(sshd(self.folder / f"sshd-{address}", address, line, self.port))
        self._instances[address] = held
        return server, there

    def cut(self, instance: Sshd) -> None:
        """Nothing listens there any more, and the connections that there are end."""
        self._instances[instance.address].close()
        self.end_masters()

    def end_masters(self) -> None:
        """Let no connection live on that ssh keeps for the next transfer."""
        for socket in (self._short / "burstd-mirror").glob("*"):
            subprocess.run(["ssh", "-F", "none", "-S", socket, "-O", "exit", "it"], check=False, capture_output=True, timeout=60)

    def there(self, address: str) -> Path:
        """The folder of content of the instance with that address."""
        folder = self.folder / f"there-{address}"
        folder.mkdir(exist_ok=True)
        return folder

    def listen(self, deadline: float = 10.0) -> Core:
        """Let burstd in by ssh, and only to the program."""
        words = ["env", *(f"{name}={value}" for name, value in self._environment.items()), *self._program]
        line = f'restrict,command="{shlex.join(words)}" {self.config.burstd_key}\n'
        server = self._stack.enter_context(sshd(self.folder / "core-sshd", own_address(), line))
        known = self.folder / "known_hosts"
        known.write_text(server.known)
        return Core(f"{server.user}@{server.address}", server.port, self.identity, known, deadline)

    def close(self) -> None:
        """Stop every unit."""
        units = [each.name for each in (self.bin / "runs").glob("lsyncd@*")]
        subprocess.run([self.bin / "systemctl", "--user", "stop", *units], env=self._environment, check=True, timeout=60)
        self.end_masters()


@contextmanager
def mirror_host(folder: Path, **changed: Any) -> Iterator[MirrorHost]:
    """A core server without content yet; nothing of it runs when the block has ended."""
    with ExitStack() as stack:
        short = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # for unix sockets
        host = MirrorHost(folder, short, stack, **changed)
        stack.callback(host.close)
        yield host
