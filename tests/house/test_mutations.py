"""`python -m tests.mutations` fits the code as it stands: the long run in `script/test --all` then tells of tests, not of moved lines."""

from __future__ import annotations

import ast

import pytest

from tests.house.checkout import ROOT
from tests.mutations import MUTATIONS, RULES, Mutation


def named(mutation: Mutation) -> str:
    return f"{mutation.rule}: {mutation.what}"


def test_each_of_the_ten_rules_is_taken_out() -> None:
    assert list(RULES) == list(range(1, 11))
    assert {each.rule for each in MUTATIONS} == set(RULES)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_a_mutation_finds_its_text_just_once_and_leaves_code_that_parses(mutation: Mutation) -> None:
    text = (ROOT / "src/burstd" / mutation.path).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1, f"{mutation.path} has moved on: let the mutation follow it"
    ast.parse(text.replace(mutation.old, mutation.new))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_the_tests_that_must_catch_it_exist(mutation: Mutation) -> None:
    for test in mutation.tests:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8") if name else (ROOT / path).exists()
