from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.adapters.haproxy.commands import Commands, clash, refusal, steps
from burstd.adapters.haproxy.problems import Problems
from burstd.errors import Misconfigured
from burstd.model.faults import FaultKind
from burstd.model.gateway import (
    AddServer,
    AdminState,
    CutSessions,
    EnableHealth,
    GatewayEdit,
    RemoveServer,
    ServerRow,
    ServerStatus,
    SetMaxconn,
    SetState,
    SetWeight,
)

BACKEND = "app"
COMMANDS = Commands(Problems(Path("/run/haproxy/admin.sock")), check_interval=1.0)
ADD = AddServer(BACKEND, "burst-1", "10.0.0.9", 80, 10)


def test_an_added_server_gets_every_parameter_since_it_inherits_none() -> None:
    assert COMMANDS.line(ADD) == (
        "add server app/burst-1 10.0.0.9:80 weight 10 check inter 1000ms fastinter 200ms rise 2 fall 3"
        " observe layer4 error-limit 3 on-error mark-down"
    )


def test_limit_and_backup_are_said_where_they_are_wanted() -> None:
    line = COMMANDS.line(AddServer(BACKEND, "burst-1", "2001:DB8::9", 80, 10, maxconn=8, backup=True))
    assert line.startswith("add server app/burst-1 [2001:db8::9]:80 weight 10 maxconn 8 check ")
    assert line.endswith(" mark-down backup")


def row(address: str, status: ServerStatus) -> ServerRow:
    return ServerRow("burst-1", address, status, passing=False, weight=1, backup=False, sessions=0, queued=0, requests=0)


def test_an_added_server_is_checked_and_held_back() -> None:
    assert steps(ADD, None) == (ADD, EnableHealth(BACKEND, "burst-1"), SetState(BACKEND, "burst-1", AdminState.DRAIN))


def test_an_add_that_broke_off_gets_the_rest() -> None:
    assert steps(ADD, row("10.0.0.9:80", ServerStatus.MAINT)) == (
        EnableHealth(BACKEND, "burst-1"),
        SetState(BACKEND, "burst-1", AdminState.DRAIN),
    )


@pytest.mark.parametrize("status", [status for status in ServerStatus if status is not ServerStatus.MAINT])
def test_a_server_that_is_there_is_left_as_it_is(status: ServerStatus) -> None:
    assert steps(ADD, row("10.0.0.9:80", status)) == ()
    assert clash(ADD, row("10.0.0.9:80", status)) is None


@pytest.mark.parametrize("address", ["10.0.0.9:81", "10.0.0.8:80", "gateway:80", "", "10.0.0.9"])
def test_a_server_that_is_there_with_another_address_is_a_clash_and_left_as_it_is(address: str) -> None:
    other = row(address, ServerStatus.MAINT)
    assert steps(ADD, other) == ()
    fault = clash(ADD, other)
    assert fault is not None
    assert fault.kind is FaultKind.REJECTED


def test_one_address_may_be_written_in_two_ways() -> None:
    assert clash(AddServer(BACKEND, "burst-1", "2001:db8:0:0::9", 80, 1), row("[2001:db8::9]:80", ServerStatus.UP)) is None


def test_every_other_edit_is_one_line() -> None:
    assert COMMANDS.line(SetState(BACKEND, "b", AdminState.READY)) == "set server app/b state ready"
    assert COMMANDS.line(SetWeight(BACKEND, "b", 256)) == "set server app/b weight 256"
    assert COMMANDS.line(SetMaxconn(BACKEND, "b", 8)) == "set maxconn server app/b 8"
    assert COMMANDS.line(SetMaxconn(BACKEND, "b", None)) == "set maxconn server app/b 0"  # as `show stat` has it: none
    assert COMMANDS.line(EnableHealth(BACKEND, "b")) == "enable health app/b"
    assert COMMANDS.line(CutSessions(BACKEND, "b")) == "shutdown sessions server app/b"
    assert COMMANDS.line(RemoveServer(BACKEND, "b")) == "del server app/b"


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a;b", "a\nb", "a\tb", "a/b", "#1", "a\x00", "a\x7f", "ä", "a\u2028b", "a'b", 'a"b', "a\\b", "$a", "x" * 129, "a\n"],
)
def test_a_name_that_could_say_something_else_is_refused(name: str) -> None:
    edits = (
        AddServer(BACKEND, name, "10.0.0.9", 80, 10),
        SetState(BACKEND, name, AdminState.MAINT),
        SetWeight(BACKEND, name, 1),
        EnableHealth(BACKEND, name),
    )
    for edit in (*edits, CutSessions(BACKEND, name), RemoveServer(BACKEND, name)):
        fault = refusal(edit)
        assert fault is not None
        assert fault.kind is FaultKind.REJECTED


