from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.checkout import ROOT, tracked

SCRIPTS = [*tracked("script/*"), ROOT / ".ci/run"]
BASH = [script for script in SCRIPTS if "bash" in script.read_text().partition("\n")[0]]


def call(script: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **({"PATH": path} if path else {})}
    return subprocess.run(
        [script, *arguments], cwd="/", env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )


def pretend(folder: Path, *programs: str, real: tuple[str, ...] = ()) -> str:
    """A folder for PATH that holds programs which only succeed, beside links to real ones."""
    folder.mkdir()
    for name in programs:
        (folder / name).symlink_to("/bin/true")
    for name in real:
        (folder / name).symlink_to(shutil.which(name) or pytest.skip(f"{name} is not on this machine"))
    return str(folder)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout with nothing in it but the bootstrap: no .venv."""
    (tmp_path / "clone/script").mkdir(parents=True)
    shutil.copy(ROOT / "script/bootstrap", tmp_path / "clone/script/bootstrap")
    return tmp_path / "clone/script/bootstrap"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env ")


@pytest.mark.parametrize("script", BASH, ids=lambda script: script.name)
def test_a_script_is_sound_bash_and_stops_at_the_first_failure(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    assert "set -euo pipefail" in script.read_text() or "\nexec " in script.read_text()


@pytest.mark.parametrize("name", ["bootstrap", "test", "lock", "newest-haproxy", "fetch-cloud-init"])
def test_a_script_explains_itself(name: str) -> None:
    told = call(ROOT / "script" / name, "--help")
    assert told.returncode == 0
    assert f"script/{name}" in told.stdout
    assert "#" not in told.stdout


@pytest.mark.parametrize("name", ["lab", "demo"])
def test_asking_for_help_installs_nothing(clone: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(ROOT / "script" / name, clone.with_name(name))
    told = call(clone.with_name(name), "--help", path=pretend(tmp_path / "bin", real=("bash", "env", "dirname", "sed")))
    assert (told.returncode, told.stderr) == (0, "")
    assert f"script/{name} --help" in told.stdout
    assert sorted(each.name for each in clone.parents[1].iterdir()) == ["script"]


@pytest.mark.parametrize("name", ["bootstrap", "test", "newest-haproxy", "fetch-cloud-init"])
def test_an_argument_that_a_script_does_not_know_changes_nothing(name: str) -> None:
    refused = call(ROOT / "script" / name, "--nonsense")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "unknown argument '--nonsense'" in refused.stderr


def test_without_a_python_that_is_new_enough_bootstrap_says_so_in_one_line(clone: Path, tmp_path: Path) -> None:
    path = pretend(
        tmp_path / "bin",
        "haproxy",
        "prometheus-node-exporter",
        "promtool",
        "mariadbd",
        "lsyncd",
        "rsync",
        "sshd",
        real=("bash", "env", "dirname"),
    )
    (Path(path) / "python3").symlink_to("/bin/false")
    refused = call(clone, path=path)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "bootstrap: no Python 3.11 or later on the PATH (looked for python3.14 to python3.11 and python3); install one, then run again"
    ]
    assert not (clone.parents[1] / ".venv").exists()


@pytest.mark.parametrize(("name", "what"), [("newest-haproxy", "a newer HAProxy"), ("fetch-cloud-init", "cloud-init")])
def test_what_cannot_be_fetched_is_said_once_and_is_no_failure(clone: Path, tmp_path: Path, name: str, what: str) -> None:
    script = clone.with_name(name)
    shutil.copy(ROOT / "script" / name, script)
    path = pretend(tmp_path / "bin", real=("bash", "env", "dirname", "mkdir", "mktemp", "rm"))
    first, second = call(script, path=path), call(script, path=path)
    assert first.returncode == second.returncode == 0, first.stderr
    assert f"this machine has no apt; the tests go without {what}" in first.stdout
    assert (second.stdout, second.stderr) == ("", "")
