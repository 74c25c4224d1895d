"""How the old primary comes back: by following, or filled anew; in both dialects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.gtid import Dialect, Gtids
from burstd.model.promotion import Stage
from burstd.model.replication import ServerView
from burstd.plan.rejoin import Rejoin, rejoin
from tests.databases import DARK, NEW, OLD, following, primary, promoted, record, replica, view

AFTER = view(promotion=record(Stage.PROMOTED), primary=primary("0-1-10", read_only=True), replica=promoted("0-1-10,0-2-15"))
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def judged(seen: object = AFTER) -> Rejoin:
    found = rejoin(seen, 3307)  # type: ignore[arg-type]  # views alone come in
    assert isinstance(found, Rejoin)
    return found


def test_one_without_transactions_of_its_own_can_follow() -> None:
    found = judged()
    assert (found.server, found.source, found.follows, found.own) == (OLD, NEW, True, 0)
    assert ("10.0.0.5", "SET GLOBAL gtid_slave_pos = '0-1-10';") in found.commands
    assert any(f"MASTER_HOST = '{NEW}', MASTER_PORT = 3307" in command for _, command in found.commands)


def test_one_with_transactions_of_its_own_is_filled_anew() -> None:
    found = judged(replace(AFTER, primary=primary("0-1-12")))
    assert (found.follows, found.own) == (False, 2)
    assert "0-1-11 to 0-1-12" in found.reason.replace("0-1-11 to 12", "0-1-11 to 0-1-12")
    assert any("mariabackup" in command for _, command in found.commands)


def test_before_a_promotion_it_is_the_replica_that_is_judged() -> None:
    assert judged(view()).reason == f"it follows {OLD}:3306 already"
    stopped = judged(view(replica=replica("0-1-10", following(io="stopped"))))
    assert (stopped.server, stopped.follows) == (NEW, True)
    diverged = judged(view(replica=replica("0-1-10", following(io="stopped", sql="stopped", error=1236))))
    assert (diverged.follows, "error 1236" in diverged.reason) == (False, True)


def mysql(server: ServerView, numbers: str) -> ServerView:
    return replace(server, dialect=Dialect.MYSQL, executed=Gtids.parse(Dialect.MYSQL, f"{UUID}:{numbers}"))


def test_mysql_is_told_in_its_own_words() -> None:
    seen = replace(AFTER, primary=mysql(primary(), "1-10"), replica=mysql(promoted(), "1-15"))
    follows = judged(seen)
    anew = judged(replace(seen, primary=mysql(primary(), "1-16")))
    assert any("SOURCE_AUTO_POSITION = 1" in command for _, command in follows.commands)
    assert any("CLONE INSTANCE FROM" in command for _, command in anew.commands)
    assert f"{UUID}:16)" in anew.reason
    words = " ".join(command for found in (follows, anew) for _, command in found.commands)
    assert "MASTER" not in words
    assert "SLAVE" not in words


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (replace(AFTER, primary=DARK), "database.primary 10.0.0.5: expected a server that can be compared: it does not answer"),
        (replace(AFTER, replica=None), "it was not asked"),
        (replace(AFTER, promotion=record(Stage.PROMOTING)), "a promotion is under way"),
        (replace(AFTER, primary=mysql(primary(), "1-3")), "different dialects"),
    ],
)
def test_what_cannot_be_told_is_said(seen: object, words: str) -> None:
    found = rejoin(seen, 3306)  # type: ignore[arg-type]  # views alone come in
    assert isinstance(found, str)
    assert words in found
