"""The whole way of the content: the real daemon, HAProxy and the local cloud; ssh, burstd-mirror, lsyncd, rsync, and sshds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # the package has no annotations

from burstd.adapters.lsyncd import new_host_key
from burstd.render.lsyncd import admits_core
from tests.mirror_host import MirrorHost, mirror_host
from tests.site import Site, site
from tests.sshd_process import sshd
from tests.waiting import wait_until

USER_DATA = '#cloud-config\nssh_keys:\n  ed25519_private: "{{ host_key_private }}"\n  ed25519_public: "{{ host_key_public }}"\n'
PAGES = 40

Document = dict[str, Any]


class Machines(threading.Thread):
    """In place of cloud-init: each new machine of the local cloud gets an sshd with the host key of its user-data.

    Attributes:
        wrong: those that come get another host key than theirs.
        dark: those that come are not reached.
    """

    def __init__(self, disks: Path, core: MirrorHost) -> None:
        super().__init__(daemon=True)
        self.disks, self.core = disks, core
        self.wrong = False
        self.dark = False
        self.running: dict[str, ExitStack] = {}
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.1):
            for document in self.disks.glob("*/user-data"):
                address, text = document.parent.name, document.read_text()
                if address not in self.running and text and not self.dark:
                    self.running[address] = self._boot(address, yaml.safe_load(text)["ssh_keys"]["ed25519_private"])

    def _boot(self, address: str, private: str) -> ExitStack:
        folder = self.core.folder / f"sshd-{address}"
        folder.mkdir(exist_ok=True)
        host = folder / "host"
        host.touch(0o600)
        key = new_host_key()
        host.write_text(key.private if self.wrong else private)
        (folder / "host.pub").write_text(f"{key.public} made for a test\n")  # sshd reads the private one
        line = admits_core(replace(self.core.config, root=str(self.disks / address / "content")))
        held = ExitStack()
        held.enter_context(sshd(folder, address, line, self.core.port))
        return held

    def cut(self, address: str) -> None:
        """Nothing is pushed there any more."""
        self.running[address].close()
        self.core.end_masters()

    def join(self, timeout: float | None = None) -> None:
        self._ending.set()
        super().join(timeout)
        for held in self.running.values():
            held.close()


class Mirrored:
    """What `mirrored` yields."""

    def __init__(self, running: Site, core: MirrorHost, machines: Machines) -> None:
        self.site, self.core, self.machines = running, core, machines

    def status(self) -> Document:
        return self.site.client.get("/v1/status")

    def instances(self) -> list[Document]:
        return list(self.status()["instances"])

    def serving(self) -> set[str]:
        return {each["name"] for each in self.instances() if each["phase"] == "in_service"}

    def ask(self, path: str) -> tuple[str, str]:
        """Who answers through HAProxy, and what."""
        connection = HTTPConnection(self.site.haproxy.host, self.site.haproxy.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.getheader("X-Served-By", ""), answer.read().decode()
        finally:
            connection.close()

    def told(self, text: str) -> bool:
        return any(text in each["text"] for each in self.site.client.get("/v1/events?limit=1000")["events"])


@contextmanager
def mirrored(folder: Path, **content: Any) -> Iterator[Mirrored]:
    """A site whose content is mirrored; the daemon does not run yet."""
    disks = folder / "disks"
    disks.mkdir()
    with mirror_host(folder / "core") as core, site(folder, content_dir=str(disks)) as running:
        for number in range(PAGES):
            (core.content / f"page-{number}.html").write_text(f"page {number}\n")
        (core.content / "version").write_text("1\n")
        machines = Machines(disks, core)
        machines.start()
        try:
            door = core.listen()
            (folder / "user-data.yaml.j2").write_text(USER_DATA)
            running.settings["fleet"].update({"min": 1, "sync_deadline": 100, "unhealthy_after": 300})
            running.settings["haproxy"]["burst_weight"] = 200
            running.settings["pool"][0]["user_data"] = "user-data.yaml.j2"
            running.settings["content"] = {
                "core": door.login,
                "ssh_port": door.port,
                "identity": str(door.identity),
                "known_hosts": str(door.known_hosts),
                "root": str(core.content),
                "interval": 0.5,
                **content,
            }
            running.write(running.settings)
            yield Mirrored(running, core, machines)
        finally:
            machines.join(10)


@pytest.mark.timeout(240)
def test_an_instance_that_falls_behind_leaves_and_none_ever_serves_what_is_old(tmp_path: Path) -> None:
    with mirrored(tmp_path, max_drift="8s") as world, world.site.daemon():
        wait_until(world.serving, "one in service", within=90)
        (first,) = world.instances()
        disk = world.machines.disks / first["address"] / "content"
        assert sorted(each.name for each in disk.glob("page-*")) == sorted(each.name for each in world.core.content.glob("page-*"))
        assert first["content_synced"] is True
        assert world.site.burstd("content", "status").stdout.startswith("41 files pushed to 1;")

        world.machines.dark = True  # the replacement boots, and is not reached
        world.machines.cut(first["address"])
        (world.core.content / "version").write_text("2\n")
        (world.core.content / "only-in-2").write_text("2\n")
        wait_until(lambda: first["name"] not in world.serving(), "the stale one leaves", within=90)
        wait_until(lambda: world.told("is drained: its content is"), "it is said", within=10)

        new = wait_until(lambda: {each["name"] for each in world.instances()} - {first["name"]}, "its replacement", within=60)
        served = {world.ask("/version")[0] for _ in range(40)}
        assert not served & {first["name"], *new}
        why = "is not ready: the core's first run to it is not over"
        wait_until(lambda: any(why in each for each in world.site.client.get("/v1/explain")["waiting"]), "what it waits for", within=60)
        assert not {world.ask("/version")[0] for _ in range(40)} & {first["name"], *new}

        world.machines.dark = False
        (name,) = wait_until(world.serving, "the new one, once it is reached", within=90)
        found: set[tuple[str, str]] = set()

        def asked() -> set[tuple[str, str]]:
            found.add(world.ask("/version"))
            return {each for each in found if each[0] == name}

        assert wait_until(asked, "it serves", within=30) == {(name, "2\n")}


@pytest.mark.timeout(240)
def test_a_storm_of_deletions_holds_until_it_is_released_and_no_secret_shows(tmp_path: Path) -> None:
    with mirrored(tmp_path) as world, world.site.daemon():
        checked = world.site.burstd("check", "--json")
        (mirror,) = (each for each in json.loads(checked.stdout)["findings"] if each["part"] == "content")
        assert "runs as root" in mirror["text"] or "burstd-mirror answers there" in mirror["text"]
        wait_until(world.serving, "one in service", within=90)
        (instance,) = world.instances()
        disk = world.machines.disks / instance["address"] / "content"
        for number in range(30):
            (world.core.content / f"page-{number}.html").unlink()
        held = wait_until(lambda: world.status()["content"]["held"], "the hold", within=60)
        assert "files were deleted" in held or "more was to be deleted" in held
        assert "held: " in world.site.burstd("content", "status").stdout
        assert len(list(disk.glob("page-*"))) >= 30  # what one transfer may delete, and not more
        assert world.serving() == {instance["name"]}

        released = world.site.burstd("content", "release", "--reason", "they were meant to go")
        assert (released.returncode, released.stderr) == (0, "")
        wait_until(lambda: len(list(disk.glob("page-*"))) == 10, "they go there too", within=60)
        wait_until(lambda: world.told("the mirror is no longer held"), "it is said", within=30)
        again = world.site.burstd("content", "release")
        assert again.returncode == 2
        assert "is not held" in again.stderr

        told = json.dumps([world.site.client.get(f"/v1/{each}") for each in ("status", "explain", "plan", "events?limit=1000")])
        log = (world.site.folder / "daemon.log").read_text()
        private = yaml.safe_load((disk.parent / "user-data").read_text())["ssh_keys"]["ed25519_private"].splitlines()[2]
        assert private
        assert private not in told + log


@pytest.mark.timeout(240)
def test_an_instance_with_another_host_key_gets_no_content_and_never_joins(tmp_path: Path) -> None:
    with mirrored(tmp_path) as world:
        world.machines.wrong = True
        with world.site.daemon():
            trouble = "Host key verification failed"
            wait_until(lambda: any(trouble in (each["content_error"] or "") for each in world.instances()), "it is told", within=90)
            (instance,) = world.instances()
            assert instance["phase"] == "syncing"
            assert not list((world.machines.disks / instance["address"] / "content").iterdir())
            assert {world.ask("/version")[0] for _ in range(20)} == {"core-1", "core-2"}
