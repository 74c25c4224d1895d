"""The user-data template: filled in as at a launch, and judged by the real cloud-init."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # its types are no dependency of ours

from burstd.errors import InvalidSettings
from burstd.render.cloud_init import HEALTHY, CloudInitConfig, Web, render
from burstd.render.lsyncd import MirrorConfig, admits_core
from burstd.settings import templates

PUSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO1M9K7wUz9nn0CmFXv9UO1Y7lYrPqgBwCqT2G8Dqxkf it's {{ mine }}"
MIRROR = MirrorConfig("mirror@10.0.0.5", "/srv/web", "mirror", "/.burstd/token", 1.0, 0.25, "", PUSH_KEY, ("10.0.0.5",))
CONFIG = CloudInitConfig(Web.NGINX, "/srv/web", MIRROR)

PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIs6N3A8D4CFVXhsuP4wlAZ4jvX9zvhYC7U0EyR1jKcL"

USUAL = {"port": 80, "check_path": "/health", "metrics_port": 9100}
POOLS = [
    USUAL,
    {"port": 8080, "check_path": "/", "metrics_port": 9101},
    {"port": 8080, "check_path": "/health.php?deep=1", "metrics_port": None},
]
"""What pools differ in."""

FETCHED = Path(__file__).parents[2] / ".cache/cloud-init"
"""Where script/fetch-cloud-init puts it."""


def launched(config: CloudInitConfig, pool: dict[str, Any]) -> str:
    """The document that an instance gets."""
    keys = {"host_key_private": PRIVATE.replace("\n", "\\n"), "host_key_public": PUBLIC}
    return templates.render(render(config), {**pool, **keys})


def document(config: CloudInitConfig = CONFIG, **pool: object) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(launched(config, {**USUAL, **pool}))
    return read


def judge(file: Path) -> subprocess.CompletedProcess[str]:
    """What cloud-init says of it: the machine's own, or the one that was fetched."""
    installed = shutil.which("cloud-init")
    fetched = (FETCHED / "cloudinit").exists()
    if not installed and not fetched:
        pytest.skip("cloud-init is not on this machine, and was not fetched: script/fetch-cloud-init says why")
    command = [installed] if installed else [sys.executable, "-W", "ignore", "-m", "cloudinit.cmd.main"]
    environment = os.environ if installed else {**os.environ, "PYTHONPATH": str(FETCHED)}
    return subprocess.run([*command, "schema", "--config-file", file], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("config", "pool"),
    [(replace(CONFIG, web=web), USUAL) for web in Web] + [(CONFIG, pool) for pool in POOLS[1:]] + [(replace(CONFIG, mirror=None), USUAL)],
    ids=[*Web, "another port", "no exporter", "no mirror"],
)
def test_cloud_init_accepts_it(config: CloudInitConfig, pool: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "user-data.yaml"
    file.write_text(launched(config, pool))
    said = judge(file)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "Valid" in said.stdout


def test_cloud_init_would_have_said_so_if_it_were_wrong(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        launched(CONFIG, USUAL).replace("ed25519_private:", "ed25519_secret:").replace("lock_passwd: true", "lock_passwd: perhaps")
    )
    said = judge(file)
    assert said.returncode != 0
    assert "ed25519_secret" in said.stdout + said.stderr


def test_an_instance_has_the_one_host_key_that_the_core_knows(tmp_path: Path) -> None:
    made = document()
    assert made["ssh_deletekeys"] is True
    assert made["ssh_keys"] == {"ed25519_private": PRIVATE, "ed25519_public": PUBLIC}


def test_the_core_may_write_the_content_and_nobody_else_is_let_in() -> None:
    default, user = document()["users"]
    (key,) = user["ssh_authorized_keys"]
    assert default == "default"
    assert (user["name"], user["lock_passwd"]) == ("mirror", True)
    assert key == admits_core(MIRROR).rstrip("\n").removesuffix(" it's {{ mine }}")  # whose comment could be anything


def test_what_the_core_pushes_with_is_installed_and_the_folder_is_the_users() -> None:
    made = document()
    assert "rsync" in made["packages"]
    assert ["mkdir", "-p", "/srv/web"] in made["bootcmd"]
    assert ["chown", "-R", "mirror", "/srv/web"] in made["runcmd"]


def test_without_a_mirror_there_is_no_key_and_no_user() -> None:
    made = document(replace(CONFIG, mirror=None))
    assert not {"ssh_keys", "ssh_deletekeys", "users"} & set(made)
    assert "rsync" not in made["packages"]


@pytest.mark.parametrize("web", Web)
def test_the_web_server_serves_the_folder_on_the_pools_port(web: Web) -> None:
    made = document(replace(CONFIG, web=web), port=8080)
    assert web in made["packages"]
    site = made["write_files"][-1]["content"]
    assert "/srv/web" in site
    assert "8080" in site
    assert f"systemctl restart {web}" in made["runcmd"]


@pytest.mark.parametrize("web", Web)
def test_it_answers_at_the_check_path_where_that_is_not_the_front_page(web: Web) -> None:
    named = document(replace(CONFIG, web=web), check_path="/health?deep=1")
    assert named["write_files"][0]["path"] == HEALTHY
    assert '"/health"' in named["write_files"][-1]["content"]
    front = document(replace(CONFIG, web=web), check_path="/")
    assert HEALTHY not in str(front)


def test_node_exporter_listens_where_the_pool_says_and_not_at_all_where_it_says_nothing() -> None:
    assert "prometheus-node-exporter" in document()["packages"]
    assert "node-exporter" not in str(document(metrics_port=9100)["runcmd"])
    assert any(":9101" in str(command) for command in document(metrics_port=9101)["runcmd"])
    assert "node-exporter" not in str(document(metrics_port=None))


def test_no_empty_line_is_left_where_a_condition_does_not_hold() -> None:
    assert "\n\n\n" not in launched(CONFIG, POOLS[1])
    assert "{%" not in launched(CONFIG, POOLS[1])


def test_a_key_that_would_say_something_else_is_refused() -> None:
    with pytest.raises(InvalidSettings):
        render(replace(CONFIG, mirror=replace(MIRROR, push_key='ssh-ed25519 AAAA"')))
