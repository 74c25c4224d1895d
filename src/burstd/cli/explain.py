"""`burstd explain`: why it is the case."""

from __future__ import annotations

import json

import click

from burstd.cli.client import Client
from burstd.cli.options import asks_daemon, examples
from burstd.cli.text import explain_lines


@click.command(epilog=examples("burstd explain", "burstd explain --json | jq .scale_in.blocked_by"))
@asks_daemon
def explain(client: Client, *, as_json: bool) -> None:
    """Say why: this number, this weight, this phase, this wait.

    It also says what keeps an instance from going, all of it at once, and how long each cooldown lasts.
    """
    document = client.get("/v1/explain")
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(explain_lines(document)))
