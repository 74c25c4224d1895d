"""How much of the traffic the burst servers get: a fixed weight, or one solved each cycle so that the cores stand at their target.

The request rate of the whole backend is conserved when traffic is shifted, the load is not: so the share is solved in requests.
With R requests/s in all, C what the cores carry at their target load and B what the burst servers carry at theirs, the burst share is

    s = min(1 - C/R, B/(B + C)), never below 0

(the second bound shares an overload that both together cannot carry), and b servers of weight w beside cores of weight W in
sum have the share s when w = s/(1-s) W/b. Where the backend's algorithm makes something else of a weight, w is divided by what
the counters show of that (`burstd.decide.skew`).

While a core server comes back slowly (`burstd.decide.comeback`) no weight falls; and while no core server serves the burst servers have all
that a weight can give, so that what comes back begins beside that.

A share rises at once, since a queue grows by the second, but for a cold server while no core is above the threshold; it is given
back over a minute or two, and never so slowly that the cores get less than half of what they carry while there is more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from burstd.decide.capacity import Machine, carried, learn_trim, learn_work, target
from burstd.decide.comeback import coming_back
from burstd.decide.signal import level_of
from burstd.decide.skew import EXACT, WEIGHTLESS, learn_skew, named
from burstd.decide.traffic import History, demand, rate, undamped
from burstd.model.decision import Memory
from burstd.model.fleet import Instance, Phase
from burstd.model.gateway import GatewayView, ServerStatus
from burstd.model.load import Sample
from burstd.model.policy import BackendPolicy, Mode, Policy
from burstd.model.snapshot import Snapshot

LARGEST = 256
"""HAProxy's own limit of a server's weight."""
_EQUAL = 100
"""Where HAProxy spills over, the burst servers share what comes to them evenly: the core's own usual weight."""
_GIVE_BACK_SECONDS = 120.0
"""A share of all requests would be given back over this time: a lull or a lost reading is over sooner than that."""
_WORK_OFF_SECONDS = 60.0
"""What has piled up on the cores is to be gone after this time: as long as their load average needs to show it."""
_STARVED = 0.5
"""Of what they carry, the cores get at least this part, while there is as much, whatever else the share is held for."""
_ALONE = 0.99
"""The burst servers' share while no core server serves, from which it is given back: a whole is more than any weight can give."""
_FINEST = 0.01
"""A weight is not moved for less than this share of the requests: a core's load would not show it."""
_TELL_APART = 0.05
"""Beyond this difference between the share that was solved and what the weight can give, it is said."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """The wanted weight of every burst server and what it rests on.

    Attributes:
        weights: by the backend that they join, 1..256; a missing one: leave the weights as they are.
        core_capacity: requests/s of one core server at its target load; None while unknown.
        core_rate: requests/s to the cores now; None while unknown.
        burst_rate: requests/s to the burst servers now; None while unknown.
        memory: with the learned parts brought up to this cycle.
    """

    weights: Mapping[str, int]
    reason: str
    core_capacity: float | None
    core_rate: float | None
    burst_rate: float | None
    memory: Memory


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the solver looks at.

    Attributes:
        cores: names of the core servers that serve.
        standing: the weights of those, by backend.
        bursts: the instances in service.
        heads: those that share the burst weight: they take traffic now, or will from the end of this cycle on.
        seconds: since the last solution; 0: there is none.
        slow: a core server comes back slowly.
    """

    view: GatewayView
    snapshot: Snapshot
    policy: Policy
    memory: Memory
    cores: Sequence[str]
    standing: Mapping[str, Sequence[int]]
    bursts: Sequence[Instance]
    heads: Sequence[Instance]
    seconds: float
    slow: bool = False

    def histories(self, names: Iterable[str]) -> list[History]:
        """The counters of these servers."""
        return [self.memory.traffic[name] for name in names if name in self.memory.traffic]

    @property
    def core_histories(self) -> list[History]:
        """Of every core server, dead ones too: what came to them comes to the others now."""
        return self.histories(core.server for core in self.policy.cores)

    @property
    def burst_histories(self) -> list[History]:
        """Of the instances in service."""
        return self.histories(each.name for each in self.bursts)

    def cpus(self, server: str) -> int | None:
        """A core server's CPUs, as last read."""
        name = next(core.name for core in self.policy.cores if core.server == server)
        sample = self.memory.samples.get(name)
        return sample.cpus if sample else None


