"""The daemon beside a real pair: what it shows, what it holds up after a promotion, and the promotion that nobody has ordered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from burstd.adapters.promotion_file import PromotionFile
from burstd.cli.client import Client
from burstd.wiring.checks import checks
from tests.database_site import DatabaseSite, Writers, database_site
from tests.waiting import wait_until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DatabaseSite]:
    with database_site(tmp_path) as made:
        yield made


def database(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/status")["database"]
    return found


def in_order(client: Client) -> bool:
    seen = database(client)
    return bool(seen["lag_transactions"] == 0 and seen["replica"]["replication"]["lag_seconds"] == 0)


def events(client: Client) -> str:
    return " / ".join(each["text"] for each in client.get("/v1/events?limit=200")["events"] if each["kind"] == "database")


def test_the_daemon_sees_both_servers_and_says_what_changes(site: DatabaseSite) -> None:
    with site.daemon() as client:
        wait_until(lambda: database(client)["lag_transactions"] == 0, "both servers are seen, and level")
        seen = database(client)
        assert (seen["serving"], seen["replica"]["read_only"], seen["primary"]["read_only"]) == (["primary"], True, False)
        assert seen["replica"]["replication"]["receiving"]["state"] == "running"
        site.pair.replica.sql("STOP SLAVE SQL_THREAD")
        wait_until(lambda: "does not apply" in events(client), "an event says that it does not apply")
        site.pair.replica.sql("START SLAVE SQL_THREAD")
        wait_until(lambda: "replicates in order" in events(client), "an event says that it does again")


def test_haproxy_forgets_a_promotion_at_a_reload_and_is_told_again_within_a_cycle(site: DatabaseSite) -> None:
    site.pair.primary.stop()
    with site.daemon() as client:
        site.told("promote", "--yes")
        wait_until(lambda: database(client)["promotion"]["stage"] == "promoted", "the daemon knows of the promotion")
        site.haproxy.reload()
        wait_until(lambda: database(client)["primary"]["listener"] == "MAINT", "the old primary is out of the listener again")
        wait_until(lambda: database(client)["serving"] == ["replica"] and site.serving() == 2, "the listener serves the promoted one again")


def test_an_old_primary_that_returns_gets_no_connection_and_takes_no_writes(site: DatabaseSite) -> None:
    site.pair.primary.stop()
    with site.daemon() as client, Writers(site.listen) as writers:
        site.told("promote", "--yes")
        writers.more(10)
        site.pair.primary.start()
        wait_until(lambda: site.pair.primary.value("@@read_only") == 1, "the old primary is made read-only")
        wait_until(lambda: "has returned: it stays out of the listener" in events(client), "an event says that it is back")
        writers.more(10)
        writers.stop()
        assert database(client)["serving"] == ["replica"]
    assert not site.pair.primary.sql("SELECT id FROM app.t")
    assert set(writers.acknowledged) <= {row["id"] for row in site.pair.replica.sql("SELECT id FROM app.t")}


def test_settings_that_name_the_new_primary_end_the_promotion(site: DatabaseSite) -> None:
    pair = site.pair
    pair.primary.stop()
    site.told("promote", "--yes")
    site.write(primary=pair.replica.host, replica=pair.primary.host)
    site.write_listener(pair.replica.host, pair.primary.host)
    with site.daemon() as client:
        # Until HAProxy has taken up the new file its lines are at other addresses than the settings say: nothing is touched.
        wait_until(
            lambda: "reload HAProxy or burstd" in str(database(client)["listener_fault"]), "the listener is not that of the settings"
        )
        assert site.serving() == 2
        site.haproxy.reload()
        wait_until(lambda: database(client)["serving"] == ["primary"], "the new primary is the primary")
        assert database(client)["promotion"] is None
        wait_until(lambda: PromotionFile(site.folder / "state").promotion() is None, "the promotion is forgotten")
        assert site.serving() == 2


def test_a_lost_core_and_primary_promote_the_replica_once_the_fence_command_has_succeeded(site: DatabaseSite) -> None:
    fence = site.folder / "fence"
    fence.write_text(f"#!/bin/sh\necho off >> {site.folder}/fenced\n")
    fence.chmod(0o700)
    site.write(auto_promote=True, core_lost_for=1, fence_command=[str(fence)])
    with site.daemon() as client, Writers(site.listen) as writers:
        wait_until(lambda: in_order(client), "the replica is seen in order, and its primary too")
        wait_until(lambda: "not both lost" in client.get("/v1/explain")["database"]["reason"], "a dead core alone promotes nothing")
        writers.more(10)
        site.pair.primary.stop()
        wait_until(lambda: site.serving() == 2, "the replica is promoted", within=40)
        writers.more(10)
        writers.stop()
        wait_until(lambda: database(client)["promotion"]["stage"] == "promoted", "the promotion is on record")
        seen = database(client)["promotion"]
    assert (seen["by"], seen["fence"]) == ("burstd", "command")
    assert (site.folder / "fenced").read_text() == "off\n"


def test_without_a_fence_that_succeeds_nothing_is_promoted_and_the_primary_gets_its_connections_back(site: DatabaseSite) -> None:
    site.write(auto_promote=True, core_lost_for=0.5, fence_command=["/bin/false"])
    with site.daemon() as client:
        wait_until(lambda: in_order(client), "the replica is seen in order, and its primary too")
        site.pair.primary.stop()
        wait_until(lambda: "fence_command has failed" in str(database(client)["fault"]), "it is said that the fence has failed")
        assert site.pair.replica.value("@@read_only") == 1
        site.pair.primary.start()
        wait_until(lambda: site.serving() == 1 and PromotionFile(site.folder / "state").promotion() is None, "all is taken back")
        assert site.pair.primary.value("@@read_only") == 0


def findings(site: DatabaseSite) -> dict[str, str]:
    """What `burstd check` finds of the database: the level by the line."""
    (look,) = (look for what, look in checks(site.loaded()) if what == "the database")
    return {each.text: each.level.value for each in look()}


def test_check_says_what_is_right_and_what_must_be_mended(site: DatabaseSite) -> None:
    found = findings(site)
    assert set(found.values()) == {"ok"}
    assert len(found) == 3
    site.pair.replica.sql("SET GLOBAL read_only = 0")
    assert any("it takes writes" in text for text, level in findings(site).items() if level == "warning")
    site.pair.replica.sql("STOP SLAVE")
    assert any("its replication does not work" in text for text, level in findings(site).items() if level == "warning")
    site.pair.replica.sql("RESET SLAVE ALL")
    assert any("it replicates from nobody" in text for text, level in findings(site).items() if level == "warning")
    site.pair.primary.stop()
    site.write(listener="another")
    assert sum(level == "fail" for level in findings(site).values()) == 2
