"""A country is known by two letters, or by what clouds call it; whatever is not known for sure claims nothing."""

from __future__ import annotations

import pytest

from burstd.model.countries import CODES, country_code


@pytest.mark.parametrize(
    ("called", "code"),
    [
        ("IE", "IE"),
        ("us", "US"),
        ("Ireland", "IE"),
        ("Iowa, USA", "US"),
        ("Sao Paulo State, Brazil", "BR"),
        ("Frankfurt", "DE"),
        ("FRANCE", "FR"),
        ("UK", "GB"),
    ],
)
def test_what_a_cloud_calls_a_country_is_read(called: str, code: str) -> None:
    assert country_code(called) == code


@pytest.mark.parametrize("called", [None, "", "Unknown", "??", "custom", "europe", "XX"])
def test_what_is_not_known_for_sure_is_no_country(called: str | None) -> None:
    assert country_code(called) is None


def test_every_country_of_iso_3166_is_there() -> None:
    assert len(CODES) == 249
    assert all(len(each) == 2 and each.isupper() for each in CODES)
