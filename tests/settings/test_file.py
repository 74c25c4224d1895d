from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.settings import load, loading
from tests.settings.written import CORE, MINIMAL, loaded, refused, write


def line_for(path: Path) -> str:
    with pytest.raises(InvalidSettings) as caught:
        load(path, {})
    (line,) = caught.value.problems
    return line


@contextmanager
def nobody() -> Iterator[None]:
    """Read as a user without rights, where the tests run as root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_core_server_and_a_pool_are_all_that_must_be_set(tmp_path: Path) -> None:
    settings = loaded(tmp_path, MINIMAL)
    assert settings.core[0].server_name == "core-1"
    assert settings.fleet.max == 4
    assert settings.metrics.address == ("127.0.0.1", 9123)
    assert settings.control.mode_bits == 0o660


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("[fleet]\nmax = \n", "line 2, column 7"),
        ("[fleet]\nmax = 4\nmax = 5\n", "line 3, column 8"),
        ("[[[\n", "line 1, column 3"),
        ('name = "', "line 1, column 9"),
        ("[fleet]\nmin = 1\n[", "line 3, column 2"),
        (b"[fleet]\nname = '\xff'", "line 2, column 9"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_with_line_and_column(tmp_path: Path, content: str | bytes, where: str) -> None:
    (line,) = refused(tmp_path, content)
    assert line.startswith(f"{tmp_path / 'burstd.toml'}: expected ")
    assert where in line


def test_a_file_that_is_not_there_is_told_with_the_mend(tmp_path: Path) -> None:
    line = line_for(tmp_path / "nothing.toml")
    assert "nothing.toml: expected a readable file, the system says: No such file or directory; " in line
    assert "--config or BURSTD_CONFIG" in line


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    assert "Is a directory" in line_for(tmp_path)


def test_a_file_that_may_not_be_read_is_told_with_the_mend(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    path.chmod(0)
    with nobody():
        line = line_for(path)
    assert line.endswith("the system says: Permission denied; let the user that runs burstd read it")


def test_burstd_config_names_the_file_and_a_named_path_counts_more(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other", "[fleet]\nmax = 7\n" + MINIMAL)
    assert load(None, {"BURSTD_CONFIG": str(other)}).fleet.max == 7
    assert load(write(tmp_path, MINIMAL), {"BURSTD_CONFIG": str(other)}).fleet.max == 4


def test_only_the_default_file_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "default.toml")
    environ = {"BURSTD_CORE": '[{"name": "a", "exporter": "http://a/"}]', "BURSTD_FLEET__MAX": "0"}
    assert load(None, environ).core[0].name == "a"
    (tmp_path / "default.toml").write_text("[fleet]\nmin = 2\n" + MINIMAL)
    assert load(None, {}).fleet.min == 2


def test_without_any_settings_the_default_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "default.toml")
    with pytest.raises(InvalidSettings) as caught:
        load(None, {"BURSTD_FLOET__MAX": "1"})
    unknown, absent = caught.value.problems
    assert unknown.startswith("BURSTD_FLOET__MAX: ")
    assert absent.startswith(f"{tmp_path / 'default.toml'}: expected a settings file; ")


def test_a_default_file_that_may_not_be_seen_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    monkeypatch.setattr(loading, "DEFAULT_FILE", tmp_path / "closed" / "burstd.toml")
    with nobody(), pytest.raises(InvalidSettings, match="Permission denied"):
        load(None, {"BURSTD_FLEET__MAX": "0"})


def test_an_empty_text_takes_an_optional_key_away(tmp_path: Path) -> None:
    environ = {"BURSTD_POOL__0__USER_DATA": "", "BURSTD_POOL__0__LOCATION": "", "BURSTD_HAPROXY__MAXCONN": "0"}
    settings = loaded(tmp_path, f'[haproxy]\nmaxconn = 5\n{MINIMAL}user_data = "gone"\nlocation = "a"\n', environ)
    assert (settings.pool[0].user_data, settings.pool[0].location, settings.haproxy.maxconn) == (None, None, None)


def test_settings_bring_no_cloud_and_no_network_library_along() -> None:
    heavy = (
        "import sys, burstd.settings; sys.exit(int(any(name in sys.modules for name in ('libcloud', 'requests', 'click', 'structlog'))))"
    )
    subprocess.run([sys.executable, "-c", heavy], check=True)


def test_a_relative_path_counts_from_the_folder_of_the_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[haproxy]\nsocket = "run/admin.sock"\n[control]\nsocket = "/run/x.sock"\n' + MINIMAL)
    assert settings.haproxy.socket == tmp_path / "run/admin.sock"
    assert settings.control.socket == Path("/run/x.sock")


@pytest.mark.parametrize("unknown", ["", "price = 0\n", "price = 0.0\n", 'currency = "EUR"\n'])
def test_a_price_of_nothing_is_an_unknown_one(tmp_path: Path, unknown: str) -> None:
    assert loaded(tmp_path, MINIMAL + unknown).policy("owner").pools[0].price is None


def test_user_data_is_read_with_the_settings(tmp_path: Path) -> None:
    (tmp_path / "cloud-init.yaml").write_text("#cloud-config\nhostname: blåbær\n", encoding="utf-8")
    settings = loaded(tmp_path, MINIMAL + 'user_data = "cloud-init.yaml"\n')
    assert settings.policy("owner").pools[0].user_data == "#cloud-config\nhostname: blåbær\n"
    assert settings.public()["pool"][0]["user_data"] == str(tmp_path / "cloud-init.yaml")


def test_user_data_that_cannot_be_read_is_told_among_the_rest(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xe5")
    pools = MINIMAL + 'user_data = "gone"\n' + MINIMAL.removeprefix(CORE).replace("dublin", "oslo") + 'user_data = "latin"\n'
    gone, latin = refused(tmp_path, pools)
    assert 'pool[0].user_data = "gone": expected the path of a readable text file (the system says: No such file or directory)' in gone
    assert 'pool[1].user_data = "latin": expected the path of a readable text file (it is not UTF-8)' in latin
