from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.model.gtid import Dialect
from burstd.model.replication import Server
from burstd.render.mysql import MySQLConfig, buffer_pool, render

GIB = 1 << 30
PRIMARY = MySQLConfig(Server.PRIMARY, 4 * GIB, "127.0.0.1")
REPLICA = replace(PRIMARY, role=Server.REPLICA)


def options(config: MySQLConfig) -> dict[str, str]:
    """What the file sets."""
    return dict(re.findall(r"^(\w+) = (.+)$", render(config), re.MULTILINE))


def taken_up(text: str, folder: Path) -> dict[str, str]:
    """What the real MariaDB makes of the file: every option with its value."""
    file = folder / "my.cnf"
    file.write_text(text)
    as_root = ["--user=root"] * (os.geteuid() == 0)
    command = ["mariadbd", f"--defaults-file={file}", *as_root, f"--datadir={folder}", "--help", "--verbose"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if "unknown" in line or "deprecated" in line or "ERROR" in line]
    assert complaints == []
    return dict(re.findall(r"^([a-z][a-z-]+) +(\S.*)$", done.stdout.partition("Variables (--variable-name=value)")[2], re.MULTILINE))


@pytest.mark.parametrize("semi_sync", [False, True], ids=["asynchronous", "semi-synchronous"])
@pytest.mark.parametrize("role", Server)
def test_mariadb_takes_up_every_line(role: Server, tmp_path: Path, *, semi_sync: bool) -> None:
    config = replace(PRIMARY, role=role, semi_sync=semi_sync)
    wanted, found = options(config), taken_up(render(config), tmp_path)
    words = {"ON": "TRUE", "mixed": "MIXED", "3072M": str(3 * GIB), "/var/log/mysql/mysql-bin.log": "/var/log/mysql/mysql-bin"}
    assert {name: found[name.replace("_", "-")] for name in wanted} == {name: words.get(value, value) for name, value in wanted.items()}


def test_the_articles_lines_are_all_there() -> None:
    for name, value in {
        "innodb_flush_method": "O_DIRECT",
        "innodb_io_capacity": "2000",
        "innodb_read_io_threads": "8",
        "innodb_write_io_threads": "8",
        "server_id": "1",
        "log_bin": "/var/log/mysql/mysql-bin.log",
        "binlog_format": "mixed",
    }.items():
        assert options(PRIMARY)[name] == value


@pytest.mark.parametrize("memory", [256 << 20, 300 << 20, 512 << 20, GIB, 3 * GIB // 2, 2 * GIB, 4 * GIB, 64 * GIB, 10**9, 10**10])
def test_the_buffer_pool_is_70_to_80_percent_of_the_memory(memory: int) -> None:
    assert 0.70 <= (buffer_pool(memory) << 20) / memory <= 0.80


@pytest.mark.parametrize("memory", [256 << 20, GIB, 3 * GIB // 2, 2 * GIB, 5 * GIB, 64 * GIB])
def test_mysql_has_nothing_to_round_up(memory: int) -> None:
    set_to = options(replace(PRIMARY, memory=memory, dialect=Dialect.MYSQL))
    pool, chunk = (int(set_to[f"innodb_buffer_pool_{name}size"].removesuffix("M")) for name in ("", "chunk_"))
    assert pool % (chunk * int(set_to["innodb_buffer_pool_instances"])) == 0


def test_a_memory_too_small_for_a_server_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="--memory 255M: expected at least 256M"):
        render(replace(PRIMARY, memory=255 << 20))


def test_the_two_servers_have_different_ids() -> None:
    assert options(PRIMARY)["server_id"] != options(REPLICA)["server_id"]


@pytest.mark.parametrize("dialect", Dialect)
def test_the_replica_alone_is_read_only(dialect: Dialect) -> None:
    assert options(replace(REPLICA, dialect=dialect))["read_only"] == "ON"
    assert "read_only" not in options(replace(PRIMARY, dialect=dialect))


def test_mysql_is_read_only_for_administrators_too() -> None:
    assert options(replace(REPLICA, dialect=Dialect.MYSQL))["super_read_only"] == "ON"


@pytest.mark.parametrize("config", [PRIMARY, REPLICA], ids=str)
def test_mysql_is_not_told_the_words_that_it_has_given_up(config: MySQLConfig) -> None:
    names = options(replace(config, dialect=Dialect.MYSQL, semi_sync=True))
    assert not [name for name in names if "master" in name or "slave" in name or name == "binlog_format"]


def test_without_semi_sync_nobody_waits() -> None:
    assert not [name for name in options(PRIMARY) if "semi_sync" in name]


@pytest.mark.parametrize("dialect", Dialect)
def test_with_semi_sync_the_primary_waits_longer_than_an_outage_and_its_price_stands_beside_it(dialect: Dialect) -> None:
    config = replace(PRIMARY, dialect=dialect, semi_sync=True)
    timeout = next(value for name, value in options(config).items() if name.endswith("_timeout") and "semi_sync" in name)
    assert int(timeout) > 30 * 24 * 3600 * 1000
    assert "with the replica 20 ms away" in render(config)


@pytest.mark.parametrize("dialect", Dialect)
def test_a_promoted_replica_waits_for_nobody(dialect: Dialect) -> None:
    names = options(replace(REPLICA, dialect=dialect, semi_sync=True))
    assert [name for name in names if "semi_sync" in name and name.endswith("enabled")] == [
        f"rpl_semi_sync_{'slave' if dialect is Dialect.MARIADB else 'replica'}_enabled"
    ]


def test_a_crash_loses_no_commit_that_was_answered() -> None:
    for config in (PRIMARY, REPLICA):
        assert (options(config)["sync_binlog"], options(config)["innodb_flush_log_at_trx_commit"]) == ("1", "1")
        assert options(config)["relay_log_recovery"] == "ON"
