from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.adapters.haproxy.answers import parse_backends, parse_info, parse_stat
from burstd.errors import Garbled
from burstd.model.gateway import ServerRow, ServerStatus

INFO = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 6004\nUptime: 0d 0h00m01s\nStopping: 0\nStart_time_sec: 1795386638\n"

SERVER = {
    "pxname": "app",
    "svname": "burst-1",
    "qcur": "2",
    "scur": "3",
    "slim": "8",
    "stot": "70",
    "econ": "4",
    "eresp": "5",
    "hrsp_5xx": "6",
    "throttle": "",
    "status": "UP",
    "bck": "0",
    "type": "2",
    "check_status": "L7OK",
    "req_tot": "60",
    "addr": "10.0.0.9:80",
    "mode": "http",
    "algo": "",
    "uweight": "10",
}
TOTAL = SERVER | {"svname": "BACKEND", "type": "1", "qcur": "6", "req_tot": "900", "stot": "901", "algo": "leastconn", "addr": ""}


def table(*rows: dict[str, str]) -> str:
    lines = [f"# {','.join(rows[0])},", *(f"{','.join(row.values())}," for row in rows)]
    return "\n".join(lines) + "\n"


def server(**columns: str) -> ServerRow:
    stat = parse_stat(table(SERVER | columns, TOTAL), "app")
    assert stat is not None
    return stat.servers[0]


def test_the_process_is_named_by_its_pid_and_its_start() -> None:
    info = parse_info(INFO)
    assert info.version == (2, 6, 12)
    assert info.process == (6004, 1795386638.0)
    assert not info.stopping


@pytest.mark.parametrize(("text", "version"), [("3.4-dev5-8c1a6f", (3, 4, 0)), ("2.8.25-5cf5d0683", (2, 8, 25)), ("10.0.1", (10, 0, 1))])
def test_versions_are_read_as_haproxy_writes_them(text: str, version: tuple[int, int, int]) -> None:
    assert parse_info(INFO.replace("2.6.12-1+deb12u4", text)).version == version


def test_how_busy_and_how_full_haproxy_itself_is_is_read_and_unknown_where_it_does_not_say() -> None:
    told = parse_info(INFO + "Idle_pct: 7\nCurrConns: 12\nMaxconn: 2000\nHard_maxconn: 2000\n")
    assert (told.idle, told.connections, told.most_connections) == (0.07, 12, 2000)
    silent = parse_info(INFO)
    assert (silent.idle, silent.connections, silent.most_connections) == (None, 0, None)
    with pytest.raises(Garbled, match="no number"):
        parse_info(INFO + "Idle_pct: much\n")


def test_answers_of_status_5xx_are_read_and_none_where_nobody_counts_them() -> None:
    assert (server().refusals, server().errors) == (6, 9)
    assert server(hrsp_5xx="", mode="tcp").refusals == 0


def test_the_old_process_of_a_reload_is_known_by_its_stopping() -> None:
    assert parse_info(INFO.replace("Stopping: 0", "Stopping: 1")).stopping


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Unknown command",
        *(INFO.replace(field, "x") for field in ("Version:", "Pid:", "Stopping:", "Start_time_sec:")),
        *(INFO.replace(value, "nan") for value in ("2.6.12-1+deb12u4", "6004", "1795386638")),
        INFO.replace("1795386638", "9" * 400),
        INFO + "CumReq: many\n",
    ],
)
def test_an_info_that_lacks_something_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        parse_info(text)


def test_backends_are_listed_by_name() -> None:
    assert parse_backends("# name\napp\nstatic\n") == {"app", "static"}
    assert parse_backends("# name") == frozenset()


def test_a_list_of_backends_that_is_something_else_is_garbled() -> None:
    with pytest.raises(Garbled):
        parse_backends("Unknown command: 'show backend'")


def test_a_row_becomes_a_server_and_the_backends_own_row_its_totals() -> None:
    stat = parse_stat(table(SERVER, TOTAL), "app")
    assert stat is not None
    assert stat.servers == (
        ServerRow(
            name="burst-1",
            address="10.0.0.9:80",
            status=ServerStatus.UP,
            passing=True,
            weight=10,
            backup=False,
            sessions=3,
            queued=2,
            requests=60,
            maxconn=8,
            errors=9,
            refusals=6,
        ),
    )
    assert (stat.requests, stat.queued, stat.balance) == (900, 6, "leastconn")


