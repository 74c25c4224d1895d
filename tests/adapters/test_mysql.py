"""MariaDB and MySQL: each dialect's words and columns by text, their errors as ours, and what `burstd check` finds on a real server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from burstd.adapters.fence_command import ProcessFence
from burstd.adapters.mysql import Host, Login, MysqlDatabase, probe
from burstd.adapters.mysql.reading import Answers, dialect_of, server_view, version_of
from burstd.adapters.mysql.server import _explained
from burstd.adapters.mysql.words import MARIADB, MYSQL, WORDS, create_user, keep_relay_log, missing_privileges
from burstd.adapters.promotion_file import PromotionFile
from burstd.errors import AskOperator, BadCredentials, BurstdError, Garbled, Misconfigured, Rejected, Retry, Throttled, Unreachable
from burstd.model.faults import Fault, FaultKind
from burstd.model.gtid import Dialect
from burstd.model.replication import SemiSync, Server, ServerView, ThreadState
from tests.haproxy_process import free_port
from tests.mariadb_process import PASSWORD, mariadb
from tests.web import own_address

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

MYSQL_REPLICA = {
    "Source_Host": "10.0.0.5",
    "Source_Port": 3306,
    "Source_Log_File": "bin.000007",
    "Read_Source_Log_Pos": 400,
    "Relay_Source_Log_File": "bin.000007",
    "Exec_Source_Log_Pos": 300,
    "Relay_Log_File": "relay.000002",
    "Relay_Log_Pos": 931,
    "Replica_IO_Running": "Connecting",
    "Replica_SQL_Running": "Yes",
    "Last_IO_Errno": 2003,
    "Last_IO_Error": "error\nconnecting",
    "Last_SQL_Errno": 0,
    "Last_SQL_Error": "",
    "Retrieved_Gtid_Set": f"{UUID}:1-9",
    "Auto_Position": 1,
    "Seconds_Behind_Source": None,
}
"""As SHOW REPLICA STATUS of MySQL 8.4 has it, with the columns that are read."""


def mysql_view(**replication: Any) -> ServerView:
    itself = {"read_only": 1, "super_read_only": 1, "executed": f"{UUID}:1-7", "applied": ""}
    settings = {
        "rpl_semi_sync_source_enabled": "ON",
        "rpl_semi_sync_source_timeout": "10000",
        "rpl_semi_sync_source_wait_point": "AFTER_SYNC",
    }
    status = {"rpl_semi_sync_source_status": "OFF", "rpl_semi_sync_source_clients": "0"}
    return server_view(5.0, "8.4.3", Answers(itself, {**MYSQL_REPLICA, **replication}, settings, status))


def test_mysqls_own_columns_are_read() -> None:
    seen = mysql_view()
    replication = seen.replication
    assert replication is not None
    assert (seen.dialect, seen.version, seen.writable, seen.unapplied) == (Dialect.MYSQL, "8.4.3", False, 2)
    assert (replication.source, replication.lag, replication.level, replication.by_gtid) == ("10.0.0.5:3306", None, False, True)
    assert (replication.io.state, replication.io.error, replication.io.text) == (ThreadState.CONNECTING, 2003, "error connecting")
    assert (seen.semi_sync.state, seen.semi_sync.timeout, seen.semi_sync.lossless) == (SemiSync.DEGRADED, 10.0, True)


def test_what_lacks_a_column_or_holds_nonsense_is_garbled() -> None:
    with pytest.raises(Garbled):
        mysql_view(Last_IO_Errno="many")
    with pytest.raises(Garbled):
        server_view(5.0, "8.4.3", Answers({}, None, {}, {}))
    with pytest.raises(Garbled, match="names no version"):
        version_of("unknown")


def test_dialects_and_versions_are_told_by_the_greeting() -> None:
    assert [dialect_of(each) for each in ("5.5.5-10.11.19-MariaDB-0+deb12u1", "8.4.3")] == [Dialect.MARIADB, Dialect.MYSQL]
    assert [version_of(each) for each in ("5.5.5-10.11.19-MariaDB", "11.4.2-MariaDB", "8.0")] == [(10, 11, 19), (11, 4, 2), (8, 0, 0)]


def test_mysql_hears_no_word_that_8_4_has_dropped() -> None:
    told = MYSQL.show_self, MYSQL.show_replication, MYSQL.start_applying, MYSQL.stop_receiving, MYSQL.stop, MYSQL.reset, MYSQL.semi_sync
    said = " ".join((*told, *MYSQL.restrict, *MYSQL.release)).upper()
    assert "SLAVE" not in said
    assert "MASTER" not in said
    assert "STOP SLAVE IO_THREAD" in MARIADB.stop_receiving


def test_mariadbs_relay_log_is_kept_by_name_and_place() -> None:
    assert keep_relay_log("relay.000002", 931) == (
        "CHANGE MASTER TO MASTER_USE_GTID = no, RELAY_LOG_FILE = 'relay.000002', RELAY_LOG_POS = 931"
    )


@pytest.mark.parametrize("dialect", Dialect)
def test_the_statements_that_check_prints_are_what_it_asks_for(dialect: Dialect) -> None:
    grants = [each.replace("burstd.*", "`burstd`.*") for each in create_user(dialect, "burstd")]
    assert missing_privileges(dialect, grants) == ()
    assert missing_privileges(dialect, grants[:2]) == ("CREATE, SELECT, INSERT, DELETE ON burstd.*",)
    assert set(missing_privileges(dialect, ["GRANT USAGE ON *.* TO x", "nonsense"])) >= set(WORDS[dialect].privileges)
    assert missing_privileges(dialect, ["GRANT ALL PRIVILEGES ON *.* TO `x`@`%` WITH GRANT OPTION"]) == ()


def test_a_privilege_is_known_by_either_name() -> None:
    grants = [each.replace("SLAVE MONITOR", "REPLICA MONITOR") for each in create_user(Dialect.MARIADB, "burstd")]
    assert missing_privileges(Dialect.MARIADB, grants) == ()


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (pymysql.err.OperationalError(2003, "Can't connect to MySQL server on 'x' (refused)"), Unreachable),
        (pymysql.err.OperationalError(2013, "Lost connection (timed out)"), Unreachable),
        (pymysql.err.OperationalError(1045, "Access denied for user 'burstd'@'x' (using password: YES)"), BadCredentials),
        (pymysql.err.OperationalError(1227, "Access denied; you need (at least one of) the SUPER privilege(s)"), Misconfigured),
        (pymysql.err.OperationalError(1040, "Too many connections"), Throttled),
        (pymysql.err.OperationalError(1094, "Unknown thread id: 5"), Rejected),
        (pymysql.err.ProgrammingError(1064, "You have an error in your SQL syntax"), Rejected),
        (pymysql.err.InternalError("Packet sequence number wrong"), Garbled),
        (ConnectionResetError(), Unreachable),
        (IndexError(), Garbled),
        (pymysql.err.OperationalError(2026, "SSL is required"), Misconfigured),
        (Throttled("passes as it is"), Throttled),
        (RuntimeError("'cryptography' package is required"), Misconfigured),
    ],
)
def test_errors_are_told_by_what_to_do_about_them(raised: Exception, ours: type[BurstdError]) -> None:
    with pytest.raises(ours) as caught, _explained("database.primary 10.0.0.5", "burstd"):
        raise raised
    assert type(caught.value) is ours
    assert "Access denied" not in str(caught.value)


@contextmanager
def talking(*said: bytes) -> Iterator[tuple[str, int]]:
    """A peer that says that to each caller, and then nothing."""
    with socket.create_server((own_address(), 0)) as listener:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                held.append(caller)
                for each in said:
                    caller.sendall(each)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = listener.getsockname()
        yield host, port
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for each in held:
            each.close()


def look(address: tuple[str, int], login: Login | None = None, *, deadline: float = 10.0) -> Fault | ServerView:
    login = login or Login("burstd", lambda: PASSWORD)
    primary, replica = (Host(each, *address, login) for each in Server)
    return MysqlDatabase(primary, replica, time.time, interval=0.1, deadline=deadline).look()[0]


def test_a_peer_that_says_nothing_does_not_answer() -> None:
    with talking() as address:
        found = look(address, deadline=0.3)
    assert isinstance(found, Fault)
    assert (found.kind, found.text) == (FaultKind.UNREACHABLE, "it gave no answer in time")


def test_a_peer_that_says_something_else_answers() -> None:
    with talking(b"\x10\x00\x00\x00HTTP/1.1 400 Bad") as address:
        found = look(address)
    assert isinstance(found, Fault)
    assert found.kind in {FaultKind.GARBLED, FaultKind.REJECTED}


def test_a_server_that_is_too_full_answers() -> None:
    error = b"\xff\x10\x04Too many connections"
    with talking(len(error).to_bytes(3, "little") + b"\x00" + error) as address:
        found = look(address)
    assert isinstance(found, Fault)
    assert found.kind is FaultKind.THROTTLED


def test_a_missing_file_of_certificates_is_named(tmp_path: Path) -> None:
    found = look((own_address(), 1), Login("burstd", lambda: PASSWORD, tmp_path / "none.pem"))
    assert isinstance(found, Fault)
    assert "database.ca_file" in found.text


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    users = (
        f"CREATE USER poor@'%' IDENTIFIED BY '{PASSWORD}'",
        f"CREATE USER old@'%' IDENTIFIED BY '{PASSWORD}'",
        *(each.replace("GATEWAY", "%").replace("'PASSWORD'", f"'{PASSWORD}'") for each in create_user(Dialect.MARIADB, "burstd")),
    )
    address = own_address(), free_port(own_address())
    with mariadb(*address, 1, grants=users):
        yield address


def host(address: tuple[str, int], user: str = "burstd", password: str = PASSWORD, part: Server = Server.PRIMARY) -> Host:
    return Host(part, *address, Login(user, lambda: password))


def test_the_user_that_check_asks_for_is_enough_on_a_real_server(server: tuple[str, int]) -> None:
    view, problems = probe(host(server), 1.0, 2.0)
    assert problems == ()
    assert view is not None
    assert (view.dialect, view.replication) == (Dialect.MARIADB, None)


def test_what_a_user_lacks_is_named_with_the_grant(server: tuple[str, int]) -> None:
    view, (problem,) = probe(host(server, "poor", part=Server.REPLICA), 1.0, 2.0)
    assert view is None
    assert "database.user poor lacks RELOAD" in problem
    assert "run (on the primary, from where it replicates): GRANT RELOAD" in problem


def test_an_unknown_user_is_told_how_it_is_made_and_no_password_is_shown(server: tuple[str, int]) -> None:
    with pytest.raises(BadCredentials, match="CREATE USER 'burstd'@'GATEWAY' IDENTIFIED BY 'PASSWORD'") as caught:
        probe(host(server, password="wrong-battery"), 1.0, 2.0)
    assert "battery" not in str(caught.value)


def test_a_step_without_its_privilege_is_refused_with_the_mend(server: tuple[str, int]) -> None:
    database = MysqlDatabase(host(server, "poor"), host(server, "poor"), time.time, interval=1, deadline=2)
    with pytest.raises(AskOperator, match="burstd check"):
        database.lift_primary()


def test_a_fence_command_is_judged_by_its_exit_code(tmp_path: Path) -> None:
    ProcessFence(["/bin/true"]).run()
    with pytest.raises(Rejected, match="exit code 3, the switch says no"):
        ProcessFence(["/bin/sh", "-c", "echo the switch says no >&2; exit 3"]).run()
    with pytest.raises(Rejected, match=r"exit code 1$"):
        ProcessFence(["/bin/false"]).run()
    with pytest.raises(Misconfigured, match="cannot be started"):
        ProcessFence([str(tmp_path / "none")]).run()


def test_a_fence_command_that_hangs_is_ended_with_all_that_it_has_started() -> None:
    with pytest.raises(Retry, match="did not end within"):
        ProcessFence(["/bin/sh", "-c", "sleep 60 & sleep 60"], patience=0.2).run()


def test_a_damaged_record_is_told_and_never_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "promotion.json").write_text("{")
    (tmp_path / "sighting.json").write_text("{")
    record = PromotionFile(tmp_path)
    assert record.sighting() is None
    with pytest.raises(Misconfigured, match="it is damaged"):
        record.promotion()


def test_a_record_that_cannot_be_read_or_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "promotion.json").mkdir()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(Misconfigured, match="can be read"):
        PromotionFile(tmp_path).promotion()
    with pytest.raises(Misconfigured, match=r"fleet\.state_dir"):
        PromotionFile(tmp_path).keep(None)
    with pytest.raises(Misconfigured, match=r"fleet\.state_dir"), PromotionFile(file).hold():
        pass
