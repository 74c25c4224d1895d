"""What libcloud knows of the country of a pool's location, driver by driver, without asking any cloud."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from libcloud.compute.drivers.ec2 import EC2NodeDriver
from libcloud.compute.drivers.ovh import OvhNodeDriver

from burstd.adapters.libcloud import CloudPool
from burstd.adapters.libcloud.drivers import DRIVERS
from burstd.model.countries import country_code

LISTING = {"azure_arm", "gridscale", "linode", "scaleway", "upcloud", "vultr"}


def at(location: str | None, driver: str = "linode") -> CloudPool:
    return CloudPool("far", driver, {}, "image", "size", location)


@pytest.mark.parametrize("driver", sorted(LISTING))
def test_a_location_is_found_by_its_id_or_by_its_name_among_those_that_the_cloud_lists(driver: str) -> None:
    places = [SimpleNamespace(id="fra-1", name="Frankfurt 1", country="DE"), SimpleNamespace(id=7, name="Amsterdam", country="NL")]
    cloud = SimpleNamespace(list_locations=lambda: places)
    record = DRIVERS[driver]
    assert [record.country(cloud, at(each)) for each in ("fra-1", "Amsterdam", "7", "mars-1", None)] == ["DE", "NL", "NL", None, None]


@pytest.mark.parametrize(("region", "country"), [("eu-west-1", "IE"), ("eu-central-1", "DE"), ("eu-north-1", "SE"), ("us-east-2", "US")])
def test_ec2s_country_is_that_of_its_region(region: str, country: str) -> None:
    cloud = EC2NodeDriver("key", "secret", region=region)  # type: ignore[no-untyped-call]  # the library has not annotated it
    assert country_code(DRIVERS["ec2"].country(cloud, at(None))) == country


def test_every_region_of_ec2_that_libcloud_has_a_country_for_is_understood() -> None:
    clouds = [EC2NodeDriver("key", "secret", region=region) for region in EC2NodeDriver.list_regions()]  # type: ignore[no-untyped-call]  # as above
    assert {each.country for each in clouds if country_code(each.country) is None} == set()


def test_ovhs_country_is_known_for_the_regions_that_libcloud_has_heard_of() -> None:
    cloud = SimpleNamespace(connectionCls=OvhNodeDriver.connectionCls)
    told = [country_code(DRIVERS["ovh"].country(cloud, at(each))) for each in ("GRA1", "LON1", "NEW1", None)]
    assert told == ["FR", "GB", None, None]


def test_no_other_driver_is_asked() -> None:
    knowing = LISTING | {"ec2", "ovh"}
    assert [DRIVERS[name].country(object(), at("me-west1")) for name in sorted(DRIVERS.keys() - knowing)] == [None] * (
        len(DRIVERS) - len(knowing)
    )
