from __future__ import annotations

from dataclasses import replace

from burstd.model.database import DatabaseView, ListenerView
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerStatus
from burstd.model.gtid import Dialect
from burstd.model.promotion import Sighting, sight
from burstd.model.replication import Server
from tests.databases import DARK, NEW, OLD, following, gtids, line, primary, replica, view


def test_a_server_that_says_anything_at_all_answers() -> None:
    assert view().primary_answers
    assert view(primary=Fault("database primary", FaultKind.DENIED, "refused")).primary_answers
    assert not view(primary=DARK).primary_answers
    assert not view(primary=None).primary_answers


def test_the_lag_is_unknown_where_either_side_is() -> None:
    assert view(primary=primary("0-1-30"), replica=replica("0-1-10")).lag == 20
    assert view(primary=DARK).lag is None
    assert view(replica=DARK).lag is None
    assert view(primary=primary("")).lag is None
    assert view(primary=replace(primary(), dialect=Dialect.MYSQL)).lag is None


def test_a_primary_is_fenced_when_it_gets_no_connection_and_has_none() -> None:
    out = line(Server.PRIMARY, ServerStatus.MAINT)
    assert ListenerView(out, line(Server.REPLICA)).fenced
    assert not ListenerView(replace(out, sessions=1), line(Server.REPLICA)).fenced
    assert ListenerView(out, line(Server.REPLICA)).serving == (Server.REPLICA,)


def test_half_a_transaction_at_the_end_of_the_relay_log_is_not_waited_for() -> None:
    half = replica("0-1-10", following(received="0-1-10", level=False))
    assert half.applied
    assert not replica("0-1-9", following(received="0-1-10", level=True)).applied


def test_without_numbers_the_positions_tell_what_is_applied() -> None:
    assert replica("", following(received="", by_gtid=False, level=True)).applied
    assert not replica("", following(received="", by_gtid=False, level=False)).applied
    assert replace(replica(), replication=None).applied


def test_on_mysql_only_super_read_only_binds_everybody() -> None:
    mysql = replace(replica(), dialect=Dialect.MYSQL)
    assert mysql.writable
    assert not replace(mysql, super_read_only=True).writable


def test_what_a_silent_primary_had_is_remembered() -> None:
    before = sight(OLD, primary("0-1-30", at=100.0), replica("0-1-10", following(lag=2.0), at=100.0), None)
    assert before is not None
    assert (before.executed, before.received, before.lag, before.lag_at) == ("0-1-30", "0-1-10", 2.0, 100.0)
    assert sight(OLD, DARK, DARK, before) == before
    assert sight(NEW, DARK, DARK, before) is None


def test_the_rate_is_that_between_two_looks_more_than_a_second_apart() -> None:
    first = sight(OLD, primary("0-1-30", at=100.0), None, None)
    second = sight(OLD, primary("0-1-50", at=110.0), None, first)
    assert second is not None
    assert second.rate == 2.0
    third = sight(OLD, primary("0-1-60", at=110.5), None, second)
    assert third is not None
    assert (third.rate, third.executed) == (2.0, "0-1-60")


def test_a_replica_out_of_order_tells_what_it_has_received_and_no_lag() -> None:
    broken = replica("0-1-10", following(io="stopped", lag=None))
    found = sight(OLD, primary(), broken, Sighting(OLD, 1.0, Dialect.MARIADB, "0-1-5", lag=3.0, lag_at=1.0))
    assert found is not None
    assert (found.lag, found.lag_at, found.received) == (3.0, 1.0, "0-1-10")


def test_a_primary_that_replicates_from_somebody_is_no_primary_to_be_remembered() -> None:
    assert sight(OLD, replica(), None, None) is None


def test_every_fault_of_a_view_is_told() -> None:
    seen: DatabaseView = view(primary=DARK, trouble=Fault("database promotion", FaultKind.REJECTED, "no"))
    assert [each.peer for each in seen.faults] == ["database primary", "database promotion"]
    assert seen.server(Server.PRIMARY) is DARK
    assert (seen.address(Server.PRIMARY), seen.address(Server.REPLICA)) == (OLD, NEW)
    assert gtids("0-1-1").count == 1
