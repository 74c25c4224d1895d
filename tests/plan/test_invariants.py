"""Each invariant of design section 8, shown on a plan that would break it: the action is taken out and told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.model.cloud import CloudView, CreateCall, DestroyCall, Destroyed, Listing
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Cooldowns, Phase
from burstd.model.gateway import AdminState, SetState
from burstd.model.plans import Action, CallCloud, EditGateway, Note, Plan, Record, RecordCooldowns
from burstd.model.policy import Policy
from burstd.model.snapshot import Snapshot
from burstd.plan.invariants import INVARIANTS, enforce
from tests.given import decision, listing, member, node, policy, row, rows, world
from tests.turns import NOW


def broken(snapshot: Snapshot, *actions: Action, allowed: bool = True, under: Policy | None = None) -> list[str]:
    """The invariants that a plan of these actions would break; what breaks one is taken out, the rest stays."""
    note = Note("the rest of the plan stands")
    kept = enforce(Plan((*actions, note)), snapshot, decision(0, allowed=allowed), under or policy())
    assert note in kept.actions
    assert len(kept.actions) + len({each.text for each in kept.violations}) >= len(actions) + 1
    return [each.invariant for each in kept.violations]


def launch(number: int) -> tuple[Record, CallCloud]:
    made = member(number, Phase.REQUESTED)
    return Record(made), CallCloud(CreateCall(made.operation, made.request))


def destroy(number: int, node_id: str | None = None) -> CallCloud:
    return CallCloud(DestroyCall(member(number).operation, "dublin", node_id or f"i-{number}"))


def test_every_invariant_has_a_test_here_but_for_the_budgets() -> None:  # tests/plan/test_budget.py
    assert set(INVARIANTS) - {"budget"} == {
        "max", "ownership", "drained", "scale_in_data", "intent", "listing", "max_step", "residency"
    }  # fmt: skip


def test_max_is_never_exceeded() -> None:
    full = [member(number) for number in range(1, 5)]
    assert broken(world(fleet=full), *launch(5)) == ["max"]
    waiting = member(5, Phase.INTENDED)
    assert broken(world(fleet=[*full, waiting]), *launch(5)) == ["max"]
    assert broken(world(fleet=full[:3]), *launch(5)) == []


def test_sending_an_unknown_create_again_is_no_new_machine() -> None:
    fleet = [*(member(number) for number in range(1, 5)), member(5, Phase.UNKNOWN)]
    assert broken(world(fleet=fleet), *launch(5)) == []


def test_a_strangers_machine_is_never_destroyed() -> None:
    assert broken(world(), destroy(1)) == ["ownership"]
    bound = member(1, Phase.DESTROYING)
    assert broken(world(fleet=[bound]), destroy(1, "i-somebody-else")) == ["ownership"]
    doubled = listing(node(bound), replace(node(bound), id="i-double"))
    assert broken(world(fleet=[bound], cloud=doubled), destroy(1, "i-double")) == []
    failed = CloudView(listings=(Listing("dublin", NOW, Fault("pool dublin", FaultKind.UNREACHABLE, "reset"), 1),))
    assert broken(world(fleet=[bound], cloud=failed), destroy(1, "i-double")) == ["ownership"]


def test_a_static_server_is_never_edited() -> None:
    assert broken(world(), EditGateway(SetState("app_cluster", "core-oslo-01", AdminState.DRAIN))) == ["ownership"]


def test_nothing_is_destroyed_that_haproxy_still_lists() -> None:
    leaving = member(1, Phase.DESTROYING)
    assert broken(world(fleet=[leaving], gateway=rows(row(leaving))), destroy(1)) == ["drained"]


def test_nothing_shrinks_on_data_that_does_not_allow_it() -> None:
    shrunk = RecordCooldowns(Cooldowns(scale_in=NOW))
    assert broken(world(), shrunk, allowed=False) == ["scale_in_data"]
    assert broken(world(), shrunk) == []
    assert broken(world(), RecordCooldowns(Cooldowns(scale_in=NOW - 5)), allowed=False) == []


def test_no_effect_without_its_record() -> None:
    record, call = launch(1)
    assert broken(world(), call) == ["intent"]
    assert broken(world(), replace(record, instance=replace(record.instance, phase=Phase.INTENDED)), call) == ["intent"]
    assert broken(world(fleet=[member(1, Phase.BOOTING)]), destroy(1)) == ["intent"]


@pytest.mark.parametrize("phase", [Phase.GONE, Phase.ABANDONED])
def test_a_failed_listing_removes_nothing(phase: Phase) -> None:
    lost = member(1)
    gone = Record(replace(lost, phase=phase))
    failed = CloudView(listings=(Listing("dublin", NOW, Fault("pool dublin", FaultKind.UNREACHABLE, "reset"), 1),))
    assert broken(world(fleet=[lost], cloud=failed), gone) == ["listing"]
    assert broken(world(fleet=[lost], cloud=CloudView()), gone) == ["listing"]
    answered = replace(failed, outcomes=(Destroyed(lost.operation, "i-1", absent=True),))
    assert broken(world(fleet=[lost], cloud=answered), gone) == []
    assert broken(world(fleet=[lost]), gone) == []


def test_one_cycle_launches_and_destroys_no_more_than_max_step() -> None:
    launches = [action for number in (1, 2, 3) for action in launch(number)]
    two = policy(fleet={"max_step": 2})
    assert broken(world(), *launches, under=two) == ["max_step"]
    leaving = [member(number, Phase.DESTROYING) for number in (1, 2, 3)]
    assert broken(world(fleet=leaving), *(destroy(number) for number in (1, 2, 3)), under=two) == ["max_step"]


def test_nothing_is_provisioned_outside_of_the_allowed_countries() -> None:
    at_home = replace(policy(fleet={"countries": ("NO",)}), pools=tuple(replace(each, country="NO") for each in policy().pools))
    abroad = replace(at_home, pools=tuple(replace(each, country="US") for each in at_home.pools))
    assert broken(world(), *launch(1), under=at_home) == []
    assert broken(world(), *launch(1), under=abroad) == ["residency"]
    assert broken(world(), *launch(1), under=replace(at_home, pools=())) == ["residency"]
