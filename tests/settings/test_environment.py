from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.written import CORE, MINIMAL, loaded, refused


def test_the_environment_counts_over_the_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "[fleet]\nmin = 1\nmax = 3\n" + MINIMAL,
        {"BURSTD_FLEET__MAX": "6", "BURSTD_LOAD__WARM_UP": "5m", "BURSTD_LOAD__PER_CPU": "true", "BURSTD_METRICS__LISTEN": ""},
    )
    assert (settings.fleet.min, settings.fleet.max) == (1, 6)
    assert settings.load.warm_up == 300.0
    assert settings.load.per_cpu is True
    assert settings.metrics.address is None


def test_one_key_of_one_table_of_a_list_is_reached_by_its_position(tmp_path: Path) -> None:
    (pool,) = loaded(tmp_path, MINIMAL, {"BURSTD_POOL__0__SIZE": "t3.large", "BURSTD_POOL__0__METRICS_PORT": "0"}).pool
    assert (pool.name, pool.size, pool.metrics_port) == ("dublin", "t3.large", None)


def test_the_next_position_adds_a_table(tmp_path: Path) -> None:
    more = {"BURSTD_CORE__1__NAME": "core-2", "BURSTD_CORE__1__EXPORTER": "http://10.0.0.6:9100/metrics"}
    assert [core.name for core in loaded(tmp_path, MINIMAL, more).core] == ["core-1", "core-2"]


def test_a_list_given_as_json_takes_the_place_of_the_files(tmp_path: Path) -> None:
    (core,) = loaded(tmp_path, MINIMAL, {"BURSTD_CORE": '[{"name": "a", "exporter": "http://a/"}]'}).core
    assert core.name == "a"


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("BURSTD_CORE", "BURSTD_CORE__0__SERVER"),
        ("BURSTD_LOAD__STEPS", "BURSTD_LOAD__STEPS__0__RATIO"),
        ("BURSTD_FLEET", "BURSTD_FLEET__MAX"),
    ],
)
def test_a_part_beside_its_whole_is_refused_because_one_would_be_passed_over(tmp_path: Path, whole: str, part: str) -> None:
    assert f"{part}: expected {whole} to hold the whole alone, as JSON; unset one of the two" in refused(
        tmp_path, MINIMAL, {whole: "[]", part: "1"}
    )


def test_tables_and_lists_within_a_section_come_as_json_or_name_by_name(tmp_path: Path) -> None:
    environ = {
        "BURSTD_LOAD__STEPS": '[{"ratio": 1.5, "count": 2}]',
        "BURSTD_FLEET": '{"max": 6}',
        "BURSTD_POOL__0__TAGS": '{"team": "web"}',
        "BURSTD_POOL__0__ARGS__REGION": "eu-west-1",
    }
    settings = loaded(tmp_path, MINIMAL + 'args = { key = "k" }\n', environ)
    assert [(step.ratio, step.count) for step in settings.load.steps] == [(1.5, 2)]
    assert settings.fleet.max == 6
    assert settings.pool[0].tags == {"team": "web"}
    assert settings.pool[0].driver_arguments() == {"key": "k", "region": "eu-west-1"}


def test_a_problem_says_which_variable_it_comes_from(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, MINIMAL, {"BURSTD_FLEET__MAX": "many"})
    assert line.startswith('fleet.max = "many" (from BURSTD_FLEET__MAX): expected a whole number, at least 0 and at most 1000; ')


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("BURSTD_FLEET__MAXX", "BURSTD_FLEET__MAX"),
        ("BURSTD_FLEET_MAX", "BURSTD_FLEET__MAX"),
        ("BURSTD_FLEAT__MAX", "BURSTD_FLEET__MAX"),
        ("BURSTD_LOAD__MAX", "BURSTD_FLEET__MAX"),
        ("BURSTD_POOL__1__PROT", "BURSTD_POOL__1__PORT"),
        ("BURSTD_CORE__NAME", "BURSTD_CORE__0__NAME"),
        ("BURSTD_FLEET__MAX__MORE", "BURSTD_FLEET__MAX"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_one_that_was_meant(tmp_path: Path, variable: str, meant: str) -> None:
    assert refused(tmp_path, MINIMAL, {variable: "s3cret"}) == [f"{variable}: expected the name of a setting; did you mean {meant}?"]


@pytest.mark.parametrize(
    "variable", ["BURSTD_", "BURSTD_FOO", "BURSTD_CORE__0", "BURSTD_FLEET__", "BURSTD___", "BURSTD_LOAD__STEPS__0__X__Y"]
)
def test_no_variable_with_our_prefix_passes_unheard(tmp_path: Path, variable: str) -> None:
    (line,) = refused(tmp_path, MINIMAL, {variable: "1"})
    assert line.startswith(f"{variable}: expected the name of a setting; ")


def test_other_peoples_variables_are_none_of_our_business(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL, {"PATH": "/bin", "MY_BURSTD_FLEET__MAX": "9", "_BURSTD_COMPLETE": "bash"}).fleet.max == 4


@pytest.mark.parametrize("value", ["[{", "3", "{}", "nonsense", "[3]"])
def test_a_list_that_is_no_json_list_of_tables_is_refused_without_its_content(tmp_path: Path, value: str) -> None:
    (line,) = refused(tmp_path, CORE, {"BURSTD_POOL": value})
    assert "(from BURSTD_POOL): expected tables headed [[pool]]" in line
    assert line.startswith("pool")
    assert " = " not in line


def test_positions_have_no_gap(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, MINIMAL, {"BURSTD_POOL__7__NAME": "x"})
    assert line.startswith("pool: expected tables headed [[pool]], in the environment numbered from 0 without a gap")
