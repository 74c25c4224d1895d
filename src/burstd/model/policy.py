"""The settings as the pure layers see them: frozen, complete, already validated. Seconds, load units and counts throughout."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from burstd.model.cost import HOUR, Billing, BudgetPolicy


class Aggregate(StrEnum):
    """How the core servers' loads become one signal."""

    MEAN = "mean"
    MAX = "max"
    MIN = "min"
    """Every core must be above the threshold."""


@dataclass(frozen=True, slots=True)
class CoreServer:
    """A fixed server, static in haproxy.cfg: read, never created, changed, drained or deleted.

    Attributes:
        name: the operator's name for it.
        exporter: URL of its node_exporter's metrics page.
        server: its name in the HAProxy backend.
    """

    name: str
    exporter: str
    server: str


@dataclass(frozen=True, slots=True)
class FleetPolicy:
    """Bounds and deadlines of the fleet; times in seconds.

    Attributes:
        minimum: fewest instances in service.
        maximum: most instances that may exist, standbys and those with an unknown outcome counted.
        standby: instances kept ready as `backup` beside those in service, as far as the maximum leaves room for them.
        max_step: most launches, and most destroys, in one cycle.
        boot_deadline: from the create to an address and a running state.
        sync_deadline: from the address to the first good answer of the check path.
        join_deadline: from the add to a passed health check in HAProxy.
        drain_deadline: how long requests in flight may take before their sessions are cut.
        destroy_retry: between two destroys of the same instance.
        settle: how long a create whose outcome is unknown is searched for before it is abandoned.
        minimum_lifetime: a younger instance in service is not scaled in.
        unhealthy_after: an instance in service that HAProxy has called DOWN this long is replaced.
        fallback: instances wanted at least once no core server's load has been known for `fallback_after`; 0: hold as it is.
        fallback_after: how long blindness may last before the fallback counts.
        on_core_loss: instances wanted in service while HAProxy sends no request to any core server; 0: hold what there is.
        backoff: a pool's first back-off after a failure; it doubles with each one in a row.
        backoff_max: the longest back-off.
        countries: where instances may be, by ISO 3166-1; empty: anywhere.
    """

    name: str = "burst"
    minimum: int = 0
    maximum: int = 4
    standby: int = 0
    max_step: int = 4
    poll_interval: float = 5.0
    boot_deadline: float = 300.0
    sync_deadline: float = 120.0
    join_deadline: float = 60.0
    drain_deadline: float = 60.0
    destroy_retry: float = 30.0
    settle: float = 300.0
    minimum_lifetime: float = 120.0
    unhealthy_after: float = 30.0
    fallback: int = 0
    fallback_after: float = 300.0
    backoff: float = 30.0
    backoff_max: float = 1800.0
    on_core_loss: int = 0
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A step tier: from `ratio` times the threshold on, launch `count` at once."""

    ratio: float
    count: int


class Deciding(StrEnum):
    """Who says how many instances the load needs."""

    DEMAND = "demand"
    """A forecast of the demand, with a margin; where the demand is not known, the threshold."""
    THRESHOLD = "threshold"
    """The article's: one more above a load average, one less below another."""


@dataclass(frozen=True, slots=True)
class LoadPolicy:
    """When to grow and when to shrink; loads in load units, times in seconds.

    Attributes:
        policy: who decides.
        overload_price: what a minute of overload costs, in instance-minutes: it sets the margin of the demand policy.
        scale_out_above: the load at which a core server is full.
        scale_in_below: the load under which one instance less is considered.
        sustain: how long the load must stay above before it counts; 0: the crossing sample is enough.
        scale_in_after: how long it must stay below, without a gap in the data.
        cooldown_out: between two scale-outs.
        cooldown_in: between two scale-ins, and after a scale-out.
        stabilization: scale-in takes the highest proposal of this window.
        warm_up: after a join, before another scale-out is considered and before the instance's own load counts.
        aggregate: how several cores become one signal.
        per_cpu: divide each core's load by its number of CPUs before comparing.
        steps: tiers in rising order; empty: one at a time.
        stale_after: a sample older than this is no sample.
        absurd_above: a load average beyond this is a fault, not a load.
        hold_useless: hold where more servers would not help.
    """

    policy: Deciding = Deciding.DEMAND
    overload_price: float = 11.0
    scale_out_above: float = 4.0
    scale_in_below: float = 2.0
    sustain: float = 0.0
    scale_in_after: float = 120.0
    cooldown_out: float = 60.0
    cooldown_in: float = 120.0
    stabilization: float = 300.0
    warm_up: float = 30.0
    aggregate: Aggregate = Aggregate.MEAN
    per_cpu: bool = False
    steps: tuple[Step, ...] = ()
    stale_after: float = 20.0
    absurd_above: float = 100_000.0
    hold_useless: bool = True


