"""What keeps an instance from going where HAProxy spills over, or where requests wait."""

from __future__ import annotations

from dataclasses import replace

from burstd.control.blockers import what_blocks_scale_in
from burstd.model.fleet import Phase
from burstd.model.gateway import BackendView
from burstd.model.policy import BackendPolicy, Mode, RoutingPolicy
from burstd.model.turn import Turn
from tests.turns import NOW, POLICY, gateway, instance, quiet_turn, server

SPILLING = replace(
    POLICY,
    fleet=replace(POLICY.fleet, minimum=0),
    routing=RoutingPolicy(Mode.SPILLOVER, (BackendPolicy("app_cluster", "app_cloud", maxconn=8),)),
)
ONE = instance(1, Phase.IN_SERVICE)


def turn(signal: float, *, busy: int = 0, queued: int = 0, below_since: float | None = NOW - 500) -> Turn:
    """One instance in service in the overflow backend, with so many requests there, and so many that wait for the core."""
    quiet = quiet_turn()
    core = gateway(server("core-oslo-01", 100), server("core-oslo-02", 100))
    cloud = BackendView("app_cloud", (replace(server(ONE.name, 100), sessions=busy),), requests=0)
    view = replace(core, backends=(replace(core.backends[0], queued=queued), cloud))
    memory = replace(quiet.decision.memory, below_since=below_since, watched_since=NOW - 1000, proposals=((NOW, 0),))
    decision = replace(quiet.decision, current=1, signal=signal, memory=memory)
    return replace(quiet, snapshot=replace(quiet.snapshot, fleet=(ONE,), gateway=view), decision=decision)


def test_with_spillover_a_used_core_keeps_no_idle_instance() -> None:
    assert what_blocks_scale_in(turn(3.9), SPILLING) == ()


def test_with_spillover_what_spills_over_keeps_the_instance_that_carries_it() -> None:
    assert what_blocks_scale_in(turn(3.0, busy=2, below_since=None), SPILLING) == (
        "one instance less would not carry the 2 requests that are with the instances",
    )


def test_a_core_above_the_threshold_and_requests_that_wait_keep_it() -> None:
    assert what_blocks_scale_in(turn(4.5, queued=3, below_since=None), SPILLING) == ("3 requests wait in HAProxy", "load 4.50 is above 4")
