"""`burstd pause`: stop a direction."""

from __future__ import annotations

import click

from burstd.cli.client import Client
from burstd.cli.login import login
from burstd.cli.options import asks_daemon, examples, tell


@click.command(epilog=examples("burstd pause                     change nothing by itself", 'burstd pause in --reason "migration"'))
@click.argument("direction", type=click.Choice(["in", "out"]), required=False)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever reads `burstd events`.")
@asks_daemon
def pause(client: Client, *, direction: str | None, reason: str, as_json: bool) -> None:
    """Stop scaling out, in, or both.

    Without a direction both are stopped. Traffic goes on, and the weights are still steered. `burstd resume` ends it.
    """
    order = {"direction": direction or "both", "owner": login(), "reason": reason}
    tell(client.post("/v1/pause", order), as_json=as_json)
