from __future__ import annotations

import re
from pathlib import Path

import pytest

from burstd.wiring.checks import Level, checks
from tests.house.checkout import ROOT
from tests.settings.written import MINIMAL, loaded, refused


def schedule(**changed: str) -> str:
    """A schedule after the minimal settings, as TOML."""
    keys = {"name": "'sale'", "cron": "'0 8 * * 1-5'", "minimum": "2", "duration": "'12h'"} | changed
    return MINIMAL + "[[schedule]]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())


def test_a_schedule_needs_a_name_a_cron_a_minimum_and_a_duration(tmp_path: Path) -> None:
    (made,) = loaded(tmp_path, schedule()).schedule
    assert dict(made) == {
        "name": "sale", "cron": "0 8 * * 1-5", "at": (), "zone": "UTC", "minimum": 2, "duration": 43_200.0, "lead": "auto",
    }  # fmt: skip
    lines = refused(tmp_path, MINIMAL + "[[schedule]]\n")
    assert [line.partition(" is missing")[0] for line in lines[:3]] == [f"schedule[0].{key}" for key in ("name", "minimum", "duration")]
    expected = "schedule[0].cron and schedule[0].at = [] (the default): expected hours by cron, dates, or both; "
    assert lines[3:] == [f'{expected}write for example cron = "0 8 * * 1-5", or at = ["2026-12-24 08:00"]']


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("'2026-12-24 08:00'", ("2026-12-24 08:00",)),
        ("2026-12-24T08:00:00", ("2026-12-24 08:00",)),
        ("['2026-12-24 08:00', '2026-12-31T18:30', 2027-01-01T00:00:00]", ("2026-12-24 08:00", "2026-12-31 18:30", "2027-01-01 00:00")),
        ("[]", ()),
    ],
)
def test_dates_are_texts_or_tomls_own_one_or_many(tmp_path: Path, written: str, read: tuple[str, ...]) -> None:
    assert loaded(tmp_path, schedule(at=written)).schedule[0].at == read


def test_dates_alone_make_a_schedule(tmp_path: Path) -> None:
    (made,) = loaded(tmp_path, schedule(cron="'none'", at="'2026-12-24 08:00'")).schedule
    assert (made.cron, made.at) == (None, ("2026-12-24 08:00",))


@pytest.mark.parametrize(
    ("date", "why"),
    [
        ("'2026-12-24'", "day and hour are needed"),
        ("2026-12-24", "day and hour are needed"),
        ("8", "day and hour are needed"),
        ("true", "day and hour are needed"),
        ("'2026-02-29 08:00'", "no such day or hour"),
        ("'24.12.2026 08:00'", "no such day or hour"),
        ("'2026-12-24 08:00+01:00'", "zone says where, so it has no offset"),
        ("2026-12-24T08:00:00Z", "zone says where, so it has no offset"),
        ("['2026-12-24 08:00', '2026-13-24 08:00']", "no such day or hour"),
    ],
)
def test_a_date_that_is_none_is_refused_in_one_line_that_says_why(tmp_path: Path, date: str, why: str) -> None:
    (line,) = refused(tmp_path, schedule(at=date))
    assert line.startswith("schedule[0].at = ")
    expected = 'expected a local date and hour such as "2026-12-24 08:00", or a list of them'
    assert line.endswith(f'{expected} ({why}); write for example at = ["2026-12-24 08:00"]')


@pytest.mark.parametrize(("written", "read"), [("'auto'", "auto"), ("'5m'", 300.0), ("0", 0.0)])
def test_a_lead_is_a_duration_or_left_to_the_boots(tmp_path: Path, written: str, read: object) -> None:
    assert loaded(tmp_path, schedule(lead=written)).schedule[0].lead == read


def test_any_other_lead_is_refused(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, schedule(lead="'early'"))
    assert line.startswith('schedule[0].lead = "early": expected "auto", or seconds, ')
    assert line.endswith('write for example lead = "auto"')


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/5 8-18 * * MON-FRI", "0 0 L * *", "0 0 29 2 *", "0 9 * * MON#1"])
def test_five_fields_as_cron_has_them_are_taken(tmp_path: Path, cron: str) -> None:
    assert loaded(tmp_path, schedule(cron=f"'{cron}'")).schedule[0].cron == cron


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 8 * *", "it must have five fields"),
        ("0 0 8 * * *", "it must have five fields"),
        ("@daily", "it must have five fields"),
        ("61 8 * * *", "bad minute"),
        ("0 8 * * mo", "bad day-of-week"),
        ("0 8 31 4 *", "bad day-of-month"),
    ],
)
def test_anything_else_is_refused_in_one_line_that_says_why(tmp_path: Path, cron: str, why: str) -> None:
    assert refused(tmp_path, schedule(cron=f"'{cron}'")) == [
        f'schedule[0].cron = "{cron}": expected five cron fields such as "0 8 * * mon-fri" ({why}); write for example cron = "0 8 * * 1-5"'
    ]


@pytest.mark.parametrize("zone", ["Europe/Olso", "", "Europe", "../etc/passwd", "/etc/localtime"])
def test_a_zone_that_the_machine_does_not_know_is_refused(tmp_path: Path, zone: str) -> None:
    (line,) = refused(tmp_path, schedule(zone=f"'{zone}'"))
    assert line == (
        f'schedule[0].zone = "{zone}": expected the IANA name of a time zone (this machine knows no such zone); '
        'write for example zone = "Europe/Oslo"'
    )


def test_a_minimum_that_can_never_be_reached_and_a_name_taken_twice_are_refused(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, schedule(minimum="5"))
    assert line == (
        "schedule[0].minimum = 5 and fleet.max = 4 (the default): expected minimum to be at most fleet.max; "
        "lower minimum, or raise fleet.max"
    )
    (line,) = refused(tmp_path, schedule() + schedule().removeprefix(MINIMAL))
    assert line.startswith('schedule[0].name = "sale" and schedule[1].name = "sale": expected a name of its own for each')


def test_the_schedule_in_the_example_orders_nothing_until_it_is_taken_out_of_its_comment(tmp_path: Path) -> None:
    example = (ROOT / "config" / "burstd.toml").read_text()
    assert loaded(tmp_path, example).schedule == ()
    (made,) = loaded(tmp_path, re.sub(r"^# (?=\[\[|\w+ = )", "", example, flags=re.MULTILINE)).schedule
    assert (made.name, made.zone, made.minimum) == ("sale", "UTC", 2)


def test_check_tells_of_each_schedule_and_warns_of_one_whose_dates_are_over(tmp_path: Path) -> None:
    gone = schedule(name="'launch'", cron="'none'", at="'2001-12-24 08:00'").removeprefix(MINIMAL)
    look = dict(checks(loaded(tmp_path, schedule() + gone)))["the schedules"]
    assert [(each.level, each.text) for each in look()] == [
        (Level.OK, 'schedule "sale": 2 wanted at least while its windows are open'),
        (Level.WARNING, 'schedule "launch": its last date is over, so it never opens again; write new ones, or take it out'),
    ]
