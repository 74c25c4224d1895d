"""The verb `simulate`: what it shows, what it writes, and what it says of wrong input."""

from __future__ import annotations

import csv
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from burstd.adapters.prometheus import read_range
from burstd.cli.group import burstd
from burstd.simulate.timeline import COLUMNS
from tests.exporter_process import node_exporter
from tests.prometheus_process import BINARY, SCRAPE, prometheus
from tests.site import as_toml
from tests.waiting import wait_until
from tests.web import own_address

HOUR = [(number * 300, 75 + (150 if 3 <= number < 8 else 0)) for number in range(12)]


def ask(*words: object) -> Result:
    return CliRunner().invoke(burstd, ["simulate", *map(str, words)], terminal_width=120)


def document(*words: object) -> Any:  # noqa: ANN401 - JSON
    told = ask(*words, "--json")
    assert (told.exit_code, told.stderr) == (0, ""), told.stderr
    return json.loads(told.stdout)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "hour.csv"
    path.write_text("t_seconds,requests_per_second\n" + "".join(f"{at},{rate}\n" for at, rate in HOUR))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "burstd.toml"
    core = [{"name": f"core-{number}", "exporter": f"http://10.0.0.{number}:9100/metrics"} for number in (1, 2, 3)]
    pool = {"name": "dublin", "driver": "local", "image": "web-1", "size": "small", "price": 0.25, "currency": "EUR"}
    path.write_text(
        as_toml(
            {
                "fleet": {"max": 1, "poll_interval": 10},
                "load": {"scale_out_above": 3.0},
                "haproxy": {"target_load": 2.5},
                "core": core,
                "pool": [pool],
            }
        )
    )
    return path


def test_a_table_shows_every_figure(trace: Path) -> None:
    told = ask(trace)
    assert (told.exit_code, told.stderr) == (0, "")
    for words in ("overloaded, % of the time", "of a clairvoyant", "launches", "flaps (out and in within 15 min)", "cost"):
        assert words in told.stdout


def test_the_document_holds_the_world_and_the_figures(trace: Path) -> None:
    found = document(trace, "--scale", "none", "--price", "0.5")
    assert found["trace"] == {"name": "hour", "points": 12, "seconds": 3600, "scale": 1.0}
    assert (found["world"]["cores"], found["world"]["boot"], found["world"]["maximum"]) == (2, [60, 180], 10)
    [run] = found["runs"]
    assert run["launches"] >= 1
    assert run["overloaded"] > 0
    assert run["cost"] == pytest.approx(run["instance_hours"] * 0.5)


