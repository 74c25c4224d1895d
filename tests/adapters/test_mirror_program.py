"""The core's program against real lsyncd, rsync, rrsync and sshd; systemd is a stand-in that runs the real unit's command."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from burstd.adapters.lsyncd import mirror_program
from burstd.model.content import MirrorTarget
from tests.mirror_host import MirrorHost, mirror_host
from tests.sshd_process import Sshd
from tests.waiting import wait_until

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO1M9K7wUz9nn0CmFXv9UO1Y7lYrPqgBwCqT2G8Dqxkf"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[MirrorHost]:
    with mirror_host(tmp_path) as host:
        for number in range(40):
            (host.content / f"page-{number}.html").write_text(f"page {number}\n")
        yield host


def test_it_is_one_file_for_python_3_9_and_the_standard_library_alone() -> None:
    tree = ast.parse(mirror_program(), feature_version=(3, 9))
    imported = {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
    imported |= {each.module or "" for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    assert {each.partition(".")[0] for each in imported} <= sys.stdlib_module_names


def target(answer: dict[str, Any], each: Sshd | MirrorTarget) -> dict[str, Any]:
    (found,) = (target for target in answer["targets"] if target["address"] == each.address)
    return dict(found)


def synced(core: MirrorHost, *instances: Sshd) -> dict[str, Any]:
    """Keep the list until the first run to each is over; the answer that says so."""

    def answer() -> dict[str, Any] | None:
        told = core.keep(*instances)
        return told if all(target(told, each)["synced"] for each in instances) else None

    found = wait_until(answer, "every first run is over", within=30, every=0.5)
    assert found is not None
    return found


def token(folder: Path) -> str:
    file = folder / ".burstd/token"
    return file.read_text().strip() if file.exists() else ""


def files(folder: Path) -> int:
    return sum(each.is_file() and ".burstd" not in each.parts for each in folder.rglob("*"))


def test_a_token_that_comes_after_the_first_run_proves_that_every_file_is_there(core: MirrorHost) -> None:
    instance, there = core.instance()
    first = core.keep(instance)
    assert (first["files"], first["held"], target(first, instance)["synced"]) == (40, None, False)
    proof = synced(core, instance)
    wait_until(lambda: token(there) == proof["token"], "the token arrives")
    assert files(there) == 40
    told = target(core.keep(instance), instance)
    assert (told["unit"], told["synced"], told["error"]) == ("active", True, "")


def test_the_same_list_again_starts_and_stops_nothing(core: MirrorHost) -> None:
    instance, _ = core.instance()
    synced(core, instance)
    before = (core.bin / "runs" / f"lsyncd@{instance.address}.service").read_text()
    tokens = {core.keep(instance)["token"] for _ in range(3)}
    assert len(tokens) == 3
    assert (core.bin / "runs" / f"lsyncd@{instance.address}.service").read_text() == before


def test_each_token_has_a_second_of_its_own_for_rsync_looks_no_closer(core: MirrorHost) -> None:
    seconds = []
    for _ in range(4):
        core.keep()
        seconds.append(int((core.content / ".burstd/token").stat().st_mtime))
    assert seconds == sorted(set(seconds))


def test_who_is_no_longer_wanted_is_stopped_and_forgotten(core: MirrorHost) -> None:
    (one, there), (other, elsewhere) = core.instance(), core.instance()
    synced(core, one, other)
    core.keep(one)
    assert [each.name for each in (core.bin / "runs").iterdir()] == [f"lsyncd@{one.address}.service"]
    assert not list(core.state.glob(f"{other.address}.*"))
    (core.content / "new.html").write_text("new\n")
    wait_until((there / "new.html").exists, "the new page arrives")
    assert not (elsewhere / "new.html").exists()


def test_a_dark_target_says_why_and_the_others_never_notice(core: MirrorHost) -> None:
    (one, there), dark = core.instance(), MirrorTarget("127.0.0.99", KEY)
    synced(core, one)
    wait_until(lambda: "Connection refused" in target(core.keep(one, dark), dark)["error"], "its trouble is told", within=30, every=0.5)
    (core.content / "new.html").write_text("new\n")
    wait_until((there / "new.html").exists, "the new page arrives at the other")


def test_a_target_that_was_dark_catches_up_by_itself(core: MirrorHost) -> None:
    instance, there = core.instance()
    synced(core, instance)
    core.cut(instance)
    (core.content / "new.html").write_text("new\n")
    wait_until(lambda: target(core.keep(instance), instance)["error"], "its trouble is told", within=30, every=0.5)
    core.instance(instance.address)
    wait_until((there / "new.html").exists, "the new page arrives", within=60)
    proof = core.keep(instance)
    wait_until(lambda: token(there) == proof["token"], "and the newest token", within=30)


def test_a_run_that_has_said_nothing_yet_is_not_taken_for_the_one_before(core: MirrorHost) -> None:
    instance, _ = core.instance()
    synced(core, instance)
    unit = core.bin / "units" / "lsyncd@.service"
    unit.write_text(re.sub(r"ExecStart=.*", "ExecStart=/usr/bin/tail -f /dev/null", unit.read_text()))  # a lsyncd that takes its time
    moved = MirrorTarget(instance.address, KEY)
    core.keep(moved)
    told = wait_until(lambda: (found := target(core.keep(moved), moved))["unit"] == "active" and found, "the new run")
    assert told
    assert told["synced"] is False


def test_a_run_that_lsyncd_begins_anew_by_itself_must_be_over_first(core: MirrorHost) -> None:
    instance, _ = core.instance()
    synced(core, instance)
    core.cut(instance)
    supervisor = json.loads((core.bin / "runs" / f"lsyncd@{instance.address}.service").read_text())["pid"]
    (lsyncd,) = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    os.kill(int(lsyncd), signal.SIGHUP)  # it does the same when inotify has dropped events
    wait_until(lambda: not target(core.keep(instance), instance)["synced"], "the new first run is not over", within=30, every=0.5)
    assert target(core.keep(instance), instance)["unit"] == "active"
    core.instance(instance.address)
    synced(core, instance)


def test_a_wrong_host_key_is_never_accepted(core: MirrorHost) -> None:
    instance, there = core.instance()
    wrong = MirrorTarget(instance.address, KEY)

    def refused() -> bool:
        return "Host key verification failed" in target(core.keep(wrong), wrong)["error"]

    wait_until(refused, "its trouble is told", within=30, every=0.5)
    assert files(there) == 0
    proof = synced(core, instance)  # a new machine under an old address
    wait_until(lambda: token(there) == proof["token"], "the right key lets it in")


def test_a_storm_of_deletions_holds_everything_until_somebody_has_looked(core: MirrorHost) -> None:
    instance, there = core.instance()
    synced(core, instance)
    wait_until(lambda: files(there) == 40, "all are there")
    for number in range(30):
        (core.content / f"page-{number}.html").unlink()
    held = core.keep(instance)
    assert held["token"] is None
    assert "30 of 40 files were deleted" in held["held"]["reason"]
    assert core.keep(instance)["held"] == held["held"]  # it lasts
    assert target(core.keep(instance), instance)["unit"] != "active"
    assert files(there) >= 30  # at most what one transfer may delete
    assert core.keep(instance, release=True)["held"] is None
    proof = synced(core, instance)
    wait_until(lambda: token(there) == proof["token"], "it goes on")
    assert files(there) == 10


def test_a_transfer_with_too_much_to_delete_holds_everything_too(core: MirrorHost) -> None:
    instance, there = core.instance()
    synced(core, instance)
    wait_until(lambda: files(there) == 40, "all are there")
    for number in range(12):
        (core.content / f"page-{number}.html").rename(core.content / f"other-{number}.html")  # as many files as before
    wait_until(lambda: "failed" in (core.bin / "runs" / f"lsyncd@{instance.address}.service").read_text(), "lsyncd stops")
    assert "more was to be deleted" in core.keep(instance)["held"]["reason"]
    core.keep(instance, release=True)
    synced(core, instance)
    wait_until(
        lambda: sorted(each.name for each in there.glob("*.html")) == sorted(each.name for each in core.content.glob("*.html")), "all"
    )
    wait_until(
        lambda: "MAX_DELETE=10\n" in (core.state / f"{instance.address}.env").read_text() or not core.keep(instance), "the limit is back"
    )


def test_files_that_an_image_brings_along_hold_nothing(core: MirrorHost) -> None:
    instance, there = core.instance()
    for number in range(20):
        (there / f"image-{number}.html").write_text("of the image\n")
    proof = synced(core, instance)
    wait_until(lambda: token(there) == proof["token"], "the token arrives")
    assert not list(there.glob("image-*"))
    assert files(there) == 40


def test_an_empty_folder_is_never_pushed(core: MirrorHost) -> None:
    for page in core.content.iterdir():
        page.unlink()
    assert "there is no file under" in core.keep()["held"]["reason"]
    assert core.keep(release=True)["held"] is None  # somebody means it


def test_two_calls_at_once_come_one_after_the_other(core: MirrorHost) -> None:
    instance, _ = core.instance()
    with ThreadPoolExecutor(4) as calls:
        answers = list(calls.map(lambda _: core.keep(instance), range(4)))
    assert len({each["token"] for each in answers}) == 4
    assert [each.name for each in (core.bin / "runs").iterdir()] == [f"lsyncd@{instance.address}.service"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("", "input: expected one JSON document"),
        ("[]", "input: expected a JSON object"),
        ({"targets": {}}, "targets: expected a list"),
        ({"targets": [], "more": 1}, "'more': unknown key"),
        ({"targets": [], "release": "yes"}, "release: expected true or false"),
        ({"targets": [{"address": "127.0.0.1"}]}, "targets[0]: expected an object of address and host_key"),
        ({"targets": [{"address": "../x", "host_key": KEY}]}, "targets[0].address: expected an IP address"),
        ({"targets": [{"address": "::0001", "host_key": KEY}]}, "targets[0].address: expected an IP address"),
        ({"targets": [{"address": "127.0.0.1", "host_key": f"{KEY}\n* {KEY}"}]}, "targets[0].host_key: expected a public key"),
        ({"targets": [{"address": "127.0.0.1", "host_key": KEY}] * 2}, "targets[1].address: 127.0.0.1 is there twice"),
        ({"targets": [1] * 1001}, "targets: expected a list of at most 1000"),
        ("x" * 1100000, "input: expected at most"),
    ],
)
def test_bad_input_is_refused_in_one_line(core: MirrorHost, document: object, told: str) -> None:
    ran = core.call(document)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("burstd-mirror: ")
    assert told in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_look_tells_what_is_installed_and_what_is_missing(core: MirrorHost) -> None:
    told = json.loads(core.call({"check": True}).stdout)
    assert set(told["versions"]) == {"python", "lsyncd", "rsync", "ssh"}
    assert all(told["versions"].values())
    assert [each for each in told["problems"] if "root; make a user" not in each] == []
    (core.bin / "units" / "lsyncd@.service").unlink()
    told = json.loads(core.call({"check": True}).stdout)
    assert any("lsyncd@.service: not installed" in each for each in told["problems"])
    assert not (core.content / ".burstd").exists()
