"""What burstd makes of the lab's one burstd.toml: the files of every neighbour, by `burstd render`, before any host boots."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from tests.lab import place
from tests.lab.hosts import CORE_1, Host
from tests.lab.place import run

TEMPLATE: Final = Path(__file__).with_name("config") / "burstd.toml"

FOLDER: Final = place.STATE / "rendered"
"""Of the gateway's /etc/burstd (`burstd`) and of what goes elsewhere."""

SETTINGS: Final = FOLDER / "burstd/burstd.toml"

APPLICATION: Final = """\
  # What the application needs beside the web server.
  - sed -i '/index index.html/a include /etc/nginx/lab-app.conf;' /etc/nginx/conf.d/burstd.conf
  - systemctl start --no-block site prometheus-node-exporter
  - systemctl reload nginx
"""
"""Goes to the end of the rendered user-data, which is its list of commands."""


def key(name: str) -> Path:
    """A key pair of the lab's, made at the first question; the private half."""
    file = place.KEYS / name
    if not file.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file)])
    return file


def host_key(host: Host) -> Path:
    """The ssh host key of a host; the private half."""
    return key(f"host-{host.name}")


def public(file: Path) -> str:
    """The other half, as a line."""
    return file.with_name(f"{file.name}.pub").read_text().strip()


def render() -> None:
    """All of it, anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    SETTINGS.parent.mkdir(parents=True)
    for half in ("", ".pub"):
        shutil.copy(f"{key('mirror.key')}{half}", SETTINGS.parent / f"mirror.key{half}")
    (SETTINGS.parent / "known_hosts").write_text(f"{CORE_1.address} {public(host_key(CORE_1))}\n")
    settings = TEMPLATE.read_text().replace("PUSH_KEY", public(key("push")))
    # As they are before there is any user-data, with the key where it lies now.
    SETTINGS.write_text(settings.replace("[content]\n", '[content]\nidentity = "mirror.key"\n'))
    _burstd("haproxy", FOLDER / "haproxy.cfg")
    _burstd("lsyncd", FOLDER / "mirror")
    for role in ("primary", "replica"):
        _burstd("mysql", FOLDER / f"{role}.cnf", "--role", role, "--memory", "256M")
    document = SETTINGS.with_name("cloud-init.yaml.j2")
    _burstd("cloud-init", document, "--web", "nginx")
    document.write_text(document.read_text() + APPLICATION)
    SETTINGS.write_text(settings.replace("# user_data", 'user_data = "/etc/burstd/cloud-init.yaml.j2"'))


def _burstd(what: str, output: Path, *words: str) -> None:
    run([sys.executable, "-m", "burstd", "render", what, "--config", str(SETTINGS), "--output", str(output), *words])
