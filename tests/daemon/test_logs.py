"""What the journal gets: every thing once, and no secret."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
import structlog

from burstd import logs
from burstd.model.event import Event
from burstd.model.plans import Report
from tests.turns import NOW, quiet_turn, rich_turn

SECRET = "hunter2"


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def journal() -> Iterator[StringIO]:
    root, burstd = logging.getLogger(), logging.getLogger(logs.NAME)
    before = (root.handlers[:], root.level, burstd.level)
    stream = StringIO()
    logs.configure("debug", "auto", stream)
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    burstd.setLevel(before[2])
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_without_a_terminal_every_line_is_json_with_a_level_and_a_time(journal: StringIO) -> None:
    logs.logger().info("started", pools=2)
    (line,) = lines(journal)
    assert (line["event"], line["level"], line["pools"]) == ("started", "info", 2)
    assert line["timestamp"].endswith("Z")


@pytest.mark.usefixtures("journal")
def test_on_a_terminal_it_is_for_people() -> None:
    terminal = Terminal()
    logs.configure("info", "auto", terminal)
    logs.logger().info("started")
    assert "started" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()


def test_values_under_keys_that_look_secret_are_blanked_at_any_depth(journal: StringIO) -> None:
    logs.logger().info(
        "connected",
        api_key="hunter1",
        user_data="hunter2",
        args={"secret": "hunter3", "region": "oslo", "deep": [{"password": "hunter4"}]},
        Authorization="hunter5",
        keyname="deploy",
    )
    assert "hunter" not in journal.getvalue()
    (line,) = lines(journal)
    assert line["args"]["region"] == "oslo"
    assert line["keyname"] == "deploy"


def test_a_rich_cycle_shows_neither_user_data_nor_any_of_its_secrets(journal: StringIO) -> None:
    logs.TurnLog().record(rich_turn())
    assert "hunter2" not in journal.getvalue()


def test_libraries_speak_from_warning_on_and_without_their_query_strings(journal: StringIO) -> None:
    urllib3 = logging.getLogger("urllib3.connectionpool")
    urllib3.info("Starting new HTTPS connection")
    urllib3.warning("Retrying after connection broken: %s", "/?Action=RunInstances&UserData=aHVudGVyMg&Signature=abc")
    (line,) = lines(journal)
    assert line["event"] == "Retrying after connection broken: /?…"
    assert line["logger"] == "urllib3.connectionpool"


def call_a_cloud(password: str) -> None:
    raise ValueError(f"GET https://cloud.test/?Length={len(password)}&UserData=aHVudGVyMg failed")


def test_a_traceback_shows_neither_local_variables_nor_query_strings(journal: StringIO) -> None:
    try:
        call_a_cloud(SECRET)
    except ValueError:
        logs.logger().exception("the cycle broke")
    (line,) = lines(journal)
    assert "ValueError: GET https://cloud.test/?… failed" in line["exception"]
    assert "hunter2" not in line["exception"]


def test_python_warnings_land_in_the_same_stream(journal: StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert any("DeprecationWarning: old" in line["event"] for line in lines(journal))


def test_a_sentence_is_news_once_and_then_only_when_more_than_its_figures_change(journal: StringIO) -> None:
    log = logs.TurnLog()
    log.record(quiet_turn(1, load=1.25))
    log.record(quiet_turn(2, load=1.5))
    log.record(replace(quiet_turn(3), sentence="holding still, because HAProxy does not answer"))
    log.record(quiet_turn(4))
    assert [(line["cycle"], line["level"]) for line in lines(journal)] == [(1, "info"), (2, "debug"), (3, "info"), (4, "info")]


def test_a_fault_is_said_when_it_comes_and_when_it_ends_and_not_in_between(journal: StringIO) -> None:
    log = logs.TurnLog()
    broken = replace(rich_turn(), report=Report())
    for turn in (broken, broken, quiet_turn(), quiet_turn()):
        log.record(turn)
    about = [(line["level"], line["event"]) for line in lines(journal) if line.get("peer") == "core-oslo-02"]
    assert about == [("warning", "no answer within 2 s"), ("info", "answers as it should again")]


def test_what_a_call_came_to_is_said_once_and_never_said_to_be_over(journal: StringIO) -> None:
    log = logs.TurnLog()
    for turn in (rich_turn(), rich_turn(), quiet_turn()):
        log.record(turn)
    about = [(line["level"], line["event"]) for line in lines(journal) if line.get("fault") == "no_capacity"]
    assert about == [("warning", "out of stock")]


def test_every_action_that_was_done_is_said_and_every_broken_invariant_is_an_error(journal: StringIO) -> None:
    turn = rich_turn()
    logs.TurnLog().record(turn)
    said = lines(journal)
    assert [line["action"] for line in said if line["event"] == "started"] == ["create", "destroy"]
    assert [line["invariant"] for line in said if line["level"] == "error"] == ["max"]
    assert any(line.get("subject") == turn.events[0].subject for line in said)


def test_the_level_is_kept_to(journal: StringIO) -> None:
    logs.configure("error", "json", journal)
    logs.TurnLog().record(quiet_turn())
    assert journal.getvalue() == ""


def test_a_limit_of_the_budget_is_a_warning(journal: StringIO) -> None:
    logs.TurnLog().record(replace(quiet_turn(), events=(Event(NOW, "budget", "", "8.50 EUR are spent today"),)))
    assert [line["event"] for line in lines(journal) if line["level"] == "warning"] == ["8.50 EUR are spent today"]
