"""The verb `ping` over real sockets: whom it goes to, what it shows, and its exit code."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from burstd.adapters import round_trip
from burstd.cli.group import burstd
from tests.haproxy_process import free_port
from tests.site import as_toml
from tests.web import own_address


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_trip, "PACE", 0.01)
    monkeypatch.setattr(round_trip, "PATIENCE", 0.5)


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Six that listen."""
    with ExitStack() as stack:
        doors = [stack.enter_context(socket.create_server((own_address(), 0))) for _ in range(6)]
        yield [each.getsockname()[1] for each in doors]


class Place:
    """A settings file whose parts all listen, and a daemon that may answer."""

    def __init__(self, folder: Path, ports: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        host = own_address()
        self.file = folder / "burstd.toml"
        self.settings: dict[str, Any] = {
            "core": [
                {"name": "core-1", "exporter": f"http://{host}:{ports[0]}/metrics"},
                {"name": "core-2", "exporter": f"http://{host}:1/metrics", "address": host, "port": ports[1]},
            ],
            "pool": [
                {"name": "dublin", "driver": "ec2", "image": "a", "size": "s", "port": ports[2], "api_host": host, "api_port": ports[3]},
                {"name": "local", "driver": "local", "image": "web-1", "size": "small"},
                {"name": "behind", "driver": "ec2", "image": "a", "size": "s", "proxy": "http://proxy.example:3128", "api_host": host},
            ],
            "database": {"primary": host, "replica": host, "port": ports[4]},
            "control": {"socket": "control.sock"},
        }
        self.instances = [
            {"name": "burst-1", "pool": "dublin", "address": host},
            {"name": "burst-2", "pool": "dublin", "address": None},
        ]
        self._patch = monkeypatch

    def run(self, *options: str, daemon: bool = True) -> Result:
        self.file.write_text(as_toml(self.settings))
        if daemon:
            self._patch.setattr("burstd.cli.ping.Client.get", lambda _self, _path: {"instances": self.instances})
        return CliRunner().invoke(burstd, ["--config", str(self.file), "ping", "--count", "2", *options])


@pytest.fixture
def place(tmp_path: Path, ports: list[int], monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, ports, monkeypatch)


def test_it_goes_to_core_instances_databases_and_apis(place: Place, ports: list[int]) -> None:
    told = place.run("--json")
    assert (told.exit_code, told.stderr) == (0, "")
    found = json.loads(told.stdout)
    assert found["daemon"] is True
    assert [(each["kind"], each["name"], each["port"]) for each in found["targets"]] == [
        ("core", "core-1", ports[0]),
        ("core", "core-2", ports[1]),
        ("instance", "burst-1", ports[2]),
        ("database", "primary", ports[4]),
        ("database", "replica", ports[4]),
        ("pool", "dublin", ports[3]),
    ]
    for each in found["targets"]:
        assert (each["sent"], each["lost"], each["fault"], each["address"]) == (2, 0, "", own_address())
        assert 0 < each["min_ms"] <= each["median_ms"] <= each["p99_ms"] == each["max_ms"] < 500
        assert (each["max_rtt_ms"], each["too_far"]) == (None, False)


def test_people_get_a_table_with_a_bar(place: Place) -> None:
    told = place.run()
    assert (told.exit_code, told.stderr) == (0, "")
    header, *rows = told.stdout.splitlines()
    assert header.split() == ["KIND", "NAME", "PLACE", "MIN", "MS", "MEDIAN", "P99", "LOST"]
    assert [row.split()[1] for row in rows] == ["core-1", "core-2", "burst-1", "primary", "replica", "dublin"]
    assert all("0 of 2" in row and "█" in row for row in rows)


def test_without_a_daemon_the_settings_alone_are_gone_through_and_that_is_said(place: Place) -> None:
    told = place.run(daemon=False)
    assert told.exit_code == 0
    assert "burst-1" not in told.stdout
    assert told.stderr.startswith("burstd: the settings alone were gone through, so no instance is shown: ")
    assert json.loads(place.run("--json", daemon=False).stdout)["daemon"] is False


def test_one_that_does_not_answer_is_named_and_makes_it_exit_with_1(place: Place) -> None:
    closed = free_port(own_address())
    place.settings["core"][1]["port"] = closed
    told = place.run()
    assert told.exit_code == 1
    assert told.stderr == f"burstd: core core-2 ({own_address()}:{closed}) does not answer: refused: nothing listens on that port\n"
    assert "2 of 2" in told.stdout


def test_an_instance_that_is_farther_away_than_its_pool_allows_is_named_with_both_figures(place: Place) -> None:
    place.settings["pool"][0]["max_rtt"] = "0.001ms"
    told = place.run()
    assert told.exit_code == 0
    assert re.fullmatch(r"burstd: instance burst-1 is too far away: median [0-9.]+ ms, max_rtt of pool dublin 0.001 ms\n", told.stderr)
    (instance,) = (each for each in json.loads(place.run("--json").stdout)["targets"] if each["kind"] == "instance")
    assert instance["too_far"] is True
    place.settings["pool"][0]["max_rtt"] = "450ms"
    (instance,) = (each for each in json.loads(place.run("--json").stdout)["targets"] if each["kind"] == "instance")
    assert (instance["max_rtt_ms"], instance["too_far"]) == (450.0, False)


@pytest.mark.parametrize("count", ["0", "51", "many"])
def test_the_number_of_trips_is_bounded(place: Place, count: str) -> None:
    place.file.write_text("")
    told = CliRunner().invoke(burstd, ["ping", "--count", count])
    assert (told.exit_code, told.stdout) == (2, "")
