"""The sections of the settings, one model each, and how they become the frozen policy.

A class's docstring is its section's introduction and a key's description its line, in config/burstd.toml and in
docs/configuration.md alike (`script/configuration-docs`). Defaults that the policy has are the policy's own. Nothing here reads
the world, but for the file that `user_data` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from burstd.model.policy import (
    Aggregate,
    BackendPolicy,
    ContentPolicy,
    CoreServer,
    DatabasePolicy,
    Deciding,
    FleetPolicy,
    LoadPolicy,
    Mode,
    Policy,
    PoolPolicy,
    RoutingPolicy,
    Step,
)
from burstd.settings import values as v
from burstd.settings.budget import BudgetSettings
from burstd.settings.hybrid import ContentSettings, DatabaseSettings, DrillSettings
from burstd.settings.pools import PoolSettings
from burstd.settings.section import Section, mapped
from burstd.settings.values import Kind, key

_FLEET = FleetPolicy()
_LOAD = LoadPolicy()
_ROUTING = RoutingPolicy()
_MAIN = BackendPolicy()


class FleetSettings(Section):
    """How many instances there may be, how often burstd looks, and how long each step of an instance's life may take."""

    name: v.FleetName = key(_FLEET.name, "Prefix of the instances' names, in the cloud and in HAProxy.")
    min: v.Instances = key(_FLEET.minimum, "Fewest instances in service.", ge=0)
    # 1,000 is what HAProxy 2.6 takes from one connection within a moment; more than that is a slip of the hand and a bill.
    max: v.Instances = key(_FLEET.maximum, "Most instances that may ever exist, standbys and unknown ones counted.", ge=0, le=1000)
    countries: v.Countries = key(
        _FLEET.countries,
        "Countries in which instances may be; a pool elsewhere is never bought from. Empty: anywhere.",
        example=["NO", "IE"],
    )
    standby: v.Instances = key(_FLEET.standby, "More, kept ready as HAProxy's `backup`: the first to go into service.", ge=0)
    max_step: v.Instances = key(_FLEET.max_step, "Most launches, and most destroys, in one cycle.", ge=1)
    poll_interval: v.Seconds = key(_FLEET.poll_interval, "Time from one cycle to the next.", gt=0)
    stale_cycle: v.Seconds = key(30.0, "/healthz answers 503 when the last finished cycle is older than this.", gt=0)
    state_dir: v.Anchored = key(Path("/var/lib/burstd"), "Folder of the roster and of the lock; one for each burstd.")
    boot_deadline: v.Seconds = key(_FLEET.boot_deadline, "From the create to an address and a running state.", gt=0)
    sync_deadline: v.Seconds = key(_FLEET.sync_deadline, "From the address to the first good answer of the check path.", gt=0)
    join_deadline: v.Seconds = key(_FLEET.join_deadline, "From joining HAProxy to a passed health check there.", gt=0)
    drain_deadline: v.Seconds = key(_FLEET.drain_deadline, "How long requests in flight may take before their sessions are cut.")
    destroy_retry: v.Seconds = key(_FLEET.destroy_retry, "Between two destroys of the same instance.", gt=0)
    settle: v.Seconds = key(_FLEET.settle, "How long a create whose outcome is unknown is searched for before it is abandoned.", gt=0)
    minimum_lifetime: v.Seconds = key(_FLEET.minimum_lifetime, "A younger instance in service is not scaled in.")
    unhealthy_after: v.Seconds = key(_FLEET.unhealthy_after, "An instance that HAProxy has called DOWN this long is replaced.", gt=0)
    fallback: v.Instances = key(_FLEET.fallback, "Instances wanted at least after fallback_after without any core's load; 0: hold.", ge=0)
    fallback_after: v.Seconds = key(_FLEET.fallback_after, "How long burstd may be blind before the fallback counts.", gt=0)
    on_core_loss: v.Instances = key(_FLEET.on_core_loss, "Instances wanted at least while no core server takes traffic; 0: hold.", ge=0)
    backoff: v.Seconds = key(_FLEET.backoff, "How long a pool is left alone after a failure; doubles with each one in a row.", gt=0)
    backoff_max: v.Seconds = key(_FLEET.backoff_max, "The longest that a pool is left alone; at once where somebody must mend it.", gt=0)


class StepSettings(Section):
    """A step tier."""

    ratio: v.Ratio = key(..., "From this many times the threshold on.", example=1.5, ge=1)
    count: v.Instances = key(..., "Launch this many at once.", example=2, ge=1)