def test_the_seed_decides_and_nothing_else(trace: Path) -> None:
    first, second, other = (document(trace, "--seed", seed)["runs"] for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_the_options_change_the_world(trace: Path) -> None:
    words = ("--cores", 3, "--cpus", 8, "--work", "20ms", "--boot", "30s", "--failures", 0.5, "--max", 4, "--scale", 2)
    world = document(trace, *words)["world"]
    assert world == {
        "cores": 3,
        "cpus": 8,
        "work": 0.02,
        "boot": [30, 30],
        "failures": 0.5,
        "maximum": 4,
        "threshold": 4.0,
        "price": None,
        "currency": None,
        "capacity": world["capacity"],
    }


def test_the_settings_give_what_the_command_line_leaves_open(trace: Path, settings: Path) -> None:
    found = document(trace, "--config", settings)
    world = found["world"]
    assert (world["cores"], world["maximum"], world["threshold"], world["price"], world["currency"]) == (3, 1, 3.0, 0.25, "EUR")
    assert found["runs"][0]["cost"] > 0
    assert document(trace, "--config", settings, "--max", 2, "--price", 1)["world"]["maximum"] == 2


def test_policies_stand_side_by_side_each_with_its_timeline(trace: Path, tmp_path: Path) -> None:
    told = ask(trace, "--policy", "threshold", "--timeline", tmp_path / "out.csv", "--plot", tmp_path / "out.svg")
    assert (told.exit_code, told.stderr) == (0, "")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert max(int(row["in_service"]) for row in rows) >= 1
    assert "policy threshold: overloaded" in (tmp_path / "out.svg").read_text()
    assert f"picture: {tmp_path / 'out.svg'}" in told.stdout
    both = ask(trace, "--policy", "threshold, demand,threshold", "--timeline", tmp_path / "two.csv", "--json")
    assert [each["policy"] for each in json.loads(both.stdout)["runs"]] == ["threshold", "demand"]
    assert (tmp_path / "two-threshold.csv").read_text() == (tmp_path / "out.csv").read_text()
    assert "servers now" in (tmp_path / "two-demand.csv").read_text()
    assert f"timeline: {tmp_path / 'two-demand.csv'}" in both.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name a TRACE file or --prometheus URL: expected one of the two"),
        (("TRACE", "--prometheus", "http://p"), "name a TRACE file or --prometheus URL: expected one of the two"),
        (("TRACE", "--query", "up"), "--query is a question to a Prometheus; name it with --prometheus URL"),
        (("gone.csv",), "gone.csv: expected a CSV file, the system says: No such file or directory; check the name and the rights"),
        (("TRACE", "--policy", "oracle"), "--policy oracle: expected "),
        (("TRACE", "--scale", "much"), "--scale much: expected auto, none or a factor above 0; write for example 2.5"),
        (("TRACE", "--scale", "-1"), "--scale -1: expected auto, none or a factor above 0; write for example 2.5"),
        (("TRACE", "--boot", "3m..1m"), "--boot 3m..1m: expected the shortest time first; write 1m..3m"),
        (("TRACE", "--boot", "soon"), '--boot soon: expected a time above 0 such as "40ms", "30s" or "1m30s"; write it with its unit'),
        (("TRACE", "--work", "0ms"), '--work 0ms: expected a time above 0 such as "40ms", "30s" or "1m30s"; write it with its unit'),
        (("TRACE", "--work", "xms"), "--work xms: expected a time above 0"),
        (("TRACE", "--price", "nan"), "--price nan: expected a number; write one such as 0.25"),
        (("TRACE", "--failures", "nan"), "--failures nan: expected a number; write one such as 0.25"),
        (("TRACE", "--interval", "nan"), "--interval nan: expected a time above 0"),
        (("TRACE", "--interval", "60s"), "--interval 60s: expected 40s at most, for burstd learns nothing from rarer looks; write 30s"),
        (("TRACE", "--plot", "out.gif"), "--plot out.gif: expected a name that ends in .svg, .png, .pdf; write for example out.svg"),
        (("TRACE", "--timeline", "no/out.csv"), "--timeline no/out.csv: expected a folder that exists, found none; make it first"),
        (("--prometheus", "http://p", "--days", "0"), "--days 0: expected a number above 0; write for example 7"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(trace: Path, words: tuple[str, ...], told: str) -> None:
    refused = ask(*(trace if word == "TRACE" else word for word in words))
    assert (refused.exit_code, refused.stdout) == (2, "")
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"burstd: {told}")


def test_a_timeline_that_cannot_be_written_is_told(trace: Path, tmp_path: Path) -> None:
    refused = ask(trace, "--timeline", tmp_path)
    assert refused.exit_code == 2
    assert refused.stderr == f"burstd: --timeline {tmp_path}: expected a file that can be written, the system says: Is a directory\n"


@pytest.mark.skipif(not BINARY or shutil.which("prometheus-node-exporter") is None, reason="Prometheus or node_exporter is not installed")
def test_the_load_that_a_real_prometheus_has_scraped_from_real_exporters_is_simulated(tmp_path: Path) -> None:
    load = "avg(node_load1)"
    with node_exporter() as exporter, counting() as gateway:
        targets = {"core": urlsplit(exporter).netloc, "gateway": gateway}
        with prometheus(tmp_path, targets) as url:
            began = time.time()
            for query in (load, "sum(haproxy_backend_http_requests_total)"):
                wait_until(
                    lambda query=query: len(read_range(url, query, began - 60, time.time(), SCRAPE)) >= 8,  # type: ignore[misc]  # a default
                    f"Prometheus has eight points of {query}",
                    within=30,
                )
            last = ("--prometheus", url, "--days", "0.001", "--step", "1s", "--scale", "none")
            rate = document(*last)
            assert "haproxy_backend_http_requests_total" in rate["trace"]["name"]
            assert rate["runs"][0]["requests"] > 0
            loads = document(*last, "--query", load)
            assert loads["trace"]["name"] == load
            assert loads["trace"]["points"] >= 3
            wrong = ask(*last, "--query", "node_cpu_seconds_total")
            assert wrong.exit_code == 2
            assert "expected one series, found" in wrong.stderr


@contextmanager
def counting() -> Iterator[str]:
    """HOST:PORT of an exporter whose counter of HAProxy's requests grows by 50 with each scrape."""
    requests = count(0, 50)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'haproxy_backend_http_requests_total{{proxy="app_cluster"}} {next(requests)}\n'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((own_address(), 0), Page) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"{own_address()}:{server.server_address[1]}"
        server.shutdown()
