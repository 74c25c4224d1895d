"""Where a pool's API answers, as the settings or the driver say it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.adapters.libcloud import CloudPool, endpoint
from burstd.adapters.libcloud.drivers import DRIVERS

POOL = CloudPool("dublin", "ec2", {"key": "k", "secret": "s", "region": "eu-west-1"}, "ami-1", "t3.small")
SELF_HOSTED = {"cloudstack", "lab", "openstack"}
"""Everybody's own: the settings must name their host."""


def test_the_settings_host_comes_first() -> None:
    assert endpoint(replace(POOL, host="10.0.0.9", port=5000, secure=False)) == ("10.0.0.9", 5000)
    assert endpoint(replace(POOL, host="ec2.example")) == ("ec2.example", 443)
    assert endpoint(replace(POOL, host="ec2.example", secure=False)) == ("ec2.example", 80)


def test_ec2_has_a_host_for_each_region() -> None:
    assert endpoint(POOL) == ("ec2.eu-west-1.amazonaws.com", 443)
    assert endpoint(replace(POOL, args={})) == ("ec2.us-east-1.amazonaws.com", 443)


@pytest.mark.parametrize(
    ("url", "place"), [("https://keystone.example/v3", ("keystone.example", 443)), ("http://10.0.0.3:5000", ("10.0.0.3", 5000))]
)
def test_an_address_among_the_arguments_is_the_api(url: str, place: tuple[str, int]) -> None:
    assert endpoint(replace(POOL, driver="openstack", args={"key": "k", "ex_force_auth_url": url})) == place


@pytest.mark.parametrize("driver", sorted(name for name, each in DRIVERS.items() if each.remote and name not in SELF_HOSTED))
def test_every_public_cloud_is_known_by_its_host(driver: str) -> None:
    found = endpoint(replace(POOL, driver=driver, args={}))
    assert found is not None
    assert "." in found[0]
    assert found[1] == 443


@pytest.mark.parametrize("driver", ["local", "cloudstack", "no-such-driver"])
def test_where_nobody_names_a_host_there_is_none(driver: str) -> None:
    assert endpoint(replace(POOL, driver=driver, args={})) is None
