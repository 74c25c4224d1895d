"""`burstd adopt` and `burstd fleet` over the local cloud: what they see, what is written, and what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from libcloud.compute.base import NodeImage, NodeSize

from burstd.adapters.libcloud.drivers import DRIVERS
from burstd.adapters.sqlite import SqliteRoster, owner_of
from burstd.cli import adopt as verb
from burstd.cli.group import burstd
from burstd.errors import AlreadyRunning, Misconfigured
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG
from burstd.model.fleet import Phase
from burstd.model.naming import instance_name, marked_name
from burstd.settings import Settings, load
from burstd.wiring.adoption import Takeover
from burstd.wiring.inventory import Inventory, Whose, take_inventory
from tests.local_cloud import LocalCloud, local_cloud
from tests.site import as_toml

OPERATIONS = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One cloud for all tests: ours, a second one of the same operation, strangers."""
    with local_cloud(tmp_path_factory.mktemp("cloud")) as made:
        machine(made, name_of(0), tags_of(0))
        machine(made, name_of(1), tags_of(1))
        machine(made, name_of(1), tags_of(1))
        machine(made, "burst-by-hand", {})
        machine(made, "burst-ffff-0123456789", {OWNER_TAG: "f" * 32, OPERATION_TAG: OPERATIONS[2]})
        machine(made, "half", {OWNER_TAG: OWNER})
        machine(made, "other-half", {OPERATION_TAG: OPERATIONS[2]})
        machine(made, "database", {})
        yield made


OWNER = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def name_of(number: int) -> str:
    return instance_name("burst", OWNER, OPERATIONS[number])


def tags_of(number: int) -> dict[str, str]:
    return {OWNER_TAG: OWNER, OPERATION_TAG: OPERATIONS[number]}


def machine(cloud: LocalCloud, name: str, tags: dict[str, str]) -> str:
    driver = cloud.driver()
    size, image = NodeSize("small", "small", 0, 0, None, 0.0, driver), NodeImage("web-1", "", driver)
    return str(driver.create_node(name, size, image, ex_tags=tags).id)


@pytest.fixture
def config(tmp_path: Path, cloud: LocalCloud) -> Path:
    """Settings over that cloud, and a state folder that has lost its roster."""
    path = tmp_path / "burstd.toml"
    path.write_text(
        as_toml(
            {
                "fleet": {"state_dir": "state"},
                "haproxy": {"socket": "haproxy.sock"},
                "core": [{"name": "core-1", "exporter": "http://127.0.0.1:9100/metrics"}],
                "pool": [{"name": "oslo", "driver": "local", "image": "web-1", "size": "small", "args": dict(cloud.args)}],
                "control": {"socket": "control.sock"},
            }
        )
    )
    state = tmp_path / "state"
    state.mkdir()
    (state / "owner").write_text(OWNER)
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return load(config, {})


