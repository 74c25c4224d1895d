"""Stories of where instances may be, on the simulated site."""

from __future__ import annotations

from dataclasses import replace

from burstd.adapters.memory import MemoryPool
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase
from burstd.model.orders import ScaleTo
from burstd.model.policy import PoolPolicy
from tests.stories.test_stories import told
from tests.theatre import Theatre


def with_pools(**changed: dict[str, object]) -> Theatre:
    """A site with the pools "dublin" and "oslo", and what is changed in their settings."""
    site = Theatre(MemoryPool("dublin", boot=20, sync=5), MemoryPool("oslo", boot=20, sync=5))
    pools: tuple[PoolPolicy, ...] = tuple(replace(each, **changed.get(each.name, {})) for each in site.policy.pools)  # type: ignore[arg-type]  # any field
    site.policy = replace(site.policy, pools=pools)
    site.cycle.policy = site.policy
    return site


def test_what_is_too_far_away_never_joins_and_after_its_deadline_the_next_pool_sells() -> None:
    site = with_pools(dublin={"max_rtt": 0.05}, oslo={"max_rtt": 0.05})
    site.distance.seconds["dublin"] = 0.061
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(240)
    assert [(each.pool, each.phase) for each in site.fleet] == [("oslo", Phase.IN_SERVICE)]
    told(
        site,
        r"^launch .* in dublin",
        r"waiting: .* is not ready: round trip 61 ms, max_rtt 50 ms",
        r"launch .* in oslo",
        r"^put .* in service",
    )
    state = site.roster.pools()["dublin"]
    assert state.reason.endswith("it is too far away: round trip 61 ms, max_rtt 50 ms")


def test_a_line_that_was_bad_for_a_moment_costs_an_instance_nothing() -> None:
    site = with_pools(dublin={"max_rtt": 0.05})
    site.distance.seconds["dublin"] = Fault("burst", FaultKind.UNREACHABLE, "no round trip: no answer within 0.7 s")
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    assert (site.serving(), len(site.billed())) == ([], 1)
    site.distance.seconds["dublin"] = 0.049
    site.run(30)
    assert (len(site.serving()), len(site.billed())) == (1, 1)
    told(site, r"is not ready: no round trip: no answer within 0.7 s", r"^put .* in service")


def test_without_a_bound_nothing_is_measured() -> None:
    site = with_pools(dublin={"max_rtt": None})
    site.distance.seconds["dublin"] = 9.0
    site.cycle.order(ScaleTo(1, "anna"))
    site.run(60)
    assert len(site.serving()) == 1
    assert all(not turn.snapshot.round_trips for turn in site.turns)


def test_a_fleet_that_may_only_be_at_home_passes_the_first_pool_by() -> None:
    site = with_pools(dublin={"country": "IE"}, oslo={"country": "NO"})
    site.policy = replace(site.policy, fleet=replace(site.policy.fleet, countries=("NO",)))
    site.cycle.policy = site.policy
    site.cycle.order(ScaleTo(2, "anna"))
    site.run(90)
    assert [each.pool for each in site.fleet] == ["oslo", "oslo"]
    told(site, r"waiting: pool dublin is in IE, outside of fleet.countries \(NO\)")
