from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burstd.simulate import Moment, WorldSpec, clairvoyant_hours, finely, measure
from burstd.simulate.clairvoyant import needed
from burstd.simulate.measures import count_flaps
from burstd.simulate.timeline import COLUMNS, Run, as_csv
from tests.simulate.hills import WORLD, hill, moments

QUICK = WorldSpec(boot=(60.0, 60.0))


def wanting(*desired: int, step: float = 300.0) -> list[Moment]:
    return [
        each._replace(desired=count)
        for each, count in zip(moments([1] * len(desired), [0] * len(desired), step=step), desired, strict=True)
    ]


def test_overloaded_is_the_part_of_the_time_in_which_the_demand_is_above_the_capacity() -> None:
    figures = measure(moments([1.0, 2.0, 2.5, 2.5], [0, 0, 0, 1]), WORLD)
    assert (figures.overloaded, figures.seconds) == (25.0, 240.0)


def test_between_two_decisions_the_demand_moves_on_and_counts_as_it_is_then() -> None:
    rising = hill(1, 3)
    whole = moments([1.0], [0], step=600.0)[0]._replace(billed=1, launched=1)
    pieces = finely([whole], rising, WORLD)
    assert [each.seconds for each in pieces] == [5.0] * 120
    assert [each.at for each in pieces] == [5.0 * number for number in range(120)]
    assert [pieces[0].demand, pieces[-1].demand] == pytest.approx([1 + 2 * 2.5 / 600, 3 - 2 * 2.5 / 600])
    figures = measure(pieces, WORLD)
    assert (figures.overloaded, figures.launches) == (50.0, 1)
    assert figures.instance_hours == pytest.approx(600 / 3600)
    assert measure([whole], WORLD).overloaded == 0.0


def test_a_demand_of_just_the_capacity_is_no_overload() -> None:
    assert measure(moments([2.0 + 1e-12], [0]), WORLD).overloaded == 0


def test_under_provisioning_counts_the_servers_that_are_missing() -> None:
    assert measure(moments([4.0, 1.0], [1, 1]), WORLD).under == pytest.approx(100 * 1.0 / 5.0)


def test_over_provisioning_counts_whole_instances_and_never_the_core() -> None:
    assert measure(moments([0.5, 2.5], [0, 3]), WORLD).over == pytest.approx(100 * 2 / 3.0)


def test_hours_are_billed_from_the_create_to_the_destroy_and_priced() -> None:
    figures = measure(moments([1, 3], [0, 1], step=3600, billed=[1, 2]), replace(WORLD, price=0.25, currency="EUR"))
    assert (figures.instance_hours, figures.cost, figures.currency, figures.launches) == (3.0, 0.75, "EUR", 1)


def test_without_a_price_there_is_no_cost_and_without_a_need_no_ratio() -> None:
    figures = measure(moments([1, 1], [0, 0]), WORLD)
    assert (figures.cost, figures.ratio, figures.clairvoyant_hours) == (None, None, 0.0)


def test_no_demand_at_all_is_no_division_by_nothing() -> None:
    figures = measure(moments([0, 0], [1, 1]), WORLD)
    assert (figures.under, figures.over, figures.overloaded) == (0.0, 0.0, 0.0)


def test_needed_are_whole_instances_within_the_maximum() -> None:
    assert [needed(each, WORLD) for each in (0, 2, 2 + 1e-12, 2.1, 3, 11.5, 40)] == [0, 0, 0, 1, 1, 10, 10]


def test_the_clairvoyant_pays_from_a_boot_before_the_need_on() -> None:
    demand = [1, 1, 3, 1, 1]
    assert clairvoyant_hours(moments(demand, [0] * 5), QUICK) == pytest.approx(2 * 60 / 3600)


def test_the_clairvoyant_keeps_what_is_needed_again_within_a_boot() -> None:
    demand = [3, 1, 3, 1, 1, 3]
    assert clairvoyant_hours(moments(demand, [0] * 6), QUICK) == pytest.approx(5 * 60 / 3600)


def test_the_clairvoyant_follows_a_hill_by_its_highest_point_ahead() -> None:
    demand = [2, 3, 4, 5, 4, 3, 2]
    assert clairvoyant_hours(moments(demand, [0] * 7), QUICK) == pytest.approx((1 + 2 + 3 + 3 + 2 + 1 + 0) * 60 / 3600)


@given(st.lists(st.floats(0, 14), min_size=1, max_size=40), st.sampled_from([0.0, 60.0, 150.0, 600.0]))
def test_the_clairvoyant_is_the_maximum_over_each_window_ahead(demand: list[float], boot: float) -> None:
    world = WorldSpec(boot=(boot, boot))
    timeline = moments(demand, [0] * len(demand))
    plain = sum(
        max(needed(later.demand, world) for later in timeline if now.at <= later.at <= now.at + boot) * now.seconds for now in timeline
    )
    assert clairvoyant_hours(timeline, world) == pytest.approx(plain / 3600)


def test_a_flap_is_out_and_in_within_15_minutes() -> None:
    assert count_flaps(wanting(0, 1, 1, 0)) == 1


def test_in_after_more_than_15_minutes_is_none() -> None:
    assert count_flaps(wanting(0, 1, 1, 1, 1, 0)) == 0


def test_in_and_out_is_none() -> None:
    assert count_flaps(wanting(2, 1, 2)) == 0


def test_each_scale_out_before_a_quick_scale_in_counts() -> None:
    assert count_flaps(wanting(0, 1, 2, 0, 0, 0, 0, 1, 0, step=240)) == 3


def test_flaps_a_day_are_for_each_day() -> None:
    assert measure(wanting(0, 1, 0, step=600), WORLD).flaps_a_day == pytest.approx(86_400 / 1800)


def test_the_timeline_has_a_line_for_each_moment() -> None:
    lived = [*moments([1.25], [1]), Moment(60, 60, 2, 1, 1, 2, 2, load1=4.25, reason='load "4.25", high')]
    run = Run("threshold", hill(1, 2), WORLD, 0, lived)
    assert as_csv(run).splitlines() == [",".join(COLUMNS), "0,1.2500,1,0,1,,", '60,2.0000,1,1,2,4.250,"load ""4.25"", high"']
