"""The command `burstd`: finds a verb's module when it is asked for, and turns errors into one line and an exit code.

It does nothing else: no settings are read here, no peer is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from burstd import __version__
from burstd.errors import AskOperator, BurstdError

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells count it."""

VERBS: Final = {
    "run": "Run the daemon in the foreground, as systemd starts it.",
    "check": "Check the settings and every peer, before the daemon counts on them.",
    "status": "Show what is the case: load, instances, traffic, faults.",
    "explain": "Say why: this number, this weight, this phase, this wait.",
    "events": "Show what has happened: decisions, instances, orders, faults.",
    "plan": "Show what the last cycle planned, and what came of it.",
    "scale": "Order a number of instances, or take the order back.",
    "pause": "Stop scaling out, in, or both.",
    "resume": "Let burstd scale again after a pause, in both directions.",
    "drain": "Drain one instance and destroy it.",
    "ping": "Measure round trips to core, instances, databases and clouds.",
    "drill": "Rehearse one instance in production without traffic, or a failover in the lab.",
    "content": "See to the content that the core pushes to the instances.",
    "fleet": "Show what the clouds have: ours, orphans, strangers with a like name.",
    "adopt": "Take the fleet back from the clouds after the roster was lost.",
    "db": "Look after the core's database and its replica: status, promote, rejoin.",
    "simulate": "Show what burstd would have done on a recorded load, and its cost.",
    "render": "Print a neighbour's configuration files, made from the settings.",
    "demo": "Watch a real HAProxy burst on this machine, in two minutes.",
    "completion": "Print the completion script for your shell.",
}
"""Every verb with its line in `burstd --help`, in that order: help is shown without importing any of them."""

EPILOG: Final = """\
\b
Examples:
  burstd check                          is everything in place?
  burstd status --watch                 a live view; Ctrl-C leaves it
  burstd explain                        why this many instances?
  burstd scale --to 3 --for 2h --reason "the sale"
  burstd scale --auto                   let the policies decide again

\b
Exit codes:
  0    done
  1    a peer is down, or asks to try again
  2    your input or the settings must be mended; the line says how
  130  interrupted
"""


class LazyGroup(click.Group):
    """A group whose commands stay on disk until they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs, in the order of the help page."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the verb's module and take its command; None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f"burstd.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the verbs from the table, importing none."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def main(  # type: ignore[override]  # click's overloads are wider than what is called
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run, and exit with a code; what went wrong is one line on standard error."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name, **extra)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "burstd"
            message = " ".join(error.format_message().split()).rstrip(".")
            code = _fail(2, f"{message} (see `{path} --help`)")
        except click.ClickException as error:
            code = _fail(error.exit_code, error.format_message())
        except click.Abort:
            code = INTERRUPTED
        except AskOperator as error:
            code = _fail(2, *str(error).splitlines())
        except BurstdError as error:
            code = _fail(1, " ".join(str(error).split()))
        sys.exit(code if isinstance(code, int) else 0)


def _fail(code: int, *lines: str) -> int:
    for line in lines:
        click.echo(f"burstd: {line}", err=True)
    return code


@click.group(cls=LazyGroup, epilog=EPILOG, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="burstd", message="%(prog)s %(version)s")
@click.option("--config", metavar="FILE", envvar="BURSTD_CONFIG", help="Settings file.  [default: /etc/burstd/burstd.toml]")
@click.option("--socket", metavar="PATH", envvar="BURSTD_CONTROL__SOCKET", help="The daemon's control socket.  [default: control.socket]")
def burstd(config: str | None, socket: str | None) -> None:  # noqa: ARG001 - the verbs take them from here (burstd.cli.options)
    """Own the core, rent the spike: autoscale beside HAProxy.

    burstd polls the load average of your own servers, buys cloud instances when it crosses a threshold, joins them to HAProxy, and
    gives them back when the load is gone. `run` is the daemon; the other verbs talk to it over its control socket.
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org; on anything but a terminal click leaves colours out by itself
        click.get_current_context().color = False
