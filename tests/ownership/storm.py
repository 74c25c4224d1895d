"""The model test's world: the real cycle on the memory world, in which anything may go wrong between any two port calls.

A step is one trouble and the cycles after it. After every cycle, and after every kill, the invariants of design section 8 are compared
with what the world really has, which burstd cannot see: machines alive, lies told, calls that come late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, Final, TypeVar, cast

from burstd.adapters.memory import ListTrouble, Machine, MemoryCloud, MemoryPool
from burstd.errors import AskOperator, Retry
from burstd.lifecycle import overdue
from burstd.model.cloud import OPERATION_TAG, OWNER_TAG, CloudCall, CloudView, CreateCall, DestroyCall
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import ENDED, SERVING, Instance, Pause, Phase
from burstd.model.gateway import AddServer, AdminState, GatewayEdit, ServerStatus, SetState, SetWeight
from burstd.model.naming import instance_name, instance_of
from burstd.model.orders import DrainInstance, Order, ReleaseMirror, ScaleAuto, ScaleTo, SetPause, StartDrill
from burstd.model.plans import CallCloud, Record, RecordCooldowns
from burstd.model.policy import ContentPolicy
from burstd.model.turn import Turn
from burstd.ports import Ports
from tests.given import CORES, policy
from tests.theatre import OWNER, STEP, Theatre

T = TypeVar("T")

MISSES: Final = 3
"""Plausible listings in a row without a machine, before it may count as missing (rule 7)."""
UNSEEN: Final = 2
"""The same for a create of unknown outcome, before it may be abandoned (rule 4)."""
LONGEST_WAIT: Final = 70.0
"""Most seconds between two cycles: a listing is seen one cycle after it was asked for."""
LIVING: Final = frozenset({Phase.BOOTING, Phase.SYNCING, Phase.JOINING, Phase.IN_SERVICE, Phase.STANDBY})


class Killed(BaseException):
    """burstd dies here; nothing of it can catch this."""


class Tripwire:
    """Stands before every port call, and kills burstd at the one that was chosen.

    Attributes:
        left: calls that still go through; None: all.
    """

    def __init__(self) -> None:
        self.left: int | None = None

    def step(self) -> None:
        """One more port call is about to be made."""
        if self.left == 0:
            self.left = None
            raise Killed
        if self.left is not None:
            self.left -= 1


class _Wired:
    def __init__(self, port: object, wire: Tripwire) -> None:
        self._port = port
        self._wire = wire

    def __getattr__(self, name: str) -> Callable[..., object]:
        found = getattr(self._port, name)

        def call(*arguments: object) -> object:
            self._wire.step()
            answer: object = found(*arguments)
            return answer

        return call


def wired(port: T, wire: Tripwire) -> T:
    """The port, each of its calls behind the wire."""
    return cast("T", _Wired(port, wire))


class _CloudDoor:
    """The cloud as burstd reaches it: counts the lies it is told, and looks at every call before it is made."""

    def __init__(self, storm: Storm, cloud: MemoryCloud) -> None:
        self._storm = storm
        self._cloud = cloud

    def observe(self) -> CloudView:
        asked = {pool: troubles[0] if troubles else None for pool, troubles in self._storm.world.listings.items()}
        view = self._cloud.observe()
        self._storm.listed(view, asked)
        return view

    def submit(self, call: CloudCall) -> None:
        self._storm.examine(call)
        self._cloud.submit(call)

    def close(self) -> None:
        self._cloud.close()


class Storm(Theatre):
    """A site on which every trouble can be raised at any moment; the checks are assertions.

    Attributes:
        cycles: how many there were, broken ones included.
        strangers: machines with names like ours, and tags that do not make them ours.
    """

    def __init__(self, *pools: MemoryPool, maximum: int = 3, max_step: int = 2, standby: int = 0, content: bool = False) -> None:
        self.wire = Tripwire()
        self.cycles = 0
        self._asked: dict[str, ListTrouble | None] = {}
        self._hidden: Counter[str] = Counter()
        self._sent: dict[str, float] = {}
        self._leapt = 0.0
        under = policy(fleet={"maximum": maximum, "max_step": max_step, "standby": standby})
        if content:  # the gate takes a few cycles more, and the longest of these take two minutes
            under = replace(under, content=ContentPolicy(max_drift=60.0), fleet=replace(under.fleet, sync_deadline=1000.0))
        super().__init__(*pools, under=under)
        self._forbid_a_pool()
        self.gateway.refuse = self._look_at_edit
        self.strangers: list[Machine] = []
        for number, tags in enumerate(({OWNER_TAG: "e" * 32, OPERATION_TAG: "1" * 32}, {"Name": "burst"}, {OWNER_TAG: OWNER}), start=1):
            name = instance_name("burst", OWNER, f"{number:010x}")
            self.strangers.append(self.world.make(pools[-1].name, name, tags))

    def _forbid_a_pool(self) -> None:
        """The first pool in the settings lies where no instance may be, and in no world: what is asked of it breaks the test."""
        at_home = tuple(replace(each, country="NO") for each in self.policy.pools)
        abroad = replace(at_home[0], name="abroad", country="US")
        self.policy = replace(self.policy, pools=(abroad, *at_home), fleet=replace(self.policy.fleet, countries=("NO",)))
        self.cycle.policy = self.policy

    def ports(self) -> Ports:
        plain = replace(super().ports(), cloud=_CloudDoor(self, self.cloud))
        ports = {each.name: getattr(plain, each.name) for each in fields(plain)}
        doors: dict[str, Any] = {name: port if port is None else wired(port, self.wire) for name, port in ports.items()}
        return Ports(**doors)

    # ---------------------------------------------------------------------------------------------------------- what happens

    def turn(self, seconds: float = STEP, kill_before: int | None = None, jump: float = 0.0) -> None:
        """One cycle, killed before that port call or edit (None: it ends), and started again on a wall clock that has jumped."""
        self.cycles += 1
        self.wire.left = kill_before
        hidden = Counter(self._hidden)
        try:
            self._check(self.cycle.turn())
        except Killed:
            self._hidden |= hidden  # what it has just seen may not be stored
            self._start_again(jump)
        else:
            if kill_before is not None:
                self._start_again(jump)
        self.wire.left = None
        self._check_world()
        self.world.clock.advance(seconds)

    def _start_again(self, jump: float) -> None:
        assert self.cloud.refused == []
        self._asked = {}
        self._leapt += max(0.0, jump)
        self.restart(jump)

    def dark(self, core: str) -> None:
        """A core's exporter answers no more, until the next load is set."""
        self.load.fail(core)

    def order(self, order: Order) -> None:
        """An operator orders something, and may be refused."""
        with suppress(AskOperator, Retry):
            self.cycle.order(order)

    def drill(self) -> None:
        """An operator orders a drill, and may be refused."""
        self.order(StartDrill("anna"))

    def drain(self, index: int) -> None:
        """An operator drains one of the fleet."""
        if fleet := self.fleet:
            self.order(DrainInstance(fleet[index % len(fleet)].name, "anna"))

    def hurt(self, index: int, how: str) -> None:
        """One of our machines breaks, hangs, or is destroyed by somebody else."""
        if not (machines := self._ours()):
            return
        machine = machines[index % len(machines)]
        match how:
            case "breaks":
                machine.broken = True
            case "hangs":
                machine.healthy = False
            case _:
                self.world.end(machine)

    def busy(self, index: int, sessions: int) -> None:
        """One of the burst servers has requests in flight."""
        if servers := [each for each in self.gateway.servers.values() if not each.static]:
            servers[index % len(servers)].sessions = sessions

    def mirror_trouble(self, how: str, index: int) -> None:
        """The mirror is away, is held, or cannot reach one of our machines; or all of that is over."""
        assert self.mirror is not None
        self.mirror.failure = Fault("mirror", FaultKind.UNREACHABLE, "no answer") if how == "away" else None
        if how == "held":
            self.mirror.held = "many files are gone"
        elif how == "released":
            self.order(ReleaseMirror("anna"))
        machines = self._ours()
        if how == "dark" and machines:
            self.mirror.dark.add(machines[index % len(machines)].address)
        elif how == "well":
            self.mirror.dark.clear()

    def calm(self) -> None:
        """With the troubles over nothing is left that nobody knows of, and a plan leaves an empty plan."""
        self.world.creates.clear()
        self.world.destroys.clear()
        for listing in self.world.listings.values():
            listing.clear()
        self.gateway.failure = self.gateway.breaks_after = None
        if self.mirror is not None:
            self.mirror.failure, self.mirror.held = None, ""
            self.mirror.dark.clear()
        self.set_load(1.0)
        self.order(SetPause(Pause.NONE, "anna"))
        self.order(ScaleTo(1, "anna"))
        bootable = [pool for pool in self.world.pools.values() if pool.boot < self.policy.fleet.boot_deadline]
        if sum(pool.capacity for pool in bootable) < len(self.strangers) + self.policy.fleet.maximum:
            self._want_standbys(0)  # the clouds have no room for them
        if bootable:
            self._run(60, 120.0)
            self._run(30, STEP)
            for server in self.gateway.servers.values():
                server.sessions = 0
            self._run(30, STEP)
            assert sorted(each.id for each in self._ours()) == sorted(each.node_id or "" for each in self.fleet)
            assert [each.name for each in self.fleet if each.phase is Phase.IN_SERVICE] == self.serving()
            assert sorted(each.name for each in self.fleet if each.phase is Phase.STANDBY) == sorted(self.standing_by())
            kept = min(self.policy.fleet.standby, self.policy.fleet.maximum - 1)
            assert (len(self.serving()), len(self.standing_by()), len(self.fleet)) == (1, kept, 1 + kept)
            assert self.step().plan.actions == ()
        self._want_standbys(0)
        self.order(ScaleTo(0, "anna"))
        self._run(60, 20.0)
        self.order(ScaleAuto("anna"))
        self._run(5, STEP)
        assert (self._ours(), self.fleet, self.serving()) == ([], [], [])
        assert list(self.gateway.servers) == list(CORES)
        self._check_world()

    def _want_standbys(self, count: int) -> None:
        """Other settings are in force, as after a reload."""
        self.policy = self.cycle.policy = replace(self.policy, fleet=replace(self.policy.fleet, standby=count))

    def _run(self, turns: int, seconds: float) -> None:
        for _ in range(turns):
            self.turn(seconds)

    # ------------------------------------------------------------------------------------------------- what must always hold

    def listed(self, view: CloudView, asked: dict[str, ListTrouble | None]) -> None:
        """Burstd sees the listings of before: how many in a row have now hidden something, and could be believed.

        A listing without one machine of ours, in a pool in which some must be, is a sudden emptiness that says nothing (rule 7). A cloud
        that lags hides a machine without any trouble.
        """
        bound = {each.node_id for each in self.fleet if each.phase in LIVING}
        for listing in view.listings:
            trouble = self._asked.get(listing.pool)
            shown = set() if isinstance(listing.nodes, Fault) else {each.id for each in listing.nodes}
            here = {each.id for each in self._ours() if each.pool == listing.pool}
            if trouble is None and bound & here <= shown:
                self._hidden[listing.pool] = 0
            elif not isinstance(listing.nodes, Fault):
                some = any(each.owner == OWNER and each.operation for each in listing.nodes)
                expected = any(each.pool == listing.pool and each.phase in {*LIVING, Phase.DRAINING} for each in self.fleet)
                self._hidden[listing.pool] += some or not expected
        self._asked = asked

    def examine(self, call: CloudCall) -> None:
        """Every intent is durable before its effect, and nothing is destroyed that HAProxy lists or that is not ours."""
        record = next((each for each in self.roster.fleet() if each.operation == call.operation), None)
        assert record is not None or call.operation in self.roster.ended(), f"no record of {call}"
        match call:
            case CreateCall(request=request):
                assert record is not None
                assert self.policy.allows(self.policy.pool(call.pool)), "an instance is bought where none may be"
                assert record.phase is Phase.REQUESTED
                assert record.request == request
                assert (request.token, dict(request.tags).get(OPERATION_TAG)) == (call.operation, call.operation)
                assert request.name.endswith(call.operation[:10])
                again = call.operation in self._sent
                assert not again or self.world.pools[call.pool].tokens, "a create is sent twice where no token is known"
                self._sent[call.operation] = self.world.clock.now() + self._leapt
            case DestroyCall(node_id=node_id):
                assert not any(each.id == node_id for each in self.strangers), "a stranger's machine is to be destroyed"
                if record is not None and record.node_id == node_id:  # else the second machine of one operation
                    assert record.phase is Phase.DESTROYING
                    lines = [name for name in self.gateway.servers if instance_of(name) == record.name]
                    assert lines == [], "a machine is to be destroyed that HAProxy still lists"

    def _look_at_edit(self, edit: GatewayEdit) -> Fault | None:
        self.wire.step()
        if isinstance(edit, AddServer):
            (record,) = (each for each in self.roster.fleet() if each.name == instance_of(edit.name))
            assert record.phase in {Phase.JOINING, *SERVING}
            assert self.mirror is None or record.address in self.mirror.whole, f"{record.name} joins before its content is whole"
            assert edit.backup is record.stands_by is (edit.name != record.name)
            assert (edit.weight == 0) is record.drill
        if isinstance(edit, SetWeight | SetState):
            drills = {each.name for each in self.roster.fleet() if each.drill}
            ready = isinstance(edit, SetState) and edit.state is AdminState.READY
            assert edit.name not in drills or not (ready or isinstance(edit, SetWeight)), "a drill is to get requests"
        return None

    def _check(self, turn: Turn) -> None:
        assert turn.plan.violations == ()
        calls = [each.call for each in turn.plan.actions if isinstance(each, CallCloud)]
        for kind in (CreateCall, DestroyCall):
            assert sum(isinstance(each, kind) for each in calls) <= self.policy.fleet.max_step
        override = self.roster.orders().override
        assert override is None or override.until is None or turn.snapshot.now < override.until, "an override has not ended when it said"
        cooldowns = [each.cooldowns for each in turn.plan.actions if isinstance(each, RecordCooldowns)]
        shrinks = any(each.scale_in == turn.snapshot.now for each in cooldowns)
        before = {each.operation: each for each in turn.snapshot.fleet}
        self._check_need(turn)
        for action in turn.plan.actions:
            if isinstance(action, Record):
                self._check_step(turn, before.get(action.instance.operation), action.instance, shrinks=shrinks)
                before[action.instance.operation] = action.instance

    def _check_need(self, turn: Turn) -> None:
        """Nothing is bought twice for one need: what is on its way counts, an unknown create too, unless the cloud had no stock for it."""
        fleet = {each.operation: each for each in turn.snapshot.fleet}
        planned = [each.instance for each in turn.plan.actions if isinstance(each, Record)]
        if any(each.operation not in fleet and each.phase is Phase.INTENDED and not each.drill for each in planned):
            fleet |= {each.operation: each for each in planned}
            fleet = {operation: each for operation, each in fleet.items() if not each.drill}
            leaving = {*ENDED, Phase.DRAINING, Phase.DESTROYING}
            refused = {each.name for each in fleet.values() if each.phase is Phase.UNKNOWN and each.refused}
            spared = {*turn.snapshot.orders.drains, *refused}
            wanted = [each for each in fleet.values() if each.phase not in leaving and each.name not in spared]
            need = turn.decision.count + self.policy.fleet.standby
            assert len(wanted) <= need, f"{len(wanted)} for a need of {need}"

    def _check_scale_in(self, turn: Turn) -> None:
        snapshot = turn.snapshot
        assert not any(isinstance(each, Fault) for each in snapshot.cores.values()), "a scale-in on missing data"
        assert not isinstance(snapshot.gateway, Fault), "a scale-in without HAProxy"
        assert snapshot.orders.pause not in {Pause.IN, Pause.BOTH}, "a scale-in while it is paused"

    def _check_step(self, turn: Turn, before: Instance | None, after: Instance, *, shrinks: bool) -> None:
        machine = next((each for each in self.world.machines if after.node_id == each.id), None)
        if after.phase in ENDED:
            self._check_end(turn, after)
        elif before is not None and after.phase in {Phase.DRAINING, Phase.DESTROYING} and before.phase in LIVING:
            well = machine is not None and machine.alive and machine.healthy and not machine.broken
            by_order = after.name in turn.snapshot.orders.drains
            lines = () if isinstance(turn.snapshot.gateway, Fault) else turn.snapshot.gateway.lines_of(after.name)
            ill = any(line.row.status is ServerStatus.DOWN for line in lines)
            late = overdue(before, self.policy.fleet, turn.snapshot.now)
            lost = not well or self._hidden[after.pool] >= MISSES
            stale = after.reason.startswith(("its content is ", "its content token "))
            if stale:
                assert turn.snapshot.mirror is not None
                assert turn.snapshot.mirror.flows, f"{after.name} leaves for its content while the mirror says nothing"
            assert shrinks or by_order or ill or late or lost or stale or after.drill, f"{after.name} leaves: {after.reason}"
            if not (by_order or ill or late or lost or stale or after.drill):
                self._check_scale_in(turn)

    def _check_end(self, turn: Turn, ended: Instance) -> None:
        """No record ends while its machine lives: but for the lies that the protocol must believe, and a cloud that lags."""
        alive = [each for each in self._ours() if each.tags[OPERATION_TAG] == ended.operation and ended.node_id in {None, each.id}]
        told = f"{ended.name} is called {ended.phase} ({ended.reason}), and lives"
        if ended.phase is Phase.FAILED:
            assert alive == [], told
        if ended.phase is Phase.ABANDONED:
            waited = self.world.clock.now() + self._leapt - self._sent.get(ended.operation, 0.0)
            assert waited >= self.policy.fleet.settle, f"{ended.name} is abandoned after {waited:.0f} s"
        listing = turn.snapshot.cloud.listing(ended.pool)
        shown = () if listing is None or isinstance(listing.nodes, Fault) else listing.nodes
        assert not {each.id for each in alive} & {each.id for each in shown}, told
        young = self.world.clock.now() - self.world.pools[ended.pool].lag - 2 * LONGEST_WAIT
        hidden = self._hidden[ended.pool] >= (UNSEEN if ended.phase is Phase.ABANDONED else MISSES)
        assert hidden or all(each.created_at > young for each in alive), told

    def _check_world(self) -> None:
        assert all(each.alive for each in self.strangers), "a stranger's machine was destroyed"
        assert self.cloud.refused == [], "a stranger's machine was to be destroyed"
        maximum = self.policy.fleet.maximum
        fleet = self.fleet
        orphans = sum(each.request.image == "" for each in fleet)
        assert len(fleet) - orphans <= maximum, "burstd knows of more than max"
        drills = {each.name for each in fleet if each.drill}
        assert len(drills) <= 1, "two drills at once"
        lines = [server for name, server in self.gateway.servers.items() if instance_of(name) in drills]
        assert all(each.weight == 0 and each.admin is not AdminState.READY for each in lines), "a drill gets requests"
        assert all(self.gateway.servers[name].weight == 100 for name in CORES)
        assert all(self.gateway.servers[name].status is ServerStatus.UP for name in CORES)
        assert self.gateway.crashes == 0, "HAProxy was crashed by a removal"

    def _ours(self) -> list[Machine]:
        """Machines of ours that somebody pays for, known to burstd or not."""
        return [each for each in self.world.machines if each.alive and each.tags.get(OWNER_TAG) == OWNER and each.tags.get(OPERATION_TAG)]
