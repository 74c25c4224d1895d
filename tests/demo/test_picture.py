from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from burstd.demo.figures import figures_of
from burstd.demo.picture import draw
from burstd.demo.scenario import Scenario, Stretch
from burstd.errors import AskOperator
from burstd.model.policy import Mode
from tests.demo.runs import run

HILL = Scenario((Stretch("quiet", 5, 8), Stretch("plateau", 10, 40), Stretch("quiet again", 5, 8)))


def test_the_picture_is_drawn_and_the_same_run_gives_the_same_file(tmp_path: Path) -> None:
    timeline = run()
    figures = figures_of(timeline, 0, 4.0)
    for name in ("one.svg", "two.svg"):
        draw(timeline, HILL, figures, tmp_path / name)
    assert ET.parse(tmp_path / "one.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own file
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_with_spillover_it_says_so(tmp_path: Path) -> None:
    draw(run(), HILL, figures_of(run(), 0, 4.0, Mode.SPILLOVER), tmp_path / "run.svg")
    assert "with and without burstd (spillover)" in (tmp_path / "run.svg").read_text()


def test_it_can_be_a_png(tmp_path: Path) -> None:
    draw(run(), HILL, figures_of(run(), 0, 4.0), tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_any_instance_can_be_drawn_too(tmp_path: Path) -> None:
    timeline = run()
    timeline.first_burst = None
    for moment in timeline.moments:
        moment.instances.update(on_the_way=0, in_service=0, leaving=0)  # type: ignore[attr-defined] # a dict in these runs
    draw(timeline, HILL, figures_of(timeline, 0, 4.0), tmp_path / "run.svg")


def test_a_file_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "run.svg").mkdir()
    with pytest.raises(AskOperator, match=r"^--picture .*run\.svg: expected a file that can be written, the system says: Is a directory$"):
        draw(run(), HILL, figures_of(run(), 0, 4.0), tmp_path / "run.svg")
