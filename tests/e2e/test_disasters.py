"""What can befall HAProxy under traffic, daemon and machines real: nothing is destroyed, and two cycles after it is back all is up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from burstd.adapters.local import process
from burstd.model.gateway import ServerRow
from tests.site import Site, site
from tests.traffic import Traffic, traffic
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

INSTANCES = 4


class Place:
    """A site with its instances in service, its daemon and its traffic.

    Attributes:
        machines: ids of those that ran at the start.
        gone: process ids of the HAProxys that the test has ended.
    """

    def __init__(self, running: Site, asking: Traffic) -> None:
        self.site = running
        self.haproxy = running.haproxy
        self.traffic = asking
        self.machines = machines(running)
        self.gone: set[int] = set()

    @property
    def status(self) -> dict[str, Any]:
        return self.site.client.get("/v1/status")

    def end(self, how: Callable[[], object]) -> None:
        """End HAProxy's process in this way."""
        self.gone.add(self.haproxy.pid)
        how()

    def pass_blind_cycles(self, count: int = 1) -> str:
        """Let so many cycles finish in which HAProxy cannot be read; why it cannot."""
        wait_until(lambda: self.status["gateway"]["fault"], "a cycle finds HAProxy away", within=30)
        first = self.status["cycle"]
        wait_until(lambda: self.status["cycle"] >= first + count, "the cycles go on without HAProxy", within=30)
        return str(self.status["gateway"]["fault"]["text"])

    def cores_serve(self) -> None:
        """Wait until the core servers have answered some more requests."""
        self._serve([core.name for core in self.site.cores])

    def instances_serve(self) -> None:
        """Wait until each instance has answered some more requests."""
        self._serve([each["name"] for each in self.status["instances"]])

    def _serve(self, names: list[str]) -> None:
        goals = {name: self.traffic.served_by[name] + 3 for name in names}
        wait_until(
            lambda: all(self.traffic.served_by[name] >= goal for name, goal in goals.items()),
            f"{names} serve; errors so far: {self.traffic.errors[:3]}",
            within=30,
        )

    def heals(self) -> None:
        """From the first cycle that has read HAProxy again no more than two pass until all instances are up in it, the same as before."""
        seen: list[int] = []

        def healed() -> bool:
            status = self.status
            if status["gateway"]["fault"] or status["gateway"]["pid"] in self.gone:
                return False
            seen.append(status["cycle"])
            return [each["status"] for each in status["instances"]] == ["UP"] * INSTANCES

        wait_until(healed, "all instances are up in HAProxy", within=30)
        assert seen[-1] - seen[0] <= 2
        self.instances_serve()
        assert machines(self.site) == self.machines
        assert {each["node_id"] for each in self.status["instances"]} == set(self.machines)
        assert {each["phase"] for each in self.status["instances"]} == {"in_service"}


