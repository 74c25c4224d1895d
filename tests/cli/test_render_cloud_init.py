"""`burstd render cloud-init`: one template for the pools' user_data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped] # its types are no dependency of ours

from burstd.cli.render import WEBS
from burstd.model.content import HostKey
from burstd.render.cloud_init import Web
from burstd.settings import load
from tests.cli.renderer import Render, renderer
from tests.render.golden import SETTINGS, rendered


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "burstd.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def render(settings: Path) -> Render:
    return renderer("cloud-init", settings)


@pytest.mark.parametrize("web", WEBS)
def test_it_prints_the_template_for_that_web_server(render: Render, web: str) -> None:
    told = render("--web", web)
    assert (told.exit_code, told.stdout) == (0, rendered()[f"cloud-init-{web}.yaml.j2"])


def test_the_web_servers_that_are_repeated_for_speed_are_the_renderers_own(render: Render) -> None:
    assert tuple(map(str, Web)) == WEBS
    assert render().stdout == render("--web", WEBS[0]).stdout


def test_it_writes_a_file_and_says_what_to_do_next(render: Render, settings: Path, tmp_path: Path) -> None:
    file = tmp_path / "pool.yaml"
    told = render("--output", str(file))
    assert (told.exit_code, told.stdout) == (0, f"{file}: written, nginx\n")
    assert told.stderr.splitlines() == [
        f"next: install -m 640 -g burstd {file} /etc/burstd/pool.yaml.j2",
        f'next: write user_data = "/etc/burstd/pool.yaml.j2" under [[pool]] in {settings}',
        "next: burstd check",
    ]


def test_json_names_the_web_server(render: Render) -> None:
    told = json.loads(render("--web", "lighttpd", "--json").stdout)
    assert (told["web"], told["file"]) == ("lighttpd", None)
    assert told["text"] == rendered()["cloud-init-lighttpd.yaml.j2"]
    assert told["next"][0] == "burstd render cloud-init --web lighttpd --output cloud-init.yaml.j2"


def test_without_a_core_that_pushes_there_is_no_mirror_in_it(render: Render, settings: Path) -> None:
    settings.write_text(SETTINGS.replace('core = "mirror@10.0.0.5"', ""))
    told = render()
    assert told.exit_code == 0
    assert "ssh_keys" not in told.stdout


def test_what_the_mirror_lacks_is_told_by_its_key(render: Render, settings: Path) -> None:
    settings.write_text("\n".join(line for line in SETTINGS.splitlines() if not line.startswith("push_key")))
    told = render()
    assert told.exit_code == 2
    assert told.stderr.startswith("burstd: content.push_key: needed to render the mirror")


def test_burstd_takes_it_as_the_pools_user_data_and_puts_each_instances_key_into_it(render: Render, settings: Path, tmp_path: Path) -> None:
    assert render("--output", str(tmp_path / "pool.yaml.j2")).exit_code == 0
    pool = load(settings.with_name("burstd.toml"), {"BURSTD_POOL__0__USER_DATA": "pool.yaml.j2"}).pool[0]
    private, public = '-----BEGIN\n"quoted"\n-----END\n', "ssh-ed25519 AAAA"
    launched = yaml.safe_load(HostKey(private, public).put_into(pool.document("burst", keyed=True)) or "")
    assert launched["ssh_keys"] == {"ed25519_private": private, "ed25519_public": public}
