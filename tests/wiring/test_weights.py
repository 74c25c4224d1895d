"""What the check says of weights, by the backend's algorithm and the core's own weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.gateway import BackendView, GatewayView
from burstd.model.policy import BackendPolicy, Mode, RoutingPolicy
from burstd.wiring.weights import Remark, look_at_weights
from tests.given import CORES
from tests.haproxy_process import haproxy
from tests.turns import NOW, server
from tests.web import WebServer


def remarks(
    balance: str = "roundrobin",
    weights: tuple[int, int] = (100, 100),
    maxconn: tuple[int | None, int | None] = (None, None),
    burst: int | None = None,
) -> list[Remark]:
    rows = [replace(server(name, weight), maxconn=limit) for name, weight, limit in zip(CORES, weights, maxconn, strict=True)]
    view = GatewayView((2, 6, 12), 4711, NOW, (BackendView("app_cluster", (*rows, server("other", 1)), 0, balance=balance),))
    return list(look_at_weights(view, RoutingPolicy(backends=(BackendPolicy(weight=burst),)), CORES))


@pytest.mark.parametrize("burst", [None, 10])
def test_under_roundrobin_with_usual_weights_there_is_nothing_to_say(burst: int | None) -> None:
    assert remarks(burst=burst) == []


def test_first_without_a_maxconn_would_leave_the_instances_without_a_request() -> None:
    [remark] = remarks("first", maxconn=(16, None))
    assert remark == Remark(
        bad=True,
        text="haproxy.backend app_cluster: balance first looks at no weight and fills one server after the other; core-oslo-02 has no "
        "maxconn and is never full, so no instance would get a request; write `balance roundrobin`, or give every core server a maxconn",
    )


def test_first_with_a_maxconn_spills_over_and_that_is_said() -> None:
    [remark] = remarks("first", maxconn=(16, 16))
    assert not remark.bad
    assert remark.text.endswith("instances get what the core's maxconn leaves, and burst_weight does nothing")


@pytest.mark.parametrize("balance", ["leastconn", "unknown", "uri"])
def test_another_algorithm_is_learned_and_a_fixed_weight_there_is_no_share(balance: str) -> None:
    [automatic] = remarks(balance)
    assert not automatic.bad
    [fixed] = remarks(balance, burst=10)
    assert fixed.bad
    assert f"balance {'random or hash' if balance == 'unknown' else balance} " in fixed.text
    assert "burst_weight 10 is no share" in fixed.text


@pytest.mark.parametrize(
    ("weights", "told"), [((1, 1), "33% of the requests at the least"), ((256, 256), "33% of the requests at the most")]
)
def test_core_weights_that_leave_no_room_are_told_of(weights: tuple[int, int], told: str) -> None:
    [remark] = remarks(weights=weights)
    assert remark.bad
    assert told in remark.text
    assert remarks(weights=weights, burst=10) == []


def test_a_core_that_an_operator_has_set_to_zero_is_no_fault_of_the_weights() -> None:
    assert remarks(weights=(0, 0)) == []


def test_nothing_is_said_where_haproxy_spills_over_or_no_core_stands() -> None:
    view = GatewayView((2, 6, 12), 4711, NOW, (BackendView("app_cluster", (server(CORES[0], 1),), 0, balance="first"),))
    assert list(look_at_weights(view, RoutingPolicy(mode=Mode.SPILLOVER), CORES)) == []
    assert list(look_at_weights(view, RoutingPolicy(), ["another"])) == []
    assert list(look_at_weights(view, RoutingPolicy(backends=(BackendPolicy(name="static"),)), CORES)) == []


@pytest.mark.parametrize(
    ("balance", "told"), [("first", "looks at no weight"), ("leastconn", "by weight alone"), ("random", "by weight alone")]
)
def test_a_real_haproxy_says_its_algorithm(balance: str, told: str) -> None:
    core = WebServer(CORES[0])
    try:
        with haproxy([core], balance=balance) as proxy:
            [remark] = look_at_weights(proxy.gateway().read(), RoutingPolicy(backends=(BackendPolicy(weight=10),)), CORES)
    finally:
        core.stop()
    assert remark.bad
    assert told in remark.text