class LoadSettings(Section):
    """When to grow and when to shrink, by the load average of the core servers."""

    policy: Deciding = key(
        _LOAD.policy,
        "Who decides: demand (a forecast with a margin; where the demand cannot be known, the threshold) or threshold (the load alone).",
    )
    overload_price: v.Ratio = key(
        _LOAD.overload_price,
        "With policy = demand, what a minute of overload costs beside a minute of an instance: a higher price buys a wider margin.",
        ge=1,
        le=10_000,
    )
    scale_out_above: v.LoadUnits = key(_LOAD.scale_out_above, "The load at which a core server is full.", gt=0)
    scale_in_below: v.LoadUnits = key(_LOAD.scale_in_below, "The load under which one instance less is considered.", ge=0)
    sustain: v.Seconds = key(_LOAD.sustain, "How long the load must stay above before it counts; 0: the crossing sample is enough.")
    scale_in_after: v.Seconds = key(_LOAD.scale_in_after, "How long the load must stay below, without a gap in the data.")
    cooldown_out: v.Seconds = key(_LOAD.cooldown_out, "Between two scale-outs.")
    cooldown_in: v.Seconds = key(_LOAD.cooldown_in, "Between two scale-ins, and after a scale-out.")
    stabilization: v.Seconds = key(_LOAD.stabilization, "Scale-in takes the highest proposal of this window.")
    warm_up: v.Seconds = key(_LOAD.warm_up, "After a join, before another scale-out, and before the instance's own load says anything.")
    aggregate: Aggregate = key(
        _LOAD.aggregate, "How several cores become one signal: their mean, the max (one is enough) or the min (every one must be above)."
    )
    per_cpu: bool = key(_LOAD.per_cpu, "Divide each core's load by its number of CPUs before comparing; the thresholds then count per CPU.")
    steps: Annotated[tuple[StepSettings, ...], Kind("a list of tables such as { ratio = 1.5, count = 2 }")] = key(
        (),
        "Tiers in rising order: from `ratio` times the threshold on, launch `count` at once; empty: one at a time.",
        example=[{"ratio": 1.5, "count": 2}],
    )
    stale_after: v.Seconds = key(_LOAD.stale_after, "A sample older than this is no sample: burstd holds.", gt=0)
    absurd_above: v.LoadUnits = key(_LOAD.absurd_above, "A load average beyond this is a fault of the exporter, not a load.", gt=0)
    hold_useless: bool = key(
        default=_LOAD.hold_useless,
        meaning="Buy nothing on account of the load where more servers would not help (docs/usefulness.md); false: buy anyway.",
    )
    deadline: v.Seconds = key(2.0, "For one reading of an exporter, from the connection to the last byte.", gt=0)


class CoreSettings(Section):
    """A fixed server whose load is read, one table each. burstd never creates, changes, drains or deletes it."""

    name: v.HaproxyName = key(..., "Your name for it.", example="core-oslo-01")
    exporter: v.Exporter = key(..., "URL of its node_exporter's metrics page.", example="http://10.0.0.5:9100/metrics")
    server: v.OptionalHaproxyName = key(None, "Its name in the HAProxy backend; where it is not given, `name`.", example="core-oslo-01")
    address: v.OptionalAddress = key(None, "Its IP address, for `burstd render haproxy` alone.", example="10.0.0.5")
    port: v.Port = key(80, "Its web port, for `burstd render haproxy` alone.", ge=1, le=v.GREATEST_PORT)
    weight: v.FixedWeight = key(100, "Its weight, for `burstd render haproxy` alone.", ge=1, le=v.GREATEST_WEIGHT)
    maxconn: v.Connections = key(
        None, "Requests that it gets at once, for `burstd render haproxy` alone; spillover needs it.", example=16, ge=1
    )

    @property
    def server_name(self) -> str:
        """Its name in the HAProxy backend."""
        return self.server or self.name


