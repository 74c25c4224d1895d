"""A real sshd on a loopback address, as the user of the tests, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.haproxy_process import free_port
from tests.waiting import wait_until

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def key_pair(file: Path) -> str:
    """Make a pair of keys; the public one's line."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "made for a test", "-f", file], check=True)
    return file.with_name(f"{file.name}.pub").read_text().strip()


@dataclass(frozen=True)
class Sshd:
    """What `sshd` yields.

    Attributes:
        host_key: the public one, kind and content, without a comment.
        authorized_keys: the file that says who is admitted; read at each login.
        user: who can log in.
    """

    address: str
    port: int
    host_key: str
    authorized_keys: Path
    user: str

    @property
    def known(self) -> str:
        """The line of known_hosts that pins its key."""
        return f"[{self.address}]:{self.port} {self.host_key}\n"


@contextmanager
def sshd(folder: Path, address: str, authorized: str, port: int | None = None) -> Iterator[Sshd]:
    """Run one in that folder, with these lines of authorized_keys, until the block ends."""
    assert SSHD, "sshd is not on this machine: script/bootstrap installs it"
    port = port or free_port(address)
    folder.mkdir(exist_ok=True)
    host = folder / "host"
    host_key = (host.with_name("host.pub").read_text() if host.exists() else key_pair(host)).rsplit(" made", 1)[0]
    keys = folder / "authorized_keys"
    keys.write_text(authorized)
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {address}\nHostKey {host}\nPidFile none\nAuthorizedKeysFile {keys}\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as root it locks itself in there
    with (folder / "sshd.log").open("ab") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: _listens(address, port), "sshd listens")
        yield Sshd(address, port, host_key, keys, getpass.getuser())
    finally:
        # What it has forked for a session ends with the session: whoever holds one closes it.
        process.terminate()
        process.wait()


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
