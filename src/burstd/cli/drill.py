"""`burstd drill`: rehearse one instance in production without traffic, or a failover in the lab."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import click

from burstd.cli.client import Client, Document
from burstd.cli.login import login
from burstd.cli.options import asks_daemon, examples
from burstd.cli.summary import DRILL_STEPS, clean, span
from burstd.errors import AskOperator, BurstdError

if TYPE_CHECKING:
    from rich.status import Status

_REFRESH: Final = 0.5
_PATIENCE: Final = 60.0
"""Seconds without an answer of the daemon, which may be restarting in the midst of a drill and goes on with it."""


@click.command(
    epilog=examples(
        "burstd drill burst                        in the first pool that is free",
        "burstd drill burst --pool dublin --json   for a script: exit 0 where every step was done",
        "burstd drill burst --no-wait              `burstd status` tells how it went",
    )
)
@click.argument("what", type=click.Choice(["burst", "failover"]), metavar="burst|failover")
@click.option("--pool", metavar="NAME", help="Buy there.  [default: the first pool that is not barred]")
@click.option("--wait/--no-wait", default=True, help="Stay and show each step as it is done, or only order it.  [default: wait]")
@asks_daemon
def drill(client: Client, *, what: str, pool: str | None, wait: bool, as_json: bool) -> int:
    """Rehearse one instance in production without traffic, or a failover in the lab.

    `burst` has the daemon buy ONE real instance (it costs what an instance costs for that time) and take it all the way: create, boot,
    sync and gate, join HAProxy at weight 0, leave, destroy. No request ever reaches it, and it counts as no capacity, but it needs room
    under fleet.max. Each step's time is shown and kept: the boot times are what planning ahead counts on. If more instances are wanted
    meanwhile, it is taken into service instead. It exits with 1 where a step has failed or the drill ended early, and says which and why.
    Ctrl-C leaves it running. `[drill] cron` starts one by itself.

    `failover` cuts the core off, so it is rehearsed in the lab alone (script/lab drill dark).
    """
    if what == "failover":
        raise AskOperator(
            "drill failover: it cuts the core off, which nobody rehearses in production; `script/lab drill dark` does it in the lab"
        )
    before = _at(client.get("/v1/status"))
    sentence = client.post("/v1/drill", {"pool": pool, "owner": login()})
    if not as_json:
        click.echo(sentence)
    if not wait:
        if as_json:
            click.echo(json.dumps({"sentence": sentence}))
        return 0
    try:
        with _shown(as_json=as_json) as screen:
            found = _watch(client, before, screen)
    except KeyboardInterrupt:
        click.echo("burstd: the drill goes on; `burstd status` shows it", err=True)
        raise
    click.echo(json.dumps(found, indent=2) if as_json else _end(found))
    return 0 if found["outcome"] == "done" else 1


def _at(status: Document) -> float | None:
    """Which drill that is: when it was ordered."""
    return status["drill"] and float(status["drill"]["at"])


class _Screen(Protocol):
    def step(self, step: Document) -> None:
        """A step has ended."""

    def now(self, text: str) -> None:
        """What is under way."""


def _watch(client: Client, before: float | None, screen: _Screen) -> Document:
    """Follow the drill that was just ordered to its end."""
    told, silent_since = 0, None
    while True:
        try:
            status = client.get("/v1/status")
        except BurstdError:
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since > _PATIENCE:
                raise
            screen.now("the daemon gives no answer; is it restarting?")
            time.sleep(_REFRESH)
            continue
        silent_since = None
        found = clean(status["drill"]) if status["drill"] and _at(status) != before else None
        if found is not None:
            ended = [each for each in found["steps"] if each["state"] != "running"]
            for each in ended[told:]:
                screen.step(each)
            told = len(ended)
            if found["outcome"] != "running":
                return found
        under_way = found["steps"][-1] if found and found["steps"] else None
        screen.now(f"{DRILL_STEPS[under_way['name']]}: {span(under_way['seconds'])}" if under_way else "it begins with the next cycle")
        time.sleep(_REFRESH)


def _end(found: Document) -> str:
    where = f"{found['instance']} in {found['pool']}" if found["instance"] else "no instance"
    match found["outcome"]:
        case "done":
            return click.style(f"done in {span(found['seconds'])}: {where}", fg="green", bold=True)
        case "taken":
            early = "the load asks for the instance, which is taken into service; try again when it is calm"
            return click.style(f"ended early after {span(found['seconds'])}: {where}; {early}", fg="yellow", bold=True)
        case _:
            return click.style(f"failed after {span(found['seconds'])}: {where}: {found['failure']}", fg="red", bold=True)


class _Quiet:
    def step(self, step: Document) -> None:
        pass

    def now(self, text: str) -> None:
        pass


class _Lines:
    """A line for each step that has ended, and on a terminal a spinner for the one under way, which the lines must not run into."""

    def __init__(self, status: Status | None = None) -> None:
        self._status = status

    def step(self, step: Document) -> None:
        tone = {"done": "green", "failed": "red"}.get(step["state"], "yellow")
        if self._status is not None:
            self._status.stop()
        click.echo(f"  {click.style(step['state'].ljust(6), fg=tone)}  {step['seconds']:8.1f} s  {DRILL_STEPS[step['name']]}")
        if self._status is not None:
            self._status.start()

    def now(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)


@contextmanager
def _shown(*, as_json: bool) -> Iterator[_Screen]:
    if as_json:
        yield _Quiet()
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.console import Console

        with Console(stderr=True).status("it begins with the next cycle") as status:
            yield _Lines(status)
