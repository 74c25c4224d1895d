"""What makes each host what it is: its files, laid into its layer before it boots, and what is said to its servers once they run."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.lab import container, packages, pages, rendered
from tests.lab.hosts import CORE_1, CORE_2, GATEWAY_HOST, REPLICA, Host
from tests.lab.place import KEYS, ROOT
from tests.waiting import wait_until

SECRETS: Final = ("cloud", "database")
"""Each a file in the state folder, made up anew by every `up`."""

CREDENTIALS: Final = "[Service]\n" + "".join(f"LoadCredential={name}:/etc/burstd/secrets/{name}\n" for name in SECRETS)

MIRROR: Final = 990
"""User id of who owns the content on the core."""

MIRROR_USER: Final = f"""\
g mirror {MIRROR}
u mirror {MIRROR}:{MIRROR} "owner of the content" /var/lib/mirror /bin/sh
"""

BURSTD: Final = 991
"""User id of burstd on the gateway, so that its key can be laid out before it boots."""


def secrets_of_this_lab() -> None:
    """Make them up."""
    for name in SECRETS:
        (KEYS / name).write_text(secrets.token_urlsafe(24))
        (KEYS / name).chmod(0o600)


def filler(host: Host) -> Callable[[Path], None]:
    """Puts this host's own files into its layer."""
    fill = {GATEWAY_HOST: _gateway, CORE_1: _core_1, CORE_2: _core_2, REPLICA: _replica}[host]

    def whole(layer: Path) -> None:
        _plain(layer, host)
        fill(layer)

    return whole


def binds(host: Host) -> list[str]:
    """What of the machine this host sees."""
    return [f"--bind-ro={packages.dependencies()}:/opt/burstd/packages"] if host == GATEWAY_HOST else []


def finish() -> None:
    """What is said to the running hosts: replication begins, and then burstd."""
    replication()
    container.call(GATEWAY_HOST.name, "systemctl", "start", "burstd")


def replication() -> None:
    """Users on the primary, and the replica behind it."""
    password = (KEYS / "database").read_text()
    wait_until(lambda: all(map(_answers, (CORE_1, REPLICA))), "both MariaDB servers answer", within=60, every=0.5)
    users = "".join(
        f"CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY '{password}'; GRANT {rights} TO {name}@'%';"
        for name, rights in (("burstd", "ALL ON *.*"), ("repl", "REPLICATION SLAVE ON *.*"), ("shop", "ALL ON shop.*"))
    )
    # Before there is a replica, a commit would wait for it for ever.
    sql(CORE_1, "SET GLOBAL rpl_semi_sync_master_enabled = OFF; SET GLOBAL read_only = OFF")
    sql(CORE_1, "CREATE OR REPLACE DATABASE shop; CREATE TABLE shop.orders (id BIGINT PRIMARY KEY);" + users)
    source = f"MASTER_HOST='{CORE_1.address}', MASTER_USER='repl', MASTER_PASSWORD='{password}'"
    sql(REPLICA, f"CHANGE MASTER TO {source}, MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=2, MASTER_HEARTBEAT_PERIOD=1; START SLAVE;")
    wait_until(level, "the replica has all that the primary has", within=60, every=0.5)
    sql(CORE_1, "SET GLOBAL rpl_semi_sync_master_enabled = ON")


