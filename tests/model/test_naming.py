"""Names that prove whose a machine is, where a cloud knows nothing but names."""

from __future__ import annotations

import re
import string

from hypothesis import example, given
from hypothesis import strategies as st

from burstd.model.naming import instance_name, is_instance_name, marked_name, read_marked_name

OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
OPERATION = "1" * 32
MARKED = marked_name(instance_name("burst", OWNER, OPERATION), OWNER, OPERATION)

IDS = st.text("0123456789abcdef", min_size=32, max_size=32)
PREFIXES = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True)
LIKE_OURS = st.from_regex(r"burst-1{32}-[a-z2-7]{13}", fullmatch=True)


@given(PREFIXES, IDS, IDS)
@example("a23456789-123456", OWNER, OPERATION)
def test_a_marked_name_comes_back_as_the_instances_name_and_its_operation(prefix: str, owner: str, operation: str) -> None:
    name = instance_name(prefix, owner, operation)
    assert is_instance_name(prefix, owner, name)
    assert read_marked_name(owner, marked_name(name, owner, operation)) == (name, operation)


@given(PREFIXES, IDS, IDS)
@example("a23456789-123456", OWNER, OPERATION)
def test_every_cloud_takes_a_marked_name(prefix: str, owner: str, operation: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", marked_name(instance_name(prefix, owner, operation), owner, operation))


def test_the_longest_name_of_a_fleet_fills_the_63_characters() -> None:
    assert len(marked_name(instance_name("a" * 16, OWNER, OPERATION), OWNER, OPERATION)) == 63


@given(st.text() | LIKE_OURS | PREFIXES)
def test_no_name_but_the_very_one_is_ours(name: str) -> None:
    assert (read_marked_name(OWNER, name) is None) is (name != MARKED)


@given(st.integers(0, len(MARKED)), st.sampled_from(["", *string.printable, "\u00e9", "\u0661"]), st.integers(0, 1))
def test_no_name_a_character_away_is_ours(place: int, other: str, replaced: int) -> None:
    name = MARKED[:place] + other + MARKED[place + replaced :]
    assert (read_marked_name(OWNER, name) is None) is (name != MARKED)


@given(IDS, IDS)
def test_no_name_that_another_owner_marked_is_ours(owner: str, operation: str) -> None:
    other = marked_name(instance_name("burst", OWNER, operation), owner, operation)
    assert (read_marked_name(OWNER, other) is None) is (owner != OWNER)


@given(PREFIXES, IDS)
def test_the_proof_of_one_name_proves_no_other(prefix: str, operation: str) -> None:
    moved = f"{prefix}-{operation}-{MARKED.rpartition('-')[2]}"
    assert (read_marked_name(OWNER, moved) is None) is (moved != MARKED)


def test_a_marked_name_does_not_tell_the_owner() -> None:
    assert OWNER[:4] not in MARKED
