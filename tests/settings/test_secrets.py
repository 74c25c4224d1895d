from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest

from burstd.errors import InvalidSettings
from burstd.settings import load
from tests.settings.written import CORE, MINIMAL, loaded, refused, write

SECRET = "wJalrXUtnFEMI"  # made up, to prove that it never shows


@pytest.fixture
def file_with_secrets(tmp_path: Path) -> str:
    (tmp_path / "secret").write_text(f"{SECRET}-file\n")
    (tmp_path / "cloud-init.yaml").write_text(f"password: {SECRET}\n")
    return f"""{MINIMAL}
args = {{ key = "{SECRET}", deep = {{ list = ["{SECRET}"] }} }}
create = {{ root_pass = "{SECRET}" }}
secret_files = {{ secret = "secret" }}
proxy = "http://me:{SECRET}@proxy.example.com:3128"
user_data = "cloud-init.yaml"
"""


def test_no_secret_is_in_the_settings_representation_nor_in_their_public_form(tmp_path: Path, file_with_secrets: str) -> None:
    settings = loaded(tmp_path, file_with_secrets)
    public = json.dumps(settings.public())
    for shown in (repr(settings), str(settings), repr(settings.pool[0]), repr(settings.policy("owner")), public):
        assert SECRET not in shown
        assert str(tmp_path / "secret") not in shown
    assert settings.public()["pool"][0]["args"] == {"key": "**********", "deep": "**********"}
    assert settings.public()["pool"][0]["proxy"] == "**********"
    assert settings.public()["fleet"]["max"] == 4


def test_the_wiring_gets_the_secrets_where_it_asks_for_them(tmp_path: Path, file_with_secrets: str) -> None:
    (pool,) = loaded(tmp_path, file_with_secrets).pool
    assert pool.driver_arguments() == {"key": SECRET, "deep": {"list": [SECRET]}, "secret": f"{SECRET}-file"}
    assert pool.create_arguments() == {"root_pass": SECRET}
    assert pool.proxy_url() == f"http://me:{SECRET}@proxy.example.com:3128"


def test_secret_files_are_read_when_they_are_asked_for_and_not_before(tmp_path: Path, file_with_secrets: str) -> None:
    (pool,) = loaded(tmp_path, file_with_secrets).pool
    (tmp_path / "secret").write_text("renewed")
    assert pool.driver_arguments()["secret"] == "renewed"


def test_a_proxy_comes_from_the_file_the_environment_or_a_file_of_its_own(tmp_path: Path) -> None:
    url = f"https://me:{SECRET}@[::1]:3128/"
    assert loaded(tmp_path, MINIMAL).pool[0].proxy_url() is None
    assert loaded(tmp_path, MINIMAL, {"BURSTD_POOL__0__PROXY": url}).pool[0].proxy_url() == url
    assert loaded(tmp_path, f'{MINIMAL}proxy = "{url}"\n', {"BURSTD_POOL__0__PROXY": ""}).pool[0].proxy_url() is None
    (tmp_path / "proxy").write_text(f"{url}\n")
    settings = loaded(tmp_path, MINIMAL + 'proxy_file = "proxy"\n')
    assert settings.pool[0].proxy_url() == url
    assert str(tmp_path / "proxy") not in repr(settings) + json.dumps(settings.public())


@pytest.mark.parametrize("content", [None, b"\xff", SECRET.encode(), f"http://{SECRET}@proxy:3128".encode()])
def test_a_proxys_file_that_cannot_be_used_is_told_without_what_is_in_it(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / SECRET).write_bytes(content)
    (pool,) = loaded(tmp_path, MINIMAL + f'proxy_file = "{SECRET}"\n').pool
    with pytest.raises(InvalidSettings) as caught:
        pool.proxy_url()
    (line,) = caught.value.problems
    assert line.startswith('pool "dublin", proxy_file: expected ')
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        f"socks5://me:{SECRET}@proxy:1080",
        f"me:{SECRET}@proxy:3128",
        f"http://me:{SECRET}@proxy",
        f"http://me:{SECRET}@proxy:0",
        f"http://me:{SECRET}@proxy:{SECRET}",
        f"http://me:{SECRET}@:3128",
        f"http://{SECRET}@proxy:3128",
        f"http://me:{SECRET}@proxy:3128/path",
        f"http://me:{SECRET}@proxy:3128?query",
        f"http://me:{SECRET} @proxy:3128",
    ],
)
def test_what_is_no_proxy_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    (line,) = refused(tmp_path, f'{MINIMAL}proxy = "{url}"\n')
    assert line.startswith("pool[0].proxy: expected http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before HOST")
    assert SECRET not in line


def test_a_secret_pasted_in_place_of_its_file_does_not_show(tmp_path: Path) -> None:
    (pool,) = loaded(tmp_path, MINIMAL + f'secret_files = {{ secret = "{SECRET}", key = "/" }}\n').pool
    with pytest.raises(InvalidSettings) as caught:
        pool.driver_arguments()
    expected, mend = "expected the path of a readable file, the system says", "name the file there, and let burstd's user read it"
    assert caught.value.problems == (
        f'pool "dublin", secret_files.secret: {expected}: No such file or directory; {mend}',
        f'pool "dublin", secret_files.key: {expected}: Is a directory; {mend}',
    )
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "content",
    [
        f'args = "{SECRET}"',
        f"args = ['{SECRET}']",
        f'args = {{ key = "{SECRET}", wait = nan }}',
        f'create = "{SECRET}"',
        f'secret_files = "{SECRET}"',
        f"secret_files = {{ key = ['{SECRET}'] }}",
        f'args = {{ key = "{SECRET}" }}\nsecret_files = {{ key = "{SECRET}" }}',
        f'secret = "{SECRET}"',
        f'port = "x"\nargs = {{ key = "{SECRET}" }}',
    ],
)
def test_no_refusal_shows_a_secret(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load(write(tmp_path, f"{MINIMAL}{content}\n"), {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        f'pool = "{SECRET}"\n{CORE}',
        f'pool = ["{SECRET}"]\n{CORE}',
        f'pool = {{ args = {{ key = "{SECRET}" }} }}\n{CORE}',
        f'passwd = "{SECRET}"\n{MINIMAL}',
    ],
)
def test_no_refusal_of_a_whole_section_shows_a_secret_in_it(tmp_path: Path, content: str) -> None:
    assert SECRET not in "".join(refused(tmp_path, content))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BURSTD_POOL", f'[{{"args": {{"key": "{SECRET}"'),
        ("BURSTD_POOL__0__ARGS", SECRET),
        ("BURSTD_POOL__0__SECRET_FILES", SECRET),
        ("BURSTD_POOL__0__SECRET", SECRET),
        ("BURSTD_POOL__0__PROXY", SECRET),
        ("BURSTD_SECRET", SECRET),
    ],
)
def test_no_refusal_of_a_variable_shows_a_secret_in_it(tmp_path: Path, variable: str, value: str) -> None:
    lines = refused(tmp_path, MINIMAL, {variable: value})
    assert any(variable in line for line in lines)
    assert SECRET not in "".join(lines)


def test_a_password_in_an_exporters_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, MINIMAL.replace("http://", f"http://me:{SECRET}@"))
    assert 'core[0].exporter = "http://***@10.0.0.5:9100/metrics": expected ' in line
