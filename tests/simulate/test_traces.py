from __future__ import annotations

from pathlib import Path

import pytest

from burstd.decide.queueing import mean_load
from burstd.errors import AskOperator
from burstd.simulate import Kind, Trace, WorldSpec, demand_of, fitted, read_trace
from burstd.simulate.scale import scaled
from tests.simulate.hills import WORLD, hill, trace


def written(folder: Path, text: str) -> Path:
    path = folder / "week.csv"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(AskOperator) as caught:
        read_trace(written(folder, text))
    return str(caught.value).removeprefix(f"{folder}/")


def test_between_two_points_the_value_changes_in_a_straight_line() -> None:
    assert [trace(0, 60, 30).at(each) for each in (-1, 0, 30, 60, 90, 120, 500)] == [0, 0, 30, 60, 45, 30, 30]


def test_a_held_value_lasts_until_the_next_point() -> None:
    held = Trace("steps", (0.0, 60.0, 120.0), (0.0, 60.0, 30.0), held=True)
    assert [held.at(each) for each in (0, 30, 59.9, 60, 119, 130)] == [0, 0, 0, 60, 60, 30]


def test_the_last_point_lasts_as_long_as_the_others() -> None:
    assert (trace(1, 2, 3).step, trace(1, 2, 3).length) == (60, 180)


def test_a_quantile_lies_between_two_values() -> None:
    assert [trace(4, 1, 3, 2).quantile(part) for part in (0, 0.5, 0.6, 1)] == pytest.approx([1, 2.5, 2.8, 4])


def test_a_file_of_request_rates_is_read(tmp_path: Path) -> None:
    read = read_trace(written(tmp_path, "t_seconds,requests_per_second\n0,1.5\n60,2\n\n"))
    assert read == Trace("week", (0.0, 60.0), (1.5, 2.0), Kind.REQUESTS)


def test_the_head_says_that_the_values_are_load_averages(tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, "t_seconds, load1\n0,1.5\n60,2\n")).kind is Kind.LOAD


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "time,rate\n0,1\n",
            "week.csv, line 1: time,rate: expected t_seconds,requests_per_second or t_seconds,load1; write that as the first line",
        ),
        ("", "week.csv, line 1: nothing: expected t_seconds,requests_per_second or t_seconds,load1; write that as the first line"),
        (
            "t_seconds,load1\n0,1\n60,many\n",
            "week.csv, line 3: load1 = many: expected a number; mend or remove the line",
        ),
        ("t_seconds,load1\n0,nan\n60,1\n", "week.csv, line 2: load1 = nan: expected a number; mend or remove the line"),
        ("t_seconds,load1\n0,1\n60,-2\n", "week.csv, line 3: load1 = -2: expected 0 or more; mend or remove the line"),
        (
            "t_seconds,load1\n60,1\n60,2\n",
            "week.csv, line 3: t_seconds = 60: expected a time after 60; sort the file by time, each time once",
        ),
        (
            "t_seconds,load1\n1764500000000,1\n1764500060000,2\n",
            "week.csv, line 2: t_seconds = 1.7645e+12: expected seconds, and these look like milliseconds; divide the column by 1000",
        ),
        (
            "t_seconds,load1\n0,1,2\n",
            "week.csv, line 2: expected two columns (t_seconds,load1), found 3; mend or remove the line",
        ),
        ("t_seconds,load1\n0,1\n", "week.csv: expected at least 2 lines of values, found 1; record for longer"),
    ],
)
def test_a_bad_line_is_told_with_its_number_its_value_and_the_mend(tmp_path: Path, text: str, told: str) -> None:
    assert refusal(tmp_path, text) == told


def test_a_file_that_is_not_there_or_no_text_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AskOperator, match=r"gone\.csv: expected a CSV file, the system says: No such file or directory; check the name"):
        read_trace(tmp_path / "gone.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xff")
    with pytest.raises(AskOperator, match=r"picture\.csv: expected text in UTF-8, found other bytes; save it as CSV"):
        read_trace(tmp_path / "picture.csv")


def test_a_server_carries_what_brings_its_queue_to_the_threshold() -> None:
    utilisation = WORLD.capacity * WORLD.work / WORLD.cpus
    assert mean_load(WORLD.cpus, utilisation) == pytest.approx(4.0)


def test_a_fitted_trace_has_its_60_percent_quantile_at_what_the_cores_carry() -> None:
    assert fitted(hill(*range(1, 12)), WORLD).quantile(0.6) == pytest.approx(2 * WORLD.capacity)


def test_a_peak_of_more_than_12_servers_is_scaled_to_12() -> None:
    assert max(fitted(hill(1, 1, 1, 1, 1, 100), WORLD).values) == pytest.approx(12 * WORLD.capacity)


def test_a_trace_that_is_nothing_but_a_peak_is_fitted_by_that() -> None:
    assert max(fitted(trace(0, 0, 0, 0, 7), WORLD).values) == pytest.approx(12 * WORLD.capacity)


def test_a_trace_of_nothing_stays_nothing() -> None:
    assert fitted(trace(0, 0, 0), WORLD).values == (0, 0, 0)


def test_a_factor_of_ones_own_is_taken_as_it_is() -> None:
    assert scaled(trace(1, 2), WORLD, 2.5) == (trace(2.5, 5), 2.5)


def test_a_load_at_the_threshold_is_the_demand_that_the_cores_carry() -> None:
    loads = Trace("loads", (0.0, 60.0, 120.0, 180.0), (0.0, 2.0, 4.0, 8.0), Kind.LOAD)
    demand = demand_of(loads, WorldSpec(cores=3))
    assert demand.kind is Kind.REQUESTS
    none, low, full, double = (each / WORLD.capacity for each in demand.values)
    assert (none, full, double) == pytest.approx((0.0, 3.0, 6.0), abs=1e-6)
    assert 3 * 0.5 < low < 3 * 0.75  # at half the load a queue is more than half as busy
