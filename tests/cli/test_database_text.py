"""The database in words: what an operator reads at three in the morning."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest

from burstd.cli.text import database_lines, explain_lines, loss_lines, status_lines
from burstd.control import documents
from burstd.control.database import document, loss
from burstd.model.promotion import Loss
from tests.databases import AWAY, DARK, FOR_GOOD, NOW, following, primary, replica, view
from tests.turns import POLICY, rich_turn

LOST = Loss(3, NOW, 2, acknowledged=True, reason="the primary did not wait", kept="0-1-10", missed="0-1-13")


def test_a_healthy_pair_in_a_few_lines() -> None:
    seen = view(primary=primary("0-1-12", semi_sync=replace(FOR_GOOD, timeout=10.0)))
    told = click.unstyle("\n".join(database_lines(document(seen, NOW))))
    assert "primary   10.0.0.5  mariadb 10.11.19  takes writes  0-1-12  UP" in told
    assert "replica: replicates from 10.0.0.5:3306, receiving running, applying running, behind 0 s, 2 transactions" in told
    assert "primary: semi-sync on, timeout 10 s" in told
    assert "wrong" not in told


def test_what_is_wrong_is_told() -> None:
    stuck = replica("0-1-5", following(sql="stopped", error=1062, lag=None))
    told = "\n".join(database_lines(document(view(primary=DARK, replica=stuck, listener=AWAY, work="it is promoted"), NOW)))
    assert "applying stopped (error 1062: duplicate), behind unknown" in told
    assert "database primary: it does not answer" in told
    assert "haproxy: nobody listens" in told
    assert "now: it is promoted" in told


def test_status_and_explain_tell_of_it_too() -> None:
    status = documents.status(rich_turn(), POLICY)
    lines = list(status_lines(status | {"age_seconds": 1}))
    assert any("promotion: 10.1.0.5 in place of 10.0.0.5, promoted, ordered by anna" in each for each in lines)
    explain = documents.explain(rich_turn(), POLICY)
    assert "Why nobody promotes the replica without an order" in "\n".join(explain_lines(explain | {"age_seconds": 1}))


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (LOST, "3 transactions are lost (0-1-13 was seen at the old primary), and some 2 that it may have taken after it was last seen"),
        (replace(LOST, guessed=0, acknowledged=False), "3 transactions are lost (0-1-13 was seen at the old primary), none of them ack"),
        (replace(LOST, known=0, guessed=0), "nothing is lost; all up to 0-1-10 is kept"),
        (replace(LOST, known=None, kept=""), "an unknown number of transactions may be lost; all up to nothing is kept"),
    ],
)
def test_what_is_lost_is_said_in_one_line(lost: Loss, words: str) -> None:
    line, why = loss_lines(loss(lost))
    assert line.startswith(words)
    assert why == "why: the primary did not wait"


def test_where_nothing_was_promoted_nothing_is_said_of_a_loss() -> None:
    assert list(loss_lines(loss(None))) == []
