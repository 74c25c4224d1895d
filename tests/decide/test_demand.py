"""The default policy: out at once by what will be needed, in only when nothing of late speaks against it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burstd.decide import decide
from burstd.decide.demand import FLAP, TELL, bearable, follow, lead, observe, reckon
from burstd.decide.fullness import Fullness
from burstd.decide.signal import Signal
from burstd.decide.situation import Situation
from burstd.decide.workload import Workload
from burstd.model.boot import Boot
from burstd.model.decision import Decision, Direction, Memory, Proposal, Traffic
from burstd.model.demand import TERMS, DemandMemory
from burstd.model.fleet import Cooldowns, Instance, Orders, Pause, Phase
from burstd.model.load import Sample
from burstd.model.policy import Deciding, Policy
from burstd.model.snapshot import Snapshot
from tests.given import AWAY, CORES, DARK, PROCESS, member, policy, row, rows, world
from tests.turns import NOW

QUIET = NOW - 7200
"""When these sites were first seen."""
UNDER = policy(load={"stabilization": 300.0, "hold_useless": False}, fleet={"maximum": 10, "max_step": 2})
RELAXED = Signal(1.0, 1.0, complete=True, missing=(), samples={})
demands = st.floats(0, 50)


def seen(demands: Iterable[float], start: float = QUIET, step: float = 30.0) -> tuple[DemandMemory, float]:
    """The memory after these readings of the demand, and the time of the last."""
    memory, now = DemandMemory(), start
    for number, demand in enumerate(demands):
        now = start + number * step
        memory = observe(memory, Workload(demand, 2), now, 155.0)
    return memory, now


def wish(  # noqa: PLR0913 - what a wish hangs on
    demand: float | str,
    memory: DemandMemory,
    now: float,
    *,
    there: int = 0,
    coming: int = 0,
    signal: Signal = RELAXED,
    waiting: int = 0,
    out: float | None = None,
    watched: float | None = QUIET,
) -> tuple[Proposal | None, DemandMemory]:
    """What is wished for with so many instances there and on the way."""
    situation = Situation(there, coming, None, None, None, Fullness(waiting))
    snapshot = world(now=now, cooldowns=Cooldowns(scale_out=out), memory=Memory(demand=memory, watched_since=watched))
    return follow(demand if isinstance(demand, str) else Workload(demand, 2), signal, situation, snapshot, UNDER)


def told(found: tuple[Proposal | None, DemandMemory]) -> Proposal:
    """The wish, which there is."""
    assert found[0] is not None
    return found[0]


def test_the_shortfall_is_launched_at_once_and_the_reason_has_every_figure() -> None:
    memory, now = seen([5.3] * 200)
    proposal = told(wish(5.3, memory, now + 30, there=1, coming=1))
    assert (proposal.direction, proposal.count) == (Direction.OUT, 4)
    assert proposal.reason == "demand 5.3 servers now, 5.3 in 120 s, margin 1%: 4 wanted, 1 there, 1 booting: launch 2"


def test_a_demand_that_rises_is_answered_before_it_is_there() -> None:
    memory, now = seen([1.0 + number * 0.01 for number in range(95)])
    assert told(wish(1.95, memory, now + 30)).direction is Direction.OUT


def test_a_site_that_was_never_seen_gets_what_it_needs_now_and_the_margin_of_a_stranger() -> None:
    first = told(wish(3.0, DemandMemory(), NOW))
    assert (first.direction, first.count) == (Direction.OUT, 2)
    assert "margin 12%" in first.reason
    assert told(wish(0.0, DemandMemory(), NOW)) == Proposal(
        "demand", Direction.HOLD, 0, "demand 0.0 servers now, 0.1 in 120 s, margin 16%: 0 wanted, 0 there"
    )
    assert reckon(DemandMemory(), Workload(3.4, 2), NOW, UNDER).wanted == 2


def test_what_would_be_kept_is_not_yet_worth_a_launch() -> None:
    lots = random.Random(1)
    memory, now = seen([1.0 + lots.random() for _ in range(400)])
    few, between, many = 1.0, 1.9, 2.6
    assert told(wish(few, memory, now + 30)).reason.endswith("0 wanted, 0 there")
    assert told(wish(between, memory, now + 30)).reason.endswith("1 wanted, 0 there, but 0 are urgent")
    assert told(wish(between, memory, now + 30, there=1)).reason.endswith("1 wanted, 1 there")
    assert told(wish(many, memory, now + 30)).reason.endswith("1 wanted, 0 there: launch 1")
    assert any(told(wish(each / 10, memory, now + 30, there=1)).reason.endswith("but 1 is urgent") for each in range(20, 80))


def test_a_rise_is_met_by_what_rises_have_come_to_before() -> None:
    calm, lasting, passing = [2.0] * 20, [3.5, 5.0, 6.5, *[8.0] * 7], [3.5, 2.0] * 5
    counts = []
    for burst in (lasting, passing):
        memory, now = seen([*(calm + burst) * 20, *calm])
        counts.append(told(wish(3.5, memory, now + 30)).count)
    assert counts[0] > counts[1]


def test_a_launch_that_was_decided_is_carried_through_though_the_next_cycle_would_want_less() -> None:
    memory, now = seen([1.0] * 200)
    first, memory = wish(6.0, memory, now + 5)
    assert first is not None
    second, memory = wish(1.0, memory, now + 10, coming=2)
    assert second is not None
    assert (second.direction, second.count) == (Direction.OUT, first.count)
    third, _ = wish(1.0, memory, now + 66, coming=2)
    assert third is not None
    assert (third.direction, third.count) == (Direction.HOLD, 2)


def test_what_is_too_much_is_given_back_when_the_window_and_a_quarter_of_an_hour_are_over() -> None:
    memory, now = seen([1.0] * 200)
    proposal = told(wish(1.0, memory, now + 30, there=3, out=now - FLAP))
    assert (proposal.direction, proposal.count) == (Direction.IN, 1)
    assert proposal.reason.endswith("0 wanted, 3 there: give back 2")
    assert told(wish(1.0, memory, now + 30, there=1)).count == 0


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("1 on the way", {"coming": 1}),
        ("the last scale-out was 900 s ago, and nothing is given back for 900 s", {"out": 870.0}),
        ("the first full window of 300 s after the start is not over", {"watched": None}),
        ("a core server is above the threshold", {"signal": Signal(3.0, 4.1, complete=True, missing=(), samples={})}),
        ("requests wait in HAProxy", {"waiting": 1}),
    ],
)
def test_nothing_is_given_back_while_anything_speaks_for_keeping_it(why: str, changes: dict[str, Any]) -> None:
    memory, now = seen([1.0] * 200)
    if "out" in changes:
        changes = {"out": now - changes["out"]}
    proposal = told(wish(1.0, memory, now + 30, there=3, **changes))
    assert proposal.direction is Direction.HOLD
    assert proposal.reason.endswith(f", but {why}")


def test_nothing_is_given_back_in_an_overload_that_the_forecast_takes_for_over() -> None:
    memory, now = seen([1.0] * 200)
    falling = replace(memory, outlook=replace(memory.outlook, terms=(0.0,) * TERMS)) if memory.outlook else memory
    proposal = told(wish(5.5, falling, now + 30, there=3))
    assert proposal.direction is Direction.HOLD
    assert proposal.reason.endswith("0 wanted, 3 there, but the demand is above what is there")


def test_the_highest_wish_of_the_window_is_kept() -> None:
    memory, now = seen([1.0] * 200)
    _, memory = wish(6.0, memory, now + 30, there=3)
    proposal, memory = wish(1.0, memory, now + 60, there=3)
    assert proposal is not None
    assert proposal.reason.endswith("but the last 300 s wanted 3")
    proposal, memory = wish(1.0, memory, now + 400, there=3)
    assert proposal is not None
    assert (proposal.direction, proposal.count) == (Direction.IN, 1)


def test_where_the_demand_is_not_known_nothing_is_wished_for_but_what_was_known_lately_is_held() -> None:
    assert wish("HAProxy cannot be read", DemandMemory(), NOW, there=2) == (None, DemandMemory())
    known = DemandMemory(known_at=NOW - FLAP)
    held = told(wish("HAProxy cannot be read", known, NOW, there=2))
    assert (held.direction, held.count, held.reason) == (Direction.HOLD, 2, "the demand is not known: HAProxy cannot be read")
    assert wish("HAProxy cannot be read", known, NOW + 1, there=2) == (None, known)


def test_the_lead_is_what_four_of_five_boots_take_and_a_cycle() -> None:
    assert lead(Memory(), UNDER) == 155.0
    boots = tuple(Boot(NOW, 10.0, 20.0, 20.0 + 10 * number) for number in range(10))
    assert lead(Memory(boots={"dublin": boots[:4], "oslo": boots}), UNDER) == 95.0
    assert lead(Memory(boots={"dublin": boots[:4]}), UNDER) == 155.0


def test_a_lead_that_has_changed_awaits_nothing_of_the_old_one_and_keeps_what_was_learned() -> None:
    memory, now = seen([1.0, 1.4] * 100)
    changed = observe(memory, Workload(1.0, 2), now + 1, 400.0)
    assert changed.outlook is not None
    assert memory.outlook is not None
    assert (changed.outlook.lead, changed.outlook.awaited, changed.outlook.terms) == (6, (), memory.outlook.terms)


@pytest.mark.parametrize("later", [300.0, -600.0])
def test_after_a_gap_or_a_clock_set_back_the_averages_begin_anew(later: float) -> None:
    memory, now = seen([3.0] * 100)
    anew = observe(memory, Workload(1.0, 2), now + later, 155.0)
    assert anew.averages == (1.0, 1.0, 1.0)
    assert anew.outlook is not None
    assert anew.outlook.awaited == ()


def test_what_was_learned_is_worth_a_write_every_ten_minutes() -> None:
    marks = [seen([1.0] * number)[0].told for number in range(1, 100)]
    written = [each for each in dict.fromkeys(marks) if each is not None]
    assert [later - each for each, later in pairwise(written)] == [TELL] * (len(written) - 1)
    assert len(written) == 5


def test_the_price_says_how_rare_an_overload_must_be_and_many_servers_bear_more() -> None:
    assert (bearable(1.0, 1.0), bearable(4.0, 1.0), bearable(10.0, 4.0), bearable(2.0, 9.0)) == (1.0, 0.25, 0.2, 1.0)


@given(st.lists(demands, max_size=60), demands, st.integers(0, 10), st.floats(5, 90))
@settings(deadline=None, max_examples=60)
def test_the_wish_is_a_whole_number_within_the_bounds(before: list[float], demand: float, there: int, step: float) -> None:
    memory, now = seen(before, step=step)
    proposal = told(wish(demand, memory, now + step, there=there))
    assert isinstance(proposal.count, int)
    assert 0 <= proposal.count <= 10


@given(st.lists(demands, min_size=1, max_size=60), demands, demands, st.floats(0, 59))
@settings(deadline=None, max_examples=60)
def test_more_load_never_wants_fewer(before: list[float], one: float, other: float, later: float) -> None:
    memory, now = seen(before)
    low, high = (reckon(memory, Workload(each, 2), now + later, UNDER) for each in sorted((one, other)))
    assert low.wanted <= high.wanted
    assert low.urgent <= high.urgent


# ------------------------------------------------------------------------------------------------- in the whole of deciding


def site(
    demand: float,
    now: float = NOW,
    fleet: Iterable[Instance] = (),
    *,
    load: float = 1.0,
    memory: DemandMemory | None = None,
    **changes: Any,
) -> Snapshot:
    """A site whose two cores of 4 CPUs get so much, in servers: every request costs 40 ms, and CPUs and counters say so."""
    members = tuple(fleet)
    rate = demand * 71.54047696794805  # requests/s at which 4 CPUs show a mean load of 4.0
    points = range(4)
    servers = 2 + sum(each.phase is Phase.IN_SERVICE for each in members)
    names = [*CORES, *(each.name for each in members if each.phase is Phase.IN_SERVICE)]

    def point(ago: float) -> Traffic:
        requests = round(1e6 - ago * rate / servers)
        busy = rate / servers * 0.04
        return Traffic(now - ago, requests, 1e5 - ago * busy, load, {"app_cluster": requests}, 1e6 - ago * max(0.0, 4 - busy), 4)

    traffic = {name: tuple(point(20.0 * ago) for ago in reversed(points) if ago) for name in names}
    remembered = Memory(
        traffic=traffic, process=PROCESS, work=dict.fromkeys(names, 0.04), watched_since=QUIET, demand=memory or DemandMemory()
    )
    view = rows(*(row(each) for each in members if each.phase is Phase.IN_SERVICE))
    [backend] = view.backends
    last = point(0.0).requests
    view = replace(view, backends=(replace(backend, servers=tuple(replace(each, requests=last, sessions=0) for each in backend.servers)),))
    made = world(load, members, now, gateway=view, memory=remembered)
    cores = {name: Sample(now, load, 4, 1e5, 1e6) for name in CORES}
    return replace(made, cores=cores, **changes)


def decided(snapshot: Snapshot, under: Policy = UNDER) -> Decision:
    return decide(snapshot, under)


def sources(decision: Decision) -> list[str]:
    return [each.source for each in decision.proposals]


def test_the_demand_decides_and_the_thresholds_wish_does_not_count() -> None:
    decision = decided(site(2.6))
    assert (decision.count, sources(decision)) == (1, ["demand"])
    assert decision.reasons[0].startswith("demand 2.6 servers now, ")
    assert sources(decided(site(1.0, fleet=[member(1)], load=4.5))) == ["demand"]


def test_the_threshold_decides_where_the_settings_say_so() -> None:
    decision = decided(site(3.5), policy(load={"policy": Deciding.THRESHOLD}))
    assert (decision.count, sources(decision)) == (0, ["threshold"])


def test_a_load_that_stays_above_the_threshold_counts_though_the_demand_says_that_it_fits() -> None:
    memory = seen([1.0] * 200, start=NOW - 6000)[0]
    lasting = site(1.0, load=4.5, memory=memory)
    short = replace(lasting, memory=replace(lasting.memory, above_since=NOW - 299))
    lasting = replace(lasting, memory=replace(lasting.memory, above_since=NOW - 300))
    assert (decided(short).count, sources(decided(short))) == (0, ["demand"])
    assert (decided(lasting).count, sources(decided(lasting))) == (1, ["demand", "threshold"])
    joined = replace(lasting, fleet=(member(1, joined_at=NOW - 60),))
    assert sources(decided(joined)) == ["demand"]


@pytest.mark.parametrize(
    "hide",
    [
        lambda each: replace(each, cores={CORES[0]: each.cores[CORES[0]], CORES[1]: DARK}),
        lambda each: replace(each, gateway=AWAY),
        lambda each: replace(each, memory=replace(each.memory, work={}, traffic={})),
    ],
    ids=["a core is dark", "HAProxy is away", "the work is not learned"],
)
def test_where_the_demand_cannot_be_known_the_threshold_answers_and_nothing_shrinks(hide: Callable[[Snapshot], Snapshot]) -> None:
    known = replace(seen([1.0] * 200, start=NOW - 6000)[0], known_at=NOW - 5)
    low = hide(site(0.5, fleet=[member(1)], load=0.1, memory=known))
    assert sources(decided(low)) == ["demand", "threshold"]
    assert decided(low).count == 1
    high = hide(site(0.5, load=5.0))
    assert (decided(high).count, sources(decided(high))) == (1, ["threshold"])


def test_the_next_batch_leaves_when_the_last_one_has_left() -> None:
    memory = seen([0.5] * 200, start=NOW - 6000)[0]
    leaving = site(0.5, fleet=[member(1), member(2, Phase.DRAINING)], load=0.1, memory=memory)
    assert decided(leaving).reasons[0].endswith("0 wanted, 1 there, but one batch leaves at a time")


@pytest.mark.parametrize("pause", [Pause.IN, Pause.BOTH])
def test_nothing_is_given_back_while_scale_in_is_paused(pause: Pause) -> None:
    memory = seen([0.5] * 200, start=NOW - 6000)[0]
    free = site(0.5, fleet=[member(1)], load=0.1, memory=memory)
    assert decided(free).count == 0
    assert decided(replace(free, orders=Orders(pause=pause))).count == 1


@given(
    st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300]), st.sampled_from([math.nan, math.inf, 0.0, 1e300, 1e-300]), demands
)
@settings(deadline=None, max_examples=60)
def test_what_is_no_number_never_reaches_the_decision(busy: float, work: float, demand: float) -> None:
    snapshot = site(demand, load=1.0)
    broken = {name: Sample(NOW, 1.0, 4, busy, busy) for name in CORES}
    memory = replace(snapshot.memory, work=dict.fromkeys(CORES, work))
    decision = decided(replace(snapshot, cores=broken, memory=memory))
    assert isinstance(decision.count, int)
    assert 0 <= decision.count <= 10
    memory_ = decision.memory.demand
    assert all(math.isfinite(each) for each in (memory_.total, *(memory_.averages or ())))
