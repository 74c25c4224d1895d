"""`burstd plan`: what the last cycle planned, and what came of it."""

from __future__ import annotations

import json

import click

from burstd.cli.client import Client
from burstd.cli.options import asks_daemon, examples
from burstd.cli.text import plan_lines


@click.command(epilog=examples("burstd plan", "burstd plan --json | jq '.actions[] | select(.outcome == \"failed\")'"))
@asks_daemon
def plan(client: Client, *, as_json: bool) -> None:
    """Show what the last cycle planned, and what came of it.

    An action is done, failed, skipped (after a failure before it) or planned (`burstd run --dry-run` does nothing). An empty plan
    means that there is nothing to do.
    """
    document = client.get("/v1/plan")
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(plan_lines(document)))
