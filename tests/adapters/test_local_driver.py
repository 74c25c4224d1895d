"""The embedded cloud: real processes on loopback addresses, which boot, are tagged, run out, die, and outlive who has started them."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import InvalidCredsError, NodeState

from burstd.adapters.local import machines, process, register
from burstd.adapters.local.driver import LocalNodeDriver
from tests.local_cloud import LocalCloud, local_cloud
from tests.waiting import wait_until

if TYPE_CHECKING:
    from libcloud.compute.base import Node


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path) as made:
        yield made


def create(driver: LocalNodeDriver, name: str = "web", size: str = "small", **more: Any) -> Node:
    sizes = {each.id: each for each in driver.list_sizes()}
    return driver.create_node(name, sizes[size], driver.list_images()[0], **more)


def test_a_machine_has_a_disk_of_its_own_where_one_is_wanted(tmp_path: Path) -> None:
    with local_cloud(tmp_path, content_dir=str(tmp_path / "disks")) as made:
        driver = made.driver()
        node = create(driver, ex_userdata="#cloud-config\n")
        disk = tmp_path / "disks" / node.public_ips[0]
        assert (disk / "user-data").read_text() == "#cloud-config\n"
        assert (disk / "user-data").stat().st_mode & 0o777 == 0o600
        (disk / "content" / "page.html").write_text("a page\n")
        (disk / "secret").write_text("no page\n")
        wait_until(lambda: serves(driver, node), "it serves")
        url = f"http://{node.public_ips[0]}:{driver._ports[0]}"
        assert requests.get(f"{url}/page.html?burstd=1", timeout=5).text == "a page\n"
        assert requests.get(f"{url}/other.html", timeout=5).text == f"served by {node.name}\n"
        assert "no page" not in requests.get(f"{url}/%2e%2e/secret", timeout=5).text


def only(driver: LocalNodeDriver) -> Node:
    (node,) = driver.list_nodes()
    return node


def serves(driver: LocalNodeDriver, node: Node) -> bool:
    try:
        return requests.get(f"http://{node.public_ips[0]}:{driver._ports[0]}/", timeout=5).headers["X-Served-By"] == node.name
    except requests.ConnectionError:
        return False


def test_libcloud_knows_the_driver_by_name_however_often_it_is_registered() -> None:
    register()
    register()
    assert get_driver("local") is LocalNodeDriver


def test_a_machine_serves_on_an_address_of_its_own(cloud: LocalCloud) -> None:
    driver = cloud.driver()
    first, second = create(driver, "web-1"), create(driver, "web-2", "medium")
    assert first.public_ips != second.public_ips
    wait_until(lambda: serves(driver, first) and serves(driver, second), "both serve")
    page = requests.get(f"http://{second.public_ips[0]}:{cloud.args['metrics_port']}/metrics", timeout=5).text
    assert page.count('mode="user"') == 4


def test_a_machine_boots_before_it_has_an_address(tmp_path: Path) -> None:
    with local_cloud(tmp_path, boot_seconds=600.0) as cloud:
        driver = cloud.driver()
        assert (create(driver).state, only(driver).state, only(driver).public_ips) == (NodeState.PENDING, NodeState.PENDING, [])
        record = next(cloud.records.glob("*.json"))
        record.write_text(json.dumps({**json.loads(record.read_text()), "ready_at": 0.0}))
        assert only(driver).state is NodeState.RUNNING
        assert only(driver).public_ips[0].startswith("127.")


def test_tags_and_name_are_there_from_the_first_moment_and_user_data_is_accepted(cloud: LocalCloud) -> None:
    driver = cloud.driver()
    made = create(driver, "web-9", ex_tags={"a": "b"}, ex_userdata="#cloud-config\npassword: hunter22")
    assert (made.name, made.extra["tags"]) == (only(driver).name, only(driver).extra["tags"]) == ("web-9", {"a": "b"})
    assert not any(b"hunter22" in path.read_bytes() for path in cloud.records.iterdir())


def test_two_threads_with_one_token_get_one_machine(cloud: LocalCloud) -> None:
    start, made = threading.Barrier(2), list[str | None]()

    def buy() -> None:
        driver = cloud.driver()
        start.wait()
        made.append(create(driver, ex_tags={"a": "b"}, ex_clienttoken="operation-1").id)

    threads = [threading.Thread(target=buy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [only(cloud.driver()).id] * 2


def test_a_token_holds_when_the_cloud_is_full_and_after_the_machine_is_gone(tmp_path: Path) -> None:
    with local_cloud(tmp_path, capacity=1) as cloud:
        driver = cloud.driver()
        made = create(driver, ex_clienttoken="operation-1")
        assert create(driver, ex_clienttoken="operation-1").id == made.id
        driver.destroy_node(made)
        again = create(driver, ex_clienttoken="operation-1")
        assert (again.id, again.state) == (made.id, NodeState.TERMINATED)


def test_a_token_with_other_parameters_is_refused(cloud: LocalCloud) -> None:
    create(cloud.driver(), ex_clienttoken="operation-1", ex_tags={"a": "b"})
    with pytest.raises(BaseHTTPError, match=r"^IdempotentParameterMismatch: "):
        create(cloud.driver(), ex_clienttoken="operation-1", ex_tags={"a": "c"})
    assert len(cloud.driver().list_nodes()) == 1


def test_beyond_its_capacity_the_cloud_is_out_of_stock_until_a_machine_is_destroyed(tmp_path: Path) -> None:
    with local_cloud(tmp_path, capacity=1) as cloud:
        driver = cloud.driver()
        made = create(driver)
        with pytest.raises(BaseHTTPError, match=r"^InsufficientInstanceCapacity: ") as refused:
            create(driver)
        assert refused.value.code == 500
        driver.destroy_node(made)
        assert create(driver).id != made.id


def test_an_address_is_not_given_away_while_its_last_machine_is_remembered(cloud: LocalCloud) -> None:
    driver = cloud.driver()
    made = create(driver)
    driver.destroy_node(made)
    assert create(driver).public_ips != made.public_ips


@pytest.mark.parametrize(
    ("size", "image", "code"), [("huge", "web-1", "InvalidParameterValue"), ("small", "web-2", "InvalidAMIID.NotFound")]
)
def test_an_unknown_size_or_image_is_refused_by_name(cloud: LocalCloud, size: str, image: str, code: str) -> None:
    driver = cloud.driver()
    a_size, an_image = driver.list_sizes()[0], driver.list_images()[0]
    a_size.id, an_image.id = size, image
    with pytest.raises(BaseHTTPError, match=f"^{code}: ") as refused:
        driver.create_node("web", a_size, an_image)
    assert (refused.value.code, driver.list_nodes()) == (400, [])


def test_a_wrong_secret_is_let_in_nowhere(cloud: LocalCloud) -> None:
    node = create(cloud.driver())
    (cloud.folder / "account.json").write_text('{"secret": "right"}')
    wrong, right = cloud.driver(secret="wrong"), cloud.driver(secret="right")
    for call in (wrong.list_nodes, wrong.list_sizes, wrong.list_images, lambda: create(wrong), lambda: wrong.destroy_node(node)):
        with pytest.raises(InvalidCredsError):
            call()
    assert only(right).state is NodeState.RUNNING
    (cloud.folder / "account.json").write_text('["right"]')
    with pytest.raises(BaseHTTPError, match=r"^InternalError: .*account.json must be"):
        right.list_nodes()


def test_a_destroyed_machine_is_dead_at_once_stays_listed_as_terminated_and_is_forgotten(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = cloud.driver()
    made = create(driver)
    identity = cloud.identity(made.id)
    assert driver.destroy_node(made) is True
    assert process.identify(identity.pid) != identity
    assert (only(driver).state, only(driver).public_ips) == (NodeState.TERMINATED, [])
    assert driver.destroy_node(made) is True
    monkeypatch.setattr(machines, "REMEMBERED", 0.0)
    assert driver.list_nodes() == []
    with pytest.raises(BaseHTTPError, match=r"^InvalidInstanceID.NotFound: "):
        driver.destroy_node(made)
    create(driver)
    assert {path.stem for path in cloud.records.iterdir()} == {only(driver).id}


def test_a_machine_that_does_not_listen_to_sigterm_is_killed(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.2)
    driver = cloud.driver()
    made = create(driver)
    identity = cloud.identity(made.id)
    os.kill(identity.pid, signal.SIGSTOP)
    assert driver.destroy_node(made) is True
    assert process.identify(identity.pid) != identity


def test_a_machine_whose_process_was_killed_shows_as_broken_and_can_be_destroyed(cloud: LocalCloud) -> None:
    driver = cloud.driver()
    made = create(driver)
    os.kill(cloud.identity(made.id).pid, signal.SIGKILL)
    wait_until(lambda: only(driver).state is NodeState.ERROR, "it shows as broken")
    assert driver.destroy_node(only(driver)) is True
    assert only(driver).state is NodeState.TERMINATED


def test_machines_outlive_the_process_that_has_bought_them(cloud: LocalCloud) -> None:
    program = """
