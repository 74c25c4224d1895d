"""The content's mirror in the whole cycle: who joins, who leaves for what it serves, and what a mirror in trouble does not do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burstd.adapters.memory import MemoryMirror, MemoryPool
from burstd.errors import AskOperator
from burstd.model.content import PRIVATE_PLACE, PUBLIC_PLACE
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase
from burstd.model.gateway import AdminState
from burstd.model.orders import DrainInstance, ReleaseMirror, ScaleTo, StartDrill
from burstd.model.plans import SetTargets
from burstd.model.policy import ContentPolicy, Policy
from tests.given import CORES, policy
from tests.theatre import Theatre

AWAY = Fault("mirror", FaultKind.UNREACHABLE, "it gave no answer")
DOCUMENT = f'#cloud-config\nssh_keys:\n  ed25519_private: "{PRIVATE_PLACE}"\n  ed25519_public: "{PUBLIC_PLACE}"\n'


def under(standby: int = 0, **fleet: float) -> Policy:
    made = policy(fleet={"standby": standby, "unhealthy_after": 10_000.0, **fleet})
    return replace(made, content=ContentPolicy(max_drift=60.0))


class Mirrored(Theatre):
    """A site whose content is mirrored.

    Attributes:
        mirror: in place of the core.
    """

    mirror: MemoryMirror

    def __init__(self, standby: int = 0, boot: float = 20.0, **fleet: float) -> None:
        super().__init__(MemoryPool("dublin", boot=boot, sync=5), under=under(standby, **fleet))
        self.policy = replace(self.policy, pools=tuple(replace(each, user_data=DOCUMENT) for each in self.policy.pools))
        self.restart()

    def wanted(self, count: int) -> None:
        self.cycle.order(ScaleTo(count, "anna"))

    def bursting(self, count: int = 1) -> None:
        """That many in service."""
        self.wanted(count)
        self.run(120)
        assert len(self.serving()) == count

    def told(self, text: str) -> bool:
        return any(text in event.text for turn in self.turns for event in turn.events)

    def waits_for(self, text: str) -> bool:
        return any(text in each for each in self.turns[-1].plan.waiting)


def test_an_instance_joins_when_the_first_run_is_over_and_not_when_a_token_has_come() -> None:
    site = Mirrored(sync_deadline=600.0)
    site.mirror.run = 60.0
    site.wanted(1)
    site.run(60)
    assert site.world.tokens  # it serves one already
    assert site.phases() == [Phase.SYNCING]
    assert site.waits_for("the core's first run to it is not over")
    site.run(60)
    assert len(site.serving()) == 1


def test_each_launch_has_a_host_key_of_its_own_and_the_private_half_is_in_its_user_data_alone() -> None:
    site = Mirrored()
    site.bursting(2)
    one, other = site.fleet
    assert one.host_key != other.host_key
    for each in (one, other):
        assert each.host_key is not None
        assert each.host_key in (each.request.user_data or "")
        assert "-----BEGIN\\nsecret" in (each.request.user_data or "")
        assert PRIVATE_PLACE not in (each.request.user_data or "")
        assert "secret" not in repr(each)
    assert not site.told("secret")


def test_where_no_host_key_can_be_made_nothing_is_launched_and_it_is_said() -> None:
    site = Mirrored()
    site.mirror.keyless = True
    site.wanted(1)
    site.run(20)
    assert site.fleet == []
    assert site.waits_for("no ssh host key can be made here")


def test_where_no_host_key_can_be_made_no_drill_begins_either() -> None:
    site = Mirrored()
    site.mirror.keyless = True
    site.cycle.order(StartDrill("anna"))
    site.run(20)
    assert site.fleet == []
    assert site.told("the drill of anna does not begin: nothing is launched: no ssh host key can be made here")


def test_a_drill_goes_through_the_gate_like_any_other() -> None:
    site = Mirrored()
    site.cycle.order(StartDrill("anna"))
    site.run(120)
    assert site.told("joining: its check path answers and its content is whole")
    assert site.fleet == []


def test_the_mirror_is_told_of_those_that_have_content_and_of_no_others() -> None:
    site = Mirrored()
    site.bursting(1)
    pushes = [action.targets for turn in site.turns for action in turn.plan.actions if isinstance(action, SetTargets)]
    (instance,) = site.fleet
    assert [len(each) for each in pushes] == [0, 1]
    assert pushes[-1][0].address == instance.address
    assert site.turns[-1].plan.actions == ()
    site.wanted(0)
    site.run(120)
    assert site.fleet == []
    assert site.mirror.observe().told == ()
    assert site.step().plan.actions == ()


def test_a_mirror_that_is_away_takes_nobody_out_and_lets_nobody_in() -> None:
    site = Mirrored(sync_deadline=100.0)
    site.bursting(1)
    site.mirror.failure = AWAY
    site.wanted(2)
    site.run(90)
    assert site.phases() == [Phase.IN_SERVICE, Phase.SYNCING]
    assert site.waits_for("the mirror does not answer: it gave no answer")
    assert AWAY in site.turns[-1].faults
    site.run(300)
    assert len(site.serving()) == 1  # the first one, all the while
    assert site.told("its content did not come in time: the mirror does not answer")


def test_one_that_does_not_get_the_newest_content_any_more_is_replaced() -> None:
    site = Mirrored()
    site.bursting(2)
    stale = site.fleet[0]
    site.mirror.dark.add(stale.address or "")
    site.run(60)
    assert stale.name in site.serving()
    site.run(30)
    assert stale.name not in site.serving()
    assert site.told(f"{stale.name} is drained: its content is")
    site.run(120)
    assert len(site.serving()) == 2
    assert stale.name not in [each.name for each in site.fleet]


def test_one_whose_token_cannot_be_read_any_more_is_replaced_too() -> None:
    site = Mirrored()
    site.bursting(1)
    (lost,) = site.fleet
    site.content.faults[lost.name] = Fault(lost.name, FaultKind.MISSING, "answered 404 Not Found, expected 200")
    site.run(30)
    assert [each.unread_since is None for each in site.fleet] == [False]
    del site.content.faults[lost.name]
    site.run(30)
    assert [each.unread_since is None for each in site.fleet] == [True]
    site.content.faults[lost.name] = Fault(lost.name, FaultKind.MISSING, "answered 404 Not Found, expected 200")
    site.run(90)
    assert site.told(f"{lost.name} is drained: its content token has not been readable for")


def test_of_many_stale_ones_a_cycle_takes_no_more_than_its_step() -> None:
    site = Mirrored(max_step=1)
    site.bursting(3)
    site.mirror.dark.update(each.address or "" for each in site.fleet)
    site.run(200)
    drained = [[event.subject for event in turn.events if event.text.startswith("draining: its content")] for turn in site.turns]
    assert max(map(len, drained)) == 1
    assert sum(map(len, drained)) >= 3


def test_a_stale_standby_does_not_go_into_service() -> None:
    site = Mirrored(standby=3, max_step=1)
    site.run(120)
    assert len(site.standing_by()) == 3
    site.mirror.dark.update(each.address or "" for each in site.fleet)
    site.run(65)
    dark = {each.name for each in site.fleet}
    site.wanted(1)
    site.run(10)
    assert not dark & set(site.serving())


def test_one_that_drains_does_not_come_back_with_old_content() -> None:
    site = Mirrored(drain_deadline=600.0)
    site.bursting(2)
    site.wanted(0)
    for server in site.gateway.servers.values():
        server.sessions = 1
    site.step()
    site.mirror.dark.update(each.address or "" for each in site.fleet)
    before = {each.name for each in site.fleet}
    site.run(120)
    site.wanted(1)
    site.run(60)
    assert not before & set(site.serving())


def test_while_no_core_server_takes_traffic_old_content_is_better_than_none() -> None:
    site = Mirrored()
    site.bursting(1)
    for name in CORES:
        site.gateway.servers[name].healthy = False
    site.mirror.dark.update(each.address or "" for each in site.fleet)
    site.run(200)
    assert len(site.serving()) == 1


def test_time_in_which_the_mirror_was_away_is_not_held_against_anybody() -> None:
    site = Mirrored()
    site.bursting(1)
    (instance,) = site.fleet
    site.mirror.dark.add(instance.address or "")
    site.run(20)  # one token behind
    site.mirror.failure = AWAY
    site.run(600)
    site.mirror.failure = None
    site.run(20)  # it has a chance to catch up
    assert site.serving() == [instance.name]
    site.mirror.dark.clear()
    site.run(100)
    assert site.serving() == [instance.name]


def test_a_hold_is_said_once_and_stops_whoever_waits_but_nobody_who_serves() -> None:
    site = Mirrored(sync_deadline=100.0)
    site.bursting(1)
    site.mirror.held = "30 of 40 files were deleted within 60 s"
    site.wanted(2)
    site.run(90)
    assert site.phases() == [Phase.IN_SERVICE, Phase.SYNCING]
    assert site.waits_for("is not ready: the mirror is held: 30 of 40 files")
    said = [event.text for turn in site.turns for event in turn.events if event.text.startswith("the mirror is held")]
    assert len(said) == 1
    assert "burstd content release" in said[0]
    assert (
        site.cycle.order(ReleaseMirror("anna", "meant so"))
        == "the mirror is told to go on, after it was held: " + "30 of 40 files were deleted within 60 s"
    )
    site.run(60)
    assert site.told("the mirror is no longer held")
    assert len(site.serving()) == 2


def test_what_is_not_held_cannot_be_released() -> None:
    with pytest.raises(AskOperator, match="the mirror is not held"):
        Mirrored().cycle.order(ReleaseMirror("anna"))
    with pytest.raises(AskOperator, match="there is no mirror here"):
        Theatre().cycle.order(ReleaseMirror("anna"))


def test_a_restart_forgets_the_tokens_and_takes_nobody_out_for_it() -> None:
    site = Mirrored()
    site.bursting(2)
    before = site.serving()
    site.restart()
    site.run(300)
    assert site.serving() == before


def test_one_without_a_recorded_host_key_cannot_be_pushed_to_and_is_replaced() -> None:
    site = Mirrored()
    site.bursting(1)
    (old,) = site.fleet
    site.roster.save(replace(old, host_key=None))
    site.restart()
    site.run(40)
    assert site.serving() == [old.name]
    site.run(200)
    (new,) = site.fleet
    assert new.name != old.name
    assert site.serving() == [new.name]


def test_one_without_a_host_key_that_still_waits_is_told_by_name() -> None:
    site = Mirrored(sync_deadline=60.0)
    site.wanted(1)
    site.step()
    site.roster.save(replace(site.fleet[0], host_key=None))
    site.run(40)
    assert site.waits_for("no ssh host key was recorded for it")


def test_what_somebody_holds_out_by_hand_is_left_alone() -> None:
    site = Mirrored()
    site.bursting(1)
    (held,) = site.fleet
    site.gateway.servers[held.name].admin = AdminState.DRAIN
    site.mirror.dark.add(held.address or "")
    site.run(200)
    assert held.name in [each.name for each in site.fleet]


def test_an_ordered_drain_needs_no_content() -> None:
    site = Mirrored()
    site.bursting(1)
    (instance,) = site.fleet
    site.cycle.order(DrainInstance(instance.name, "anna"))
    site.run(20)
    assert instance.name not in site.serving()
