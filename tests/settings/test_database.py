from __future__ import annotations

from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.settings import load
from burstd.wiring.database import database_of, hosts_of, password_of


def settings_file(folder: Path, *lines: str) -> Path:
    file = folder / "burstd.toml"
    core = ['[[core]]\nname = "core-1"\nexporter = "http://10.0.0.5:9100/metrics"', "[fleet]\nmax = 0"]
    file.write_text("\n".join([*core, "[database]", *lines]))
    return file


def test_a_promotion_without_an_order_needs_a_fence_command(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="a fence_command where nobody watches"):
        load(settings_file(tmp_path, 'primary = "10.0.0.5"', 'replica = "10.1.0.5"', "auto_promote = true"), {})


def test_one_server_is_no_pair(tmp_path: Path) -> None:
    settings = load(settings_file(tmp_path, 'primary = "10.0.0.5"', 'replica = "10.0.0.5"'), {})
    with pytest.raises(InvalidSettings, match="another server than the primary"):
        database_of(settings, lambda: 0.0)
    alone = load(settings_file(tmp_path, 'primary = "10.0.0.5"'), {})
    assert database_of(alone, lambda: 0.0) is None


def test_without_a_primary_no_database_is_watched(tmp_path: Path) -> None:
    settings = load(settings_file(tmp_path), {})
    assert (database_of(settings, lambda: 0.0), hosts_of(settings)) == (None, (None, None))


def test_the_password_is_read_anew_each_time_and_its_path_never_told(tmp_path: Path) -> None:
    secret = tmp_path / "secret-hunter2"
    pair = ['primary = "10.0.0.5"', 'replica = "10.1.0.5"']
    assert password_of(load(settings_file(tmp_path, *pair), {}))() == ""
    settings = load(settings_file(tmp_path, *pair, f'password_file = "{secret}"'), {})
    read = password_of(settings)
    with pytest.raises(InvalidSettings, match=r"database\.password_file") as caught:
        read()
    assert "hunter2" not in str(caught.value)
    for password in ("one", "two"):
        secret.write_text(f"{password}\n")
        assert read() == password
    doors = database_of(settings, lambda: 0.0)
    assert doors is not None
    assert doors.fence is None