def weigh(snapshot: Snapshot, policy: Policy, memory: Memory) -> Weighing:
    """Solve the weights for this cycle; `memory` already holds this cycle's traffic."""
    view = snapshot.gateway
    if not isinstance(view, GatewayView):
        return Weighing({}, "HAProxy cannot be read: the weights stay", None, None, None, memory)
    scene = _learn(_scene(view, snapshot, policy, memory))
    weighing = _weigh(scene)
    return _kept_up(scene, weighing) if scene.slow else weighing


def _weigh(scene: _Scene) -> Weighing:
    policy, memory = scene.policy, scene.memory
    core_rate = _total(rate(memory.traffic.get(name, ())) for name in scene.cores)
    burst_rate = _total(rate(memory.traffic.get(each.name, ())) for each in scene.bursts) if scene.bursts else 0.0
    routing = policy.routing
    fixed = {each.joined: each.weight for each in routing.backends if each.weight is not None}
    if routing.mode is Mode.SPILLOVER or len(fixed) == len(routing.backends):
        spills = routing.mode is Mode.SPILLOVER
        weights = {each.joined: each.weight or _EQUAL for each in routing.backends}
        reason = "HAProxy spills over request by request" if spills else "fixed by haproxy.burst_weight"
        return Weighing(weights, reason, None, core_rate, burst_rate, memory)
    fallback = {**_fallback(scene), **fixed}
    known = Weighing(fallback, "the cores' capacity is not learned yet", None, core_rate, burst_rate, memory)
    steered = [each for each in routing.backends if each.weight is None and each.joined in fallback and scene.standing[each.name]]
    if not steered and scene.heads and not any(scene.standing.values()):
        alone = {name: weight for name, weight in fallback.items() if name not in fixed}
        return replace(known, reason=_unsteered(scene), memory=replace(memory, weights={**memory.weights, **alone}, share=_ALONE))
    if not steered:
        return replace(known, reason=_unsteered(scene))
    cores = _core_machines(scene)
    if cores is None:
        return known
    total = demand(list(memory.traffic.values()), [each.name for each in steered])
    if total is None:
        return replace(known, weights={**fallback, **memory.weights, **fixed}, reason="the request rate is not known yet")
    return _solve(scene, known, cores, steered, total)


def _kept_up(scene: _Scene, weighing: Weighing) -> Weighing:
    """With no weight below the last one; the share is what the weights give once the core is back."""
    before = scene.memory.weights
    kept = {name: max(weight, before.get(name, weight)) for name, weight in weighing.weights.items()}
    steered = [each for each in scene.policy.routing.backends if each.weight is None and each.joined in kept and scene.standing[each.name]]
    if scene.policy.routing.mode is Mode.SPILLOVER or not steered:
        return weighing
    weights = {**weighing.weights, **{each.joined: kept[each.joined] for each in steered}}
    odds = fmean(weights[each.joined] * max(1, len(scene.heads)) / sum(scene.standing[each.name]) for each in steered)
    reason = f"{weighing.reason}; nothing is taken back from the burst servers while a core server comes back slowly"
    memory = replace(weighing.memory, weights={**weighing.memory.weights, **weights}, share=odds / (1 + odds) if scene.heads else 0.0)
    return replace(weighing, weights=weights, reason=reason, memory=memory)


def _scene(view: GatewayView, snapshot: Snapshot, policy: Policy, memory: Memory) -> _Scene:
    servers = {core.server for core in policy.cores}
    standing: dict[str, list[int]] = {each.name: [] for each in policy.routing.backends}
    cores: dict[str, None] = {}
    for backend, row in view.lines:
        if row.name in servers and row.status in {ServerStatus.UP, ServerStatus.NO_CHECK} and row.weight and backend in standing:
            standing[backend].append(row.weight)
            cores[row.name] = None
    return _Scene(
        view=view,
        snapshot=snapshot,
        policy=policy,
        memory=memory,
        cores=list(cores),
        standing=standing,
        bursts=[each for each in snapshot.fleet if each.phase is Phase.IN_SERVICE],
        heads=[
            each
            for each in snapshot.fleet
            if each.phase in {Phase.IN_SERVICE, Phase.JOINING} and not each.stands_by and not each.drill and _shares(view, each)
        ],
        seconds=0.0 if memory.weighed_at is None else snapshot.now - memory.weighed_at,
        slow=bool(coming_back(snapshot, policy)),
    )


