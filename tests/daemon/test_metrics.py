"""The page that Prometheus scrapes, set from finished cycles."""

from __future__ import annotations

import math
import shutil
import subprocess
import threading
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from burstd.metrics import INVARIANTS, Metrics
from burstd.model.decision import Memory
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase, PoolState
from burstd.model.gateway import AdminState, ServerStatus
from burstd.model.load import Sample
from burstd.model.plans import Report
from tests.turns import NOW, POLICY, instance, quiet_turn, rich_turn


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"burstd_{name}", labels)


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.record(quiet_turn(1), POLICY)
    metrics.record(rich_turn(2), POLICY)
    return metrics


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("turns", [0, 2])
def test_promtool_has_nothing_to_say_against_the_page(turns: int) -> None:
    metrics = Metrics()
    for turn in (quiet_turn(), rich_turn())[:turns]:
        metrics.record(turn, POLICY)
    told = subprocess.run(["promtool", "check", "metrics"], input=metrics.render(), capture_output=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, b"", b"")


def test_the_page_has_no_created_series(metrics: Metrics) -> None:
    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert families
    assert not [family.name for family in families if family.name.endswith("_created")]


def test_a_core_that_cannot_be_read_has_an_age_and_no_load(metrics: Metrics) -> None:
    assert value(metrics, "core_load1", core="core-oslo-01") == 6.5
    assert value(metrics, "core_load1", core="core-oslo-02") is None
    assert value(metrics, "core_scrape_success", core="core-oslo-02") == 0
    assert value(metrics, "core_sample_age_seconds", core="core-oslo-02") == 1.0


def test_a_blind_fleet_has_no_signal_instead_of_a_zero(metrics: Metrics) -> None:
    turn = quiet_turn()
    metrics.record(replace(turn, decision=replace(turn.decision, signal=None, core_rate=None, burst_rate=None)), POLICY)
    assert math.isnan(value(metrics, "load_signal") or 0.0)
    assert math.isnan(value(metrics, "burst_traffic_ratio") or 0.0)
    assert math.isnan(value(metrics, "requests_per_second", role="core") or 0.0)


def test_the_fleet_is_counted_by_pool_and_phase_and_empty_places_are_zero(metrics: Metrics) -> None:
    assert value(metrics, "instances", pool="dublin", phase="in_service") == 1
    assert value(metrics, "instances", pool="oslo", phase="destroying") == 1
    assert value(metrics, "instances", pool="oslo", phase="in_service") == 0
    metrics.record(quiet_turn(), POLICY)
    assert value(metrics, "instances", pool="dublin", phase="in_service") == 0
    assert [value(metrics, f"instances_{name}") for name in ("desired", "current", "min", "max")] == [0, 0, 1, 4]


def test_a_core_is_up_down_or_not_known_and_what_somebody_holds_out_is_counted(metrics: Metrics) -> None:
    turn = quiet_turn()
    dead = replace(turn.decision, cores_out={"core-oslo-02": ServerStatus.DOWN})
    held = replace(instance(1, Phase.IN_SERVICE), by_hand=AdminState.MAINT)
    metrics.record(replace(turn, decision=dead, snapshot=replace(turn.snapshot, fleet=(held, instance(2, Phase.IN_SERVICE)))), POLICY)
    assert (value(metrics, "core_up", core="core-oslo-01"), value(metrics, "core_up", core="core-oslo-02")) == (1, 0)
    assert (value(metrics, "instances_by_hand", pool="dublin"), value(metrics, "instances_by_hand", pool="oslo")) == (1, 0)
    away = replace(turn.snapshot, gateway=Fault("haproxy", FaultKind.UNREACHABLE, "refused"))
    metrics.record(replace(turn, snapshot=away), POLICY)
    assert value(metrics, "core_up", core="core-oslo-01") is None


