"""The replica becomes the primary: real MariaDB servers, a real HAProxy, clients that write without pause, and the real verbs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from burstd.adapters.promotion_file import PromotionFile
from burstd.model.promotion import Promotion, Stage
from burstd.model.steps import Verb
from burstd.promotion import SAID
from tests.database_site import LOSSLESS, DatabaseSite, Writers, database_site
from tests.mariadb_process import PASSWORD
from tests.waiting import wait_until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DatabaseSite]:
    with database_site(tmp_path) as made:
        yield made


@pytest.fixture
def lossless(tmp_path: Path) -> Iterator[DatabaseSite]:
    with database_site(tmp_path, *LOSSLESS) as made:
        yield made


def rows(site: DatabaseSite) -> set[int]:
    return {row["id"] for row in site.pair.replica.sql("SELECT id FROM app.t")}


def on_record(site: DatabaseSite) -> Promotion:
    found = PromotionFile(site.folder / "state").promotion()
    assert found is not None
    return found


def rate(site: DatabaseSite) -> float:
    seen = PromotionFile(site.folder / "state").sighting()
    return seen.rate if seen else 0.0


def follow(site: DatabaseSite, host: str) -> None:
    """Run what `burstd db rejoin` prints, with the words filled in that only an operator knows."""
    found = site.told("rejoin")
    assert found["follows"] is True
    for each in found["commands"]:
        assert each["host"] == host
        command = (
            each["command"].rstrip(";").replace("REPLICATION_USER", "repl").replace("PASSWORD = 'PASSWORD'", f"PASSWORD = '{PASSWORD}'")
        )
        site.pair.primary.sql(command)


def test_semi_sync_loses_nothing_that_was_acknowledged_when_the_primary_is_killed(lossless: DatabaseSite) -> None:
    with Writers(lossless.listen) as writers:
        writers.more(40)
        lossless.told("status")  # as the daemon's looks do: what the primary has is remembered
        lossless.pair.primary.stop()
        told = lossless.told("promote", "--yes")
        writers.more(10)
        writers.stop()
    assert set(writers.acknowledged) <= rows(lossless)
    assert told["loss"]["acknowledged"] is False
    assert "no client was told" in told["loss"]["reason"]
    assert lossless.serving() == 2


def test_async_says_how_many_are_lost_and_is_right(site: DatabaseSite) -> None:
    pair = site.pair
    with Writers(site.listen) as writers:
        writers.more(20)
        pair.link.cut()
        writers.more(30)
        writers.stop()
    committed = {row["id"] for row in pair.primary.sql("SELECT id FROM app.t")}
    site.told("status")
    pair.primary.stop()
    told = site.told("promote", "--yes")
    missing = committed - rows(site)
    assert missing
    assert set(writers.acknowledged) >= missing
    assert told["loss"]["known"] == len(missing)
    assert told["loss"]["acknowledged"] is True
    assert told["loss"]["kept"] != told["loss"]["missed"]


@pytest.mark.slow
def test_what_the_primary_committed_after_it_was_last_seen_is_told_as_a_guess(site: DatabaseSite) -> None:
    with Writers(site.listen) as writers:
        writers.more(10)
        wait_until(lambda: site.told("status") and rate(site) > 0, "two looks, more than a second apart, have told a rate")
        site.pair.link.cut()
        writers.more(40)
        site.pair.primary.stop()
        loss = site.told("promote", "--yes")["loss"]
        writers.stop()
    lost = set(writers.acknowledged) - rows(site)
    assert loss["known"] + loss["guessed"] >= len(lost) / 2
    assert loss["guessed"] > 0


def test_it_refuses_while_the_primary_answers_and_has_touched_nothing(site: DatabaseSite) -> None:
    with Writers(site.listen) as writers:
        ran = site.db("promote", "--yes")
        writers.more(5)
    assert ran.returncode == 2
    assert "--force" in ran.stderr
    assert "is lost when it comes back" in ran.stderr
    assert (site.serving(), PromotionFile(site.folder / "state").promotion()) == (1, None)


def test_a_primary_that_answers_hands_over_in_order_when_forced(site: DatabaseSite) -> None:
    with Writers(site.listen) as writers:
        writers.more(20)
        told = site.told("promote", "--yes", "--force")
        writers.more(10)
        writers.stop()
    assert (told["loss"]["known"], told["loss"]["guessed"]) == (0, 0)
    assert set(writers.acknowledged) <= rows(site)
    assert site.pair.primary.value("@@read_only") == 1
    assert on_record(site).fence == "read_only"


def test_a_fence_command_that_succeeds_lets_it_go_on(site: DatabaseSite) -> None:
    fence = site.folder / "fence"
    fence.write_text("#!/bin/sh\necho off >> " + str(site.folder / "fenced"))
    fence.chmod(0o700)
    site.write(fence_command=[str(fence), "db-1"])
    assert site.told("promote", "--yes")["loss"]["known"] == 0
    assert (site.folder / "fenced").read_text() == "off\n"
    assert on_record(site).fence == "command"


def test_a_fence_command_that_fails_stops_it_and_undo_opens_the_primary_again(site: DatabaseSite) -> None:
    site.write(fence_command=["/bin/false"])
    ran = site.db("promote", "--yes")
    assert ran.returncode == 2
    assert "fence_command has failed" in ran.stderr
    assert site.serving() is None
    assert "the primary takes writes again" in site.db("promote", "--undo").stderr
    wait_until(lambda: site.serving() == 1, "the listener serves the primary again")
    assert site.pair.primary.value("@@read_only") == 0
    assert site.pair.replica.replication()["Slave_SQL_Running"] == "Yes"


def test_what_was_received_survives_though_both_threads_stand_still(site: DatabaseSite) -> None:
    # MariaDB throws the relay log away when its applying thread starts while none runs, by GTID.
    pair = site.pair
    pair.replica.sql("STOP SLAVE SQL_THREAD")
    with Writers(site.listen) as writers:
        writers.more(30)
    wait_until(lambda: pair.replica.replication()["Gtid_IO_Pos"] == pair.primary.value("@@gtid_binlog_pos"), "all is received")
    pair.primary.stop()
    pair.replica.sql("STOP SLAVE")
    site.told("promote", "--yes")
    assert set(writers.acknowledged) <= rows(site)


RARE = {Verb.FENCE_PRIMARY, Verb.STOP_RECEIVING, Verb.VERIFY}
"""Steps between two others that are tried in every run."""
STEPS = [
    pytest.param(words, marks=[pytest.mark.slow] if verb in RARE else [], id=verb.value)
    for verb, words in SAID.items()
    if verb not in {Verb.RUN_FENCE, Verb.LIFT_PRIMARY, Verb.REOPEN_LISTENER}
]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_a_second_run_converges(module_site: tuple[DatabaseSite, Any], step: str) -> None:
    site, restore = module_site
    restore()
    if step.startswith("the replica starts"):
        site.pair.replica.sql("STOP SLAVE SQL_THREAD")
        site.pair.primary.sql("INSERT INTO app.t VALUES (1000000)")
        received = site.pair.primary.value("@@gtid_binlog_pos")
        wait_until(lambda: site.pair.replica.replication()["Gtid_IO_Pos"] == received, "the row is received")
    with subprocess.Popen(site.command("promote", "--yes", "--force"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        if not any(line.startswith(step) for line in process.stderr):
            pytest.fail(f"it never came to: {step}")
        process.kill()  # while the step is under way
    assert site.told("promote", "--yes", "--force")["loss"]["known"] == 0
    wait_until(lambda: site.serving() == 2, "the listener serves the promoted replica")
    assert site.pair.replica.value("@@read_only") == 0
    assert site.pair.replica.replication() == {}
    assert on_record(site).stage is Stage.PROMOTED
    assert site.pair.primary.value("@@read_only") == 1


@pytest.fixture(scope="module")
def module_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DatabaseSite, Any]]:
    """One site for several promotions, and what puts it back as it was."""
    with database_site(tmp_path_factory.mktemp("site")) as site:
        pair = site.pair

        def restore() -> None:
            (site.folder / "state" / "promotion.json").unlink(missing_ok=True)
            if not pair.replica.replication():
                # As an operator would have it: the two start again from what the new primary has.
                pair.primary.sql(
                    "SET GLOBAL read_only = 0", "DROP DATABASE IF EXISTS app", "DROP DATABASE IF EXISTS burstd", "RESET MASTER"
                )
                pair.replica.sql(
                    "DROP DATABASE IF EXISTS app", "DROP DATABASE IF EXISTS burstd", "RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"
                )
                pair.replica.sql("SET GLOBAL read_only = 1")
                pair.replica.follow(pair.link.host, pair.link.port)
                pair.primary.sql("CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY) ENGINE=InnoDB")
            site.haproxy.reload()
            wait_until(lambda: site.serving() == 1, "the listener serves the primary")
            wait_until(lambda: pair.level, "the replica is level")

        yield site, restore


def test_the_old_primary_follows_where_it_has_nothing_of_its_own(site: DatabaseSite) -> None:
    pair = site.pair
    pair.primary.stop()
    site.told("promote", "--yes")
    pair.primary.start()
    follow(site, pair.primary.host)
    pair.replica.sql("INSERT INTO app.t VALUES (77)")
    wait_until(lambda: pair.primary.sql("SELECT id FROM app.t WHERE id = 77"), "the old primary has what the new one wrote")


def test_an_old_primary_with_transactions_of_its_own_must_be_filled_anew(site: DatabaseSite) -> None:
    pair = site.pair
    pair.link.cut()
    pair.primary.sql("INSERT INTO app.t VALUES (5)", "INSERT INTO app.t VALUES (6)")
    pair.primary.stop()
    site.told("promote", "--yes")
    pair.primary.start()
    found = site.told("rejoin")
    assert (found["follows"], found["own"]) == (False, 2)
    assert any("mariabackup" in each["command"] for each in found["commands"])


def test_no_password_is_in_an_argument_an_answer_or_an_error(site: DatabaseSite) -> None:
    site.secret.write_text("wrong-battery-staple")
    for arguments in (["status"], ["status", "--json"], ["promote", "--yes"], ["rejoin"]):
        ran = site.db(*arguments)
        told = " ".join(map(str, ran.args)) + ran.stdout + ran.stderr
        assert "battery" not in told
        assert PASSWORD not in told
        assert "database.password_file" in told
