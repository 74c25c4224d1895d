"""`burstd content`: the mirror of the core's content, seen and released."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from burstd.cli.client import Client, Document
from burstd.cli.login import login
from burstd.cli.options import asks_daemon, examples, tell
from burstd.cli.summary import UNKNOWN, Cell, Table, clean, mirror, span, words
from burstd.cli.text import table_lines

_KEYS = ("name", "phase", "address", "content_lag_seconds", "content_synced", "content_delays", "content_error")


@click.group(
    epilog=examples(
        "burstd content status --json                           how far behind is each instance?",
        'burstd content release --reason "the old pictures were meant to go"',
    ),
)
def content() -> None:
    """See to the content that the core pushes to the instances.

    The core's content is mirrored by lsyncd, and an instance joins only when all of it is there. Where more than content.max_delete of the
    files is gone within a minute nothing is pushed any more, until somebody has looked and releases it. docs/content.md tells how it works.
    """


@content.command(epilog=examples("burstd content status", "burstd content status --json | jq .content.held"))
@asks_daemon
def status(client: Client, *, as_json: bool) -> None:
    """Show how far behind the core each instance is, and whether the mirror is held."""
    document = client.get("/v1/status")
    if as_json:
        instances = [{key: each[key] for key in _KEYS} for each in document["instances"]]
        click.echo(json.dumps({"content": document["content"], "instances": instances}, indent=2))
        return
    click.echo("\n".join(_lines(clean(document))))


@content.command(epilog=examples('burstd content release --reason "the old pictures were meant to go"'))
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever reads `burstd events`.")
@asks_daemon
def release(client: Client, *, reason: str, as_json: bool) -> None:
    """Let the mirror go on that was held after many files were deleted: on the instances they are deleted then, too."""
    tell(client.post("/v1/content/release", {"owner": login(), "reason": reason}), as_json=as_json)


def _lines(status: Document) -> Iterator[str]:
    yield mirror(status).text
    if status["content"]["fault"]:
        yield f"it does not answer: {status['content']['fault']['text']}"
    rows = [
        [
            Cell(each["name"]),
            Cell(words(each["phase"])),
            Cell(each["address"] or UNKNOWN),
            Cell({True: "over", False: "not over", None: UNKNOWN}[each["content_synced"]]),
            Cell(span(each["content_lag_seconds"])),
            Cell(each["content_error"] or ""),
        ]
        for each in status["instances"]
    ]
    if rows:
        yield ""
        yield from table_lines(Table(("INSTANCE", "PHASE", "ADDRESS", "FIRST RUN", "BEHIND", "TROUBLE"), rows, frozenset({"BEHIND"})))
