"""Standbys on a real HAProxy, by the daemon as a process: switched under traffic, and what serves when the core is dead."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.site import Site, site
from tests.traffic import Traffic, traffic
from tests.waiting import wait_until

STANDBYS = 2


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("standby")) as running:
        file = running.haproxy.config
        file.write_text(file.read_text().replace("    option httpchk", "    option allbackups\n    option httpchk"))
        running.haproxy.reload()
        running.settings["fleet"] |= {"standby": STANDBYS}
        running.settings["haproxy"] |= {"burst_weight": 100}
        running.write(running.settings)
        with running.daemon():
            wait_until(lambda: len(standing_by(running)) == STANDBYS, "the standbys stand by", within=60)
            yield running


def standing_by(place: Site) -> set[str]:
    """Names of the standbys whose lines are up and that are on no other."""
    found = place.client.get("/v1/status")["instances"]
    return {each["name"] for each in found if each["phase"] == "standby" and (each["status"], each["backup"]) == ("UP", True)}


def settled(place: Site, serving: int) -> None:
    """Wait until so many serve, the standbys are complete, nobody leaves, and HAProxy has one line of each."""

    def done() -> bool:
        status = place.client.get("/v1/status")
        lines = [name for name in status["gateway"]["backends"][0]["weights"] if name.startswith("burst-")]
        counts = (status["in_service"], len(standing_by(place)), len(status["instances"]), len(lines))
        return counts == (serving, STANDBYS, serving + STANDBYS, serving + STANDBYS)

    wait_until(done, f"{serving} serve, with {STANDBYS} standbys beside them and nobody else", within=60)


def served(flow: Traffic, names: set[str]) -> int:
    return sum(flow.served_by[name] for name in names)


def test_a_standby_goes_into_service_and_back_under_traffic_without_one_lost_request(place: Site) -> None:
    with traffic(place.haproxy.host, place.haproxy.port) as flow:
        ready = standing_by(place)
        flow.more(20)
        assert served(flow, ready) == 0
        assert place.burstd("scale", "--to", "1").returncode == 0
        wait_until(lambda: served(flow, ready) > 10, "a standby serves")
        settled(place, 1)
        assert place.burstd("scale", "--to", "0").returncode == 0
        settled(place, 0)
    assert flow.errors == []


def test_a_reload_in_the_midst_of_the_switch_loses_no_request(place: Site) -> None:
    with traffic(place.haproxy.host, place.haproxy.port) as flow:
        assert place.burstd("scale", "--to", "1").returncode == 0
        place.haproxy.reload()
        settled(place, 1)
        flow.more(20)
        assert place.burstd("scale", "--to", "0").returncode == 0
        settled(place, 0)
    assert flow.errors == []


def test_with_the_core_dead_haproxy_serves_from_all_standbys_and_burstd_leaves_them_there(place: Site) -> None:
    standbys = standing_by(place)
    for core in place.cores:
        core.stop()
    down = ["DOWN", "DOWN"]
    wait_until(lambda: [each["status"] for each in place.client.get("/v1/status")["cores"]] == down, "HAProxy has found the core dead")
    with traffic(place.haproxy.host, place.haproxy.port) as flow:
        before = place.cycle() or 0
        wait_until(lambda: (place.cycle() or 0) > before + 5, "five cycles", within=30)
        wait_until(lambda: all(flow.served_by[name] for name in standbys), "every standby serves")
    assert flow.errors == []
    assert set(flow.served_by) == standbys
    assert standing_by(place) == standbys
