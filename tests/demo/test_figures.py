from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.demo.figures import Figures, figures_of
from burstd.demo.report import sentence
from burstd.demo.timeline import Happening
from burstd.demo.traffic import Second
from burstd.model.policy import Mode
from tests.demo.runs import failures, run


@pytest.fixture
def good() -> Figures:
    """The figures of a run that has shown everything."""
    figures = figures_of(run(), orphans=0, threshold=4.0)
    return replace(figures, launched=2, destroyed=2)


def test_the_seconds_above_the_threshold_are_counted_on_each_side() -> None:
    assert figures_of(run(), 0, 4.0).document()["seconds_above_threshold"] == {"with": 4.0, "without": 15.0}


def test_a_look_that_came_late_counts_for_as_long_as_it_took() -> None:
    timeline = run()
    del timeline.moments[6:8]
    assert figures_of(timeline, 0, 4.0).sides["with"].seconds_above_threshold == 4.0


def test_a_metrics_page_that_did_not_answer_is_no_load_of_zero() -> None:
    timeline = run()
    timeline.moments = [replace(each, loads={"with": None if each.at < 9 else 2.0, "without": 8.0}) for each in timeline.moments]
    side = figures_of(timeline, 0, 4.0).sides["with"]
    assert (side.mean_load, side.peak_load) == (2.0, 2.0)


def test_the_reaction_lasts_from_the_crossing_to_an_instances_first_answer() -> None:
    assert figures_of(run(), 0, 4.0).reaction_seconds == 3.5


def test_there_is_no_reaction_where_no_instance_ever_answered() -> None:
    timeline = run()
    timeline.first_burst = None
    assert figures_of(timeline, 0, 4.0).reaction_seconds is None


def test_response_times_are_those_that_half_and_95_of_100_requests_stayed_below() -> None:
    side = figures_of(run(), 0, 4.0).sides["with"]
    assert (side.median_ms, side.p95_ms) == (10.0, 100.0)


def test_an_instance_counts_as_launched_when_the_cloud_has_made_it_and_as_destroyed_when_it_is_gone() -> None:
    timeline = run()
    timeline.happenings += [
        Happening(7.0, "instance", "burst-2", "requested: load 6 is above 4"),
        Happening(8.0, "instance", "burst-2", "failed: out of stock"),
        Happening(8.0, "instance", "burst-3", "booting: the cloud has made it"),
        Happening(8.0, "cycle", "", "booting: not an instance's event"),
    ]
    figures = figures_of(timeline, 1, 4.0)
    assert (figures.launched, figures.destroyed, figures.orphans) == (2, 1, 1)


def test_a_good_run_misses_nothing(good: Figures) -> None:
    assert list(good.missed()) == []


def test_everything_that_a_run_has_not_shown_is_named() -> None:
    timeline = run()
    timeline.traffic["with"] = [Second(1.0, 10, 1, errors=failures(refused=2, reset=1))]
    timeline.moments = [replace(each, loads={"with": 8.0, "without": 8.0}) for each in timeline.moments]
    missed = list(figures_of(timeline, 1, 4.0).missed())
    assert [line.partition(":")[0] for line in missed] == ["errors", "requests", "launched", "orphans", "seconds above 4"]
    assert missed[0] == "errors: 3, expected 0"


def test_with_spillover_the_answers_must_be_faster_for_the_limit_alone_would_keep_the_load_low(good: Figures) -> None:
    spilt = replace(good, mode=Mode.SPILLOVER)
    assert list(spilt.missed()) == []
    slow = replace(spilt, sides={**spilt.sides, "with": replace(spilt.sides["with"], median_ms=100.0)})
    (missed,) = slow.missed()
    assert missed.startswith("half of the answers within: 100 ms with burstd and 200 ms without, expected less than half")
    assert list(replace(slow, mode=Mode.WEIGHTED).missed()) == []


@pytest.mark.parametrize(("mode", "crossing"), [(Mode.WEIGHTED, "the load had crossed 4"), (Mode.SPILLOVER, "requests had begun to wait")])
def test_the_sentence_says_what_burstd_reacted_to(good: Figures, mode: Mode, crossing: str) -> None:
    told = replace(good, mode=mode)
    assert sentence(told) == f"2 instances rented, 2 given back, 0 left over; the first one answered 3.5 s after {crossing}."
    assert told.document()["mode"] == mode


def test_an_instance_that_was_not_given_back_is_named(good: Figures) -> None:
    assert list(replace(good, destroyed=1).missed()) == ["destroyed: 1 instances, expected all 2 that were launched"]
