"""`burstd scale`: order a number of instances, or take the order back."""

from __future__ import annotations

from urllib.parse import quote

import click

from burstd.cli.client import Client
from burstd.cli.login import login
from burstd.cli.options import asks_daemon, examples, tell
from burstd.durations import EXPECTED, parse_duration
from burstd.errors import AskOperator


@click.command(
    epilog=examples(
        'burstd scale --to 3 --for 2h --reason "the sale"',
        "burstd scale --to 0              give all of them back, until --auto",
        "burstd scale --auto              let the policies decide again",
    )
)
@click.option("--to", "count", metavar="N", help="Want N instances in service, within fleet.min and fleet.max.")
@click.option("--for", "duration", metavar="TIME", help="End by itself after this time: 90s, 45m, 2h, 1h30m.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever reads `burstd explain`.")
@click.option("--auto", is_flag=True, help="Take the order back.")
@asks_daemon
def scale(  # noqa: PLR0913 - one for each option
    client: Client, *, count: str | None, duration: str | None, reason: str, auto: bool, as_json: bool
) -> None:
    """Order a number of instances, or take the order back.

    The order stands over what the policies wish, until it ends, or until --auto. It survives a restart of the daemon. A hard limit of the
    budget stands over the order: the answer says what cannot be paid.
    """
    if auto == (count is not None):
        raise AskOperator("scale: expected either --to N or --auto")
    if count is None:
        if duration is not None or reason:
            raise AskOperator("--auto: takes the order back at once; leave --for and --reason out")
        tell(client.delete(f"/v1/scale?owner={quote(login())}"), as_json=as_json)
        return
    if not (count.isascii() and count.isdigit() and len(count) <= len("1000000")):
        raise AskOperator(f"--to {count}: expected a whole number of instances, 0 or more")
    order = {"count": int(count), "owner": login(), "reason": reason, "seconds": None if duration is None else _seconds(duration)}
    tell(client.post("/v1/scale", order), as_json=as_json)


def _seconds(duration: str) -> float:
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise AskOperator(f"--for {duration}: expected {EXPECTED}") from error
    if not seconds:
        raise AskOperator(f"--for {duration}: expected more than no time at all; say how long, as in --for 2h")
    return seconds
