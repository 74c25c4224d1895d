"""GTIDs are arithmetic: what is missing, what is beyond, and what a text says, by example and by property."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.errors import Garbled
from burstd.model.gtid import Dialect, Gtids

UUIDS = ("3e11fa47-71ca-11e1-9e33-c80aa9429562", "4a6f2d84-71ca-11e1-9e33-c80aa9429562")


def maria(*texts: str) -> Gtids:
    return Gtids.parse(Dialect.MARIADB, *texts)


def mysql(*texts: str) -> Gtids:
    return Gtids.parse(Dialect.MYSQL, *texts)


def test_mariadbs_lag_is_counted_by_domain_over_all_servers() -> None:
    assert maria("0-1-523").ahead(maria("0-1-500")) == 23
    assert maria("0-2-540,0-1-500").ahead(maria("0-1-490")) == 50
    assert maria("0-1-10,1-1-5").ahead(maria("0-1-12,1-1-3")) == 2


def test_an_old_primary_with_own_transactions_is_beyond_the_new_one_though_its_number_is_lower() -> None:
    old, new = maria("0-1-523"), maria("0-1-500,0-2-540")
    assert old.beyond(new).count == 23
    assert old.ahead(new) == 0
    assert not maria("0-1-500").beyond(new)


def test_mysqls_sets_are_subtracted_interval_by_interval() -> None:
    left = mysql(f"{UUIDS[0]}:1-10:20-30").beyond(mysql(f"{UUIDS[0]}:3-5:25"))
    assert str(left) == f"{UUIDS[0]}:1-2:6-10:20-24:26-30"
    assert mysql(f"{UUIDS[0]}:1-10").ahead(mysql("")) == 10


def test_mysqls_tags_are_streams_of_their_own() -> None:
    tagged = mysql(f"{UUIDS[0]}:1-3:nightly:4-6")
    assert tagged.count == 6
    assert tagged.beyond(mysql(f"{UUIDS[0]}:1-10")).count == 3


def test_a_text_may_have_spaces_newlines_and_capitals() -> None:
    assert mysql(f"{UUIDS[0].upper()}:1-3,\n {UUIDS[1]}:7") == mysql(f"{UUIDS[1]}:7", f"{UUIDS[0]}:1-3")
    assert str(maria("0-1-5, 1-2-7")) == "0-1-5,1-2-7"


def test_a_position_is_the_last_transaction_of_each_domain() -> None:
    assert maria("0-1-500,0-2-540,7-1-3").position == "0-2-540,7-1-3"
    assert mysql(f"{UUIDS[0]}:1-3").position == f"{UUIDS[0]}:1-3"


def test_nothing_told_is_nothing_known() -> None:
    assert not maria("", " ")
    assert not maria("0-1-0")
    assert (mysql("").count, mysql("").position) == (0, "")


@pytest.mark.parametrize("text", ["0-1", "a-1-2", "0-1-2-3", "0-1-2;DROP", "0--1"])
def test_what_is_no_mariadb_gtid_is_garbled(text: str) -> None:
    with pytest.raises(Garbled, match="GTID"):
        maria(text)


@pytest.mark.parametrize("text", ["x:1", UUIDS[0], f"{UUIDS[0]}:5-3", f"{UUIDS[0]}:0-3", f"{UUIDS[0]}:1-", f"{UUIDS[0]}:Ü"])
def test_what_is_no_mysql_set_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        mysql(text)


numbers = st.sets(st.integers(1, 60))


def of(sets: dict[str, set[int]]) -> Gtids:
    return mysql(",".join(f"{uuid}:{number}" for uuid, each in sets.items() for number in each))


def plain(gtids: Gtids) -> set[tuple[str, int]]:
    return {(stream, number) for stream, each in gtids.streams.items() for first, last in each for number in range(first, last + 1)}


@given(st.dictionaries(st.sampled_from(UUIDS), numbers), st.dictionaries(st.sampled_from(UUIDS), numbers))
def test_mysqls_arithmetic_is_that_of_sets(one: dict[str, set[int]], other: dict[str, set[int]]) -> None:
    a, b = of(one), of(other)
    assert plain(a.beyond(b)) == plain(a) - plain(b)
    assert plain(a | b) == plain(a) | plain(b)
    assert a.ahead(b) == len(plain(a) - plain(b))
    assert mysql(str(a)) == a


positions = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(1, 3)), st.integers(1, 99), max_size=6).map(
    lambda each: maria(",".join(f"{domain}-{server}-{number}" for (domain, server), number in each.items()))
)


@given(positions, positions)
def test_mariadbs_arithmetic_holds_together(a: Gtids, b: Gtids) -> None:
    assert maria(str(a)) == a
    assert a.ahead(a) == a.beyond(a).count == 0
    both = a | b
    assert not a.beyond(both)
    assert not b.beyond(both)
    assert both.ahead(a) >= b.ahead(a)
    assert a.ahead(both) == 0
