"""`burstd render cloud-init`: one template for the pools' user_data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from burstd.cli.group import burstd
from burstd.cli.render import WEBS
from burstd.render.cloud_init import Web
from tests.render.golden import SETTINGS, rendered

Render = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "burstd.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def render(settings: Path) -> Render:
    def run(*words: str) -> Result:
        return CliRunner().invoke(burstd, ["render", "cloud-init", "--config", str(settings), *words], prog_name="burstd")

    return run


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