import json, os, signal, sys
from burstd.adapters.local.driver import LocalNodeDriver
driver = LocalNodeDriver(**json.loads(sys.argv[1]))
driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0], ex_tags={"a": "b"})
os.killpg(os.getpgid(0), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program, json.dumps(cloud.args)], check=False, start_new_session=True)
    assert ended.returncode == -signal.SIGKILL
    driver = cloud.driver()
    node = only(driver)
    assert (node.state, node.extra["tags"]) == (NodeState.RUNNING, {"a": "b"})
    wait_until(lambda: serves(driver, node), "it serves")
    assert driver.destroy_node(node) is True
    assert not process.alive(cloud.records / f"{node.id}.lock")


def test_a_kill_before_the_pid_is_noted_loses_nothing_because_the_machine_notes_it_itself(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "prove_life", lambda *_: None)
    driver = cloud.driver()
    made = create(driver)
    lock = cloud.records / f"{made.id}.lock"
    identity = wait_until(lambda: process.holder(lock), "the machine has noted itself")
    assert only(driver).state is NodeState.RUNNING
    assert driver.destroy_node(made) is True
    assert identity is not None
    assert process.identify(identity.pid) != identity


def test_a_kill_before_the_process_is_started_leaves_a_machine_that_shows_as_broken(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    driver = cloud.driver()
    monkeypatch.setattr(process, "start", killed)
    with pytest.raises(KeyboardInterrupt):
        create(driver, ex_tags={"a": "b"})
    assert (only(driver).state, only(driver).extra["tags"]) == (NodeState.ERROR, {"a": "b"})
    assert driver.destroy_node(only(driver)) is True


def test_a_host_that_gives_no_more_processes_is_out_of_stock(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = cloud.driver()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(BaseHTTPError, match=r"^InsufficientInstanceCapacity: "):
        create(driver)
    assert driver.list_nodes() == []


def test_a_process_that_cannot_be_noted_does_not_run_on(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def full(_lock: int, pid: int) -> None:
        started.append(pid)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(process, "prove_life", full)
    driver = cloud.driver()
    with pytest.raises(BaseHTTPError, match=r"^InsufficientInstanceCapacity: "):
        create(driver)
    assert [process.identify(pid) for pid in started] == [None]
    assert driver.list_nodes() == []


def test_a_pid_that_belongs_to_somebody_else_by_now_is_never_signalled(cloud: LocalCloud) -> None:
    driver = cloud.driver()
    made = create(driver)
    mine = cloud.identity(made.id)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        stranger = process.identify(bystander.pid)
        assert stranger is not None
        # The record names a pid that the kernel has given to another process since: its start time is not the same.
        lock = cloud.records / f"{made.id}.lock"
        lock.write_text(f"{bystander.pid} {stranger.started - 1}\n")
        assert process.end(process.holder(lock) or mine, 0.0) is True
        assert driver.destroy_node(made) is False  # it still lives, and nobody knows under which pid
        assert bystander.poll() is None
        # Dead, with the bystander's very identity in the record: the lock says that it is not our machine.
        process.end(mine, 0.0)
        lock.write_text(f"{stranger.pid} {stranger.started}\n")
        assert driver.destroy_node(made) is True
        assert bystander.poll() is None
        bystander.kill()


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        identity = process.identify(child.pid)
        child.kill()
        wait_until(lambda: process.identify(child.pid) is None, "it is dead, and nobody has reaped it")
        assert identity is not None
        assert process.end(identity, 0.0) is True


def test_two_who_look_at_the_same_time_do_not_take_each_other_for_the_machine(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not process.alive(lock)
        fcntl.flock(other, fcntl.LOCK_EX)
        assert process.alive(lock)
    assert not process.alive(tmp_path / "missing")


def test_one_process_is_known_by_pid_and_start_time_even_with_brackets_in_its_name(tmp_path: Path) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "60"]) as child:
        expected = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        assert process.identify(child.pid) == process.Identity(child.pid, int(expected))
        child.kill()


def test_a_damaged_record_fails_the_listing_rather_than_hide_a_machine(cloud: LocalCloud) -> None:
    driver = cloud.driver()
    create(driver)
    record = next(cloud.records.glob("*.json"))
    whole = record.read_text()
    for damage in ("{", '{"id": "x"}', "[]"):
        record.write_text(damage)
        with pytest.raises(BaseHTTPError, match=r"^InternalError: "):
            driver.list_nodes()
    record.write_text(whole)
    assert len(driver.list_nodes()) == 1


def test_a_network_beyond_loopback_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not one of loopback addresses"):
        LocalNodeDriver(state_dir=str(tmp_path), network="10.0.0.0/24")


def test_a_network_without_a_free_address_is_full(tmp_path: Path) -> None:
    with local_cloud(tmp_path) as cloud:
        tiny = cloud.driver(network=cloud.args["network"].replace("/24", "/30"))
        create(tiny)
        create(tiny)
        with pytest.raises(BaseHTTPError, match=r"^InsufficientFreeAddressesInSubnet: "):
            create(tiny)


def test_the_state_folder_may_be_missing_but_not_closed_to_us(cloud: LocalCloud, tmp_path: Path) -> None:
    assert cloud.driver().list_nodes() == []
    (tmp_path / "file").write_text("")
    with pytest.raises(BaseHTTPError, match=r"^InvalidStateFolder: .*Not a directory") as refused:
        create(cloud.driver(state_dir=str(tmp_path / "file" / "below")))
    assert refused.value.code == 400