def run(config: Path, *line: str, typed: str = "") -> Result:
    return CliRunner().invoke(burstd, ["--config", str(config), *line], input=typed, prog_name="burstd")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits there."""
    monkeypatch.setattr(verb, "_on_terminal", lambda: True)


def stored(config: Path) -> dict[str, Phase]:
    roster = SqliteRoster(config.parent / "state")
    found = {each.operation: each.phase for each in roster.fleet()}
    roster.close()
    return found


def lost(config: Path) -> bool:
    try:
        SqliteRoster(config.parent / "state").close()
    except Misconfigured as error:
        return "is lost" in str(error)
    return False


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_it_shows_asks_and_takes_over(config: Path) -> None:
    told = run(config, "adopt", typed="y\n")
    assert told.exit_code == 0
    assert "NAME" in told.stdout
    assert [line.split()[0] for line in told.stdout.splitlines() if line.startswith("burst-")] == [name_of(0), name_of(1), name_of(1)]
    assert "second of its operation: will be destroyed" in told.stdout
    assert "Take these 2 machines over, in a new roster" in told.stderr
    assert told.stdout.endswith("took 2 machines over into a new roster under the old owner\n")
    assert stored(config) == dict.fromkeys(OPERATIONS[:2], Phase.BOOTING)
    again = run(config, "adopt", typed="")
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (0, "nothing is taken over")


@pytest.mark.usefixtures("terminal")
def test_a_no_changes_nothing(config: Path) -> None:
    told = run(config, "adopt", typed="n\n")
    assert (told.exit_code, told.stdout.splitlines()[-1]) == (0, "nothing is taken over")
    assert lost(config)


@pytest.mark.parametrize("line", [(), ("--json",)])
def test_where_nobody_can_be_asked_it_only_shows(config: Path, line: tuple[str, ...]) -> None:
    told = run(config, "adopt", *line)
    assert (told.exit_code, told.stderr.count("\n")) == (2, 1)
    assert "`burstd adopt --yes`" in told.stderr
    assert name_of(0) in told.stdout
    assert lost(config)


def test_json_tells_it_all(config: Path) -> None:
    told = json.loads(run(config, "adopt", "--yes", "--json").stdout)
    assert (told["owner"], told["lost"], told["set_aside"], told["adopted"]) == (OWNER, True, None, True)
    assert [each["operation"] for each in told["machines"]] == [OPERATIONS[0], OPERATIONS[1]]
    assert [each["operation"] for each in told["doubles"]] == [OPERATIONS[1]]
    assert told["machines"][0]["pool"] == "oslo"


@pytest.mark.usefixtures("terminal")
def test_where_no_machine_is_left_it_begins_an_empty_roster_under_the_old_owner(config: Path) -> None:
    other = "9" * 32
    (config.parent / "state" / "owner").write_text(other)
    told = run(config, "adopt", typed="y\n")
    assert (told.exit_code, "Begin a new, empty roster under the old owner" in told.stderr) == (0, True)
    assert f"no pool lists a machine of owner {other}" in told.stdout
    assert (stored(config), owner_of(config.parent / "state")) == ({}, other)


def test_a_damaged_roster_is_set_aside_by_it_too(config: Path) -> None:
    (config.parent / "state" / "roster.db").write_bytes(b"\xa5" * 8192)
    told = run(config, "adopt", "--yes")
    (aside,) = (config.parent / "state").glob("roster.db.damaged-*Z")
    assert f"roster.db was damaged and is set aside as {aside.name}" in told.stdout
    assert stored(config) == dict.fromkeys(OPERATIONS[:2], Phase.BOOTING)


def test_beside_a_daemon_it_is_refused(settings: Settings) -> None:
    first = Takeover(settings)
    with pytest.raises(AlreadyRunning):
        Takeover(settings)
    first.close()


@pytest.mark.usefixtures("terminal")
def test_another_fleet_name_is_refused_before_servers_are_lost_sight_of(config: Path) -> None:
    config.write_text(config.read_text().replace("[fleet]", '[fleet]\nname = "spike"'))
    told = run(config, "adopt", typed="y\n")
    assert told.exit_code == 2
    assert told.stderr.startswith(
        'burstd: fleet.name = "spike": expected the name under which these machines of ours were made: burst-0a1b-'
    )
    assert lost(config)


def inventory(settings: Settings, instances: list[dict[str, Any]] | None) -> Inventory:
    return take_inventory(settings, lambda: instances)


def told_of(found: Inventory) -> list[tuple[str, str, str | None]]:
    return sorted((each.whose.value, each.node.name, each.phase) for each in found.machines)


STRANGERS = [("stranger", "burst-by-hand", None), ("stranger", "burst-ffff-0123456789", None), ("stranger", "half", None)]
STRANGERS.append(("stranger", "other-half", None))


def test_without_a_daemon_ours_are_known_by_their_tags_alone(settings: Settings) -> None:
    found = inventory(settings, None)
    assert not found.recorded
    assert told_of(found) == [("ours", name_of(0), None), ("ours", name_of(1), None), ("ours", name_of(1), None), *STRANGERS]


def test_with_a_daemon_orphans_are_told_from_what_has_a_record(settings: Settings) -> None:
    bound = next(each.node.id for each in inventory(settings, None).machines if each.node.operation == OPERATIONS[0])
    records: list[dict[str, Any]] = [
        {"pool": "oslo", "node_id": bound, "name": name_of(0), "phase": "in_service"},
        {"pool": "elsewhere", "node_id": None, "name": name_of(1), "phase": "requested"},
    ]
    found = inventory(settings, records)
    assert told_of(found) == [("orphan", name_of(1), None), ("orphan", name_of(1), None), ("ours", name_of(0), "in_service"), *STRANGERS]
    records[1]["pool"] = "oslo"
    assert ("ours", name_of(1), "requested") in told_of(inventory(settings, records))


def test_a_strangers_likeness_is_told(settings: Settings) -> None:
    remarks = {each.node.name: each.remark for each in inventory(settings, None).machines}
    assert remarks["burst-by-hand"] == "a name like ours, no tags"
    assert remarks["burst-ffff-0123456789"] == f"of another burstd, owner {'f' * 32}"
    assert remarks["half"] == "our owner tag without an operation tag: never touched"
    assert remarks["other-half"] == "an operation tag without an owner tag"
    assert "database" not in remarks


def test_the_verb_shows_a_table_and_json_and_changes_nothing(config: Path) -> None:
    told = run(config, "fleet")
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.splitlines()[0].split() == ["WHOSE", "NAME", "ID", "POOL", "STATE", "ADDRESS", "PHASE", "OPERATION"]
    assert told.stdout.splitlines()[-1] == "no daemon answers: which of ours have a record is not known"
    assert len(json.loads(run(config, "fleet", "--json").stdout)["machines"]) == 7
    assert [each.name for each in (config.parent / "state").iterdir()] == ["owner"]


def test_a_pool_that_cannot_be_listed_is_named_and_the_others_are_shown(config: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "account.json").write_text(json.dumps({"secret": "another"}))
    closed = {"name": "closed", "driver": "local", "image": "web-1", "size": "small", "args": {"state_dir": "closed"}}
    with config.open("a") as file:
        file.write(as_toml({"pool": [{**closed, "args": {"state_dir": str(tmp_path / "closed")}}]}))
    told = run(config, "fleet")
    assert (told.exit_code, name_of(0) in told.stdout) == (1, True)
    assert told.stderr.startswith("burstd: pool closed: ")
    refused = run(config, "adopt", "--yes")
    assert (refused.exit_code, "nothing is taken over before every pool can be listed" in refused.stderr, lost(config)) == (1, True, True)


def test_where_no_fleet_ever_was_nothing_is_ours(config: Path) -> None:
    (config.parent / "state" / "owner").unlink()
    for line in ("fleet", "adopt"):
        told = run(config, line)
        assert (told.exit_code, "`burstd run` starts a" in told.stderr) == (2, True)


def test_in_a_cloud_without_tags_ours_are_told_and_taken_over_by_their_marked_names(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untagged = replace(DRIVERS["local"], by_name=True, tokens=False, launch=lambda _request, _pool: {})
    monkeypatch.setitem(DRIVERS, "untagged", untagged)
    with local_cloud(tmp_path) as made:
        ours = machine(made, marked_name(name_of(0), OWNER, OPERATIONS[0]), {})
        forged = marked_name(name_of(1), "f" * 32, OPERATIONS[1])
        for name in (forged, "burst-by-hand", "database"):
            machine(made, name, {})
        settings = load(config, {"BURSTD_POOL__0__DRIVER": "untagged", "BURSTD_POOL__0__ARGS": json.dumps(dict(made.args))})
        seen = take_inventory(settings, lambda: None)
        assert {each.node.name: each.whose for each in seen.machines} == {
            name_of(0): Whose.OURS,
            forged: Whose.STRANGER,
            "burst-by-hand": Whose.STRANGER,
        }
        takeover = Takeover(settings)
        try:
            assert [(each.id, each.operation) for each in takeover.adoption.nodes] == [(ours, OPERATIONS[0])]
            assert (takeover.adoption.doubles, takeover.adoption.misnamed) == ((), ())
        finally:
            takeover.close()


def test_machines_in_a_country_where_none_may_be_are_refused_by_name_and_nothing_is_written(config: Path) -> None:
    abroad = config.read_text().replace("[fleet]", '[fleet]\ncountries = ["NO"]').replace('name = "oslo"', 'name = "oslo"\ncountry = "IE"')
    second = abroad[abroad.index("[[pool]]") :].partition("[control]")[0].replace('"oslo"', '"home"').replace('"IE"', '"NO"')
    config.write_text(f"{abroad}\n{second}")
    told = run(config, "adopt", "--yes")
    assert told.exit_code == 2
    assert told.stderr.startswith(
        "burstd: pool oslo is in IE, outside of fleet.countries (NO): expected none of our machines there, found "
    )
    assert told.stderr.endswith("; destroy them by hand, or add the country\n")
    assert lost(config)
