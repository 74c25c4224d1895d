"""What makes each host what it is: its files, laid into its layer before it boots."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.lab import container, packages, pages
from tests.lab.hosts import CORE_1, CORE_2, GATEWAY_HOST, Host
from tests.lab.place import KEYS, ROOT, run

CONFIG: Final = Path(__file__).with_name("config")
SECRETS: Final = ("cloud",)
"""Each a file in the state folder, made up anew by every `up`."""

CREDENTIALS: Final = "[Service]\n" + "".join(f"LoadCredential={name}:/etc/burstd/secrets/{name}\n" for name in SECRETS)


def secrets_of_this_lab() -> None:
    """Make them up."""
    for name in SECRETS:
        (KEYS / name).write_text(secrets.token_urlsafe(24))
        (KEYS / name).chmod(0o600)


def filler(host: Host) -> Callable[[Path], None]:
    """Puts this host's own files into its layer."""
    return {GATEWAY_HOST: _gateway, CORE_1: _core, CORE_2: _core}.get(host, _plain)


def binds(host: Host) -> list[str]:
    """What of the machine this host sees."""
    return [f"--bind-ro={packages.dependencies()}:/opt/burstd/packages"] if host == GATEWAY_HOST else []


def _plain(layer: Path) -> None:
    """Bought for good: no cloud-init."""
    folder = layer / "etc/cloud"
    folder.mkdir(parents=True)
    (folder / "cloud-init.disabled").touch()
    key = layer / "etc/ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)])


def _core(layer: Path) -> None:
    _plain(layer)
    pages.write(layer / "var/www/html")


def _gateway(layer: Path) -> None:
    _plain(layer)
    packages.install(layer)
    etc = layer / "etc"
    for folder in ("burstd/secrets", "haproxy", "systemd/system/burstd.service.d", "sysusers.d"):
        (etc / folder).mkdir(parents=True, exist_ok=True)
    (etc / "burstd/secrets").chmod(0o700)
    for name in SECRETS:
        shutil.copy(KEYS / name, etc / "burstd/secrets" / name)
    for name in ("burstd.toml", "cloud-init.yaml"):
        shutil.copy(CONFIG / name, etc / "burstd" / name)
    shutil.copy(ROOT / "deploy/systemd/burstd.service", etc / "systemd/system/burstd.service")
    shutil.copy(ROOT / "deploy/systemd/burstd.sysusers.conf", etc / "sysusers.d/burstd.conf")
    (etc / "systemd/system/burstd.service.d/lab.conf").write_text(CREDENTIALS)


def finish() -> None:
    """What is made on the running hosts: the gateway's own files by its own burstd, and both of its services."""
    container.call("gateway", "burstd", "render", "haproxy", "--output", "/etc/haproxy/haproxy.cfg", "--force")
    container.call("gateway", "systemctl", "start", "haproxy", "burstd")