def machines(running: Site) -> list[str]:
    """Ids of the machines that run."""
    return sorted(lock.stem for lock in running.cloud.records.glob("*.lock") if process.alive(lock))


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose fleet an operator has ordered to its full size."""
    with site(tmp_path_factory.mktemp("disasters")) as running:
        running.settings["fleet"] |= {"poll_interval": 1.5, "max_step": INSTANCES}  # between two cycles there is time for HAProxy's checks
        running.settings["haproxy"] |= {"check_interval": 0.3, "deadline": 1}
        running.write(running.settings)
        with running.daemon():
            assert running.burstd("scale", "--to", str(INSTANCES)).returncode == 0
            running.in_service(INSTANCES)
        yield running


@contextmanager
def at_work(running: Site) -> Iterator[Place]:
    """The daemon runs, every instance is up, and there is traffic."""
    with running.daemon(), traffic(running.haproxy.host, running.haproxy.port) as asking:
        up = ["UP"] * INSTANCES
        wait_until(lambda: [each["status"] for each in running.client.get("/v1/status")["instances"]] == up, "all are up", within=30)
        place = Place(running, asking)
        place.instances_serve()
        yield place


@pytest.fixture
def place(ground: Site) -> Iterator[Place]:
    with at_work(ground) as working:
        yield working


def test_killed_and_started_again_empty(place: Place) -> None:
    place.end(place.haproxy.kill)
    place.pass_blind_cycles()
    assert machines(place.site) == place.machines
    place.haproxy.start()
    place.cores_serve()
    place.heals()


def test_without_its_socket_all_goes_on_and_a_restart_gives_it_back(place: Place) -> None:
    place.gone.add(place.haproxy.pid)
    place.haproxy.socket.unlink()
    assert "nobody listens" in place.pass_blind_cycles()
    place.instances_serve()
    assert place.traffic.errors == []
    place.haproxy.stop()  # a reload hands the socket without a name on to the new worker
    place.haproxy.start()
    place.heals()


def test_hung_it_holds_up_no_cycle_and_loses_no_request(place: Place) -> None:
    with place.haproxy.suspended():
        place.pass_blind_cycles(2)
    place.heals()
    assert place.traffic.errors == []


def test_read_only_it_is_asked_of_the_operator_and_healed_when_the_level_is_back(place: Place) -> None:
    for level in ("user", "operator"):
        place.haproxy.write_config(place.site.cores, level=level)
        place.end(place.haproxy.reload)
        wait_until(
            lambda: any("level admin" in each["text"] for each in place.status["faults"]), "the mend is said to the operator", within=30
        )
        place.cores_serve()
        assert machines(place.site) == place.machines
    place.haproxy.write_config(place.site.cores)
    place.end(place.haproxy.reload)
    place.heals()
    assert place.traffic.errors == []


def test_reloaded_in_the_middle_of_a_batch_of_joins(ground: Site, tmp_path: Path) -> None:
    proxy = ground.haproxy
    with relay(proxy.folder / "relay.sock", proxy.socket) as interrupted, as_socket(ground, interrupted.path), at_work(ground) as place:
        interrupted.at(b"add server", lambda: place.end(proxy.reload))
        place.end(proxy.reload)
        wait_until(lambda: interrupted.over, "a batch was interrupted", within=30)
        place.heals()
        assert place.traffic.errors == []


def test_what_is_changed_by_hand_is_respected_or_mended(place: Place) -> None:
    def shown(name: str) -> tuple[str, str | None]:
        return next((each["status"], each["by_hand"]) for each in place.status["instances"] if each["name"] == name)

    def line(name: str) -> ServerRow | None:
        return place.haproxy.gateway().read().backends[0].server(name)

    drained, moved = (each["name"] for each in place.status["instances"][:2])
    place.haproxy.command(f"set server app_cluster/{drained} state drain")
    place.haproxy.command(f"set maxconn server app_cluster/{drained} 5")
    wait_until(lambda: shown(drained) == ("DRAIN", "drain"), "the drain is shown as somebody's", within=30)
    before = line(moved)
    assert before is not None
    place.haproxy.command(f"set server app_cluster/{moved} addr {place.haproxy.host} port 9")
    elsewhere = f"{moved} is at {place.haproxy.host}:9 in HAProxy"
    wait_until(lambda: elsewhere in place.status["sentence"], "the wrong address is said", within=30)
    wait_until(lambda: (row := line(moved)) is not None and row.address == before.address, "it is back where it belongs", within=60)
    assert shown(drained) == ("DRAIN", "drain")
    place.haproxy.command(f"set server app_cluster/{drained} state ready")
    wait_until(lambda: shown(drained) == ("UP", None), "it is given back", within=30)
    place.heals()
    assert {row.maxconn for row in place.haproxy.gateway().read().backends[0].servers} == {None}
    assert place.traffic.errors == []


@contextmanager
def as_socket(running: Site, path: Path) -> Iterator[None]:
    """The daemons of the block reach HAProxy by another socket."""
    before = running.settings["haproxy"]["socket"]
    running.settings["haproxy"]["socket"] = str(path)
    running.write(running.settings)
    try:
        yield
    finally:
        running.settings["haproxy"]["socket"] = before
        running.write(running.settings)


class Relay:
    """A unix socket that leads to another one, and does something in the middle of what is sent, once.

    Attributes:
        over: it was done.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.over = False
        self._target = target
        self._word: bytes | None = None
        self._deed: Callable[[], object] = lambda: None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def at(self, word: bytes, deed: Callable[[], object]) -> None:
        """Do it after the first line with that word has gone on, and before the next one does."""
        self._word, self._deed = word, deed

    def close(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)  # or the accepting thread would keep it open
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), name="relay", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(str(self._target))
            answers = threading.Thread(target=_pass, args=(server, client, socket.socket.sendall), name="relay", daemon=True)
            answers.start()
            _pass(client, server, self._interrupt)
            answers.join()

    def _interrupt(self, target: socket.socket, data: bytes) -> None:
        if self._word is None or self._word not in data:
            target.sendall(data)
            return
        end = data.index(b"\n", data.index(self._word)) + 1
        self._word = None
        target.sendall(data[:end])
        self._deed()
        self.over = True
        target.sendall(data[end:])


def _pass(source: socket.socket, target: socket.socket, on: Callable[[socket.socket, bytes], object]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            on(target, data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relay(path: Path, target: Path) -> Iterator[Relay]:
    """A relay until the end of the block."""
    made = Relay(path, target)
    try:
        yield made
    finally:
        made.close()
