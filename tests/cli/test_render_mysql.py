"""`burstd render mysql`: one file for each of the two servers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from burstd.cli.render import DIALECTS, ROLES
from burstd.model.gtid import Dialect
from burstd.model.replication import Server
from tests.cli.renderer import Render, renderer
from tests.render.golden import SETTINGS, rendered


@pytest.fixture
def render(tmp_path: Path) -> Render:
    file = tmp_path / "burstd.toml"
    file.write_text(SETTINGS)

    return renderer("mysql", file)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_prints_the_servers_options(render: Render, role: str, dialect: str) -> None:
    told = render("--role", role, "--memory", "4G", "--dialect", dialect)
    assert (told.exit_code, told.stdout) == (0, rendered()[f"{role}-{dialect}.cnf"])


def test_the_choices_that_are_repeated_for_speed_are_the_models_own() -> None:
    assert (tuple(map(str, Server)), tuple(map(str, Dialect))) == (ROLES, DIALECTS)


def test_it_writes_a_file_and_says_what_to_do_next(render: Render, tmp_path: Path) -> None:
    file = tmp_path / "90-burstd.cnf"
    told = render("--role", "replica", "--memory", "512M", "--output", str(file))
    assert (told.exit_code, told.stdout) == (0, f"{file}: written, replica, mariadb\n")
    assert told.stderr.splitlines() == [
        f"next: copy {file} to 10.1.0.5, and there as root: mariadbd --defaults-file={file} --user=mysql --help --verbose",
        f"next: install -m 644 {file} /etc/mysql/mariadb.conf.d/90-burstd.cnf && systemctl restart mariadb",
        "next: seed it from the primary, and let it follow: `burstd db rejoin` prints the commands",
        "next: burstd check",
    ]


def test_json_names_role_and_dialect(render: Render) -> None:
    told = json.loads(render("--role", "primary", "--memory", "4G", "--json").stdout)
    assert (told["role"], told["dialect"], told["file"]) == ("primary", "mariadb", None)
    assert told["text"] == rendered()["primary-mariadb.cnf"]
    assert told["next"][0] == "burstd render mysql --role primary --memory 4096M --dialect mariadb --output 90-burstd.cnf"


@pytest.mark.parametrize("memory", ["", "4", "G", "-4G", "4.5G", "4K", "٤G"])
def test_a_memory_that_is_no_size_is_refused(render: Render, memory: str) -> None:
    told = render("--role", "primary", "--memory", memory)
    assert told.exit_code == 2
    assert "expected a whole number with M, G or T behind it, such as 4G" in told.stderr


def test_a_memory_too_small_is_refused(render: Render) -> None:
    told = render("--role", "primary", "--memory", "128M")
    assert (told.exit_code, told.stderr.splitlines()) == (
        2,
        ["burstd: --memory 128M: expected at least 256M, which the database has for itself"],
    )


def test_what_the_settings_lack_is_told_by_its_key(render: Render, tmp_path: Path) -> None:
    (tmp_path / "burstd.toml").write_text(SETTINGS.replace('replica = "10.1.0.5"\n', ""))
    told = render("--role", "replica", "--memory", "4G")
    assert told.exit_code == 2
    assert told.stderr.startswith("burstd: database.replica: needed to render its my.cnf; write the address of the replica, such as")
