from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from burstd.model import policy as model
from burstd.model.cost import Billing, BudgetPolicy
from burstd.model.policy import (
    Aggregate,
    BackendPolicy,
    ContentPolicy,
    CoreServer,
    DatabasePolicy,
    Deciding,
    FleetPolicy,
    LoadPolicy,
    Mode,
    Policy,
    PoolPolicy,
    RoutingPolicy,
    Step,
)
from tests.settings.written import MINIMAL, loaded

EVERYTHING = """
[fleet]
name = "surge"
min = 1
max = 9
max_step = 3
poll_interval = 6
boot_deadline = "6m"
sync_deadline = "3m"
join_deadline = "2m"
drain_deadline = "90s"
destroy_retry = 31
settle = 301
minimum_lifetime = 121
unhealthy_after = 32
fallback = 1
fallback_after = "7m"
on_core_loss = 4
backoff = 33
backoff_max = "1h"
countries = ["NO", "IE"]

[load]
policy = "threshold"
overload_price = 20
scale_out_above = 5.0
scale_in_below = 1.5
sustain = 10
scale_in_after = 130
cooldown_out = 61
cooldown_in = 122
stabilization = 302
warm_up = 34
aggregate = "max"
per_cpu = true
steps = [{ ratio = 1.5, count = 2 }, { ratio = 2, count = 3 }]
stale_after = 21
absurd_above = 1000.0
hold_useless = false

[[core]]
name = "core-1"
exporter = "http://10.0.0.5:9100/metrics"
server = "web-1"

[haproxy]
mode = "spillover"
backend = "web"
overflow = "overflow"
further = [{ name = "static", port = 8081, burst_weight = 20, maxconn = 100 }]
burst_weight = 10
target_load = 3.0
tolerance = 0.2
maxconn = 200

[[pool]]
name = "dublin"
driver = "ec2"
image = "ami-1"
size = "t3.small"
location = "eu-west-1a"
tags = { team = "web", app = "shop" }
user_data = "cloud-init.yaml"
port = 8080
check_path = "/health"
metrics_port = 9101
price = 0.0228
currency = "EUR"
country = "IE"
max_rtt = "50ms"
billing = "hour"

[budget]
currency = "EUR"
day_soft = 8
day_hard = 12.5
month_soft = 100
month_hard = 150

[content]
core = "mirror@10.0.0.5"
max_drift = "6m"
token_path = "/token"

[database]
primary = "10.0.0.5"
replica = "10.1.0.5"
auto_promote = true
core_lost_for = "3m"
max_lag = "1m"
fence_command = ["/usr/local/sbin/fence"]
"""

EXPECTED = Policy(
    owner="owner-1",
    fleet=FleetPolicy(
        "surge", 1, 9, 0, 3, 6.0, 360.0, 180.0, 120.0, 90.0, 31.0, 301.0, 121.0, 32.0, 1, 420.0, 33.0, 3600.0, on_core_loss=4,
        countries=("NO", "IE"),
    ),
    load=LoadPolicy(
        Deciding.THRESHOLD, 20.0, 5.0, 1.5, 10.0, 130.0, 61.0, 122.0, 302.0, 34.0, Aggregate.MAX, per_cpu=True,
        steps=(Step(1.5, 2), Step(2.0, 3)), stale_after=21.0, absurd_above=1000.0, hold_useless=False,
    ),
    cores=(CoreServer("core-1", "http://10.0.0.5:9100/metrics", "web-1"),),
    routing=RoutingPolicy(
        Mode.SPILLOVER,
        (BackendPolicy("web", "overflow", weight=10, maxconn=200), BackendPolicy("static", "static_cloud", 8081, 20, 100)),
        3.0,
        0.2,
    ),
    pools=(
        PoolPolicy(
            "dublin", "ami-1", "t3.small", "eu-west-1a", (("app", "shop"), ("team", "web")), "#cloud-config\n", 8080, "/health", 9101,
            0.0228, "EUR", "IE", 0.05, Billing.HOUR,
        ),
    ),
    content=ContentPolicy(360.0, "/token"),
    database=DatabasePolicy(auto_promote=True, core_lost_for=180.0, max_lag=60.0),
    budget=BudgetPolicy("EUR", 8.0, 12.5, 100.0, 150.0),
)  # fmt: skip


@pytest.fixture
def everything(tmp_path: Path) -> Policy:
    (tmp_path / "cloud-init.yaml").write_text("#cloud-config\n")
    return loaded(tmp_path, EVERYTHING).policy("owner-1")


def test_every_key_arrives_in_the_policy(everything: Policy) -> None:
    assert everything == EXPECTED


@pytest.mark.parametrize(
    "part",
    [FleetPolicy(), LoadPolicy(), RoutingPolicy(), PoolPolicy("", "", ""), ContentPolicy(), DatabasePolicy()],
    ids=lambda part: type(part).__name__,
)
def test_the_example_above_sets_every_field_of_the_policy_to_something_else_than_its_default(
    everything: Policy, part: FleetPolicy | LoadPolicy | RoutingPolicy | PoolPolicy | ContentPolicy | DatabasePolicy
) -> None:
    parts = (everything.fleet, everything.load, everything.routing, *everything.pools, everything.content, everything.database)
    told: Any = next(each for each in parts if type(each) is type(part))
    left = [field.name for field in fields(part) if getattr(told, field.name) == getattr(part, field.name)]
    assert left == (["standby"] if isinstance(part, FleetPolicy) else [])  # which cannot be set beside the mode above


def test_the_standby_arrives_in_the_policy(tmp_path: Path) -> None:
    assert loaded(tmp_path, f"[fleet]\nstandby = 2\n{MINIMAL}").policy("owner-1").fleet == FleetPolicy(standby=2)


def test_no_part_of_the_policy_is_forgotten_here() -> None:
    parts = {name for name, each in vars(model).items() if isinstance(each, type) and each.__module__ == model.__name__}
    parts_here = {
        "Aggregate",
        "Deciding",
        "CoreServer",
        "FleetPolicy",
        "Step",
        "LoadPolicy",
        "Mode",
        "BackendPolicy",
        "RoutingPolicy",
        "PoolPolicy",
    }
    assert parts == {*parts_here, "ContentPolicy", "DatabasePolicy", "Policy"}


def test_what_is_not_set_is_the_policys_own_default(tmp_path: Path) -> None:
    policy = loaded(tmp_path, MINIMAL).policy("owner-1")
    assert (policy.fleet, policy.load, policy.routing) == (FleetPolicy(), LoadPolicy(), RoutingPolicy())
    assert policy.pools == (PoolPolicy("dublin", "ami-1", "t3.small"),)
    assert policy.cores == (CoreServer("core-1", "http://10.0.0.5:9100/metrics", "core-1"),)


def test_pools_keep_the_order_of_the_file(tmp_path: Path) -> None:
    second = MINIMAL.partition("[[pool]]")[2].replace("dublin", "amsterdam")
    pools = loaded(tmp_path, f"{MINIMAL}[[pool]]{second}").policy("owner-1").pools
    assert [pool.name for pool in pools] == ["dublin", "amsterdam"]


def test_settings_and_policy_are_values(tmp_path: Path) -> None:
    first, second = (loaded(tmp_path, MINIMAL) for _ in range(2))
    assert first == second
    assert replace(first.policy("a"), owner="b") == second.policy("b")
    with pytest.raises(ValueError, match="frozen"):
        first.fleet.max = 5
