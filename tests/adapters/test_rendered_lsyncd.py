"""The rendered lsyncd.lua in a real lsyncd 2.2.3, which pushes by a real ssh to a real sshd with the rendered key line."""

from __future__ import annotations

import getpass
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.render.lsyncd import HELD, MirrorConfig, admits_core, lua
from tests.haproxy_process import free_port
from tests.sshd_process import key_pair, sshd
from tests.waiting import wait_until
from tests.web import own_address

LIMIT = 5
"""MAX_DELETE."""


class Core:
    """A core server with content, and the instance of that address that it pushes to.

    Attributes:
        content: the folder here; `there` is the one on the instance.
        port: of the instance's sshd.
    """

    def __init__(self, folder: Path, address: str, stack: ExitStack) -> None:
        self.folder, self.address, self.port, self._stack = folder, address, free_port(address), stack
        self.content, self.there, self.state = (folder / name for name in ("content", "there", "state"))
        for each in (self.content, self.there, self.state):
            each.mkdir()
        key = key_pair(folder / "push")
        self.config = MirrorConfig(
            login="mirror@127.0.0.1",
            root=str(self.content),
            user=getpass.getuser(),
            token_path="/.burstd/token",
            delay=0.2,
            max_delete=0.25,
            burstd_key=key,
            push_key=key,
            push_from=("127.0.0.0/8", "::1"),
        )
        (folder / "lsyncd.lua").write_text(lua(self.config))
        self.control = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # short, for a unix socket

    def instance(self) -> None:
        """Boot it: from now on its sshd listens, and its host key is known."""
        line = admits_core(replace(self.config, root=str(self.there)))  # on one machine the folders must differ
        server = self._stack.enter_context(sshd(self.folder / "sshd", self.address, line, self.port))
        (self.state / "known_hosts").write_text(server.known)

    def mirror(self, **changed: str) -> subprocess.Popen[bytes]:
        """Run lsyncd as the unit does; `changed`: of its environment."""
        environment = {
            **os.environ,
            "TARGET": self.address,
            "PORT": str(self.port),
            "STATE": str(self.state),
            "CONTROL": str(self.control),
            "IDENTITY": str(self.folder / "push"),
            "MAX_DELETE": str(LIMIT),
            **changed,
        }
        with (self.folder / "lsyncd.out").open("ab") as out:
            process = subprocess.Popen(["lsyncd", self.folder / "lsyncd.lua"], env=environment, stdout=out, stderr=out)
        self._stack.callback(self._stop, process)
        return process

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for socket in self.control.iterdir():
            subprocess.run(["ssh", "-F", "none", "-S", socket, "-O", "exit", "it"], check=False, capture_output=True)

    def log(self) -> str:
        file = self.state / f"{self.address}.log"
        return file.read_text() if file.exists() else ""

    def has(self, *names: str) -> bool:
        return {file.name for file in self.there.iterdir()} == set(names)

    def write(self, *names: str) -> None:
        for name in names:
            (self.content / name).write_text(f"this is {name}\n")


@contextmanager
def core_of(folder: Path, address: str) -> Iterator[Core]:
    with ExitStack() as stack:
        yield Core(folder, address, stack)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    with core_of(tmp_path, own_address()) as core:
        yield core


def until(condition: Callable[[], bool], what: str) -> None:
    """A transfer goes through two sshs and two rsyncs, which a busy machine may take its time for."""
    wait_until(condition, what, within=60)


MANY = tuple(f"page-{number}" for number in range(LIMIT + 1))


@pytest.mark.parametrize("address", [own_address(), "::1"], ids=["IPv4", "IPv6"])
def test_what_is_written_and_what_is_deleted_here_is_so_on_the_instance(tmp_path: Path, address: str) -> None:
    with core_of(tmp_path, address) as core:
        core.instance()
        core.write("index.html")
        core.mirror()
        until(lambda: core.has("index.html"), "the first run")
        until(lambda: "finished." in core.log(), "lsyncd says that it is over")
        core.write("news.html", "picture.png")
        until(lambda: core.has("index.html", "news.html", "picture.png"), "new files")
        (core.content / "news.html").unlink()
        until(lambda: core.has("index.html", "picture.png"), "the deletion")
        until(lambda: "There are 0 delays" in (core.state / f"{address}.status").read_text(), "the status file says so")


def test_an_instance_that_is_dark_at_the_start_is_waited_for(core: Core) -> None:
    core.write("index.html")
    process = core.mirror()
    until(lambda: "Retrying startup" in core.log(), "it tries again")
    core.instance()
    until(lambda: core.has("index.html"), "the first run")
    assert process.poll() is None


def test_more_deletions_than_allowed_end_it_with_the_status_that_the_unit_does_not_restart(core: Core) -> None:
    core.instance()
    core.write("index.html", *MANY)
    process = core.mirror()
    until(lambda: core.has("index.html", *MANY) and "finished." in core.log(), "the first run")
    for name in MANY:
        (core.content / name).unlink()
    assert process.wait(60) == HELD
    assert "held at the --max-delete limit of 5" in core.log()
    assert len(list(core.there.iterdir())) == len(MANY) + 1 - LIMIT


def test_so_do_those_that_its_first_run_finds(core: Core) -> None:
    core.instance()
    core.write("index.html")
    for name in MANY:
        (core.there / name).touch()
    assert core.mirror().wait(60) == HELD


def test_an_instance_with_another_host_key_gets_nothing(core: Core) -> None:
    core.instance()
    other = key_pair(core.folder / "other").rsplit(" made", 1)[0]
    (core.state / "known_hosts").write_text(f"[{core.address}]:{core.port} {other}\n")
    core.write("index.html")
    core.mirror()
    until(lambda: "Retrying startup" in core.log(), "it tries again")
    assert "Host key verification failed" in (core.folder / "lsyncd.out").read_text()
    assert core.has()


def test_the_cores_key_can_do_nothing_else_on_an_instance(core: Core) -> None:
    core.instance()
    login = ["-F", "none", "-i", str(core.folder / "push"), "-p", str(core.port), "-o", f"UserKnownHostsFile={core.state}/known_hosts"]
    shell = subprocess.run(["ssh", *login, core.address, "id"], check=False, capture_output=True, text=True)
    assert shell.returncode != 0
    assert "uid=" not in shell.stdout
    (core.there / "secret").write_text("not to be read")
    rsh = " ".join(["ssh", *login])
    read = subprocess.run(["rsync", "-e", rsh, f"{core.address}:/secret", core.folder / "stolen"], check=False, capture_output=True)
    assert read.returncode != 0
    assert not (core.folder / "stolen").exists()
    core.write("index.html")
    subprocess.run(["rsync", "-e", rsh, core.content / "index.html", f"{core.address}:/../escaped"], check=False, capture_output=True)
    assert not (core.folder / "escaped").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"TARGET": "core.example.com"},
        {"TARGET": "10.0.0.5 -oProxyCommand=sh"},
        {"TARGET": ""},
        {"PORT": "22 -oProxyCommand=sh"},
        {"MAX_DELETE": ""},
        {"MAX_DELETE": "5 --rsync-path=sh"},
        {"IDENTITY": "key"},
        {"STATE": "/srv/a b"},
        {"CONTROL": "/srv/%C"},
    ],
    ids=lambda changed: "=".join(*changed.items()),
)
def test_an_environment_that_would_say_something_else_is_refused_before_anything_runs(core: Core, changed: dict[str, str]) -> None:
    process = core.mirror(**changed)
    assert process.wait(60) not in {0, HELD}
    assert f"{next(iter(changed))} in the environment: expected" in (core.folder / "lsyncd.out").read_text()
