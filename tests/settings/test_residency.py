"""Countries and round trips as an operator writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.written import CORE, POOL, loaded, refused

IRISH = POOL + 'country = "IE"\n'


def fleet(countries: str) -> str:
    return f"[fleet]\ncountries = {countries}\n"


def test_nothing_said_is_no_restriction(tmp_path: Path) -> None:
    made = loaded(tmp_path, CORE + POOL)
    assert (made.fleet.countries, made.pool[0].country, made.pool[0].max_rtt) == ((), None, None)


def test_countries_and_bounds_reach_the_policy(tmp_path: Path) -> None:
    made = loaded(tmp_path, fleet('["NO", "IE"]') + CORE + IRISH + 'max_rtt = "50ms"\n').policy("me")
    assert (made.fleet.countries, made.pools[0].country, made.pools[0].max_rtt) == (("NO", "IE"), "IE", 0.05)


@pytest.mark.parametrize("none", ["0", '""', '"none"'])
def test_a_bound_can_be_said_to_be_none(tmp_path: Path, none: str) -> None:
    assert loaded(tmp_path, CORE + POOL + f"max_rtt = {none}\n").pool[0].max_rtt is None


def test_a_pool_without_a_country_is_refused_while_countries_are_set(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, fleet('["NO", "IE"]') + CORE + IRISH + POOL.replace("dublin", "oslo"))
    assert line == (
        'fleet.countries = ["NO", "IE"] and pool[1].country: expected every pool to say in which country it is; '
        'write for example country = "IE" in that pool'
    )


def test_countries_in_which_no_pool_is_are_refused(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, fleet('["NO"]') + CORE + IRISH + POOL.replace("dublin", "ohio") + 'country = "US"\n')
    assert line == (
        'fleet.countries = ["NO"] and pool[0].country = "IE" and pool[1].country = "US": expected at least one pool in these countries; '
        "add a pool that is, or the country of one that shall be used"
    )
    assert loaded(tmp_path, fleet('["NO"]') + "max = 0\n" + CORE + IRISH).fleet.max == 0


@pytest.mark.parametrize(
    ("country", "why"), [("UK", "ISO calls it GB"), ("NX", "no country has these letters"), ("ie", "no country has these letters")]
)
def test_letters_that_are_no_country_are_refused(tmp_path: Path, country: str, why: str) -> None:
    (line,) = refused(tmp_path, CORE + POOL + f'country = "{country}"\n')
    assert line == (
        f'pool[0].country = "{country}": expected two capital letters of ISO 3166-1, such as "IE" ({why}); write for example country = "IE"'
    )
    (line,) = refused(tmp_path, fleet(f'["NO", "{country}"]') + CORE + POOL)
    assert line.startswith(f'fleet.countries[1] = "{country}": expected ')
    assert line.endswith(f'such as ["NO", "IE"] ({why}); write for example countries = ["NO", "IE"]')


@pytest.mark.parametrize("bound", ['"-1s"', "true", '"soon"'])
def test_a_bound_that_is_no_duration_is_refused(tmp_path: Path, bound: str) -> None:
    (line,) = refused(tmp_path, CORE + POOL + f"max_rtt = {bound}\n")
    assert line.endswith('write for example max_rtt = "50ms"')
