"""Recorded sessions of every version, replayed whole and spoilt: never a hang, and never a success that HAProxy did not say."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burstd.adapters.haproxy.runtime import PROMPT
from burstd.errors import AskOperator, Retry
from burstd.model.faults import FaultKind
from burstd.model.gateway import AddServer, CutSessions, RemoveServer
from tests.haproxy_sessions import EDITS, Exchange, Recording, gateway, parted, record, recorded, replaying
from tests.haproxy_versions import found
from tests.scripted_socket import Script, scripted_socket

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

RECORDINGS = recorded()
DEADLINE = 0.15
"""Seconds for a spoilt session: on a loaded machine even a sound one may miss it, which is an honest error too."""
LONG_AFTER = 10.0
"""Seconds by which a deadline may be missed on a loaded machine, and no hang would."""
EXAMPLES = 40
"""Of each test and version; ten times as many were tried when this was written."""

versions = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda each: each.version)


def closes(_line: str, _connection: socket.socket, _over: threading.Event) -> bool:
    return False


def hangs(_line: str, connection: socket.socket, _over: threading.Event) -> bool:
    connection.settimeout(LONG_AFTER)
    while connection.recv(4096):  # until the client hangs up
        pass
    return False


def goes_on(_line: str, connection: socket.socket, over: threading.Event) -> bool:
    while not over.is_set():
        connection.sendall(b"\xff and more" * 100)
    return False


@dataclass(frozen=True)
class Spoilt:
    """An exchange as the client gets it: the replies, and what comes after the last of them."""

    replies: tuple[bytes, ...]
    end: Script
    how: str

    @property
    def answers(self) -> list[bytes]:
        """What was said."""
        return parted(self.replies)


@st.composite
def torn(draw: DrawFn, exchange: Exchange) -> Spoilt:
    """It ends anywhere: cut, hanging, or going on for ever."""
    left = draw(st.integers(0, sum(map(len, exchange.replies)) - 1))
    replies = []
    for reply in exchange.replies:
        replies.append(reply[:left])
        left -= len(replies[-1])
        if len(replies[-1]) < len(reply):
            break
    return Spoilt(tuple(replies), draw(st.sampled_from([closes, closes, closes, hangs, goes_on])), "torn")


@st.composite
def miscounted(draw: DrawFn, exchange: Exchange) -> Spoilt:
    """A reply comes twice, or not at all, or its prompt is missing."""
    place = draw(st.integers(0, len(exchange.replies) - 1))
    reply = exchange.replies[place]
    instead = draw(st.sampled_from([reply * 2, b"", reply.removesuffix(PROMPT), reply.removesuffix(b"> ")]))
    return Spoilt(_with(exchange, place, instead), draw(st.sampled_from([closes, closes, closes, hangs])), "miscounted")


@st.composite
def shuffled(draw: DrawFn, exchange: Exchange) -> Spoilt:
    """Two replies change places."""
    one, other = draw(st.lists(st.integers(0, len(exchange.replies) - 1), min_size=2, max_size=2, unique=True))
    replies = list(exchange.replies)
    replies[one], replies[other] = replies[other], replies[one]
    return Spoilt(tuple(replies), closes, "shuffled")


@st.composite
def garbled(draw: DrawFn, exchange: Exchange) -> Spoilt:
    """Some bytes of a reply are others, most of them no UTF-8."""
    place = draw(st.integers(0, len(exchange.replies) - 1))
    reply = bytearray(exchange.replies[place])
    for _ in range(draw(st.integers(1, 4))):
        reply[draw(st.integers(0, len(reply) - 1))] = draw(st.integers(0, 255) | st.sampled_from(b"\n>,\x00"))
    return Spoilt(_with(exchange, place, bytes(reply)), closes, "garbled")


def _with(exchange: Exchange, place: int, reply: bytes) -> tuple[bytes, ...]:
    return (*exchange.replies[:place], reply, *exchange.replies[place + 1 :])


def foreign(exchange: Exchange, others: Sequence[Exchange]) -> st.SearchStrategy[Spoilt]:
    """A reply is what another version says to the same line."""
    places = [
        (place, reply)
        for other in others
        for theirs, reply in zip(other.lines, other.replies, strict=True)
        for place, line in enumerate(exchange.lines)
        if theirs == line
    ]
    return st.sampled_from(places).map(lambda each: Spoilt(_with(exchange, *each), closes, "foreign"))


def spoilt(recording: Recording, kind: str) -> st.SearchStrategy[Spoilt]:
    """The recording's exchange of that kind, spoilt in any of these ways."""
    exchange: Exchange = getattr(recording, kind)
    others = [getattr(each, kind) for each in RECORDINGS if each != recording]
    return torn(exchange) | miscounted(exchange) | shuffled(exchange) | garbled(exchange) | foreign(exchange, others)


