"""What people see, through a recorder whose eyes have seen the run of `tests.demo.runs`."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any, cast

import pytest
from rich.console import Console

from burstd.demo.chart import load_chart
from burstd.demo.recorder import Recorder
from burstd.demo.scenario import Scenario, Stretch
from burstd.demo.scene import happening_line, scene
from burstd.demo.screen import LiveScreen, PlainScreen
from burstd.demo.timeline import Happening, Timeline
from burstd.demo.traffic import Second
from tests.demo.runs import failures, run

PLATEAU = Scenario((Stretch("quiet", 1, 40), Stretch("plateau", 200, 40)))

SERVING = {"name": "burst-1", "phase": "in_service", "seconds": 12.0, "requests_per_second": 88.4, "weight": 90, "reason": "it passes"}
BOOTING = {"name": "burst-2", "phase": "booting", "seconds": 1.0, "requests_per_second": None, "weight": None, "reason": "it is made"}


class Seen:
    """A recorder's face."""

    def __init__(self) -> None:
        self.timeline: Timeline = run()
        self.status: dict[str, Any] = {
            "sentence": "nothing to do, because load 2.00 is below 3",
            "instances": [SERVING, BOOTING],
            "gateway": {"mode": "weighted"},
        }
        self.trouble = ""

    @property
    def recorder(self) -> Recorder:
        return cast("Recorder", self)


def drawn(seen: Seen, width: int = 120, height: int = 40) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), record=True)
    recent = [each for each in seen.timeline.happenings if each.kind == "instance"]
    console.print(scene(seen.recorder, PLATEAU, recent, width, height))
    return console.export_text()


def test_the_scene_shows_load_traffic_instances_sentence_and_events() -> None:
    text = drawn(Seen())
    assert re.search(r"quiet +plateau +40 users on each side, 20 of about 145 s", text)
    assert re.search(r"█ with burstd +2\.00 +● without +8\.00", text)
    assert "200 to core, 100 to instances" in text
    assert re.search(r"■ burst-1 +in service +12 s +88 requests/s, weight 90 +it passes", text)
    assert re.search(r"□ burst-2 +booting +1 s +it is made", text)
    assert "burstd  nothing to do, because load 2.00 is below 3" in text
    assert "18 s  burst-1: gone: terminated" in text


def test_a_weight_is_shown_where_it_counts() -> None:
    seen = Seen()
    assert "requests/s, weight " in drawn(seen)
    seen.status["gateway"]["mode"] = "spillover"
    assert "weight" not in drawn(seen)


def test_errors_are_counted_over_the_whole_run() -> None:
    seen = Seen()
    seen.timeline.traffic["with"].insert(0, Second(0.5, errors=failures(refused=3)))
    assert "3 errors" in drawn(seen)


def test_a_daemon_that_does_not_answer_is_told_instead_of_its_last_sentence() -> None:
    seen = Seen()
    seen.trouble = "nobody listens"
    assert "burstd does not answer: nobody listens" in drawn(seen)


@pytest.mark.parametrize(("width", "height"), [(120, 40), (100, 30), (80, 24)])
def test_no_line_is_wider_than_the_terminal_and_the_chart_gives_way_to_the_rest(width: int, height: int) -> None:
    lines = drawn(Seen(), width, height).splitlines()
    assert max(map(len, lines)) == width - 2  # room for the ^C that a terminal writes behind the last one
    assert len(lines) <= height


def test_before_the_first_instance_the_scene_says_that_none_is_rented() -> None:
    seen = Seen()
    seen.status = {}
    seen.timeline.traffic = {}
    assert "no instance is rented" in drawn(seen)


def test_the_chart_has_a_bar_with_burstd_a_dot_without_and_a_line_at_the_threshold() -> None:
    chart = [line.plain for line in load_chart(run().moments, 4.0, 75, 10)]
    assert len(chart) == 10
    assert {len(line) for line in chart} == {80}
    assert chart[0].startswith("   9 ")  # the highest load is 8
    assert chart[-1].startswith("   0 ")
    (at_threshold,) = [line for line in chart if line.startswith("   4 ")]
    assert at_threshold.endswith("╌" * 60)
    assert chart[-1].count("█") >= 8  # the load is at least 2 over 20 of 150 seconds, on 75 columns
    assert sum(line.count("●") for line in chart) == 11  # each column's dot once


def test_what_was_not_read_leaves_a_gap_in_the_chart() -> None:
    moments = [replace(each, loads={"with": None, "without": None}) for each in run().moments]
    assert not re.search("[●█]", "".join(line.plain for line in load_chart(moments, 4.0, 75, 10)))


def test_what_is_older_than_the_chart_is_wide_moves_out_of_it() -> None:
    moments = [replace(each, at=each.at + 1000) for each in run().moments]
    chart = [line.plain for line in load_chart([*run().moments, *moments], 4.0, 75, 10)]
    assert chart[-1].rstrip().endswith("█")
    assert not re.search("[●█]", chart[-1][5:60])


def test_plain_lines_tell_every_event_once_and_the_figures_every_five_seconds() -> None:
    lines: list[str] = []
    screen = PlainScreen(lines.append)
    seen = Seen()
    moments, seen.timeline.moments = seen.timeline.moments, []
    with screen:
        screen.say("starting")
        for moment in moments:
            seen.timeline.moments.append(moment)
            screen.show(seen.recorder, PLATEAU)
    assert lines[0] == "starting"
    assert [line for line in lines if "burst-1" in line] == [happening_line(each) for each in seen.timeline.happenings]
    figures = [line for line in lines if "users" in line]
    assert [line[:7].strip() for line in figures] == ["0 s", "5 s", "10 s", "15 s", "20 s"]
    assert figures[1] == (
        "    5 s  plateau, 40 users: load 6.00 with burstd, 8.00 without; 200 + 100 requests/s to core + instances; "
        "1 on the way, 0 in service, 0 leaving"
    )


def test_long_after_the_scenario_only_events_are_worth_a_line() -> None:
    lines: list[str] = []
    seen = Seen()
    seen.timeline.moments = [replace(seen.timeline.moments[-1], at=1000.0)]
    PlainScreen(lines.append).show(seen.recorder, PLATEAU)
    assert [line for line in lines if "users" in line] == []
    assert lines


def test_the_live_screen_draws_the_newest_events_and_takes_its_picture_away_again() -> None:
    console = Console(width=120, height=40, file=io.StringIO(), force_terminal=True, _environ={})
    seen = Seen()
    seen.timeline.happenings.append(Happening(19.0, "cycle", "", "not shown"))
    seen.timeline.happenings += [Happening(20.0, "order", "anna", f"{count} wanted") for count in range(6)]
    with LiveScreen(console) as screen:
        screen.say("starting")
        screen.show(seen.recorder, PLATEAU)
    text = cast("io.StringIO", console.file).getvalue()
    assert "starting" in text
    assert "anna: 5 wanted" in text
    assert "anna: 0 wanted" not in text
    assert "not shown" not in text
    assert text.rstrip().endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("happening", "line"),
    [
        (Happening(45.2, "instance", "burst-1", "in_service: it passes"), "   45 s  burst-1: in service: it passes"),
        (Happening(-1.0, "daemon", "", "burstd has started"), "   -1 s  burstd has started"),
    ],
)
def test_an_event_is_one_line(happening: Happening, line: str) -> None:
    assert happening_line(happening) == line
