"""The root file system that every host shares: Debian 12 with what the article's hosts need, made once by mmdebstrap and kept.

Each host lays a layer of its own over it, and between the two lies what the lab itself adds (tests/lab/files).
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from tests.lab.place import LXCFS, cache, layers, run, say

SUITE: Final = "bookworm"

PACKAGES: Final = (
    "systemd", "systemd-sysv", "dbus", "libpam-systemd", "ca-certificates", "iproute2", "iputils-ping", "procps", "curl", "less", "sudo",
    "python3", "haproxy", "nginx-light", "mariadb-server", "mariadb-backup", "lsyncd", "rsync", "openssh-server", "openssh-client",
    "prometheus-node-exporter",
    "cloud-init",
)  # fmt: skip

IDLE: Final = (
    "haproxy", "mariadb", "nginx", "prometheus-node-exporter", "ssh", "lsyncd", "rsync", "e2scrub_reap", "apt-daily.timer",
    "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "systemd-pstore",
)  # fmt: skip
"""What Debian would start on every host."""

MASKED: Final = ("getty@tty1.service", "console-getty.service", "systemd-networkd-wait-online.service")
"""No terminal, nobody who logs in on one, and the network is there before the host boots."""

FILES: Final = Path(__file__).with_name("files")


def root() -> Path:
    """The kept root file system of this list of packages; made where it is not there yet, which takes one to two minutes."""
    key = hashlib.sha256("\n".join((SUITE, *PACKAGES, *IDLE, *MASKED)).encode()).hexdigest()[:12]
    place = cache() / f"root-{key}"
    if place.is_dir():
        return place
    cache().mkdir(parents=True, exist_ok=True)
    say(f"making the hosts' root file system with mmdebstrap, once, from this machine's own apt sources: {place}")
    made = Path(tempfile.mkdtemp(prefix="making-", dir=cache()))
    try:
        run(["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(made)])
        run(["systemctl", f"--root={made}", "--quiet", "disable", *_there(made)])
        run(["systemctl", f"--root={made}", "--quiet", "mask", *MASKED])
        # One key for all hosts would be no key: each host gets its own.
        for key_file in (made / "etc/ssh").glob("ssh_host_*"):
            key_file.unlink()
        (made / "etc/nginx/sites-enabled/default").unlink()
        made.chmod(0o755)
        made.rename(place)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return place


def _there(made: Path) -> list[str]:
    units = made / "usr/lib/systemd/system"
    return [unit for unit in IDLE if (units / (unit if "." in unit else f"{unit}.service")).exists()]


def shared() -> Path:
    """The layer of what the lab adds to every host, laid out anew: plain files, as they stand in the checkout."""
    place = cache() / "shared"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(FILES, place, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "opt/site").mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("serve.py"), place / "opt/site/serve.py")
    enable(place, "lab-loadavg", "sysinit.target")
    enable(place, "ssh")
    for folder in ("var/lib/lxcfs", "var/www/html"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    return place


def enable(layer: Path, unit: str, target: str = "multi-user.target") -> None:
    """Have a host start this unit, before it boots."""
    wants = layer / "etc/systemd/system" / f"{target}.wants"
    wants.mkdir(parents=True, exist_ok=True)
    name = unit if "." in unit else f"{unit}.service"
    link = wants / name
    link.unlink(missing_ok=True)
    ours = any((place / "etc/systemd/system" / name).exists() for place in (FILES, layer))
    link.symlink_to(f"/etc/systemd/system/{name}" if ours else f"/lib/systemd/system/{name}")


def lay(name: str) -> tuple[Path, Path]:
    """Make the folders of a host's layer; where its own files go, and where it will be mounted."""
    place = layers(name)
    shutil.rmtree(place, ignore_errors=True)
    for part in ("upper", "work", "root"):
        (place / part).mkdir(parents=True)
    return place / "upper", place / "root"


def mount(name: str) -> None:
    """Put the three layers together."""
    place = layers(name)
    options = f"lowerdir={cache() / 'shared'}:{root()},upperdir={place / 'upper'},workdir={place / 'work'}"
    run(["mount", "-t", "overlay", f"burstd-lab-{name}", "-o", options, str(place / "root")])


def bound() -> list[str]:
    """What every host gets from the machine: its own load average and CPU seconds, by lxcfs."""
    return [f"--bind-ro={LXCFS}:/var/lib/lxcfs"]
