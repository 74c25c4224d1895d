"""The policies that can be simulated, by name, and the rest of the settings that they need. Pure."""

from __future__ import annotations

from dataclasses import replace

from burstd.model.policy import BackendPolicy, CoreServer, Deciding, FleetPolicy, LoadPolicy, Mode, Policy, PoolPolicy, RoutingPolicy
from burstd.simulate.world import WorldSpec

OWNER = "5" * 32
"""Whose fleet it is, in the simulation."""
POOL = "simulated"


def policy_names() -> tuple[str, ...]:
    """The values of `load.policy`, the default one first."""
    default = LoadPolicy().policy
    return (default, *(each for each in Deciding if each is not default))


def policy_for(world: WorldSpec, name: str, base: Policy | None = None) -> Policy:
    """The policy of that name, on the settings of `base` or the defaults, for the simulated site.

    What the site does not have is left out: the content's mirror, the database, further backends, spillover. Each of its cores is as
    good as the other, and `base`'s count for nothing; its pools keep their names and prices.

    Raises:
        ValueError: there is no policy of that name.
    """
    if name not in policy_names():
        raise ValueError(name)
    cores = tuple(CoreServer(f"core-{number}", "http://core/metrics", f"core-{number}") for number in range(1, world.cores + 1))
    pools = (PoolPolicy(POOL, "image", "size"),)
    if base is None:
        base = Policy(OWNER, FleetPolicy(maximum=world.maximum), LoadPolicy(), cores, RoutingPolicy(), pools)
    main = base.routing.backends[0]
    backend = replace(main, joined=main.name, maxconn=None) if base.routing.mode is Mode.WEIGHTED else BackendPolicy(main.name, main.name)
    return replace(
        base,
        owner=OWNER,
        fleet=replace(base.fleet, maximum=world.maximum),
        load=replace(base.load, policy=Deciding(name)),
        cores=cores,
        routing=replace(base.routing, mode=Mode.WEIGHTED, backends=(backend,)),
        pools=tuple(replace(each, metrics_port=9100, user_data=None) for each in base.pools) or pools,
        content=None,
        database=None,
    )
