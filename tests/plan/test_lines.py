"""An instance's lines in HAProxy: one in each backend that the fleet serves, others as the standby, and how one replaces the other."""

from __future__ import annotations

from dataclasses import replace

from burstd.model.fleet import Phase
from burstd.model.gateway import AddServer, AdminState, BackendView, GatewayView, RemoveServer, ServerRow, ServerStatus, SetState, SetWeight
from burstd.model.policy import BackendPolicy, Mode, Policy, RoutingPolicy
from tests.given import CORES, calls, decided, decision, edits, member, phases, planned, policy, records, row, rows, standby_row, world
from tests.turns import NOW, gateway, server

APP, STATIC = "app_cluster", "static_cluster"
BOTH = replace(
    policy(), routing=RoutingPolicy(backends=(BackendPolicy(APP, APP, weight=10), BackendPolicy(STATIC, STATIC, port=8081, weight=20)))
)


def both(app: tuple[ServerRow, ...], static: tuple[ServerRow, ...]) -> GatewayView:
    """HAProxy with the cores and these servers in two backends."""
    cores = tuple(server(name, 100) for name in CORES)
    return replace(gateway(), backends=(BackendView(APP, (*cores, *app), 100), BackendView(STATIC, (*cores, *static), 100)))


def test_an_instance_joins_every_backend_with_the_port_and_the_weight_that_it_has_there() -> None:
    joining = member(1, Phase.JOINING)
    wanted = replace(decision(1), weights={APP: 10, STATIC: 20})
    made = planned(world(fleet=[joining], gateway=both((), ())), wanted, BOTH)
    assert edits(made) == [
        AddServer(APP, joining.name, "127.1.0.1", 80, 10),
        AddServer(STATIC, joining.name, "127.1.0.1", 8081, 20),
    ]


def test_it_is_in_service_when_every_backends_check_passes() -> None:
    joining = member(1, Phase.JOINING)
    ready, unready = row(joining, ServerStatus.DRAIN), row(joining, ServerStatus.DRAIN, passing=False)
    assert phases(planned(world(fleet=[joining], gateway=both((ready,), (unready,))), under=BOTH)) == {}
    assert phases(planned(world(fleet=[joining], gateway=both((ready,), (ready,))), under=BOTH)) == {joining.name: Phase.IN_SERVICE}


def test_a_line_that_one_backend_lost_comes_back_at_once_since_the_other_shows_that_it_serves() -> None:
    serving = member(1)
    made = planned(world(fleet=[serving], gateway=both((row(serving),), ())), replace(decision(1), weights={}), BOTH)
    assert edits(made) == [
        AddServer(STATIC, serving.name, "127.1.0.1", 8081, 1),
        SetState(STATIC, serving.name, AdminState.READY),
    ]


def test_it_is_destroyed_when_it_has_left_every_backend() -> None:
    leaving = member(1, Phase.DRAINING, maint_at=NOW - 60)
    rest = row(leaving, ServerStatus.MAINT)
    made = planned(world(fleet=[leaving], gateway=both((rest,), (rest,))), under=BOTH)
    assert edits(made) == [RemoveServer(APP, leaving.name), RemoveServer(STATIC, leaving.name)]
    assert calls(planned(world(fleet=[leaving], gateway=both((), (rest,))), under=BOTH)) == []
    assert phases(planned(world(fleet=[leaving], gateway=both((), ())), under=BOTH)) == {leaving.name: Phase.DESTROYING}


def test_the_standby_stands_in_haproxy_as_backup_under_a_name_of_its_own() -> None:
    standby = member(1, Phase.STANDBY)
    made = planned(world(fleet=[standby], gateway=rows()))
    assert edits(made) == [AddServer(APP, f"{standby.name}-standby", "127.1.0.1", 80, 10, backup=True)]


def test_a_standby_that_goes_into_service_takes_traffic_in_the_same_cycle_and_then_gives_up_its_backup_line() -> None:
    serving = member(1)
    first = planned(world(fleet=[serving], gateway=rows(standby_row(serving))))
    assert edits(first) == [
        AddServer(APP, serving.name, "127.1.0.1", 80, 10),
        SetState(APP, serving.name, AdminState.READY),
    ]
    second = planned(world(fleet=[serving], gateway=rows(row(serving), standby_row(serving))))
    assert edits(second) == [SetState(APP, f"{serving.name}-standby", AdminState.DRAIN)]
    third = planned(world(fleet=[serving], gateway=rows(row(serving), standby_row(serving, ServerStatus.DRAIN))))
    assert edits(third) == [SetState(APP, f"{serving.name}-standby", AdminState.MAINT)]
    rested = records(third)[serving.name]
    assert rested.maint_at == NOW
    rest = rows(row(serving), standby_row(serving, ServerStatus.MAINT))
    assert edits(planned(world(fleet=[rested], gateway=replace(rest, removal_grace=5.0)))) == []
    assert edits(planned(world(fleet=[rested], gateway=rest))) == [RemoveServer(APP, f"{serving.name}-standby")]
    assert records(planned(world(fleet=[rested], gateway=rows(row(serving)))))[serving.name].maint_at is None


def test_one_that_becomes_the_standby_serves_until_its_backup_line_stands() -> None:
    standby = member(1, Phase.STANDBY, up_in=None)
    coming = rows(row(standby), standby_row(standby, ServerStatus.DRAIN))
    assert edits(planned(world(fleet=[standby], gateway=coming))) == [SetState(APP, f"{standby.name}-standby", AdminState.READY)]
    there = rows(row(standby), standby_row(standby))
    assert edits(planned(world(fleet=[standby], gateway=there))) == [SetState(APP, standby.name, AdminState.DRAIN)]


def spilling() -> Policy:
    """A policy under which HAProxy itself sends over what the core has no room for."""
    return replace(policy(), routing=RoutingPolicy(Mode.SPILLOVER, (BackendPolicy(APP, "app_cloud", maxconn=8),)))


def test_where_haproxy_spills_over_instances_join_the_overflow_backend_alone() -> None:
    joining = member(1, Phase.JOINING)
    view = replace(gateway(), backends=(*rows().backends, BackendView("app_cloud", (), 0)))
    snapshot = world(fleet=[joining], gateway=view)
    made = planned(snapshot, decided(snapshot, spilling()), spilling())
    assert edits(made) == [AddServer("app_cloud", joining.name, "127.1.0.1", 80, 100, maxconn=8)]


def test_a_line_left_in_the_core_s_backend_is_taken_away_once_the_one_in_the_overflow_backend_stands() -> None:
    serving = member(1)
    left, there = rows(row(serving)).backends[0], BackendView("app_cloud", (row(serving, maxconn=8),), 0)
    snapshot = world(fleet=[serving], gateway=replace(gateway(), backends=(left, there)))
    made = planned(snapshot, decided(snapshot, spilling()), spilling())
    assert edits(made) == [SetWeight("app_cloud", serving.name, 100), SetState(APP, serving.name, AdminState.DRAIN)]
