"""`burstd render lsyncd`: several files, under headings or in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.renderer import Render, renderer
from tests.render.golden import BURSTD_KEY, SETTINGS, rendered

NAMES = ("lsyncd.lua", "lsyncd@.service", "authorized_keys.core", "authorized_keys.instance")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The settings of the golden files, with burstd's key beside them."""
    file = tmp_path / "burstd.toml"
    file.write_text(SETTINGS.replace("[content]", '[content]\nidentity = "mirror.key"'))
    (tmp_path / "mirror.key.pub").write_text(f"{BURSTD_KEY}\n")
    return file


@pytest.fixture
def render(settings: Path) -> Render:
    return renderer("lsyncd", settings)


def test_each_file_stands_under_the_place_where_it_belongs(render: Render) -> None:
    told = render()
    assert told.exit_code == 0
    headings = [line for line in told.stdout.splitlines() if line.startswith("==> ")]
    assert headings[:2] == ["==> 10.0.0.5: /etc/burstd/lsyncd.lua <==", "==> 10.0.0.5: /etc/systemd/user/lsyncd@.service <=="]
    for name in NAMES:
        assert rendered()[name] in told.stdout


def test_a_folder_gets_them_each_in_a_file_of_its_own(render: Render, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "mirror"
    told = render("--output", str(folder))
    assert told.exit_code == 0
    assert told.stdout.splitlines()[0] == f"{folder}/lsyncd.lua: written, for 10.0.0.5: /etc/burstd/lsyncd.lua"
    for name in NAMES:
        assert (folder / name).read_text() == rendered()[name]


def test_the_program_for_the_core_comes_with_them_and_runs_there(render: Render, tmp_path: Path) -> None:
    assert render("--output", str(tmp_path / "mirror")).exit_code == 0
    program = tmp_path / "mirror" / "burstd-mirror"
    ran = subprocess.run([sys.executable, "-I", program, "--help"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("usage: burstd-mirror")


def test_where_one_of_them_exists_none_is_written_but_by_force(render: Render, tmp_path: Path) -> None:
    (tmp_path / "lsyncd@.service").write_text("mine\n")
    refused = render("--output", str(tmp_path))
    assert (refused.exit_code, (tmp_path / "lsyncd@.service").read_text()) == (2, "mine\n")
    assert not (tmp_path / "lsyncd.lua").exists()
    assert refused.stderr.startswith(f"burstd: --output {tmp_path}/lsyncd@.service: expected no such file, it exists")
    assert render("--output", str(tmp_path), "--force").exit_code == 0
    assert (tmp_path / "lsyncd@.service").read_text() == rendered()["lsyncd@.service"]


def test_a_folder_that_cannot_be_made_is_told(render: Render, settings: Path) -> None:
    told = render("--output", f"{settings}/inside")
    assert told.exit_code == 2
    assert told.stderr.endswith("expected a folder that can be made, the system says: Not a directory\n")


def test_json_holds_every_file_with_its_place(render: Render, tmp_path: Path) -> None:
    told = json.loads(render("--json", "--output", str(tmp_path / "mirror")).stdout)
    assert told["files"][0] == {
        "name": "lsyncd.lua",
        "place": "10.0.0.5: /etc/burstd/lsyncd.lua",
        "file": str(tmp_path / "mirror/lsyncd.lua"),
        "text": rendered()["lsyncd.lua"],
    }
    assert told["next"][-1] == "burstd check"
    assert json.loads(render("--json").stdout)["files"][0]["file"] is None


def test_the_next_steps_are_told_beside_the_files(render: Render) -> None:
    steps = render().stderr.splitlines()
    assert steps[0] == "next: burstd render lsyncd --output mirror"
    assert steps[-1] == "next: burstd check"


def test_without_the_public_half_of_its_key_it_says_how_to_make_the_pair(render: Render, tmp_path: Path) -> None:
    (tmp_path / "mirror.key.pub").unlink()
    told = render()
    key = tmp_path / "mirror.key"
    assert told.exit_code == 2
    assert told.stderr == (
        f"burstd: content.identity {key}: expected its public half in {key}.pub, the system says: No such file or directory; "
        f"make both with: ssh-keygen -t ed25519 -N '' -f {key}\n"
    )


def test_a_public_half_that_is_none_is_told(render: Render, tmp_path: Path) -> None:
    (tmp_path / "mirror.key.pub").write_bytes(b"\xff")
    assert "the system says: it is not UTF-8; make both with" in render().stderr


def test_what_the_settings_lack_is_told_by_its_key(render: Render, settings: Path) -> None:
    text = settings.read_text()
    settings.write_text("\n".join(line for line in text.splitlines() if not line.startswith(("core =", "push_key ="))))
    told = render()
    assert told.exit_code == 2
    assert [line.partition(": needed")[0] for line in told.stderr.splitlines()] == ["burstd: content.core", "burstd: content.push_key"]


def test_a_core_that_is_named_and_not_numbered_needs_to_be_told_from_where_it_pushes(render: Render, settings: Path) -> None:
    text = settings.read_text().replace("mirror@10.0.0.5", "mirror@core.example.com", 1)
    settings.write_text(text)
    assert render().stderr.startswith("burstd: content.push_from: needed to render the mirror")
    settings.write_text(text.replace("[content]", '[content]\npush_from = ["192.0.2.0/24", "2001:db8::5"]'))
    assert 'restrict,from="192.0.2.0/24,2001:db8::5",command=' in render().stdout


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[content]", '[content]\npush_from = ["core.example.com"]', "content.push_from[0]"),
        ("[content]", '[content]\npush_from = ["192.0.2.1/24"]', "content.push_from[0]"),
        ('push_key = "ssh-ed25519 ', 'push_key = "ssh-ed25519 \\"', "content.push_key"),
        ('push_key = "ssh-ed25519 ', 'push_key = "command=sh ssh-ed25519 ', "content.push_key"),
    ],
)
def test_a_value_that_would_say_something_else_is_refused_by_its_key(render: Render, settings: Path, old: str, new: str, key: str) -> None:
    settings.write_text(settings.read_text().replace(old, new, 1))
    told = render()
    assert told.exit_code == 2
    assert told.stderr.startswith(f"burstd: {key} = ")