class BackendSettings(Section):
    """A further backend that the fleet serves."""

    name: v.HaproxyName = key(..., "Its name; the core stands in it too.", example="static_cluster")
    overflow: v.OptionalHaproxyName = key(None, "In spillover mode, its overflow backend; where it is not given, `NAME_cloud`.")
    port: v.OptionalPort = key(None, "The instances' port for it; where it is not given, the pool's.", example=8081)
    burst_weight: v.OptionalWeight = key(None, "As `burst_weight` of the main backend; where it is not given, that one.", example="auto")
    maxconn: v.Connections = key(None, "As `maxconn` of the main backend; where it is not given, that one.", example=200, ge=1)
    acl: v.OptionalWords = key(
        None, "Which requests go there, in HAProxy's words, for `burstd render haproxy` alone.", example="path_end .jpg .png .css .js"
    )
    core_port: v.OptionalPort = key(
        None, "The core servers' port for it, for `burstd render haproxy` alone; where it is not given, their `port`.", example=8081
    )


class HaproxySettings(Section):
    """The HAProxy beside burstd, and how much traffic it gives to the instances."""

    socket: v.SocketPath = key(Path("/run/haproxy/admin.sock"), "Its runtime socket, of level admin.")
    mode: Literal["weighted", "spillover"] = key(
        "weighted", "How traffic comes to the instances: by weight in the core's backend, or by HAProxy's own rule when that is full."
    )
    backend: v.HaproxyName = key(_MAIN.name, "The core's backend; in weighted mode the instances join it.")
    overflow: v.OptionalHaproxyName = key(
        None, "In spillover mode, the backend that the instances join; where it is not given, `BACKEND_cloud`.", example="app_cloud"
    )
    further: Annotated[tuple[BackendSettings, ...], Kind('a list of tables such as { name = "static_cluster", port = 8081 }')] = key(
        (), "Further backends that the instances join too, each with a port and a weight of its own if need be."
    )
    config_file: v.OptionalAnchored = key(
        None, "HAProxy's own configuration; read by `burstd check` alone.", example="/etc/haproxy/haproxy.cfg"
    )
    burst_weight: v.Weight = key(
        "auto", 'Weight of each burst server beside a core server\'s 100, or "auto": as much as brings the core to target_load.'
    )
    target_load: v.LoadUnits = key(_ROUTING.target_load, 'With "auto", the load per core server that the weights steer to.', gt=0)
    tolerance: v.Ratio = key(_ROUTING.tolerance, 'With "auto", a relative change of the weight below this is left alone.', ge=0, lt=1)
    maxconn: v.Connections = key(
        _MAIN.maxconn, "Connection limit of each burst server; needed where the core servers have one.", example=200, ge=1
    )
    check_interval: v.Seconds = key(1.0, "Between two health checks of a burst server.", gt=0)
    retries: v.Attempts = key(
        4, "The `retries` of haproxy.cfg: two for each core server or more; removals on HAProxy 2.x wait for them.", ge=0, le=100
    )
    deadline: v.Seconds = key(2.0, "For one exchange with the socket.", gt=0)


class ScheduleSettings(Section):
    """Instances wanted at certain hours whatever the load, one table each; where windows overlap the highest minimum counts."""

    name: v.PoolName = key(..., "Your name for it.", example="sale")
    cron: v.OptionalCron = key(
        None, "When a window opens: minute, hour, day of the month, month, day of the week; none: only at the dates.", example="0 8 * * 1-5"
    )
    at: v.Dates = key((), "Dates at which a window opens once, beside those of cron.", example=["2026-12-24 08:00"])
    zone: v.Zone = key("UTC", "Time zone of cron and of the dates.", example="Europe/Oslo")
    minimum: v.Instances = key(..., "Fewest instances while the window is open.", example=2, ge=1)
    duration: v.Seconds = key(..., "How long a window stays open, in real time.", example="12h", gt=0)
    lead: v.Lead = key(
        "auto",
        'How long before a window opens its instances are launched; "auto": as long as four of five boots of the pool took at most, and 3m '
        "until one was seen.",
    )


class RenderSettings(Section):
    """What `burstd render haproxy` writes into haproxy.cfg beside the rest. The daemon never reads it."""

    bind: v.Word = key("*:80", "Where clients come in, in HAProxy's words.")
    user: v.OptionalWord = key("haproxy", 'HAProxy runs as this user; "": as who starts it.')
    group: v.OptionalWord = key("haproxy", 'The same for the group, which also owns the runtime socket; "": as who starts it.')
    chroot: v.OptionalWord = key("/var/lib/haproxy", 'The folder that HAProxy locks itself into; "": none.')
    log: v.OptionalWords = key("/dev/log local0", 'Where HAProxy logs: target and facility; "": nowhere.')
    maxconn: v.Limit = key(4096, "Client connections at once, of the whole HAProxy.", ge=1)
    slow_start: v.Seconds = key(60.0, "How long a core server that comes back takes to get its full share again; 0: at once.")
    queue_timeout: v.Seconds = key(
        5.0, "How long a request may wait for a server; short, because it cannot move to a server that joins later.", gt=0
    )


