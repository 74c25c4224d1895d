from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.durations import LONGEST, format_duration, parse_duration

TEXTS = ["", " ", "yesterday", "-5", "5 minutes", "5M", "m", "30m1h", "1m1m", "1h30", "367d", "nan", "inf", "\u0661s", "9e999s", "1e"]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0),
        (0.5, 0.5),
        ("90", 90.0),
        ("0.5", 0.5),
        ("90s", 90.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (" 1h 30m ", 5400.0),
        ("1d12h", 129_600.0),
        ("366d", LONGEST),
        ("50ms", 0.05),
        ("1s 500ms", 1.5),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_a_text_with_units(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [*TEXTS, -1, True, float("nan"), float("inf"), LONGEST + 1, 10**400, None, [], {}],
    ids=repr,
)
def test_anything_else_is_refused_in_one_line(written: object) -> None:
    with pytest.raises(ValueError, match=r'^.* is no duration: expected .* such as "90s", "5m" or "1h30m"[^\n]*\Z') as refusal:
        parse_duration(written)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0s"), (1.0, "1s"), (60.0, "1m"), (5400.0, "1h30m"), (86_401.0, "1d1s"), (0.25, "0.25s")]
)
def test_a_duration_is_told_in_the_greatest_units_that_fit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=0, max_value=LONGEST) | st.integers(0, int(LONGEST)).map(float))
def test_what_is_told_is_read_back_as_the_same_number(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=20) | st.text("0123456789.e-dhms ", max_size=20))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds <= LONGEST


def test_durations_are_light_to_import() -> None:
    heavy = "import sys, burstd.durations; sys.exit(int(any(name in sys.modules for name in ('pydantic', 'decimal', 'datetime'))))"
    subprocess.run([sys.executable, "-c", heavy], check=True)
