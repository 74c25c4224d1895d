"""What `burstd check` says of a pool: one line each, and whether the cloud is down or an operator must mend something."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from burstd.adapters.libcloud import CloudPool, Problem, probe
from burstd.model.faults import FaultKind
from tests.canned_peer import canned_peer, stall
from tests.local_cloud import LocalCloud, local_cloud
from tests.scripted_driver import scripted_pool
from tests.web import own_address


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path) as made:
        yield made


@pytest.fixture
def pool(cloud: LocalCloud) -> CloudPool:
    return CloudPool("here", "local", cloud.args, "web-1", "small")


def only(pool: CloudPool) -> Problem:
    (problem,) = probe(pool)
    assert "\n" not in problem.text
    return problem


def test_a_pool_in_order_has_no_problem_and_nothing_is_bought(pool: CloudPool, cloud: LocalCloud) -> None:
    assert probe(pool) == ()
    assert cloud.driver().list_nodes() == []


def test_an_unknown_driver_size_or_image_is_named_with_what_there_is(pool: CloudPool) -> None:
    unknown = only(replace(pool, driver="loacl"))
    assert 'pool here: driver "loacl" is not known; use one of azure_arm, cloudscale, ' in unknown.text
    assert unknown.text.endswith('; did you mean "local"?')
    assert only(replace(pool, size="smal")).text == 'pool here: size "smal" is not known; use one of medium, small; did you mean "small"?'
    assert only(replace(pool, image="nginx")).text == 'pool here: image "nginx" is not known; use one of web-1'
    assert [each.peer_down for each in probe(replace(pool, size="x", image="y"))] == [False, False]


def test_wrong_credentials_are_said_and_never_shown(pool: CloudPool, cloud: LocalCloud) -> None:
    cloud.folder.mkdir()
    (cloud.folder / "account.json").write_text('{"secret": "right"}')
    problem = only(replace(pool, args={**pool.args, "secret": "wrong-one"}))
    assert (problem.kind, problem.peer_down) == (FaultKind.DENIED, False)
    assert problem.text == "pool here: the cloud does not accept the credentials (AuthFailure)"
    assert probe(replace(pool, args={**pool.args, "secret": "right"})) == ()


@pytest.mark.parametrize(
    ("args", "said"),
    [({"colour": "blue"}, "colour"), ({"network": "10.0.0.0/8"}, "loopback"), ({"network": "nowhere"}, "nowhere")],
)
def test_constructor_arguments_that_the_driver_refuses_are_an_operators_to_mend(pool: CloudPool, args: dict[str, str], said: str) -> None:
    problem = only(replace(pool, args={**pool.args, **args}))
    assert not problem.peer_down
    assert said in problem.text


def test_raw_arguments_that_burstd_sets_itself_are_refused_by_name(pool: CloudPool) -> None:
    problems = probe(replace(pool, create={"ex_tags": {}, "ex_clienttoken": "x"}))
    assert [each.text for each in problems] == [
        f"pool here: create.{key} is set by burstd itself; leave it out" for key in ("ex_clienttoken", "ex_tags")
    ]


def test_a_cloud_that_is_down_or_silent_is_told_from_a_setting_to_mend() -> None:
    with socket.create_server((own_address(), 0)) as closed:
        port = closed.getsockname()[1]
    pool = CloudPool("dublin", "ec2", {"key": "k", "secret": "s"}, "ami-1", "m5", host=own_address(), port=port, secure=False)
    down = only(pool)
    assert (down.text, down.peer_down) == ("pool dublin: connection refused", True)
    with canned_peer(stall) as peer:
        (silent,) = probe(replace(pool, port=peer.port), deadline=0.3)
        assert silent.peer_down
        assert silent.text in {"pool dublin: no answer in time", "pool dublin: the cloud did not answer within 0.3 s"}


def test_a_driver_that_hangs_does_not_hang_the_check() -> None:
    with scripted_pool() as script:
        script.on_list = script.hang
        (problem,) = probe(script.pool, deadline=0.2)
        assert (problem.text, problem.peer_down) == ("pool scripted: the cloud did not answer within 0.2 s", True)


@pytest.mark.parametrize(
    ("known", "said", "problem"),
    [
        ("Ireland", "NO", "pool scripted: country NO: expected IE, where libcloud has location dub-1; write"),
        ("Ireland", "IE", ""),
        ("Ireland", None, ""),
        ("somewhere", "NO", ""),
        (None, "NO", ""),
    ],
)
def test_a_country_that_libcloud_knows_better_is_a_problem_and_one_that_it_does_not_know_is_none(
    known: str | None, said: str | None, problem: str
) -> None:
    with scripted_pool(catalogue=False, country=lambda _driver, _pool: known) as script:
        found = probe(replace(script.pool, location="dub-1"), country=said)
        assert [each.text.startswith(problem) and not each.peer_down for each in found] == ([True] if problem else [])
        for each in found:
            assert each.text.endswith('write country = "IE", or name a place in NO')
        for each in probe(script.pool, country=said):
            assert "where libcloud has the region of its args; " in each.text
