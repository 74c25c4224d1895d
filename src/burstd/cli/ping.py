"""`burstd ping`: round trips from this gateway to everything that burstd deals with."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from burstd.cli.client import Client
from burstd.cli.options import config_option, examples, json_option, settings_of, socket_option
from burstd.cli.summary import UNKNOWN, Cell, Table, clean
from burstd.errors import BurstdError

if TYPE_CHECKING:
    from burstd.adapters.round_trip import RoundTrips
    from burstd.wiring.round_trips import Destination

MOST: Final = 50
"""Round trips to each: a database server counts connections that say nothing, and bars who makes too many in a row."""
_BAR: Final = 30


@click.command(
    epilog=examples(
        "burstd ping",
        "burstd ping --count 20",
        "burstd ping --json | jq '.targets[] | select(.kind == \"instance\") | .median_ms'",
    )
)
@click.option("--count", type=click.IntRange(1, MOST), default=5, metavar="N", help=f"Round trips to each, 1 to {MOST}.  [default: 5]")
@config_option
@socket_option
@json_option
def ping(count: int, config: str, socket: str | None, *, as_json: bool) -> int:
    """Measure round trips to core, instances, databases and clouds.

    What is measured is how long a TCP connection takes to be made: one way there and back, without the look-up of the name, and without
    any privilege. So a port must listen there: a core server's web port (where its address is in the settings, else its exporter's), an
    instance's web port, the database's port, and a pool's API. Nothing is sent.

    Which instances live is asked of the daemon; where none answers, the settings alone are gone through, and that is said. A pool behind a
    proxy is left out. All are measured side by side, at most about a second for each trip. P99 is what 99 of 100 trips do not exceed; of
    fewer than 100 it is the longest. An instance farther away than `max_rtt` of its pool is named: it would not join today. It exits with 1
    where one does not answer.
    """
    from burstd.wiring.round_trips import destinations, visit

    settings = settings_of(config)
    try:
        instances, trouble = Client(socket or str(settings.control.socket)).get("/v1/status")["instances"], ""
    except BurstdError as error:
        instances, trouble = [], str(error)
    found = destinations(settings, instances)
    with _waiting(f"going {count} times to {len(found)} places"):
        trips = visit(found, count)
    told = [_told(*each) for each in trips]
    silent = [each for each in told if each["median_ms"] is None]
    if as_json:
        click.echo(json.dumps({"daemon": not trouble, "targets": told}, indent=2))
    else:
        click.echo("\n".join(_lines([clean(each) for each in told])))
    if trouble:
        click.echo(f"burstd: the settings alone were gone through, so no instance is shown: {trouble}", err=True)
    for each in silent:
        click.echo(f"burstd: {each['kind']} {each['name']} ({each['host']}:{each['port']}) does not answer: {each['fault']}", err=True)
    for each in told:
        if each["too_far"]:
            bound = f"median {each['median_ms']:.3g} ms, max_rtt of pool {each['remark']} {each['max_rtt_ms']:.3g} ms"
            click.echo(f"burstd: instance {each['name']} is too far away: {bound}", err=True)
    return 1 if silent else 0


def _told(destination: Destination, trips: RoundTrips) -> dict[str, Any]:
    def ms(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds * 1000, 3)

    host, port = destination.place
    return {
        "kind": destination.kind,
        "name": destination.name,
        "host": host,
        "port": port,
        "address": trips.address,
        "remark": destination.remark,
        "min_ms": ms(trips.shortest),
        "median_ms": ms(trips.middle),
        "p99_ms": ms(trips.nearly_all),
        "max_ms": ms(trips.longest),
        "max_rtt_ms": ms(destination.bound),
        "too_far": trips.middle is not None and destination.bound is not None and trips.middle > destination.bound,
        "sent": len(trips.seconds) + trips.lost,
        "lost": trips.lost,
        "fault": trips.fault,
    }


def _lines(told: list[dict[str, Any]]) -> list[str]:
    from burstd.cli.text import table_lines

    longest = max((each["median_ms"] or 0.0 for each in told), default=0.0)
    rows = []
    for each in told:
        times = [
            Cell(UNKNOWN if each[key] is None else f"{each[key]:.1f}", "bad" if each["too_far"] and key == "median_ms" else "")
            for key in ("min_ms", "median_ms", "p99_ms")
        ]
        bar = "" if each["median_ms"] is None or not longest else "█" * max(1, round(_BAR * each["median_ms"] / longest))
        lost = Cell(f"{each['lost']} of {each['sent']}", "bad" if each["lost"] else "dim")
        host = f"[{each['host']}]" if ":" in each["host"] else each["host"]
        rows.append([Cell(each["kind"], "dim"), Cell(each["name"]), Cell(f"{host}:{each['port']}", "dim"), *times, lost, Cell(bar, "good")])
    headers = ("KIND", "NAME", "PLACE", "MIN MS", "MEDIAN", "P99", "LOST", "")
    numbers = frozenset({"MIN MS", "MEDIAN", "P99", "LOST"})
    return list(table_lines(Table(headers, rows, numbers))) if rows else ["the settings name nothing to go to"]


def _waiting(what: str) -> Any:  # noqa: ANN401 - rich's status, or nothing
    import sys

    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(what)
