"""`burstd status`: what is the case, once or as a live view."""

from __future__ import annotations

import json
import sys
import time

import click

from burstd.cli.client import Client, Document
from burstd.cli.options import asks_daemon, examples
from burstd.cli.text import status_lines
from burstd.errors import BurstdError

_REFRESH = 1.0
"""Seconds between two looks of --watch: the loop turns every few seconds, and ages count in between."""


@click.command(
    epilog=examples(
        "burstd status",
        "burstd status --watch            until Ctrl-C",
        "burstd status --json | jq .instances[].phase",
    )
)
@click.option("--watch", is_flag=True, help="Stay, and show it anew each second.")
@asks_daemon
def status(client: Client, *, watch: bool, as_json: bool) -> None:
    """Show what is the case: load, instances, traffic, faults."""
    document = client.get("/v1/status")
    if not watch:
        _print(document, as_json=as_json)
        return
    try:
        if sys.stdout.isatty() and not as_json:
            _watch_live(client, document)
        else:
            _watch_lines(client, document, as_json=as_json)
    except KeyboardInterrupt:
        return


def _print(document: Document, *, as_json: bool, indent: int | None = 2) -> None:
    click.echo(json.dumps(document, indent=indent) if as_json else "\n".join(status_lines(document)))


def _watch_live(client: Client, document: Document) -> None:
    from rich.live import Live

    from burstd.cli.view import view

    with Live(view(document), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(_REFRESH)
            try:
                document, trouble = client.get("/v1/status"), ""
            except BurstdError as error:  # the daemon may be restarting: what was seen last stays
                trouble = str(error)
            live.update(view(document, trouble), refresh=True)


def _watch_lines(client: Client, document: Document, *, as_json: bool) -> None:
    """For pipes and logs: each new cycle once, a line each where it is JSON."""
    shown = None
    while True:
        if document["cycle"] != shown:
            if shown is not None and not as_json:
                click.echo()
            _print(document, as_json=as_json, indent=None)
            shown = document["cycle"]
        time.sleep(_REFRESH)
        document = client.get("/v1/status")
