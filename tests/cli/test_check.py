"""`burstd check` against real peers: everything wrong is found, everything right is said, nothing is changed."""

from __future__ import annotations

import copy
import grp
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canned_peer import canned_peer, http
from tests.site import Document, Ran, Site, site
from tests.web import own_address


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("check")) as running:
        yield running


@pytest.fixture
def settings(gateway: Site) -> Iterator[Document]:
    """A copy of the good settings, to spoil."""
    yield copy.deepcopy(gateway.settings)
    gateway.write(gateway.settings)


def check(gateway: Site, settings: Document, *arguments: str) -> Ran:
    gateway.write(settings)
    return gateway.burstd("check", *arguments)


def failures(ran: Ran) -> list[str]:
    return [line.removeprefix("fail").strip() for line in ran.stdout.splitlines() if line.startswith("fail")]


def warnings(ran: Ran) -> list[str]:
    return [line.removeprefix("warning").strip() for line in ran.stdout.splitlines() if line.startswith("warning")]


def test_a_sound_gateway_is_all_right_line_by_line(gateway: Site, settings: Document) -> None:
    settings["pool"][0] |= {"price": 0.0228, "currency": "EUR"}
    ran = check(gateway, settings)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    for part in (
        "settings",
        "state_dir",
        "haproxy.backend app_cluster: HAProxy ",
        'core "core-1"',
        'core "core-2"',
        'pool "local": local answers, and lets us in; 0.0228 EUR an hour for each instance',
        "control.socket",
        "metrics.listen",
    ):
        assert any(part in line for line in lines), part


def test_the_budget_is_told_and_a_pool_that_counts_towards_nothing_is_warned_of(gateway: Site, settings: Document) -> None:
    settings["budget"] = {"currency": "EUR", "day_soft": 8, "month_soft": 99.5, "zone": "Europe/Oslo"}
    ran = check(gateway, settings)
    assert ran.returncode == 0
    assert warnings(ran) == [
        'budget: what pool "local" costs counts towards no limit, since nobody has told its price; set price and currency there'
    ]
    assert "budget: day_soft 8, month_soft 99.5 EUR, by the days of Europe/Oslo" in ran.stdout
    settings["pool"][0] |= {"price": 0.0228, "currency": "EUR", "billing": "hour"}
    settings["budget"] |= {"day_hard": 12}
    sound = check(gateway, settings)
    assert (sound.returncode, warnings(sound)) == (0, [])
    assert "0.0228 EUR an hour for each instance, billed by the hour" in sound.stdout


def test_it_tells_the_same_as_json(gateway: Site, settings: Document) -> None:
    settings["haproxy"] = {"socket": str(gateway.haproxy.socket), "backend": "nowhere"}
    ran = check(gateway, settings, "--json")
    told = json.loads(ran.stdout)
    assert ran.returncode == told["exit_code"] == 2
    wrong = [each for each in told["findings"] if each["level"] == "fail"]
    assert [(each["part"], each["exit_code"]) for each in wrong] == [("haproxy", 2)]


