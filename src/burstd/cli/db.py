"""`burstd db`: the database of the core and its replica, with a daemon and without one: the verbs go to the servers themselves."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from burstd.cli.login import login
from burstd.cli.options import config_option, examples, json_option, settings_of
from burstd.errors import AskOperator, Retry

if TYPE_CHECKING:
    from burstd.doors import DatabaseDoors
    from burstd.model.promotion import PromotionOrder
    from burstd.model.steps import Finished, Step
    from burstd.promotion import Tell
    from burstd.settings import Settings

_REFRESH = 1.0
"""Seconds between two looks of --watch."""


@click.group(
    no_args_is_help=False,
    epilog=examples(
        "burstd db status                 who is the primary, and how far is the replica behind?",
        "burstd db promote                make the replica the primary; the primary is fenced first",
        "burstd db rejoin                 how the old primary comes back",
    ),
)
def db() -> None:
    """Look after the core's database and its replica: status, promote, rejoin.

    These verbs need no daemon: they go to both servers and to HAProxy's socket themselves, with the settings' user and password. Run
    them as burstd's user, or as root. Each has a --help of its own, and takes --json.
    """


@db.command(epilog=examples("burstd db status", "burstd db status --watch", "burstd db status --json | jq .lag_transactions"))
@click.option("--watch", is_flag=True, help="Stay, and show it anew each second.")
@config_option
@json_option
def status(config: str, *, watch: bool, as_json: bool) -> None:
    """Show both servers, the replication between them, and whom the listener serves."""
    from burstd.cli.text import database_lines
    from burstd.control.database import document

    doors = _doors(settings_of(config))
    while True:
        found = document(doors.view(fresh=True), doors.now())
        click.echo(json.dumps(found, indent=None if watch else 2) if as_json else "\n".join(database_lines(found)))
        if not watch:
            return
        try:
            time.sleep(_REFRESH)
        except KeyboardInterrupt:
            return
        if not as_json:
            click.clear() if sys.stdout.isatty() else click.echo()


@db.command(
    epilog=examples(
        "burstd db promote                shows what it would do, and asks",
        "burstd db promote --yes          for scripts, and for those in a hurry",
        "burstd db promote --force        though the primary answers: a switch in good order",
        "burstd db promote --undo         take back what has fenced the primary, and not come to the replica",
    )
)
@click.option(
    "--force", is_flag=True, help="Go on though the primary answers, or the replica cannot apply all; what that may cost is said."
)
@click.option("--undo", "take_back", is_flag=True, help="Take a promotion back that has not come to the replica.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@json_option
def promote(config: str, *, force: bool, take_back: bool, yes: bool, as_json: bool) -> int:
    """Make the replica the primary: fence first, then let it apply all that it has received, promote it, and give it the connections.

    Fence first: HAProxy's listener drops the primary and cuts its sessions; a primary that answers is made read-only;
    database.fence_command runs where it is set. While the primary answers nothing is begun, unless that command is there or --force is
    said. Each step is safe to repeat: killed at any point and given again, it goes on from where things stand.

    It says what may be lost, and up to which transaction everything is there.
    """
    from burstd.model.promotion import PromotionOrder
    from burstd.promotion import carry_out
    from burstd.promotion import take_back as carry_back

    doors = _doors(settings_of(config))
    order = PromotionOrder(login(), force=force, fence=doors.fence is not None)
    if not _agreed(doors, order, yes=yes or take_back, ask=not as_json and sys.stdin.isatty()):
        return 2
    with _told(as_json=as_json) as tell:
        finished = carry_back(doors, tell) if take_back else carry_out(doors, order, tell)
    _show(finished, as_json=as_json)
    return 0


@db.command(epilog=examples("burstd db rejoin", "burstd db rejoin --json | jq .follows"))
@config_option
@json_option
def rejoin(config: str, *, as_json: bool) -> None:
    """Say how the old primary comes back: whether it can follow the new one or must be filled anew, and by which commands.

    Before any promotion it says the same of the replica. It changes nothing.
    """
    from burstd.plan.rejoin import rejoin as judged

    settings = settings_of(config)
    found = judged(_doors(settings).view(fresh=True), settings.database.port)
    if isinstance(found, str):
        raise Retry(found)
    if as_json:
        commands = [{"host": host, "command": command} for host, command in found.commands]
        told = {"server": found.server, "source": found.source, "follows": found.follows, "reason": found.reason, "own": found.own}
        click.echo(json.dumps({**told, "commands": commands}, indent=2))
        return
    verdict = f"{found.server} can follow {found.source}" if found.follows else f"{found.server} must be filled anew from {found.source}"
    click.echo(f"{verdict}: {found.reason}")
    for host, command in found.commands:
        click.echo(f"  {host}> {command}")


def _doors(settings: Settings) -> DatabaseDoors:
    from burstd.adapters.clock import SystemClock
    from burstd.wiring.database import database_of

    doors = database_of(settings, SystemClock().now)
    if doors is None:
        raise AskOperator("database.primary and database.replica: expected both addresses, not both are set; set them")
    return doors


def _agreed(doors: DatabaseDoors, order: PromotionOrder, *, yes: bool, ask: bool) -> bool:
    """Somebody wants it; where nobody could be asked, what would be refused anyway is refused first."""
    from burstd.model.steps import Finished, Refuse
    from burstd.plan.promotion import next_step

    if yes:
        return True
    view = doors.view(fresh=True)
    step = next_step(view, order, doors.now())
    if isinstance(step, Refuse | Finished):
        return True
    old, new = view.addresses
    if not ask:
        click.echo(f"burstd: nobody could be asked whether {new} shall become the primary in place of {old}; say --yes", err=True)
        return False
    return click.confirm(f"Fence {old}, and make {new} the primary", err=True)


@contextmanager
def _told(*, as_json: bool) -> Iterator[Tell]:
    """What hears of the steps: a line each on standard error, and a bar for what is waited for where a person watches."""
    from burstd.model.steps import Await

    if as_json or not sys.stderr.isatty():
        last = ""

        def tell(_step: Step, words: str) -> None:
            nonlocal last
            if words != last:
                click.echo(words, err=True)
            last = words

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[left]} left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        bars: dict[str, tuple[TaskID, int]] = {}

        def show(step: Step, words: str) -> None:
            if not isinstance(step, Await) or step.left is None:
                progress.console.print(words, highlight=False)
                return
            if step.what not in bars:
                bars[step.what] = progress.add_task(step.what, total=step.left, left=step.left), step.left
            bar, total = bars[step.what]
            progress.update(bar, completed=total - step.left, left=step.left)

        yield show


def _show(finished: Finished, *, as_json: bool) -> None:
    from burstd.cli.text import loss_lines
    from burstd.control.database import loss

    lost = loss(finished.loss)
    if as_json:
        click.echo(json.dumps({"sentence": finished.sentence, "loss": lost}, indent=2))
        return
    click.echo(finished.sentence)
    for line in loss_lines(lost):
        click.echo(line)
    if lost is not None:
        click.echo("next: name the two by their new parts in the settings, `burstd render haproxy` and `burstd render mysql`, reload both")
        click.echo("next: `burstd db rejoin` says how the old primary comes back; until then there is no replica")