class ControlSettings(Section):
    """The unix socket by which the verbs and the API talk to the daemon. Who may write to it may scale the fleet."""

    socket: v.SocketPath = key(Path("/run/burstd/control.sock"), "Where the daemon listens.")
    mode: v.Mode = key("0660", "Mode of the socket.")
    group: v.GroupName = key(None, "Group of the socket; where it is not given, the daemon's own.", example="haproxy")

    @property
    def mode_bits(self) -> int:
        """The mode as chmod takes it."""
        return int(self.mode, 8)


class MetricsSettings(Section):
    """The page for Prometheus, /healthz, /readyz and the read-only dashboard, over HTTP without a password."""

    listen: v.Listen = key("127.0.0.1:9123", 'Address and port, IPv6 as "[::1]:9123"; "": none.')

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on, None for none."""
        return v.host_and_port(self.listen) if self.listen else None


class LogSettings(Section):
    """What the daemon says on standard error."""

    level: Literal["debug", "info", "warning", "error"] = key("info", "The least that is said.")
    format: Literal["auto", "json", "console"] = key(
        "auto", "JSON for machines, lines for people, or auto: lines on a terminal, else JSON."
    )


class Settings(Section):
    """Everything that an operator has set, and the defaults for the rest."""

    fleet: FleetSettings = FleetSettings()
    load: LoadSettings = LoadSettings()
    core: Annotated[tuple[CoreSettings, ...], Kind("tables headed [[core]], in the environment numbered from 0 without a gap")] = ()
    haproxy: HaproxySettings = HaproxySettings()
    pool: Annotated[tuple[PoolSettings, ...], Kind("tables headed [[pool]], in the environment numbered from 0 without a gap")] = ()
    schedule: Annotated[
        tuple[ScheduleSettings, ...], Kind("tables headed [[schedule]], in the environment numbered from 0 without a gap")
    ] = Field(default=(), json_schema_extra={"optional": True})
    budget: BudgetSettings = BudgetSettings()
    content: ContentSettings = ContentSettings()
    database: DatabaseSettings = DatabaseSettings()
    drill: DrillSettings = DrillSettings()
    render: RenderSettings = RenderSettings()
    control: ControlSettings = ControlSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()

    def policy(self, owner: str) -> Policy:
        """What deciding and planning may know of the settings, for the owner id that the state folder holds."""
        return Policy(
            owner=owner,
            fleet=mapped(FleetPolicy, self.fleet, minimum=self.fleet.min, maximum=self.fleet.max),
            load=mapped(LoadPolicy, self.load, steps=tuple(mapped(Step, each) for each in self.load.steps)),
            cores=tuple(mapped(CoreServer, each, server=each.server_name) for each in self.core),
            routing=mapped(RoutingPolicy, self.haproxy, mode=Mode(self.haproxy.mode), backends=tuple(_backends(self.haproxy))),
            pools=tuple(
                mapped(
                    PoolPolicy,
                    each,
                    tags=tuple(sorted(each.tags.items())),
                    user_data=each.document(self.fleet.name, keyed=self.content.core is not None),
                )
                for each in self.pool
            ),
            content=mapped(ContentPolicy, self.content) if self.content.core else None,
            database=mapped(DatabasePolicy, self.database) if self.database.primary else None,
            budget=self.budget.policy(),
        )

    def public(self) -> dict[str, Any]:
        """The settings as JSON can carry them, durations in seconds, with every secret masked."""
        return self.model_dump(mode="json")


def _backends(haproxy: HaproxySettings) -> Iterator[BackendPolicy]:
    """The main backend and the further ones, which take from it what they leave open."""
    main = BackendSettings(name=haproxy.backend, overflow=haproxy.overflow)
    for each in (main, *haproxy.further):
        yield BackendPolicy(
            name=each.name,
            joined=each.name if haproxy.mode == "weighted" else each.overflow or f"{each.name}_cloud",
            port=each.port,
            weight=_fixed(haproxy.burst_weight if each.burst_weight is None else each.burst_weight),
            maxconn=haproxy.maxconn if each.maxconn is None else each.maxconn,
        )


def _fixed(weight: int | Literal["auto"]) -> int | None:
    return None if weight == "auto" else weight