@pytest.mark.parametrize(
    "address",
    [
        *("", "gateway.example.org", "10.0.0.9;show info", "10.0.0.9\n", "10.0.0.9 weight 256", "10.0.0.9:80", "10.0.0", "010.0.0.9"),
        *("fe80::1%eth0", "fe80::1%x;del server app/core", "/run/x.sock", "unix@x", "0x0a000009", "[::1]"),
    ],
)
def test_an_address_that_is_no_ip_address_is_refused(address: str) -> None:
    assert refusal(AddServer(BACKEND, "burst-1", address, 80, 10)) is not None


@pytest.mark.parametrize(
    "edit",
    [
        AddServer(BACKEND, "b", "10.0.0.9", 0, 1),
        AddServer(BACKEND, "b", "10.0.0.9", 65536, 1),
        AddServer(BACKEND, "b", "10.0.0.9", 80, 257),
        AddServer(BACKEND, "b", "10.0.0.9", 80, 1, maxconn=0),
        SetMaxconn(BACKEND, "b", 0),
        SetWeight(BACKEND, "b", -1),
        SetWeight(BACKEND, "b", 257),
    ],
)
def test_a_number_out_of_bounds_is_refused(edit: GatewayEdit) -> None:
    assert refusal(edit) is not None


CLOSE_TO_NAMES = st.text("abcXYZ019_.:-", min_size=1, max_size=20) | st.text("a1-;# /\n\t\x00ä", min_size=1, max_size=4)
CLOSE_TO_ADDRESSES = st.ip_addresses().map(str) | st.text("0123456789abcdef.:%; \n", max_size=12)


@given(CLOSE_TO_NAMES, CLOSE_TO_ADDRESSES, st.integers(-1, 65536), st.integers(-1, 257))
def test_what_is_not_refused_is_one_command_about_one_server(name: str, address: str, port: int, weight: int) -> None:
    add = AddServer(BACKEND, name, address, port, weight, backup=True)
    if refusal(add) is None:
        words = COMMANDS.line(add).split(" ")
        assert len(words) == 22
        assert words[:2] == ["add", "server"]
        assert words[2] == f"app/{name}"
        assert all(re.fullmatch(r"[\w./:\[\]-]+", word, re.ASCII) for word in words)


@pytest.mark.parametrize("edit", [RemoveServer(BACKEND, "b"), CutSessions(BACKEND, "b")], ids=lambda edit: type(edit).__name__)
def test_what_is_gone_need_not_go(edit: GatewayEdit) -> None:
    assert COMMANDS.judge(edit, "No such server.") is None


@pytest.mark.parametrize(
    "edit",
    [SetState(BACKEND, "b", AdminState.READY), SetWeight(BACKEND, "b", 1), EnableHealth(BACKEND, "b")],
    ids=lambda edit: type(edit).__name__,
)
def test_what_is_gone_cannot_be_changed(edit: GatewayEdit) -> None:
    fault = COMMANDS.judge(edit, "No such server.")
    assert fault is not None
    assert fault.kind is FaultKind.MISSING
    assert fault.text == "b: No such server."


def test_a_warning_before_the_verdict_does_not_hide_it() -> None:
    assert COMMANDS.judge(ADD, "a parameter was adjusted\nNew server registered.") is None


@pytest.mark.parametrize(
    "edit",
    [SetState(BACKEND, "b", AdminState.READY), SetWeight(BACKEND, "b", 1), EnableHealth(BACKEND, "b"), RemoveServer(BACKEND, "b"), ADD],
)
def test_unknown_words_are_a_fault_of_one_line(edit: GatewayEdit) -> None:
    fault = COMMANDS.judge(edit, "something new\nin two lines")
    assert fault is not None
    assert fault.text == f"{edit.name}: something new"


def test_silence_about_an_added_server_is_no_success() -> None:
    fault = COMMANDS.judge(ADD, "")
    assert fault is not None
    assert fault.text == "burst-1: HAProxy said nothing"


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("Permission denied\n", "write `level admin` on its line and reload HAProxy"),
        ("No such backend.", "name one of its backends, or define it and reload HAProxy"),
        ("Backend must use a dynamic load balancing to support dynamic servers.", "write `balance roundrobin`"),
    ],
)
def test_a_setup_that_forbids_it_is_for_the_operator(said: str, mend: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        COMMANDS.judge(ADD, said)
    assert mend in str(raised.value)
    assert "\n" not in str(raised.value)
