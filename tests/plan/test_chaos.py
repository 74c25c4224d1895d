"""The invariants of design section 8, after every step of a world in which anything may happen; and convergence when it is over.

The real cycle plays on the memory world: creates get lost, late and doubled, listings fail and lie, destroys vanish, HAProxy reloads
and goes away, burstd is killed between two cycles, operators order, strangers with like names stand about.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from burstd.adapters.memory import CreateTrouble, DestroyTrouble, ListTrouble, MemoryPool
from burstd.errors import Unreachable
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG
from burstd.model.fleet import Pause
from burstd.model.naming import instance_name
from burstd.model.orders import ScaleAuto, ScaleTo, SetPause
from burstd.model.plans import CallCloud
from tests.given import CORES, policy
from tests.theatre import OWNER, STEP, Theatre

MAXIMUM = 3


class Chaos(RuleBasedStateMachine):
    """Everything that can go wrong, in any order."""

    @initialize(tokens=st.booleans(), boot=st.sampled_from([0.0, 12.0, 400.0]), late=st.sampled_from([20.0, 700.0]))
    def raise_the_curtain(self, tokens: bool, boot: float, late: float) -> None:  # noqa: FBT001 - Hypothesis hands it over by name
        pools = (MemoryPool("dublin", capacity=4, tokens=tokens, boot=boot, late=late, lag=11, call=3), MemoryPool("oslo", boot=5))
        self.site = Theatre(*pools, under=policy(fleet={"maximum": MAXIMUM}))
        names = [instance_name("burst", OWNER, f"{number:010x}") for number in (1, 2)]
        tags = [{OWNER_TAG: "e" * 32, OPERATION_TAG: "1" * 32}, {"Name": names[1]}]
        self.strangers = [self.site.world.make("oslo", name, tag) for name, tag in zip(names, tags, strict=True)]

    @rule(load=st.sampled_from([0.1, 1.0, 3.0, 4.5, 9.0, float("nan")]), turns=st.sampled_from([1, 2, 5, 12, 90]))
    def time_passes(self, load: float, turns: int) -> None:
        self.site.set_load(load)
        for _ in range(turns):
            self.turn()

    def turn(self) -> None:
        made = self.site.step()
        assert made.plan.violations == ()
        calls = [each.call for each in made.plan.actions if isinstance(each, CallCloud)]
        policy_ = self.site.policy.fleet
        assert all(sum(type(call) is kind for call in calls) <= policy_.max_step for kind in {type(call) for call in calls})

    @rule(core=st.sampled_from(CORES))
    def a_core_goes_dark(self, core: str) -> None:
        self.site.load.fail(core)
        self.turn()

    @rule(troubles=st.lists(st.sampled_from([*CreateTrouble, None]), max_size=3))
    def creates_go_wrong(self, troubles: list[CreateTrouble | None]) -> None:
        self.site.world.creates.extend(troubles)

    @rule(troubles=st.lists(st.sampled_from([*DestroyTrouble, None]), max_size=3))
    def destroys_go_wrong(self, troubles: list[DestroyTrouble | None]) -> None:
        self.site.world.destroys.extend(troubles)

    @rule(troubles=st.lists(st.sampled_from([*ListTrouble, None]), max_size=5), pool=st.sampled_from(["dublin", "oslo"]))
    def listings_lie(self, troubles: list[ListTrouble | None], pool: str) -> None:
        self.site.world.listings[pool].extend(troubles)

    @rule()
    def burstd_is_killed(self) -> None:
        self.site.restart()

    @rule()
    def haproxy_reloads(self) -> None:
        self.site.gateway.reload()

    @rule(away=st.booleans())
    def haproxy_goes_or_comes(self, away: bool) -> None:  # noqa: FBT001 - Hypothesis hands it over by name
        self.site.gateway.failure = Unreachable("nothing listens on its socket") if away else None

    @rule(edits=st.integers(0, 2))
    def haproxy_breaks_off(self, edits: int) -> None:
        self.site.gateway.breaks_after = edits

    @rule(count=st.integers(0, MAXIMUM), seconds=st.sampled_from([None, 30.0]))
    def an_operator_scales(self, count: int, seconds: float | None) -> None:
        self.site.cycle.order(ScaleTo(count, "anna", seconds=seconds))

    @rule(pause=st.sampled_from([*Pause]))
    def an_operator_pauses(self, pause: Pause) -> None:
        self.site.cycle.order(SetPause(pause, "anna"))

    @precondition(lambda self: self.site.world.machines)
    @rule(data=st.data())
    def a_machine_breaks_or_vanishes(self, data: st.DataObject) -> None:
        ours = [each for each in self.site.world.machines if each.alive and each not in self.strangers]
        if ours:
            machine = data.draw(st.sampled_from(ours))
            if data.draw(st.booleans()):
                machine.broken = True
            else:
                machine.destroyed_at = self.site.world.clock.now()

    @invariant()
    def strangers_are_never_touched(self) -> None:
        if hasattr(self, "site"):
            assert all(each.alive for each in self.strangers)
            assert self.site.cloud.refused == []

    @invariant()
    def what_burstd_knows_of_is_never_more_than_max(self) -> None:
        if hasattr(self, "site"):
            assert len(self.site.fleet) <= MAXIMUM + self.orphans()

    def orphans(self) -> int:
        """Records that were made for a machine which turned up after its own record had ended."""
        return sum(each.request.image == "" for each in self.site.fleet)

    @invariant()
    def static_servers_stay_as_they_are(self) -> None:
        if hasattr(self, "site"):
            assert all(self.site.gateway.servers[name].weight == 100 for name in CORES)
            assert self.site.gateway.crashes == 0

    def teardown(self) -> None:
        if hasattr(self, "site"):
            self.everything_is_well_again()

    def everything_is_well_again(self) -> None:
        """With the troubles over, nothing is left that nobody knows of, and a plan leaves an empty plan."""
        site = self.site
        site.world.creates.clear()
        site.world.destroys.clear()
        for listing in site.world.listings.values():
            listing.clear()
        site.gateway.failure = site.gateway.breaks_after = None
        site.cycle.order(SetPause(Pause.NONE, "anna"))
        site.cycle.order(ScaleTo(1, "anna"))
        site.set_load(1.0)
        site.run(4000)
        assert sorted(site.billed()) == sorted(each.node_id or "" for each in site.fleet)
        assert site.serving() == [each.name for each in site.fleet]
        assert site.step().plan.actions == ()
        site.cycle.order(ScaleTo(0, "anna"))
        site.run(900)
        site.cycle.order(ScaleAuto("anna"))
        site.run(5 * STEP)
        assert (site.billed(), site.fleet, site.serving()) == ([], [], [])
        assert [name for name in site.gateway.servers if name not in CORES] == []


Chaos.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
TestChaos = Chaos.TestCase
