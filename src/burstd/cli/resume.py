"""`burstd resume`: end a pause."""

from __future__ import annotations

from urllib.parse import quote

import click

from burstd.cli.client import Client
from burstd.cli.login import login
from burstd.cli.options import asks_daemon, examples, tell


@click.command(epilog=examples("burstd resume"))
@asks_daemon
def resume(client: Client, *, as_json: bool) -> None:
    """Let burstd scale again after a pause, in both directions."""
    tell(client.delete(f"/v1/pause?owner={quote(login())}"), as_json=as_json)
