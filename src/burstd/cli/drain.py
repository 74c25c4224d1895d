"""`burstd drain`: give one instance back."""

from __future__ import annotations

import click

from burstd.cli.client import Client
from burstd.cli.login import login
from burstd.cli.options import asks_daemon, examples, tell


@click.command(epilog=examples("burstd drain burst-0a1b-3f2e1d0c9b", 'burstd drain burst-0a1b-3f2e1d0c9b --reason "noisy neighbour"'))
@click.argument("name")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever reads `burstd events`.")
@asks_daemon
def drain(client: Client, *, name: str, reason: str, as_json: bool) -> None:
    """Drain one instance and destroy it.

    It gets no new request, those in flight finish, then it goes. NAME is as `burstd status` lists it. Another one is launched if the
    load asks for it; `burstd scale --to` is the way to have fewer.
    """
    tell(client.post("/v1/drain", {"name": name, "owner": login(), "reason": reason}), as_json=as_json)