def test_only_what_takes_traffic_has_weight_and_the_ratio_is_by_requests(metrics: Metrics) -> None:
    assert value(metrics, "rotation_weight", backend="app_cluster", role="core") == 100
    assert value(metrics, "rotation_weight", backend="app_cluster", role="burst") == 40
    assert value(metrics, "burst_traffic_ratio") == 0.25


def test_a_call_is_counted_when_it_starts_and_again_when_its_outcome_is_known(metrics: Metrics) -> None:
    creates = {
        outcome: value(metrics, "actions_total", kind="create", outcome=outcome) for outcome in ("started", "done", "failed", "unknown")
    }
    assert creates == {"started": 1, "done": 1, "failed": 1, "unknown": 1}
    assert value(metrics, "actions_total", kind="add_server", outcome="failed") == 1
    assert value(metrics, "actions_total", kind="set_state", outcome="skipped") == 1


def test_a_failed_listing_counts_once_however_long_it_stands(metrics: Metrics) -> None:
    for _ in range(3):
        turn = rich_turn()
        cloud = replace(turn.snapshot.cloud, outcomes=())
        metrics.record(replace(turn, snapshot=replace(turn.snapshot, cloud=cloud), report=Report()), POLICY)
    assert value(metrics, "failures_total", peer="pool oslo", kind="denied") == 1
    assert value(metrics, "failures_total", peer="core-oslo-02", kind="unreachable") == 4


def test_an_instance_is_a_label_of_its_contents_lag_alone_and_only_while_it_lives(metrics: Metrics) -> None:
    assert value(metrics, "failures_total", peer="instances", kind="absurd") == 1
    serving, *others = [each.name for each in rich_turn().snapshot.fleet]
    page = metrics.render().decode()
    assert [line for line in page.splitlines() if serving in line] == [f'burstd_content_lag_seconds{{instance="{serving}"}} 40.0']
    assert not [name for name in others if name in page]
    metrics.record(quiet_turn(3), POLICY)
    assert serving not in metrics.render().decode()


def test_a_mirror_that_is_held_or_does_not_answer_is_a_figure_and_none_at_all_is_not(metrics: Metrics) -> None:
    figures = [value(metrics, f"content_{name}") for name in ("mirror_up", "mirror_held", "files")]
    assert figures == [0, 1, 1000]
    metrics.record(quiet_turn(3), POLICY)
    assert all(math.isnan(value(metrics, f"content_{name}") or 0.0) for name in ("mirror_up", "mirror_held", "files"))


def test_every_invariant_is_there_at_zero_before_anything_has_happened() -> None:
    metrics = Metrics()
    assert len(INVARIANTS) == 11
    assert [value(metrics, "invariants_broken_total", invariant=name) for name in INVARIANTS] == [0.0] * 11


def test_haproxys_age_grows_while_it_does_not_answer() -> None:
    metrics = Metrics()
    metrics.record(quiet_turn(), POLICY)
    assert value(metrics, "haproxy_age_seconds") == 0
    turn = quiet_turn()
    away = replace(turn.snapshot, now=NOW + 15, gateway=Fault("haproxy", FaultKind.UNREACHABLE, "refused"))
    metrics.record(replace(turn, snapshot=away), POLICY)
    assert value(metrics, "haproxy_age_seconds") == 15
    assert value(metrics, "haproxy_info", version="2.6.12") == 1


def test_an_order_shows_while_it_is_in_force_and_no_longer(metrics: Metrics) -> None:
    assert (value(metrics, "override_active"), value(metrics, "override_instances")) == (1, 3)
    assert (value(metrics, "paused", direction="in"), value(metrics, "paused", direction="out")) == (1, 0)
    turn = rich_turn()
    metrics.record(replace(turn, snapshot=replace(turn.snapshot, now=NOW + 7200)), POLICY)
    assert value(metrics, "override_active") == 0
    assert math.isnan(value(metrics, "override_instances") or 0.0)