def database_anew() -> None:
    """The pair as it was at the start, with nothing in it, whatever has been promoted meanwhile; and burstd that knows of nothing."""
    container.call(GATEWAY_HOST.name, "systemctl", "stop", "burstd")
    wait_until(lambda: all(map(_answers, (CORE_1, REPLICA))), "both MariaDB servers answer", within=60, every=0.5)
    sql(CORE_1, "SET GLOBAL rpl_semi_sync_master_enabled = OFF")
    for host in (CORE_1, REPLICA):
        sql(host, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF; DROP DATABASE IF EXISTS burstd; DROP DATABASE IF EXISTS shop;")
        sql(host, "RESET MASTER; SET GLOBAL gtid_slave_pos = '';")
    sql(REPLICA, "SET GLOBAL rpl_semi_sync_slave_enabled = ON; SET GLOBAL read_only = ON")
    replication()
    container.call(GATEWAY_HOST.name, "sh", "-c", "rm -f /var/lib/burstd/promotion.json /var/lib/burstd/sighting.json")
    container.call(GATEWAY_HOST.name, "systemctl", "restart", "haproxy")
    container.call(GATEWAY_HOST.name, "systemctl", "start", "burstd")


def level() -> bool:
    """The replica has applied what the primary has."""
    return sql(CORE_1, "SELECT @@gtid_binlog_pos") == sql(REPLICA, "SELECT @@gtid_slave_pos")


def sql(host: Host, statements: str) -> str:
    """Run them on the host's own server, as root; the rows, by tabs."""
    return container.call(host.name, "mariadb", "--batch", "--skip-column-names", given=statements)


def _answers(host: Host) -> bool:
    try:
        return sql(host, "SELECT 1").strip() == "1"
    except Exception:  # noqa: BLE001 - whatever it is: not yet
        return False


def _plain(layer: Path, host: Host) -> None:
    """Bought for good: no cloud-init; and known by its ssh host key."""
    folder = layer / "etc/cloud"
    folder.mkdir(parents=True)
    (folder / "cloud-init.disabled").touch()
    (layer / "etc/ssh").mkdir(parents=True)
    for half in ("", ".pub"):
        shutil.copy(f"{rendered.host_key(host)}{half}", layer / f"etc/ssh/ssh_host_ed25519_key{half}")


def _core(layer: Path) -> None:
    _write(layer / "etc/nginx/sites-enabled/site.conf", "include /etc/nginx/lab-core.conf;\n")
    pages.write(layer / "var/www/html")


def _core_1(layer: Path) -> None:
    """The content's home: its owner, whom burstd may ask by ssh and whose systemd runs an lsyncd for each instance."""
    _core(layer)
    _database(layer, "primary")
    mirror, home = rendered.FOLDER / "mirror", layer / "var/lib/mirror"
    _write(layer / "etc/sysusers.d/mirror.conf", MIRROR_USER)
    _write(layer / "var/lib/systemd/linger/mirror", "")
    _copy(mirror / "lsyncd.lua", layer / "etc/burstd/lsyncd.lua")
    _copy(mirror / "lsyncd@.service", layer / "etc/systemd/user/lsyncd@.service")
    _copy(mirror / "burstd-mirror", layer / "usr/local/bin/burstd-mirror", 0o755)
    _copy(mirror / "authorized_keys.core", home / ".ssh/authorized_keys", 0o600)
    _copy(rendered.key("push"), home / ".ssh/burstd_push", 0o600)
    (home / ".ssh").chmod(0o700)
    _write(home / "core/known_hosts", f"{CORE_2.address} {rendered.public(rendered.host_key(CORE_2))}\n")
    (layer / "var/www/html/.burstd").mkdir()
    _own(home, MIRROR)
    _own(layer / "var/www/html", MIRROR)


def _core_2(layer: Path) -> None:
    """The other core server, to which the first pushes as it does to instances, only for good."""
    _core(layer)
    home = layer / "var/lib/mirror"
    _write(layer / "etc/sysusers.d/mirror.conf", MIRROR_USER)
    _copy(rendered.FOLDER / "mirror/authorized_keys.instance", home / ".ssh/authorized_keys", 0o600)
    _own(home, MIRROR)
    _own(layer / "var/www/html", MIRROR)


def _replica(layer: Path) -> None:
    _database(layer, "replica")


def _database(layer: Path, role: str) -> None:
    _copy(rendered.FOLDER / f"{role}.cnf", layer / "etc/mysql/mariadb.conf.d/90-burstd.cnf")
    # The article's folder of the binary log, which Debian's MariaDB no longer brings along.
    _write(layer / "etc/tmpfiles.d/mysql.conf", "d /var/log/mysql 0750 mysql adm\n")
    # Debian's own file keeps the server to itself.
    _write(layer / "etc/mysql/mariadb.conf.d/95-lab.cnf", "[mysqld]\nbind-address = 0.0.0.0\nskip-name-resolve = ON\n")


def _gateway(layer: Path) -> None:
    packages.install(layer)
    shutil.copytree(rendered.SETTINGS.parent, layer / "etc/burstd")
    _own(layer / "etc/burstd", BURSTD)
    for name in SECRETS:
        _copy(KEYS / name, layer / "etc/burstd/secrets" / name, 0o600)
    _copy(rendered.FOLDER / "haproxy.cfg", layer / "etc/haproxy/haproxy.cfg")
    _copy(ROOT / "deploy/systemd/burstd.service", layer / "etc/systemd/system/burstd.service")
    users = (ROOT / "deploy/systemd/burstd.sysusers.conf").read_text()
    _write(layer / "etc/sysusers.d/burstd.conf", users.replace("u burstd -", f"u burstd {BURSTD}"))
    _write(layer / "etc/systemd/system/burstd.service.d/lab.conf", CREDENTIALS)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _copy(source: Path, file: Path, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, file)
    file.chmod(mode)


def _own(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)
