"""Every command of the README is run: as it stands where it can be, else with the one difference that its test names."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from burstd.settings import load
from tests.house.checkout import ROOT
from tests.site import Site, site

README = (ROOT / "README.md").read_text()
COMMANDS = [line.removeprefix("$ ") for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
VERBS = [command for command in COMMANDS if command.startswith("burstd ")]
INSTALLS = [command for command in COMMANDS if command.startswith("sudo ")]
SCRIPTS = {
    "script/demo": "tests/e2e/test_demo.py runs it to its end",
    "script/test": "whoever reads this is in it",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site")) as gateway, gateway.daemon():
        yield gateway


def test_every_command_is_one_that_a_test_knows() -> None:
    assert set(COMMANDS) == {*VERBS, *INSTALLS, *SCRIPTS}
    assert all(os.access(ROOT / name, os.X_OK) for name in SCRIPTS)


@pytest.mark.parametrize("command", [verb for verb in VERBS if verb != "burstd run --once --dry-run"])
def test_a_verb_does_what_the_readme_says(command: str, running: Site) -> None:
    ran = running.burstd(*shlex.split(command)[1:])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.strip()


def test_a_dry_cycle_runs_before_the_daemon_does(tmp_path: Path) -> None:
    with site(tmp_path) as gateway:
        ran = gateway.burstd("run", "--once", "--dry-run")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "nothing to do, because" in ran.stdout


def test_the_settings_shown_are_accepted(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "burstd.toml"
    path.write_text(shown)
    settings = load(path, {})
    assert [pool.name for pool in settings.pool] == [pool["name"] for pool in tomllib.loads(shown)["pool"]]


@pytest.mark.timeout(400)  # it installs every dependency from the lock
def test_the_installation_works_in_a_root_of_its_own(tmp_path: Path) -> None:
    """The commands as they stand, less sudo, with every system folder below a scratch root.

    apt-get only simulates, since the packages are those of this machine; systemd, which runs on none of them, is spoken to offline.
    """
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "usr/lib/systemd/system").mkdir(parents=True)
    (root / "etc/group").write_text("haproxy:x:105:\n")
    for command in INSTALLS:
        words = [re.sub(r"^/(?=opt/|etc/|usr/)", f"{root}/", word) for word in shlex.split(command)[1:]]
        subprocess.run(_adapted(words, root), cwd=ROOT, check=True, capture_output=True, text=True)
    version = subprocess.run([root / "opt/burstd/bin/burstd", "--version"], check=True, capture_output=True, text=True).stdout
    assert re.match(r"burstd,? (version )?\d+\.\d+\.\d+", version)
    assert "burstd:" in (root / "etc/passwd").read_text()
    assert (root / "etc/systemd/system/multi-user.target.wants/burstd.service").is_symlink()
    assert (root / "etc/burstd/burstd.toml").read_text() == (ROOT / "config/burstd.toml").read_text()


def _adapted(words: list[str], root: Path) -> list[str]:
    adapt: dict[str, Callable[[], list[str]]] = {
        "apt-get": lambda: [_needed("apt-get"), "--simulate", *words[1:]],
        "systemd-sysusers": lambda: [_needed("systemd-sysusers"), f"--root={root}"],
        "systemctl": lambda: [_needed("systemctl"), f"--root={root}", "enable", "burstd"],
        "install": lambda: [word for word in words if word not in {"--group", "burstd"}],
    }
    return adapt.get(words[0], lambda: words)()


def _needed(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not on this machine")
