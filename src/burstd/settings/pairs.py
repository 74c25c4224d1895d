"""Settings that are each right and cannot be right together, a template and what it is rendered from among them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from burstd.settings.places import KeyPath
from burstd.settings.problems import Problem
from burstd.settings.sections import Settings
from burstd.settings.templates import Unrenderable


def impossible_pairs(settings: Settings) -> Iterator[Problem]:
    """Every contradiction between settings, in the order of the sections."""
    yield from _fleet(settings)
    yield from _load(settings)
    yield from _haproxy(settings)
    yield from _core(settings)
    yield from _pool(settings)
    yield from _schedule(settings)
    yield from _budget(settings)
    yield from _database(settings)


def _database(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database.auto_promote and not database.fence_command:
        yield Problem(
            (("database", "auto_promote"), ("database", "fence_command")),
            "a fence_command where nobody watches the promotion",
            "set fence_command, or leave auto_promote out: without a fence both servers may take writes",
        )


def _fleet(settings: Settings) -> Iterator[Problem]:
    fleet = settings.fleet
    if fleet.min > fleet.max:
        yield Problem((("fleet", "min"), ("fleet", "max")), "min to be at most max", "lower min, or raise max")
    if fleet.min <= fleet.max < fleet.min + fleet.standby:
        yield Problem(
            (("fleet", "min"), ("fleet", "standby"), ("fleet", "max")),
            "min and standby together to be at most max",
            "lower one, or raise max",
        )
    if fleet.standby and settings.haproxy.mode == "spillover":
        yield Problem(
            (("fleet", "standby"), ("haproxy", "mode")),
            "no standby where an instance in service is idle anyway until the core is full",
            "leave standby out, and set fleet.min instead",
        )
    for name in ("fallback", "on_core_loss"):
        if getattr(fleet, name) > fleet.max:
            yield Problem((("fleet", name), ("fleet", "max")), f"{name} to be at most max", f"lower {name}, or raise max")
    if fleet.backoff > fleet.backoff_max:
        yield Problem(
            (("fleet", "backoff"), ("fleet", "backoff_max")), "backoff to be at most backoff_max", "lower backoff, or raise backoff_max"
        )
    if fleet.poll_interval > settings.load.stale_after:
        yield Problem(
            (("fleet", "poll_interval"), ("load", "stale_after")),
            "every sample to be read again before it is stale",
            "lower poll_interval, or raise stale_after",
        )
    if fleet.stale_cycle <= fleet.poll_interval:
        yield Problem(
            (("fleet", "stale_cycle"), ("fleet", "poll_interval")),
            "stale_cycle to be above poll_interval",
            "raise stale_cycle to a few poll intervals",
        )


def _load(settings: Settings) -> Iterator[Problem]:
    load, haproxy = settings.load, settings.haproxy
    if load.scale_in_below >= load.scale_out_above:
        yield Problem(
            (("load", "scale_in_below"), ("load", "scale_out_above")),
            "scale_in_below to be below scale_out_above",
            "leave room between the two, such as 2 and 4",
        )
    if load.absurd_above <= load.scale_out_above:
        yield Problem(
            (("load", "absurd_above"), ("load", "scale_out_above")),
            "absurd_above to be far above scale_out_above",
            "raise absurd_above, or leave it out",
        )
    for number, (before, after) in enumerate(pairwise(load.steps)):
        if after.ratio <= before.ratio or after.count < before.count:
            yield Problem(
                (("load", "steps", number), ("load", "steps", number + 1)),
                "the later tier to have the higher ratio and no smaller count",
                "write the tiers in rising order",
            )
    if haproxy.burst_weight == "auto" and haproxy.target_load >= load.scale_out_above:
        yield Problem(
            (("haproxy", "target_load"), ("load", "scale_out_above")),
            "target_load to be below scale_out_above",
            "lower target_load, such as to seven eighths of scale_out_above",
        )


def _haproxy(settings: Settings) -> Iterator[Problem]:
    """Every backend has a name of its own, those that the instances join in spillover mode included."""
    haproxy = settings.haproxy
    main: KeyPath = ("haproxy",)
    tables = [(main, "backend", haproxy.backend, haproxy.overflow)]
    tables += [((*main, "further", number), "name", each.name, each.overflow) for number, each in enumerate(haproxy.further)]
    named: list[tuple[str, KeyPath]] = [(name, (*above, key)) for above, key, name, _ in tables]
    if haproxy.mode == "spillover":
        named += [(overflow or f"{name}_cloud", (*above, "overflow")) for above, _, name, overflow in tables]
    first: dict[str, KeyPath] = {}
    for name, path in named:
        if name in first:
            yield Problem((first[name], path), "a backend of its own for each", "rename one of the two")
        first.setdefault(name, path)


def _core(settings: Settings) -> Iterator[Problem]:
    if not settings.core:
        yield Problem((("core",),), "at least one core server whose load is read", "add a [[core]] table with name and exporter")
    yield from _twice([core.name for core in settings.core], [("core", number, "name") for number in range(len(settings.core))])
    named: list[KeyPath] = [("core", number, "server" if core.server else "name") for number, core in enumerate(settings.core)]
    for problem in _twice([core.server_name for core in settings.core], named):
        # Two equal names, of cores whose servers are named by them, are told above.
        if any(path[-1] == "server" for path in problem.paths):
            yield problem
    for number, core in enumerate(settings.core):
        if f"{core.server_name}-".startswith(f"{settings.fleet.name}-"):
            yield Problem(
                (named[number], ("fleet", "name")),
                f"no core server to be named like an instance, {settings.fleet.name}-…",
                "choose another fleet.name",
            )


def _pool(settings: Settings) -> Iterator[Problem]:
    if settings.fleet.max and not settings.pool:
        yield Problem((("pool",), ("fleet", "max")), "a place to get instances from", "add a [[pool]] table, or set fleet.max = 0")
    yield from _twice([pool.name for pool in settings.pool], [("pool", number, "name") for number in range(len(settings.pool))])
    countries = settings.fleet.countries
    if countries and settings.fleet.max and settings.pool and all(pool.country and pool.country not in countries for pool in settings.pool):
        keys: list[KeyPath] = [("fleet", "countries"), *(("pool", number, "country") for number in range(len(settings.pool)))]
        yield Problem(tuple(keys), "at least one pool in these countries", "add a pool that is, or the country of one that shall be used")
    for number, pool in enumerate(settings.pool):
        for name in sorted(pool.args.keys() & pool.secret_files.keys()):
            yield Problem(
                (("pool", number, "args", name), ("pool", number, "secret_files", name)),
                "an argument to be given once",
                f"take {name} out of one of the two",
            )
        if pool.proxy is not None and pool.proxy_file is not None:
            paths = (("pool", number, "proxy"), ("pool", number, "proxy_file"))
            yield Problem(paths, "a proxy to be given once", "take one of the two out")
        if countries and pool.country is None:
            yield Problem(
                (("fleet", "countries"), ("pool", number, "country")),
                "every pool to say in which country it is",
                'write for example country = "IE" in that pool',
            )
        if pool.price is not None and pool.currency is None:
            paths = (("pool", number, "price"), ("pool", number, "currency"))
            yield Problem(paths, "a price to have its currency", 'write for example currency = "EUR"')
        try:
            pool.document(settings.fleet.name, keyed=settings.content.core is not None)
        except Unrenderable as error:
            yield Problem(
                (("pool", number, "user_data"),),
                f"a template that can be rendered ({error})",
                "mend that line, docs/configuration.md lists the variables",
            )


def _schedule(settings: Settings) -> Iterator[Problem]:
    schedules = settings.schedule
    yield from _twice([each.name for each in schedules], [("schedule", number, "name") for number in range(len(schedules))])
    for number, schedule in enumerate(schedules):
        if schedule.cron is None and not schedule.at:
            paths = (("schedule", number, "cron"), ("schedule", number, "at"))
            yield Problem(paths, "hours by cron, dates, or both", 'write for example cron = "0 8 * * 1-5", or at = ["2026-12-24 08:00"]')
        if schedule.minimum > settings.fleet.max:
            yield Problem(
                (("schedule", number, "minimum"), ("fleet", "max")), "minimum to be at most fleet.max", "lower minimum, or raise fleet.max"
            )


def _budget(settings: Settings) -> Iterator[Problem]:
    """What a limit is compared with must be known, and in its own currency."""
    budget = settings.budget
    limits = budget.limits
    for name in limits:
        if budget.currency is None:
            yield Problem((("budget", name), ("budget", "currency")), "a limit to have its currency", 'write for example currency = "EUR"')
            return
    for period in ("day", "month"):
        soft, hard = f"{period}_soft", f"{period}_hard"
        if soft in limits and hard in limits and limits[soft] > limits[hard]:
            yield Problem(
                (("budget", soft), ("budget", hard)), f"{soft} to be at most {hard}", "lower the soft limit, or raise the hard one"
            )
    strict = next((name for name in limits if name.endswith("hard")), None)
    for number, pool in enumerate(settings.pool if limits else ()):
        if pool.price is None and strict:
            yield Problem(
                (("pool", number, "price"), ("budget", strict)),
                "a price in every pool, for what is not known keeps to no limit",
                "set the pool's price and currency, or take the hard limits out",
            )
        if pool.price is not None and pool.currency not in {None, budget.currency}:
            yield Problem(
                (("pool", number, "currency"), ("budget", "currency")),
                "every price in the budget's currency, for two currencies are never added",
                "convert the pool's price, or take the limits out",
            )


def _twice(values: Sequence[str], paths: Sequence[KeyPath]) -> Iterator[Problem]:
    for number, value in enumerate(values):
        first = values.index(value)
        if first < number:
            yield Problem((paths[first], paths[number]), f"a {paths[number][-1]} of its own for each", "rename one of the two")