def test_everything_wrong_is_found_at_once(gateway: Site, settings: Document, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    settings["fleet"]["state_dir"] = str(tmp_path / "state")
    settings["haproxy"]["socket"] = str(gateway.haproxy.user_socket)
    settings["core"][0]["exporter"] = f"http://{own_address()}:1/metrics"
    settings["pool"][0]["size"] = "huge"
    (tmp_path / "control.sock").write_text("no socket")
    settings["control"] = {"socket": str(tmp_path / "control.sock"), "group": "no-such-group"}
    settings["metrics"]["listen"] = "203.0.113.1:9123"
    ran = check(gateway, settings)
    assert ran.returncode == 2
    wrong = failures(ran)
    for part in ("fleet.state_dir", "haproxy.socket", 'core "core-1"', "size", "control.socket", "control.group", "metrics.listen"):
        assert sum(part in line for line in wrong) == 1, (part, wrong)
    assert len(wrong) == 7


def test_a_peer_that_is_merely_down_is_exit_code_1(gateway: Site, settings: Document) -> None:
    settings["core"][1]["exporter"] = f"http://{own_address()}:1/metrics"
    ran = check(gateway, settings)
    assert ran.returncode == 1
    assert failures(ran) == [
        f'core "core-2", exporter http://{own_address()}:1/metrics: nothing listens on {own_address()}:1; does node_exporter run there?'
    ]


def test_a_socket_that_nobody_serves_any_more_is_down(gateway: Site, settings: Document, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    settings["haproxy"]["socket"] = str(tmp_path / "dead.sock")
    ran = check(gateway, settings)
    assert ran.returncode == 1
    assert len(failures(ran)) == 1


def test_settings_that_cannot_be_used_are_told_problem_by_problem_and_nobody_is_asked(gateway: Site, settings: Document) -> None:
    settings["fleet"] |= {"min": 9, "max": 3}
    settings["load"]["scale_out_above"] = -1
    ran = check(gateway, settings)
    assert ran.returncode == 2
    assert len(failures(ran)) == len(ran.stdout.splitlines()) == 2


def test_a_secret_file_that_is_missing_is_found_and_its_path_not_shown(gateway: Site, settings: Document, tmp_path: Path) -> None:
    settings["pool"][0]["secret_files"] = {"secret": str(tmp_path / "hunter2")}
    ran = check(gateway, settings)
    assert ran.returncode == 2
    assert "secret_files.secret" in failures(ran)[0]
    assert "hunter2" not in ran.stdout + ran.stderr


def test_a_2_x_haproxy_whose_file_nobody_names_is_a_warning(gateway: Site, settings: Document) -> None:
    del settings["haproxy"]["config_file"]
    ran = check(gateway, settings)
    assert ran.returncode == 0
    assert ["option redispatch" in line for line in warnings(ran)] == [True]


def test_several_standbys_that_haproxy_is_not_told_to_use_together_are_a_warning(gateway: Site, settings: Document, tmp_path: Path) -> None:
    settings["fleet"]["standby"] = 2
    ran = check(gateway, settings)
    assert ran.returncode == 0
    assert ["backend app_cluster has no `option allbackups`" in line for line in warnings(ran)] == [True]
    file = tmp_path / "haproxy.cfg"
    file.write_text(gateway.haproxy.config.read_text().replace("option redispatch", "option redispatch\n    option allbackups"))
    settings["haproxy"]["config_file"] = str(file)
    assert warnings(check(gateway, settings)) == []
    settings["fleet"]["standby"] = 1
    settings["haproxy"]["config_file"] = str(gateway.haproxy.config)
    assert warnings(check(gateway, settings)) == []


def test_a_core_server_that_haproxy_calls_down_is_a_warning(gateway: Site, settings: Document) -> None:
    gateway.haproxy.command("set server app_cluster/core-2 state maint")
    try:
        ran = check(gateway, settings)
    finally:
        gateway.haproxy.command("set server app_cluster/core-2 state ready")
    assert ran.returncode == 0
    assert warnings(ran) == ["core server core-2: HAProxy has it MAINT; look at its health check"]


def test_an_exporter_without_cpus_is_a_warning(gateway: Site, settings: Document) -> None:
    with canned_peer(http("200 OK", "node_load1 1.5\n")) as peer:
        settings["core"][0]["exporter"] = f"http://{peer.host}:{peer.port}/metrics"
        ran = check(gateway, settings)
    assert ran.returncode == 0
    assert "cpu collector" in warnings(ran)[0]


def test_it_works_beside_a_running_daemon_and_changes_nothing(gateway: Site, settings: Document) -> None:
    with gateway.daemon():
        before = gateway.client.get("/v1/events")["events"]
        ran = check(gateway, settings)
        assert (ran.returncode, failures(ran)) == (0, [])
        assert "a daemon answers there" in ran.stdout
        assert gateway.client.get("/v1/events")["events"][: len(before)] == before


def test_it_makes_no_folder_and_takes_no_lock(gateway: Site, settings: Document, tmp_path: Path) -> None:
    settings["fleet"]["state_dir"] = str(tmp_path / "fresh" / "state")
    ran = check(gateway, settings)
    assert ran.returncode == 0
    assert not (tmp_path / "fresh").exists()
    assert "not there yet, and can be made" in ran.stdout


def test_an_address_that_somebody_else_has_is_found(gateway: Site, settings: Document) -> None:
    with socket.create_server((own_address(), 0)) as taken:
        settings["metrics"]["listen"] = f"{own_address()}:{taken.getsockname()[1]}"
        ran = check(gateway, settings)
    assert ran.returncode == 2
    assert "Address already in use" in failures(ran)[0]


def test_a_group_that_is_there_is_all_right(gateway: Site, settings: Document) -> None:
    settings["control"]["group"] = grp.getgrgid(0).gr_name
    ran = check(gateway, settings)
    assert ran.returncode == 0
    assert "control.group" in ran.stdout


def test_a_cloud_without_tags_is_warned_of_and_not_refused(gateway: Site, settings: Document) -> None:
    pool = {"name": "paris", "driver": "scaleway", "image": "img-1", "size": "DEV1-S", "args": {"key": "org-1", "secret": "token-1"}}
    with canned_peer(http("200 OK", '{"servers": []}', "Content-Type: application/json\r\n")) as peer:
        settings["pool"].append({**pool, "api_host": peer.host, "api_port": peer.port, "api_tls": False})
        ran = check(gateway, settings)
    assert ran.returncode == 0
    [warning] = warnings(ran)
    assert warning == (
        'pool paris: driver "scaleway" cannot tag, so a machine is ours by its name alone: renamed, it is a stranger\'s; there is no '
        "user-data, so bake the image; a destroy cut off half-way may leave a disk"
    )
    assert any('pool "paris": scaleway answers, and lets us in' in line for line in ran.stdout.splitlines())


def test_a_pool_outside_of_the_allowed_countries_is_a_warning_and_one_inside_says_where_it_is(gateway: Site, settings: Document) -> None:
    settings["fleet"]["countries"] = ["NO", "NL"]
    settings["pool"][0]["country"] = "NO"
    settings["pool"].append({**settings["pool"][0], "name": "ohio", "country": "US"})
    ran = check(gateway, settings)
    assert ran.returncode == 0
    assert any('pool "local": local answers, and lets us in; in NO' in line for line in ran.stdout.splitlines())
    (warning,) = warnings(ran)
    assert warning == (
        'pool "ohio", country US: expected one of fleet.countries (NO, NL), so that nothing is ever bought there; '
        "add the country, or take the pool out"
    )


def test_a_core_server_with_a_connection_limit_and_instances_without_one_are_refused(gateway: Site, settings: Document) -> None:
    gateway.haproxy.command("set maxconn server app_cluster/core-2 50")
    try:
        refused = check(gateway, settings)
        settings["haproxy"]["maxconn"] = 50
        sound = check(gateway, settings)
    finally:
        gateway.haproxy.command("set maxconn server app_cluster/core-2 0")
    assert refused.returncode == 2
    assert [line.partition(",")[0] for line in failures(refused)] == ["haproxy.maxconn: not set"]
    assert "core-2 in backend app_cluster has a maxconn" in failures(refused)[0]
    assert (sound.returncode, failures(sound)) == (0, [])


def test_every_backend_is_looked_at(gateway: Site, settings: Document) -> None:
    text = gateway.haproxy.config.read_text()
    further = "backend static_cluster\n    balance static-rr\nbackend files\n    server core-1 127.0.0.1:9 maxconn 5\n"
    gateway.haproxy.config.write_text(text + further)
    gateway.haproxy.reload()
    try:
        settings["haproxy"]["further"] = [{"name": "static_cluster"}]
        static = check(gateway, settings)
        settings["haproxy"]["further"] = [{"name": "files"}]
        limited = check(gateway, settings)
        settings["haproxy"]["further"] = [{"name": "files", "maxconn": 5}]
        sound = check(gateway, settings)
    finally:
        gateway.haproxy.config.write_text(text)
        gateway.haproxy.reload()
    assert [line.partition(";")[0] for line in failures(static)] == ["haproxy.backend static_cluster: its balance is static"]
    assert "core-1 in backend files has a maxconn" in failures(limited)[0]
    assert (static.returncode, limited.returncode, sound.returncode) == (2, 2, 0)
