"""`burstd events`: what has happened, once or as it comes."""

from __future__ import annotations

import json
import time
from typing import Final

import click

from burstd.cli.client import Client, Document
from burstd.cli.options import asks_daemon, examples
from burstd.cli.text import event_line
from burstd.errors import AskOperator

_REFRESH: Final = 1.0
"""Seconds between two looks of --follow."""

_WINDOW: Final = 200
"""Events in one look of --follow: more than a second can bring."""


@click.command(
    epilog=examples(
        "burstd events --limit 20",
        "burstd events --follow           until Ctrl-C",
        "burstd events --json | jq -r '.events[] | select(.kind == \"fault\") | .text'",
    )
)
@click.option("--limit", default="50", show_default=True, metavar="N", help="The newest N, 1 to 1000.")
@click.option("--follow", is_flag=True, help="Stay, and show what comes; with --json one event a line.")
@asks_daemon
def events(client: Client, *, limit: str, follow: bool, as_json: bool) -> None:
    """Show what has happened: decisions, instances, orders, faults.

    The oldest comes first. The daemon keeps the newest thousand, over restarts.
    """
    if not (limit.isascii() and limit.isdigit()):
        raise AskOperator(f"--limit {limit}: expected a whole number from 1 to 1000")
    document = client.get(f"/v1/events?limit={limit}")
    if as_json and not follow:
        click.echo(json.dumps(document, indent=2))
        return
    _print(document["events"], as_json=as_json)
    try:
        while follow:
            seen = {_identity(each) for each in document["events"]}
            time.sleep(_REFRESH)
            document = client.get(f"/v1/events?limit={max(int(limit), _WINDOW)}")
            newest = max((each[0] for each in seen), default=0.0)
            _print([each for each in document["events"] if each["at"] >= newest and _identity(each) not in seen], as_json=as_json)
    except KeyboardInterrupt:
        return


def _identity(event: Document) -> tuple[float, str, str, str]:
    return event["at"], event["kind"], event["subject"], event["text"]


def _print(history: list[Document], *, as_json: bool) -> None:
    for each in history:
        click.echo(json.dumps(each) if as_json else event_line(each))
