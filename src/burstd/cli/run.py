"""`burstd run`: the daemon, or one cycle of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from burstd.cli.options import config_option, examples, json_option, settings_of

if TYPE_CHECKING:
    from burstd.model.policy import Policy
    from burstd.model.turn import Turn


@click.command(
    epilog=examples(
        "burstd run                        until SIGTERM or Ctrl-C; SIGHUP reloads",
        "burstd run --dry-run              as a daemon that plans and does nothing",
        "burstd run --once --dry-run       what would one cycle do?",
    )
)
@config_option
@click.option("--once", is_flag=True, help="Run one cycle, wait for its calls to end, print its sentence; exit 1 where anything failed.")
@click.option("--dry-run", is_flag=True, help="Plan and do nothing; print each cycle's plan.")
@json_option
def run(config: str, *, once: bool, dry_run: bool, as_json: bool) -> int:
    """Run the daemon in the foreground, as systemd starts it.

    Every poll interval it reads the load and HAProxy, decides, and carries its plan out. Stopping it leaves the fleet as it is; the next
    start takes it over. SIGHUP reads the settings anew; a file that cannot be used leaves the old ones in force.

    A dry run holds the state folder as the daemon does; beside a running daemon, `burstd plan` shows what that one plans.
    """
    if as_json and not (once or dry_run):
        raise click.UsageError("--json is for --once and --dry-run; the daemon's log has its own format (log.format)")
    from burstd import daemon
    from burstd.cli.text import plan_lines
    from burstd.control import documents
    from burstd.wiring import Wiring

    def show(turn: Turn, policy: Policy) -> None:
        document = documents.plan(turn, policy)
        if as_json:
            click.echo(json.dumps(document, indent=2 if once else None))
        elif dry_run:
            click.echo("\n".join(plan_lines(document)))
        elif once:
            click.echo(turn.sentence)

    turn_once = daemon.once if once else daemon.run
    return turn_once(lambda: settings_of(config), Wiring, dry_run=dry_run, show=show)
