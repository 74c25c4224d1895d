"""The budget as an operator writes it, and what is refused beside what."""

from __future__ import annotations

from pathlib import Path

import pytest

from burstd.model.cost import BudgetPolicy
from tests.settings.written import MINIMAL, loaded, refused

PRICED = MINIMAL + 'price = 0.36\ncurrency = "EUR"\n'


def budget(**keys: str) -> str:
    """The section, as TOML."""
    return "[budget]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())


def test_limits_are_optional_and_without_one_there_is_no_budget(tmp_path: Path) -> None:
    assert loaded(tmp_path, MINIMAL).policy("owner").budget is None
    assert loaded(tmp_path, budget(currency="'EUR'", zone="'Europe/Oslo'") + MINIMAL).policy("owner").budget is None
    one = loaded(tmp_path, budget(currency="'EUR'", month_hard="150", day_soft='""') + PRICED).policy("owner").budget
    assert one == BudgetPolicy("EUR", month_hard=150.0)


@pytest.mark.parametrize("amount", ["0", "-1", "true", "nan", "inf", '"much"'])
def test_a_limit_is_an_amount_above_nothing(tmp_path: Path, amount: str) -> None:
    (line,) = refused(tmp_path, budget(currency="'EUR'", day_hard=amount) + PRICED)
    assert line.startswith("budget.day_hard = ")
    assert line.endswith(': expected a number, or "" for none, above 0; write for example day_hard = 12')


def test_a_limit_without_a_currency_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, budget(day_soft="8", month_hard="150") + PRICED) == [
        'budget.day_soft = 8 and budget.currency: expected a limit to have its currency; write for example currency = "EUR"'
    ]


def test_a_price_in_another_currency_is_refused_in_one_line_for_each_pool(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, budget(currency="'NOK'", day_soft="8") + PRICED)
    assert line == (
        'pool[0].currency = "EUR" and budget.currency = "NOK": expected every price in the budget\'s currency, for two currencies are '
        "never added; convert the pool's price, or take the limits out"
    )


def test_a_hard_limit_needs_every_price_and_a_soft_one_does_not(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, budget(currency="'EUR'", day_hard="12") + MINIMAL)
    assert line == (
        "pool[0].price and budget.day_hard = 12: expected a price in every pool, for what is not known keeps to no limit; set the pool's "
        "price and currency, or take the hard limits out"
    )
    assert loaded(tmp_path, budget(currency="'EUR'", day_soft="8") + MINIMAL).budget.limits == {"day_soft": 8.0}


@pytest.mark.parametrize("period", ["day", "month"])
def test_a_soft_limit_above_the_hard_one_is_refused(tmp_path: Path, period: str) -> None:
    (line,) = refused(tmp_path, budget(**{"currency": "'EUR'", f"{period}_soft": "13", f"{period}_hard": "12"}) + PRICED)
    assert line.startswith(f"budget.{period}_soft = 13 and budget.{period}_hard = 12: expected {period}_soft to be at most {period}_hard")


def test_a_zone_that_nobody_knows_and_a_unit_that_nobody_bills_by_are_refused(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, budget(zone="'Europe/Olso'") + MINIMAL)
    assert line.startswith('budget.zone = "Europe/Olso": expected the IANA name of a time zone')
    (line,) = refused(tmp_path, MINIMAL + 'billing = "week"\n')
    assert line == 'pool[0].billing = "week": expected one of "second", "minute", "hour"; write for example billing = "second"'