def _shares(view: GatewayView, instance: Instance) -> bool:
    """It takes traffic now, or is made ready at the end of this cycle."""
    ready = {ServerStatus.UP, ServerStatus.NO_CHECK} | ({ServerStatus.DRAIN} if instance.by_hand is None else set())
    return any(row.status in ready and row.passing for _, row in view.lines_of(instance.name))


def _learn(scene: _Scene) -> _Scene:
    """With what this cycle's readings teach."""
    memory = scene.memory
    trim = learn_trim(((memory.traffic[name], scene.cpus(name) or 1) for name in scene.cores), memory.trim, scene.seconds)
    skew = dict(memory.skew) if scene.slow else {}
    for backend in scene.view.backends:
        if scene.slow:
            break  # what the counters show is the ramp
        if backend.balance not in EXACT | WEIGHTLESS and scene.standing.get(backend.name):
            names = {each.name for each in scene.bursts}
            worth = sum(row.weight for row in backend.servers if row.name in names and row.status is ServerStatus.UP)
            odds = worth / sum(scene.standing[backend.name])
            skew[backend.name] = learn_skew(backend.name, scene.core_histories, scene.burst_histories, odds, memory.skew)
    work = learn_work(memory, {core.server for core in scene.policy.cores})
    return replace(scene, memory=replace(memory, work=work, trim=trim, skew=skew, weighed_at=scene.snapshot.now))


def _core_machines(scene: _Scene) -> list[Machine] | None:
    """The cores as the solver sees them; None until every one's CPUs and work per request are known."""
    places = [(backend, sum(weights)) for backend, weights in scene.standing.items() if weights]
    machines = []
    for name in scene.cores:
        cpus, work = scene.cpus(name), scene.memory.work.get(name)
        if not cpus or not work:
            return None
        rows = [(row, total) for backend, total in places if (row := scene.view.line(backend, name))]
        part = sum(row.weight / total for row, total in rows) / len(places)
        machines.append(Machine(cpus, work, target(scene.policy, cpus), part))
    return machines


def _burst_machines(scene: _Scene, cores: Sequence[Machine]) -> list[Machine]:
    """Those that share the burst weight, at the cores' target load per CPU.

    What a request costs an instance while it warms up says nothing yet: until then it counts like a core with its number of CPUs,
    and one whose CPUs are not known like a core.
    """
    work, usual = fmean(core.work for core in cores), fmean(core.cpus for core in cores)
    per_cpu = fmean(core.target for core in cores) / usual
    machines = []
    for each in scene.heads:
        reading, own = scene.snapshot.bursts.get(each.name), scene.memory.work.get(each.name)
        cpus = (reading.cpus if isinstance(reading, Sample) else None) or round(usual)
        known = own if own and not _warms_up(scene, each) and isinstance(reading, Sample) and reading.cpus else None
        machines.append(Machine(cpus, known or work, per_cpu * cpus, 1 / len(scene.heads)))
    return machines


def _warms_up(scene: _Scene, instance: Instance) -> bool:
    now = scene.snapshot.now
    return now - (now if instance.joined_at is None else instance.joined_at) < scene.policy.load.warm_up


def _solve(scene: _Scene, known: Weighing, cores: Sequence[Machine], steered: Sequence[BackendPolicy], total: float) -> Weighing:
    """The weights for `total` requests/s in these backends."""
    memory, routing = scene.memory, scene.policy.routing
    learned = carried(cores, memory.trim)
    others = [each.name for each in routing.backends if each not in steered]
    least = learned * _STARVED
    capacity = max(least, learned - _piled_up(scene) / _WORK_OFF_SECONDS - (demand(scene.core_histories, others) or 0.0))
    share = _share(scene, total, (least, capacity), _burst_capacity(scene, cores, others) or learned / len(cores))
    weights, clauses = dict(known.weights), []
    for backend in steered:
        standing, skew = sum(scene.standing[backend.name]), memory.skew.get(backend.name, 1.0)
        worth = skew * max(1, len(scene.heads)) / standing
        solved = share / (1 - share) / worth
        weights[backend.joined] = _settle(solved, memory.weights.get(backend.joined), max(_FINEST / worth, routing.tolerance * solved))
        odds = weights[backend.joined] * worth
        clauses += _clauses(scene, backend, weights[backend.joined], odds / (1 + odds), share)
    told = f"the cores carry {capacity:.0f} of {total:.0f} requests/s at load {routing.target_load:g}: {share:.0%} to the burst servers"
    return replace(
        known,
        weights=weights,
        reason="; ".join([told, *clauses]),
        core_capacity=learned / len(cores),
        memory=replace(memory, weights=weights, share=share if scene.heads else 0.0),
    )


