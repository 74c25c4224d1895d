"""What `burstd check` says of the content's mirror: real ssh, and the program itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from burstd.settings import Settings, load
from burstd.wiring.mirror import Sight, look_at_mirror
from tests.mirror_host import MirrorHost, mirror_host
from tests.site import as_toml

TABLES: dict[str, Any] = {
    "core": [{"name": "core-1", "exporter": "http://127.0.0.1:9100/metrics"}],
    "pool": [{"name": "dublin", "driver": "local", "image": "web-1", "size": "small", "user_data": "keyed.yaml.j2"}],
}


@pytest.fixture
def core(tmp_path: Path) -> Iterator[MirrorHost]:
    (tmp_path / "keyed.yaml.j2").write_text('"{{ host_key_private }}"\n')
    with mirror_host(tmp_path / "core") as host:
        yield host


def settings(folder: Path, host: MirrorHost, **changed: Any) -> Settings:
    door = host.listen()
    content = {"core": door.login, "ssh_port": door.port, "identity": str(door.identity), "known_hosts": str(door.known_hosts)}
    path = folder / "burstd.toml"
    path.write_text(as_toml({**TABLES, "content": {**content, **changed}}))
    return load(path, {})


def looked(settings: Settings) -> list[Sight]:
    """What is seen, but for what only these tests do: they run as root here and there."""
    return [each for each in look_at_mirror(settings) if "it runs as root" not in each.text]


def test_where_no_content_is_mirrored_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "keyed.yaml.j2").write_text("")
    path = tmp_path / "burstd.toml"
    path.write_text(as_toml(TABLES))
    assert list(look_at_mirror(load(path, {}))) == []


def test_what_is_in_order_is_said_with_the_versions_there(tmp_path: Path, core: MirrorHost) -> None:
    assert [each for each in looked(settings(tmp_path, core)) if each.bad] == []
    assert not (core.content / ".burstd").exists()  # nothing is changed there


def test_a_program_of_another_version_is_told(tmp_path: Path, core: MirrorHost) -> None:
    with (core.bin / "burstd-mirror").open("a") as program:
        program.write("# changed\n")
    assert "its burstd-mirror is not the one of this burstd" in looked(settings(tmp_path, core))[0].text


def test_what_is_missing_there_is_said(tmp_path: Path, core: MirrorHost) -> None:
    good = settings(tmp_path, core)
    (core.bin / "units" / "lsyncd@.service").unlink()
    core.state.mkdir(parents=True, exist_ok=True)
    (core.state / "hold.json").write_text(json.dumps({"since": 1.0, "reason": "30 of 40 files are gone"}))
    told = [each.text.partition(": ")[2] for each in looked(good)]
    assert told[0].startswith("lsyncd@.service: not installed for this user")
    assert told[1].startswith("the mirror is held: 30 of 40 files are gone")


def test_a_key_that_others_can_read_is_told_before_ssh_refuses_it(tmp_path: Path, core: MirrorHost) -> None:
    good = settings(tmp_path, core)
    core.identity.chmod(0o644)
    assert looked(good)[0] == Sight(
        f"content.identity {core.identity}: expected a file that nobody but its owner can read, or ssh refuses it; "
        f"chmod 600 {core.identity}",
        bad=True,
    )


def test_files_that_are_not_there_are_told(tmp_path: Path, core: MirrorHost) -> None:
    wrong = settings(tmp_path, core, known_hosts=str(tmp_path / "nowhere"))
    first, *more = looked(wrong)
    assert first.text.startswith(f"content.known_hosts {tmp_path}/nowhere: expected a file that burstd's user can read")
    assert any("its host key is not the one in" in each.text for each in more)


def test_a_core_that_is_down_is_no_fault_of_the_settings(tmp_path: Path, core: MirrorHost) -> None:
    (sight,) = looked(settings(tmp_path, core, ssh_port=1))
    assert (sight.bad, sight.down) == (True, True)
    assert "cannot be reached" in sight.text