def test_columns_are_found_by_name_wherever_a_version_puts_them() -> None:
    backwards = [dict(reversed(row.items())) for row in (SERVER | {"new_column": "?"}, TOTAL | {"new_column": ""})]
    assert parse_stat(table(*backwards), "app") == parse_stat(table(SERVER, TOTAL), "app")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("UP", ServerStatus.UP),
        ("UP 1/3", ServerStatus.UP),
        ("DOWN", ServerStatus.DOWN),
        ("DOWN 2/3", ServerStatus.DOWN),
        ("DOWN (agent)", ServerStatus.DOWN),
        ("DRAIN", ServerStatus.DRAIN),
        ("DRAIN 1/3", ServerStatus.DRAIN),
        ("MAINT", ServerStatus.MAINT),
        ("MAINT (via app/other)", ServerStatus.MAINT),
        ("NOLB 1/2", ServerStatus.NOLB),
        ("no check", ServerStatus.NO_CHECK),
    ],
)
def test_a_status_is_read_without_what_it_carries_in_passing(text: str, status: ServerStatus) -> None:
    assert server(status=text).status is status


@pytest.mark.parametrize(
    ("text", "passing"),
    [("L7OK", True), ("* L7OK", True), ("L4OK", True), ("L6OK", True)]
    + [(text, False) for text in ("", "INI", "* L7STS", "L4CON", "L4TOUT", "L7OKC", "L7TOUT", "L7OK?")],
)
def test_a_check_counts_as_passed_when_the_last_finished_one_was(text: str, passing: bool) -> None:  # noqa: FBT001 - a parametrized value
    assert server(check_status=text).passing is passing


def test_a_server_without_a_connection_limit_has_none() -> None:
    assert server(slim="").maxconn is None


def test_a_server_that_counts_no_errors_has_none() -> None:
    assert server(econ="", eresp="").errors == 0


def test_where_the_mode_is_tcp_sessions_are_counted() -> None:
    assert server(mode="tcp", req_tot="").requests == 70


def test_quoted_texts_may_hold_commas_quotes_and_line_ends() -> None:
    assert server(addr='"a,b ""c""\nd"').address == 'a,b "c"\nd'


def test_other_backends_are_left_out() -> None:
    assert parse_stat(table(SERVER, TOTAL), "static") is None
    assert parse_stat(table(SERVER | {"pxname": "static"}), "app") is None


@pytest.mark.parametrize("column", sorted(SERVER))
def test_a_table_without_a_column_that_counts_is_garbled(column: str) -> None:
    rows = [{name: value for name, value in row.items() if name != column} for row in (SERVER, TOTAL)]
    with pytest.raises(Garbled, match="lacks a column"):
        parse_stat(table(*rows), "app")


@pytest.mark.parametrize("text", ["", "-1", "many", "1.5", "nan", "٣", "9" * 30])
@pytest.mark.parametrize("column", ["scur", "req_tot", "uweight"])
def test_a_number_that_is_none_is_garbled_and_never_a_zero(column: str, text: str) -> None:
    with pytest.raises(Garbled, match=column):
        server(**{column: text})


def test_an_unknown_status_is_garbled() -> None:
    with pytest.raises(Garbled, match="SLEEPING"):
        server(status="SLEEPING")


@pytest.mark.parametrize("text", ["", "x", "Unknown command: 'show stat'", "# pxname,type,\napp,\n", '# pxname,type,\n"app,1,\n'])
def test_a_table_that_is_none_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        parse_stat(text, "app")


@given(st.text())
def test_no_text_is_more_than_garbled(text: str) -> None:
    for parse in (parse_info, parse_backends, lambda text: parse_stat(f"# pxname,type,{text}", "app")):
        try:
            parse(text)
        except Garbled:
            continue


def test_a_table_cut_anywhere_is_garbled_or_lacks_the_backend_but_never_tells_something_else() -> None:
    text = table(SERVER, TOTAL)
    whole = parse_stat(text, "app")
    for end in range(len(text)):
        try:
            assert parse_stat(text[:end], "app") in (None, whole)
        except Garbled:
            continue


@given(st.integers(0, 300), st.text(alphabet=',"\n x\r\x00\x85', max_size=3))
def test_a_damaged_table_is_at_most_garbled(place: int, damage: str) -> None:
    text = table(SERVER, TOTAL)
    try:
        parse_stat(text[:place] + damage + text[place:], "app")
    except Garbled:
        return
