"""A roster that is lost under a fleet that serves: the start refuses, `burstd adopt` takes the fleet back, and no request is lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from burstd.adapters.local import process
from tests.site import Site, site
from tests.traffic import traffic
from tests.waiting import wait_until


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as running:
        running.settings["fleet"]["min"] = 2
        running.write(running.settings)
        yield running


def machines(gateway: Site) -> dict[str, process.Identity]:
    """The processes behind the machines that run, by the cloud's ids."""
    return {lock.stem: gateway.cloud.identity(lock.stem) for lock in gateway.cloud.records.glob("*.lock") if process.alive(lock)}


def refused(gateway: Site, *verb: str) -> tuple[int, str]:
    """The exit code of a verb that is refused, and its one line."""
    ran = gateway.burstd(*verb)
    (line,) = ran.stderr.splitlines()
    return ran.returncode, line


def adopted(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """Ids of the machines that `adopt --json` tells of."""
    return sorted(each["id"] for each in json.loads(ran.stdout)["machines"])


def test_a_roster_damaged_under_a_serving_fleet_costs_no_machine_and_no_request(gateway: Site) -> None:
    roster = gateway.folder / "state" / "roster.db"
    with gateway.daemon():
        gateway.in_service(2)
        assert refused(gateway, "adopt")[0] == 2
    before = machines(gateway)
    servers = {row.name for row in gateway.haproxy.gateway().read().backends[0].servers}
    with traffic(gateway.haproxy.host, gateway.haproxy.port) as load:
        roster.write_bytes(b"\xa5" * roster.stat().st_size)
        code, line = refused(gateway, "run")
        (aside,) = gateway.folder.joinpath("state").glob("roster.db.damaged-*Z")
        assert (code, f"is set aside as {aside.name}; run `burstd adopt`" in line) == (2, True)
        code, line = refused(gateway, "run")
        assert (code, f"is lost (set aside as damaged: {aside.name})" in line) == (2, True)

        shown = gateway.burstd("adopt")
        assert (shown.returncode, all(each in shown.stdout for each in before)) == (2, True)
        assert "burstd adopt --yes" in shown.stderr
        assert refused(gateway, "run")[0] == 2
        taken = gateway.burstd("adopt", "--yes", "--json")
        assert (taken.returncode, taken.stderr, adopted(taken)) == (0, "", sorted(before))

        with gateway.daemon():
            gateway.in_service(2)
            first = gateway.cycle() or 0
            wait_until(lambda: (gateway.cycle() or 0) >= first + 5, "five more cycles")
            status = gateway.client.get("/v1/status")
            assert sorted(each["node_id"] for each in status["instances"]) == sorted(before)
            told = [each["text"] for each in gateway.client.get("/v1/events")["events"]]
            assert "took 2 machines over into a new roster under the old owner" in told
            assert not any(word in text for text in told for word in ("add burst", "join burst", "create", "destroy", "drain"))
            load.more(50)
    assert load.errors == []
    assert {name for name in load.served_by if name not in {"core-1", "core-2"}}, "the instances served"
    assert machines(gateway) == before
    assert {row.name for row in gateway.haproxy.gateway().read().backends[0].servers} == servers
    assert aside.exists()


def test_a_pool_that_cannot_be_listed_keeps_everything_as_it_was(gateway: Site) -> None:
    gateway.settings["fleet"]["min"] = 1
    gateway.write(gateway.settings)
    with gateway.daemon():
        gateway.in_service(1)
    (gateway.folder / "state" / "roster.db").unlink()
    (gateway.cloud.folder / "account.json").write_text(json.dumps({"secret": "another"}))
    code, line = refused(gateway, "adopt", "--yes")
    assert (code, "pool local" in line, "nothing is taken over" in line) == (1, True, True)
    fleet = gateway.burstd("fleet")
    assert (fleet.returncode, "pool local" in fleet.stderr) == (1, True)
    (gateway.cloud.folder / "account.json").unlink()
    assert refused(gateway, "run")[0] == 2
    assert gateway.burstd("adopt", "--yes").returncode == 0
    with gateway.daemon():
        gateway.in_service(1)
        seen = json.loads(gateway.burstd("fleet", "--json").stdout)
    assert [(each["whose"], each["phase"]) for each in seen["machines"]] == [("ours", "in_service")]
