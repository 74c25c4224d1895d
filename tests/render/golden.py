"""The files that `burstd render` makes of one settings file, kept under golden/ as they are to read.

After a change that is meant: `python -m tests.render.golden` writes them anew; what has changed stands in `git diff`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from burstd.model.gtid import Dialect
from burstd.model.policy import Mode
from burstd.model.replication import Server
from burstd.render import cloud_init, haproxy, lsyncd, mysql
from burstd.render.cloud_init import Web
from burstd.settings import Settings, load
from burstd.settings.rendering import cloud_init_config, haproxy_config, mirror_config, mysql_config

FOLDER = Path(__file__).parent / "golden"

BURSTD_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIs6N3A8D4CFVXhsuP4wlAZ4jvX9zvhYC7U0EyR1jKcL burstd@gateway"

SETTINGS = """
[[core]]
name = "core-oslo-01"
exporter = "http://10.0.0.5:9100/metrics"
address = "10.0.0.5"

[[core]]
name = "core-oslo-02"
exporter = "http://10.0.0.6:9100/metrics"
address = "10.0.0.6"

[haproxy]
further = [{ name = "static_cluster", acl = "path_end .jpg .gif .png .css .js" }]

[content]
core = "mirror@10.0.0.5"
push_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO1M9K7wUz9nn0CmFXv9UO1Y7lYrPqgBwCqT2G8Dqxkf mirror@core-oslo-01"

[database]
primary = "10.0.0.5"
replica = "10.1.0.5"
semi_sync = true

[[pool]]
name = "dublin"
driver = "ec2"
image = "ami-0a1b2c3d4e5f67890"
size = "t3.small"
check_path = "/health"
"""
"""The article's site."""


def settings() -> Settings:
    """The article's site, as burstd has loaded it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "burstd.toml")
        file.write_text(SETTINGS)
        return load(file, {})


def rendered() -> Mapping[str, str]:
    """Every file by the name that it is kept under."""
    site = settings()
    return {
        **{f"cloud-init-{web}.yaml.j2": cloud_init.render(cloud_init_config(site, web)) for web in Web},
        "haproxy.cfg": haproxy.render(haproxy_config(site, Mode.WEIGHTED)),
        **{f"{role}-{dialect}.cnf": mysql.render(mysql_config(site, role, dialect, 4 << 30)) for role in Server for dialect in Dialect},
        **{each.name: each.text for each in lsyncd.render(mirror_config(site, BURSTD_KEY))},
    }


def main() -> None:
    """Write them anew."""
    FOLDER.mkdir(exist_ok=True)
    wanted = rendered()
    for file in FOLDER.iterdir():
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