def success(edit: object, said: Sequence[bytes]) -> bool:
    """These answers to the edit's lines say that it is done: HAProxy's own words, by its source (src/server.c) and the management guide."""
    words = [each.strip(b"\n") for each in said]
    match edit:
        case AddServer():
            return words == [b"New server registered.", b"", b""]
        case RemoveServer():
            return words in ([b"Server deleted."], [b"No such server."])
        case CutSessions():
            return words in ([b""], [b"No such server."])
        case _:
            return words == [b""]


def said_to_edits(recording: Recording, answers: Sequence[bytes]) -> list[list[bytes]]:
    """For each of `EDITS`, the answers to its lines: an add has three, the others one; a `wait` before a removal is no verdict."""
    places = iter([place for place, line in enumerate(recording.apply.lines) if line.split()[0] in {"add", "enable", "set", "del"}])
    return [[answers[next(places)] for _ in range(3 if isinstance(edit, AddServer) else 1)] for edit in EDITS]


class Replay:
    """A peer whose script can be changed between two sessions: one socket for a thousand of them."""

    def __init__(self) -> None:
        self.script: Script = closes
        self.path = Path()

    def __call__(self, line: str, connection: socket.socket, over: threading.Event) -> bool:
        return self.script(line, connection, over)


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    peer = Replay()
    with scripted_socket(peer) as peer.path:
        yield peer


def test_the_versions_that_are_promised_are_recorded() -> None:
    assert {(2, 6), (2, 8)} < {tuple(map(int, each.version.split(".")[:2])) for each in RECORDINGS}
    assert any(int(each.version.partition(".")[0]) >= 3 for each in RECORDINGS)


@versions
def test_a_recorded_session_is_understood(recording: Recording, replay: Replay) -> None:
    replay.script = replaying(recording.read.replies, closes)
    view = gateway(replay.path).read()
    assert ".".join(map(str, view.version)) == recording.version
    assert (view.pid, view.started) == recording.process
    assert [row.name for row in view.backends[0].servers] == ["core-1"]
    replay.script = replaying(recording.apply.replies, closes)
    faults = gateway(replay.path).apply(EDITS, recording.process)
    refused = [None, None, None, FaultKind.MISSING, FaultKind.REJECTED, None, None, None]
    assert [fault and fault.kind for fault in faults] == refused
    assert [success(edit, said) for edit, said in zip(EDITS, said_to_edits(recording, recording.apply.answers), strict=True)] == [
        each is None for each in refused
    ]


@pytest.mark.parametrize("version", found())
def test_what_a_version_says_today_is_what_was_recorded_of_its_kind(version: str, replay: Replay) -> None:
    now, view, faults = record(version, found()[version])
    replay.script = replaying(now.read.replies, closes)
    assert gateway(replay.path).read() == view
    replay.script = replaying(now.apply.replies, closes)
    assert gateway(replay.path).apply(EDITS, now.process) == faults
    for each in RECORDINGS:
        if each.version == version:
            assert now.apply.lines == each.apply.lines
            assert now.apply.answers[3:-1] == each.apply.answers[3:-1]


@versions
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_spoilt_reading_is_the_true_one_or_none(recording: Recording, replay: Replay, data: st.DataObject) -> None:
    case = data.draw(spoilt(recording, "read"))
    replay.script = replaying(recording.read.replies, closes)
    honest = gateway(replay.path).read()
    replay.script = replaying(case.replies, case.end)
    began = time.monotonic()
    try:
        view = gateway(replay.path, DEADLINE).read()
    except (Retry, AskOperator):
        pass
    else:
        assert (view.pid, view.started) == recording.process
        if case.how in {"garbled", "foreign"}:  # another figure is as good as the true one, to whoever reads it
            view = replace(view, backends=honest.backends, version=honest.version, removal_grace=honest.removal_grace)
        assert view == honest
    assert time.monotonic() - began < DEADLINE + LONG_AFTER


@versions
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_no_edit_is_done_unless_haproxy_said_so(recording: Recording, replay: Replay, data: st.DataObject) -> None:
    case = data.draw(spoilt(recording, "apply"))
    replay.script = replaying(case.replies, case.end)
    began = time.monotonic()
    try:
        faults = gateway(replay.path, DEADLINE).apply(EDITS, recording.process)
    except (Retry, AskOperator):
        pass
    else:
        assert case.how in {"shuffled", "garbled", "foreign"} or faults == honest_faults(recording, replay)
        for edit, fault, said in zip(EDITS, faults, said_to_edits(recording, case.answers), strict=True):
            assert fault is not None or success(edit, said)
    assert time.monotonic() - began < DEADLINE + LONG_AFTER


def honest_faults(recording: Recording, replay: Replay) -> Sequence[object]:
    replay.script = replaying(recording.apply.replies, closes)
    return gateway(replay.path).apply(EDITS, recording.process)