def _share(scene: _Scene, total: float, core: tuple[float, float], burst: float) -> float:
    """The burst servers' share of the requests, 0..1 (see the module's formula), no faster than it may move.

    Args:
        scene: what was learned.
        total: requests/s in all.
        core: requests/s that the cores get at least, and those that they carry.
        burst: requests/s that the burst servers carry.
    """
    if total <= 0:
        return 0.0
    least, capacity = core
    last, seconds = scene.memory.share, scene.seconds
    solved = min(1 - capacity / total, burst / (burst + capacity))
    held = min(last - seconds / _GIVE_BACK_SECONDS, 1 - least / total, burst / total)
    wanted = max(0.0, solved, held)
    cold = any(_warms_up(scene, each) for each in scene.heads)
    if cold and not _above(scene):
        wanted = min(wanted, last + seconds / scene.policy.load.warm_up)
    return wanted


def _above(scene: _Scene) -> bool:
    """A core is above the threshold."""
    load = scene.policy.load
    levels = (level_of(each, load) for each in scene.memory.samples.values())
    return any(level > load.scale_out_above for level in levels if level is not None)


def _piled_up(scene: _Scene) -> float:
    """Requests on the cores beyond what stands there at the target load."""
    seen = ((undamped(scene.memory.traffic[name]), target(scene.policy, scene.cpus(name) or 1)) for name in scene.cores)
    return sum(max(0.0, load - wanted) for load, wanted in seen if load is not None)


def _burst_capacity(scene: _Scene, cores: Sequence[Machine], others: Sequence[str]) -> float:
    """Requests/s that the burst servers carry in the steered backends; 0 where there are none.

    One weight is every burst server's, so the weakest of them says how much, as the weakest core does.
    """
    if not scene.heads:
        return 0.0
    most = carried(_burst_machines(scene, cores), scene.memory.trim)
    return max(most * _STARVED, most - (demand(scene.burst_histories, others) or 0.0))


def _settle(solved: float, last: int | None, tolerance: float) -> int:
    """The solved weight as HAProxy takes it; a change within the tolerance is left alone, but for the last one down."""
    weight = max(1, min(LARGEST, round(solved)))
    return last if last is not None and weight > 1 and abs(solved - last) <= tolerance else weight


def _clauses(scene: _Scene, backend: BackendPolicy, weight: int, got: float, share: float) -> list[str]:
    """What else an operator should know of a backend's weight, which gives the burst servers the share `got`."""
    found = []
    if abs(got - share) > _TELL_APART:
        cores = sum(scene.standing[backend.name])
        found.append(f"{backend.joined}: weight {weight} beside the cores' {cores} gives them {got:.0%}")
    if backend.name in scene.memory.skew:
        balance = next(each.balance for each in scene.view.backends if each.name == backend.name)
        found.append(f"under {named(balance)} a weight brings {scene.memory.skew[backend.name]:.2f} times its part")
    return found


def _unsteered(scene: _Scene) -> str:
    """Why no weight is solved though the capacity is known."""
    idle = [each.name for each in scene.view.backends if each.balance in WEIGHTLESS]
    if idle:
        return f"balance first in {', '.join(idle)} looks at no weight: they stay as they are"
    return f"no core server serves in {', '.join(each.name for each in scene.policy.routing.backends if each.weight is None)}"


def _fallback(scene: _Scene) -> dict[str, int]:
    """Before anything is learned a burst server counts like a core server; where weights do nothing they are left alone."""
    useless = {each.name for each in scene.view.backends if each.balance in WEIGHTLESS}
    standing = {each.joined: scene.standing[each.name] for each in scene.policy.routing.backends if each.joined not in useless}
    return {name: max(1, min(LARGEST, round(fmean(weights)))) if weights else LARGEST for name, weights in standing.items()}


def _total(rates: Iterable[float | None]) -> float | None:
    known = [each for each in rates if each is not None]
    return sum(known) if known else None
