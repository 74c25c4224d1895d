from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from burstd.errors import AskOperator
from burstd.simulate import Run, measure
from burstd.simulate.picture import check_picture, draw
from tests.simulate.hills import WORLD, hill, moments


def run(*demand: float, in_service: tuple[int, ...], name: str = "threshold") -> Run:
    lived = [each._replace(load1=2 * each.demand) for each in moments(demand, in_service, step=600)]
    return Run(name, hill(*demand), WORLD, 0, lived)


BURST = run(1, 4, 4, 1, in_service=(0, 0, 2, 0))
CALM = run(1, 1, 1, 1, in_service=(0, 0, 0, 0), name="demand")


def drawn(path: Path, *runs: Run) -> str:
    draw(runs, [measure(each.moments, each.world) for each in runs], path)
    return path.read_text()


def test_it_is_drawn_and_the_same_runs_give_the_same_file(tmp_path: Path) -> None:
    first, second = drawn(tmp_path / "one.svg", BURST), drawn(tmp_path / "two.svg", BURST)
    assert ET.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own file
    assert first == second


def test_it_says_what_it_shows(tmp_path: Path) -> None:
    told = drawn(tmp_path / "out.svg", BURST, CALM)
    for words in (
        "burstd simulated on hills: 2 core servers of 4 CPUs, boots of 60 to 180 s, at most 10 instances",
        "policy threshold: overloaded 25.00 % of the time",
        "policy demand: overloaded 0.00 % of the time",
        "overloaded: demand above capacity",
        "threshold 4",
        "load average (load1),",
        "on their way (booting, syncing, joining)",
        "hours since the trace began",
    ):
        assert words in told, words


def test_a_long_trace_is_told_in_days_and_a_price_as_cost(tmp_path: Path) -> None:
    world = replace(WORLD, price=0.5, currency="EUR")
    lived = moments([3.0] * 5, [1] * 5, step=86_400)
    told = drawn(tmp_path / "out.svg", Run("threshold", hill(3, 3, 3, 3, 3, step=86_400), world, 0, lived))
    assert "days since the trace began" in told
    assert "cost 60.00 EUR" in told


def test_it_can_be_a_png(tmp_path: Path) -> None:
    draw([BURST], [measure(BURST.moments, WORLD)], tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "out.svg").mkdir()
    with pytest.raises(AskOperator, match=r"^--plot .*out\.svg: expected a file that can be written, the system says: Is a directory$"):
        drawn(tmp_path / "out.svg", CALM)


@pytest.mark.parametrize(("name", "expected"), [("out.gif", "expected a name that ends in .svg, .png, .pdf"), ("no/out.svg", "mkdir -p")])
def test_what_cannot_be_drawn_is_refused_before_the_run(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(AskOperator, match=expected):
        check_picture(tmp_path / name)


def test_without_matplotlib_the_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(AskOperator, match=r'expected matplotlib, which is not installed; pip install "burstd\[plot\]" brings it'):
        check_picture(tmp_path / "out.svg")
