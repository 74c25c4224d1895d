"""From settings to ports: what is opened first, what is ours, what a reload may change, and that nobody is asked anything."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.adapters.sqlite import SqliteRoster
from burstd.errors import AlreadyRunning, AskOperator, InvalidSettings, Misconfigured
from burstd.model.fleet import Phase
from burstd.settings import Settings, load
from burstd.wiring import Wiring, cloud_pools, ours
from burstd.wiring.checks import checks
from tests.http_proxy import http_proxy
from tests.site import Document, as_toml
from tests.turns import instance

GOOD: Document = {
    "fleet": {"state_dir": "state"},
    "haproxy": {"socket": "haproxy.sock"},
    "core": [{"name": "core-1", "exporter": "http://127.0.0.1:9100/metrics"}],
    "pool": [{"name": "dublin", "driver": "local", "image": "web-1", "size": "small", "args": {"state_dir": "cloud"}}],
    "control": {"socket": "control.sock"},
}


@pytest.fixture
def good() -> Document:
    return copy.deepcopy(GOOD)


def settings(folder: Path, tables: Document) -> Settings:
    path = folder / "burstd.toml"
    path.write_text(as_toml(tables))
    return load(path, {})


@contextmanager
def wired(folder: Path, tables: Document) -> Iterator[Wiring]:
    wiring = Wiring(settings(folder, tables))
    try:
        yield wiring
    finally:
        wiring.close()


def test_one_state_folder_is_one_burstd(tmp_path: Path, good: Document) -> None:
    with wired(tmp_path, good), pytest.raises(AlreadyRunning, match=str(os.getpid())):
        Wiring(settings(tmp_path, good))


def test_with_a_mirror_every_pool_must_give_its_instances_a_host_key(tmp_path: Path, good: Document) -> None:
    good["content"] = {"core": "mirror@10.0.0.5"}
    (tmp_path / "plain.yaml").write_text("#cloud-config\nkey: '{{ host_key_private }}'\n")
    (tmp_path / "keyed.yaml.j2").write_text('#cloud-config\nkey: "{{ host_key_private }}"\n')
    for document in (None, "plain.yaml"):
        pool = good["pool"][0] | ({"user_data": document} if document else {})
        with pytest.raises(InvalidSettings, match=r'pool "dublin", user_data: expected a template that uses \{\{ host_key_private \}\}'):
            Wiring(settings(tmp_path, {**good, "pool": [pool]}))
    good["pool"][0]["user_data"] = "keyed.yaml.j2"
    with wired(tmp_path, good) as wiring:
        mirror = wiring.ports.mirror
        assert mirror is not None
        assert mirror.observe().told is None  # nobody has been asked
        wiring.rewire(settings(tmp_path, {**good, "fleet": {"state_dir": "state", "max": 3}}))
        assert wiring.ports.mirror is mirror
        wiring.rewire(settings(tmp_path, {**good, "content": {"core": "mirror@10.0.0.6"}}))
        assert wiring.ports.mirror not in {None, mirror}
        del good["content"]
        good["pool"][0].pop("user_data")
        wiring.rewire(settings(tmp_path, good))
        assert wiring.ports.mirror is None


def test_whatever_goes_wrong_later_lets_go_of_the_state_folder(tmp_path: Path, good: Document) -> None:
    bad = copy.deepcopy(good)
    bad["pool"][0]["driver"] = "ec3"
    with pytest.raises(Misconfigured, match="ec3"):
        Wiring(settings(tmp_path, bad))
    with wired(tmp_path, good):
        pass


def test_no_peer_is_asked_and_none_need_be_there(tmp_path: Path, good: Document) -> None:
    with wired(tmp_path, good) as wiring:
        assert wiring.alive()
    assert not (tmp_path / "cloud").exists()


def test_libclouds_own_retries_are_taken_out_of_the_environment(tmp_path: Path, good: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS", "0")
    with wired(tmp_path, good):
        assert "LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS" not in os.environ


def test_ours_is_the_naming_rule_for_this_owner_and_never_a_core_server(tmp_path: Path, good: Document) -> None:
    owner = "0a1b2c3d" * 4
    sound = settings(tmp_path, good)  # loading refuses a core server of such a name; this is the second lock on that door
    core = sound.core[0].model_copy(update={"server": "burst-0a1b-00000000ff"})
    is_ours = ours(sound.model_copy(update={"core": (*sound.core, core)}), owner)
    assert is_ours("burst-0a1b-0123456789")
    for name in (
        "core-1",
        "burst-0a1b-00000000ff",
        "burst-ffff-0123456789",
        "other-0a1b-0123456789",
        "burst-0a1b-0123456789x",
        "burst-0a1b-012345678",
    ):
        assert not is_ours(name), name


def test_every_secret_file_that_is_missing_is_told_and_no_path_of_it(tmp_path: Path, good: Document) -> None:
    good["pool"].append({**good["pool"][0], "name": "oslo"})
    for pool in good["pool"]:
        pool["secret_files"] = {"secret": str(tmp_path / "hunter2")}
    with pytest.raises(InvalidSettings) as told:
        cloud_pools(settings(tmp_path, good))
    assert ["dublin" in problem or "oslo" in problem for problem in told.value.problems] == [True, True]
    assert "hunter2" not in str(told.value)


def test_a_secret_is_read_into_the_arguments_and_shown_by_nobody(tmp_path: Path, good: Document) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    good["pool"][0]["secret_files"] = {"secret": "key"}
    (pool,) = cloud_pools(settings(tmp_path, good))
    assert pool.args["secret"] == "hunter2"
    assert "hunter2" not in repr(pool)


def test_a_clouds_own_endpoint_and_deadlines_reach_its_driver(tmp_path: Path, good: Document) -> None:
    (plain,) = cloud_pools(settings(tmp_path, good))
    assert (plain.host, plain.port, plain.secure) == (None, None, None)
    assert (plain.list_deadline, plain.create_deadline, plain.destroy_deadline) == (10, 60, 60)
    good["pool"][0] |= {"api_host": "ec2.example.com", "list_deadline": 1, "create_deadline": 2, "destroy_deadline": 3}
    (there,) = cloud_pools(settings(tmp_path, good))
    assert (there.host, there.port, there.secure) == ("ec2.example.com", None, True)
    assert (there.list_deadline, there.create_deadline, there.destroy_deadline) == (1, 2, 3)
    good["pool"][0] |= {"api_port": 8773, "api_tls": False}
    (open_,) = cloud_pools(settings(tmp_path, good))
    assert (open_.host, open_.port, open_.secure) == ("ec2.example.com", 8773, False)


def test_a_proxy_reaches_the_driver_from_a_file_that_is_followed(tmp_path: Path, good: Document) -> None:
    good["pool"][0] |= {"driver": "ec2", "args": {"key": "k", "secret": "s", "region": "eu-west-1"}, "proxy_file": "proxy"}
    (tmp_path / "proxy").write_text("http://me:hunter2@127.0.0.1:1\n")
    with wired(tmp_path, good) as wiring:
        assert wiring._pools[0].proxy == "http://me:hunter2@127.0.0.1:1"
        assert "hunter2" not in repr(wiring._pools)
        (tmp_path / "proxy").write_text("http://me:hunter3@127.0.0.1:1\n")
        assert wiring.renew({"dublin"}) == ["dublin"]
        assert wiring._pools[0].proxy == "http://me:hunter3@127.0.0.1:1"


def test_check_tells_of_a_proxy_that_refuses_us_which_keys_to_mend_and_no_secret(tmp_path: Path, good: Document) -> None:
    good["pool"][0] |= {"driver": "ec2", "args": {"key": "k", "secret": "s", "region": "eu-west-1"}}
    with http_proxy() as proxy:
        proxy.tunnel = 407
        good["pool"][0]["proxy"] = proxy.url("me:hunter2")
        (finding,) = dict(checks(settings(tmp_path, good)))["pool dublin"]()
    mend = "mend args, secret_files or proxy of this pool"
    assert (finding.text, finding.exit_code) == (f"pool dublin: the proxy does not accept the login (HTTP 407); {mend}", 2)
    assert proxy.passed[0].target == "ec2.eu-west-1.amazonaws.com:443"


def test_networks_key_and_security_groups_reach_the_driver(tmp_path: Path, good: Document) -> None:
    (plain,) = cloud_pools(settings(tmp_path, good))
    assert (plain.networks, plain.keypair, plain.security_groups) == ((), None, ())
    good["pool"][0] |= {"networks": ["net-1", "net-2"], "keypair": "ops", "security_groups": ["web"]}
    (placed,) = cloud_pools(settings(tmp_path, good))
    assert (placed.networks, placed.keypair, placed.security_groups) == (("net-1", "net-2"), "ops", ("web",))


def test_a_reload_keeps_what_has_not_changed_and_replaces_what_has(tmp_path: Path, good: Document) -> None:
    (tmp_path / "key").write_text("old")
    good["pool"][0]["secret_files"] = {"secret": "key"}
    with wired(tmp_path, good) as wiring:
        before = wiring.ports
        good["fleet"]["max"] = 7
        wiring.rewire(settings(tmp_path, good))
        assert wiring.settings.fleet.max == 7
        assert (wiring.ports.roster, wiring.ports.clock, wiring.ports.load) == (before.roster, before.clock, before.load)
        assert len(wiring._cloud._clouds) == 1
        good["load"] = {"deadline": 1}
        wiring.rewire(settings(tmp_path, good))
        assert wiring.ports.load is not before.load
        assert len(wiring._cloud._clouds) == 1


def test_a_reload_follows_the_schedules(tmp_path: Path, good: Document) -> None:
    with wired(tmp_path, good) as wiring:
        now = wiring.ports.clock.now()
        assert list(wiring.ports.calendar.windows(now)) == []
        good["schedule"] = [{"name": "always", "cron": "* * * * *", "minimum": 2, "duration": "1h", "lead": 0}]
        wiring.rewire(settings(tmp_path, good))
        window, following = wiring.ports.calendar.windows(now)
        assert (window.lead, following.lead) == (0.0, 0.0)
        assert (window.name, window.minimum, window.closes_at - window.opens_at) == ("always", 2, 3600)
        assert now - 60 < window.opens_at <= now < following.opens_at
        del good["schedule"][0]["lead"]
        wiring.rewire(settings(tmp_path, good))
        assert [each.lead for each in wiring.ports.calendar.windows(now)] == [None, None]


def test_a_reload_follows_the_hours_of_the_drills(tmp_path: Path, good: Document) -> None:
    five_in_oslo = 1_767_240_000.0  # 2026-01-01 04:00 UTC
    with wired(tmp_path, good) as wiring:
        assert wiring.ports.calendar.drill_due(five_in_oslo) is None
        wiring.rewire(settings(tmp_path, good | {"drill": {"cron": "0 5 * * *", "zone": "Europe/Oslo"}}))
        assert wiring.ports.calendar.drill_due(five_in_oslo + 60) == five_in_oslo
        assert wiring.ports.calendar.drill_due(five_in_oslo - 60) == five_in_oslo - 86_400


def test_a_new_secret_behind_an_old_path_reaches_the_cloud_by_a_reload(tmp_path: Path, good: Document) -> None:
    (tmp_path / "key").write_text("expired")
    good["pool"][0]["secret_files"] = {"secret": "key"}
    with wired(tmp_path, good) as wiring:
        (tmp_path / "key").write_text("renewed")
        wiring.rewire(settings(tmp_path, good))
        assert len(wiring._cloud._clouds) == 2
        assert wiring._pools[0].args["secret"] == "renewed"


def test_a_new_secret_behind_an_old_path_reaches_a_refused_pool_by_itself(tmp_path: Path, good: Document) -> None:
    (tmp_path / "key").write_text("expired")
    good["pool"][0]["secret_files"] = {"secret": "key"}
    good["pool"].append({**good["pool"][0], "name": "oslo", "secret_files": {}})
    with wired(tmp_path, good) as wiring:
        other = wiring._pools[1]
        assert wiring.renew({"dublin", "oslo"}) == []
        (tmp_path / "key").unlink()
        assert wiring.renew({"dublin"}) == [], "the middle of a rotation"
        (tmp_path / "key").write_text("renewed")
        assert wiring.renew({"oslo"}) == []
        assert len(wiring._cloud._clouds) == 1
        assert wiring.renew({"dublin"}) == ["dublin"]
        assert len(wiring._cloud._clouds) == 2
        assert (wiring._pools[0].args["secret"], wiring._pools[1]) == ("renewed", other)
        assert wiring.renew({"dublin"}) == []


def test_keys_that_cannot_change_at_run_time_are_refused_all_at_once_and_the_old_ones_stay(tmp_path: Path, good: Document) -> None:
    with wired(tmp_path, good) as wiring:
        before = (wiring.settings, wiring.ports)
        changed = copy.deepcopy(good)
        changed["fleet"] |= {"name": "other", "state_dir": "elsewhere", "max": 9}
        changed["control"]["socket"] = "other.sock"
        changed["metrics"] = {"listen": "127.0.0.1:9999"}
        changed["haproxy"]["backend"] = "other_cluster"
        with pytest.raises(InvalidSettings) as refused:
            wiring.rewire(settings(tmp_path, changed))
        assert [problem.partition(" = ")[0] for problem in refused.value.problems] == [
            "fleet.name",
            "fleet.state_dir",
            "haproxy.backend",
            "control.socket",
            "metrics.listen",
        ]
        assert (wiring.settings, wiring.ports) == before


def test_a_pool_that_still_has_instances_cannot_go_neither_by_a_reload_nor_by_a_restart(tmp_path: Path, good: Document) -> None:
    without = copy.deepcopy(good)
    without["pool"][0]["name"] = "oslo"
    with wired(tmp_path, good) as wiring:
        wiring.ports.roster.save(instance(1, Phase.IN_SERVICE, pool="dublin"))
        with pytest.raises(InvalidSettings, match=r'pool "dublin".* 1 of its instances'):
            wiring.rewire(settings(tmp_path, without))
    with pytest.raises(AskOperator, match='pool "dublin"'):
        Wiring(settings(tmp_path, without))
    roster = SqliteRoster(tmp_path / "state")
    roster.save(replace(instance(1, Phase.IN_SERVICE, pool="dublin"), phase=Phase.GONE))
    roster.close()
    with wired(tmp_path, without):
        pass


def test_instances_where_none_may_be_any_more_are_in_the_way_of_a_reload_and_of_a_restart(tmp_path: Path, good: Document) -> None:
    good["pool"][0] |= {"name": "dublin", "country": "IE"}
    home = {**copy.deepcopy(good["pool"][0]), "name": "oslo", "country": "NO"}
    good["pool"].append(home)
    narrow = copy.deepcopy(good)
    narrow["fleet"]["countries"] = ["NO"]
    line = (
        'pool "dublin", country IE: expected one of fleet.countries (NO) while 1 of its instances live; '
        "put the old countries back, and drain them first (burstd drain)"
    )
    with wired(tmp_path, good) as wiring:
        wiring.ports.roster.save(instance(1, Phase.IN_SERVICE, pool="dublin"), instance(2, Phase.IN_SERVICE, pool="oslo"))
        with pytest.raises(InvalidSettings) as refused:
            wiring.rewire(settings(tmp_path, narrow))
        assert list(refused.value.problems) == [line]
    with pytest.raises(AskOperator, match="country IE"):
        Wiring(settings(tmp_path, narrow))
    narrow["fleet"]["countries"] = ["NO", "IE"]
    with wired(tmp_path, narrow) as wiring:
        assert len(wiring.ports.roster.fleet()) == 2