class Mode(StrEnum):
    """How traffic comes to the burst servers."""

    WEIGHTED = "weighted"
    """They join the core's own backend, and weights share the requests."""
    SPILLOVER = "spillover"
    """They join an overflow backend, to which HAProxy sends what the core has no room for, request by request."""


@dataclass(frozen=True, slots=True)
class BackendPolicy:
    """One backend that the fleet serves.

    Attributes:
        name: the core's backend.
        joined: the backend that the instances join: the same one, or its overflow backend.
        port: the instances' port for it; None: the pool's.
        weight: each burst server's fixed weight, 1..256; None: as much as brings the cores to their target.
        maxconn: connection limit of each burst server; None: none.
    """

    name: str = "app_cluster"
    joined: str = "app_cluster"
    port: int | None = None
    weight: int | None = None
    maxconn: int | None = None


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """How much traffic the burst servers get, and how they are listed in HAProxy.

    Attributes:
        mode: by weight, or by overflow.
        backends: those that the fleet serves; the first is the main one.
        target_load: the load per core server that the weights steer to, in load units.
        tolerance: a relative change of a solved weight below this is left alone.
    """

    mode: Mode = Mode.WEIGHTED
    backends: tuple[BackendPolicy, ...] = (BackendPolicy(),)
    target_load: float = 3.5
    tolerance: float = 0.1


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """One place to get instances from.

    Attributes:
        port: the instances' web port.
        check_path: must answer 200 before an instance joins.
        metrics_port: the instances' node_exporter; None: not read.
        price: of one instance for one hour, above 0; None: unknown.
        currency: of the price, by ISO 4217; None only where the price is None.
        country: where it is, by ISO 3166-1; None: the settings do not say.
        max_rtt: longest round trip to an instance that may join, seconds; None: it is not measured.
        billing: the unit of which each that has begun is paid.
    """

    name: str
    image: str
    size: str
    location: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    user_data: str | None = field(default=None, repr=False)
    port: int = 80
    check_path: str = "/"
    metrics_port: int | None = 9100
    price: float | None = None
    currency: str | None = None
    country: str | None = None
    max_rtt: float | None = None
    billing: Billing = Billing.SECOND

    @property
    def first_unit(self) -> float:
        """What one more instance costs at once, in the pool's currency; 0 where the price is unknown."""
        return 0.0 if self.price is None else self.price * self.billing.seconds / HOUR


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """The mirror of the core's content.

    Attributes:
        max_drift: seconds; an instance in service whose content is older than this behind the core's is drained.
        token_path: where the instances serve the content token.
    """

    max_drift: float = 300.0
    token_path: str = "/.burstd/token"  # noqa: S105 - a path, and no secret


@dataclass(frozen=True, slots=True)
class DatabasePolicy:
    """When the replica may become the primary without an order; times in seconds.

    Attributes:
        auto_promote: it may at all.
        core_lost_for: the core and the primary must be lost for this long.
        max_lag: a replica that was further behind when it was last seen in order waits for an operator.
    """

    auto_promote: bool = False
    core_lost_for: float = 120.0
    max_lag: float = 30.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that deciding and planning may know of the settings, and whose fleet it is.

    Attributes:
        owner: the owner id from the state folder: what carries another one is a stranger's.
        pools: in the order in which they are tried.
        content: None: the content is nobody's care here, and the check path alone is the gate.
        database: None: none is watched.
        budget: None: nobody has set a limit.
    """

    owner: str
    fleet: FleetPolicy
    load: LoadPolicy
    cores: tuple[CoreServer, ...]
    routing: RoutingPolicy
    pools: tuple[PoolPolicy, ...]
    content: ContentPolicy | None = None
    database: DatabasePolicy | None = None
    budget: BudgetPolicy | None = None

    def pool(self, name: str) -> PoolPolicy | None:
        """The pool of that name; None where the settings no longer have it."""
        for each in self.pools:
            if each.name == name:
                return each
        return None

    def allows(self, pool: PoolPolicy | None) -> bool:
        """Instances may be in the pool's country; in a pool that says none, or that the settings no longer have, only where any will do."""
        return not self.fleet.countries or (pool is not None and pool.country in self.fleet.countries)