def test_cycles_are_counted_with_their_length_and_their_cpu(metrics: Metrics) -> None:
    metrics.cycle_failed()
    assert (value(metrics, "cycles_total", outcome="finished"), value(metrics, "cycles_total", outcome="failed")) == (2, 1)
    assert value(metrics, "cycle_duration_seconds_count") == 2
    assert value(metrics, "cycle_cpu_seconds_total") == pytest.approx(0.014)
    assert value(metrics, "last_cycle_timestamp_seconds") == NOW


def test_a_failed_reload_shows_until_one_succeeds(metrics: Metrics) -> None:
    metrics.reload(failed=True)
    assert value(metrics, "reload_failed") == 1
    metrics.reload(failed=False)
    assert value(metrics, "reload_failed") == 0


def test_a_scrape_never_sees_half_a_cycle() -> None:
    metrics = Metrics()
    metrics.record(quiet_turn(), POLICY)
    stop, torn = threading.Event(), []

    def scrape() -> None:
        while not stop.is_set():
            page = metrics.render()
            if page.count(b"burstd_core_scrape_success{") != 2:
                torn.append(page)

    scraper = threading.Thread(target=scrape)
    scraper.start()
    for number in range(40):
        metrics.record(quiet_turn(number), POLICY)
    stop.set()
    scraper.join()
    assert not torn


def test_an_unused_sample_memory_leaves_no_age() -> None:
    metrics = Metrics()
    turn = quiet_turn()
    metrics.record(replace(turn, decision=replace(turn.decision, memory=Memory(samples={"gone": Sample(NOW, 1.0)}))), POLICY)
    assert value(metrics, "core_sample_age_seconds", core="gone") is None


def test_a_barred_pool_says_for_how_long_and_a_stopped_one_that_somebody_must_mend(metrics: Metrics) -> None:
    def told() -> list[float | None]:
        return [value(metrics, name, pool="oslo") for name in ("pool_barred", "pool_barred_seconds", "pool_stopped")]

    assert told() == [1, 60, 0]
    turn = quiet_turn()
    for until, expected in ((NOW + 7, [1, 7, 1]), (NOW - 7, [0, 0, 0])):
        pools = {"oslo": PoolState("oslo", 1, until, "AuthFailure", stopped=True)}
        metrics.record(replace(turn, snapshot=replace(turn.snapshot, pools=pools)), POLICY)
        assert told() == expected


def test_money_is_told_by_pool_and_currency_and_what_has_no_price_as_a_number_of_instances(metrics: Metrics) -> None:
    assert [value(metrics, f"cost_{each}", pool="dublin", currency="EUR") for each in ("per_hour", "today", "month")] == [0.0228, 1.25, 8.5]
    assert value(metrics, "cost_total", pool="dublin", currency="EUR") == 40.5
    assert value(metrics, "cost_month", pool="oslo", currency="") is None
    assert (value(metrics, "cost_unpriced_instances", pool="oslo"), value(metrics, "cost_unpriced_instances", pool="dublin")) == (1, 0)
    metrics.record(quiet_turn(), POLICY)
    assert value(metrics, "cost_per_hour", pool="dublin", currency="EUR") is None
    assert value(metrics, "cost_total", pool="dublin", currency="EUR") == 40.5


def test_limits_that_are_set_are_told_and_those_that_are_reached(metrics: Metrics) -> None:
    assert value(metrics, "budget_limit", period="day", level="hard") == 12
    assert value(metrics, "budget_limit", period="month", level="hard") is None
    assert (value(metrics, "budget_spent", period="day"), value(metrics, "budget_spent", period="month")) == (1.25, 8.5)
    reached = [value(metrics, "budget_reached", period="day", level=level) for level in ("soft", "hard")]
    assert reached == [1, 0]
    metrics.record(quiet_turn(), POLICY)
    assert value(metrics, "budget_spent", period="day") is None
