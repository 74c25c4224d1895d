"""The lab's verbs; `script/lab` calls this."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tests.lab import container, lab, machine, place, wan

LACKING = 3
"""Exit code where the machine cannot hold the lab."""

PROOFS = ("burst", "dark", "content", "latency")
"""As tests.lab.drill.run has them; repeated, so that the help needs no import."""

EXAMPLES = """\b
Examples:
  script/lab up                       half a minute; the first time two
  script/lab status
  script/lab shell gateway            then: burstd status --watch
  script/lab shell core-oslo-01 uptime
  script/lab cut oslo                 the core's site goes dark
  script/lab heal oslo
  script/lab drill                    every proof, in about eleven minutes
  script/lab down

\b
Exit codes:
  0   done
  1   a part did not come up, or a proof of the drill failed
  2   the words cannot be understood, or the lab is not up
  3   this machine lacks what the lab needs; the lines say what
"""


@click.group(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    r"""The article's whole stack, as hosts of their own on this machine.

    \b
    gateway        10.0.0.2      Oslo: HAProxy, and burstd as its systemd unit
    core-oslo-01   10.0.0.5      Oslo: web site, MariaDB primary, content
    core-oslo-02   10.0.0.6      Oslo: web site
    replica-ams    10.1.0.5      Amsterdam: MariaDB replica
    (instances)    192.168.1.10  Dublin and on: what burstd buys of the lab's cloud

    Each boots systemd, and has its own address, CPU quota and load average. Between the sites lies a WAN with the article's round
    trips. It needs root. docs/lab.md tells the rest.
    """


@main.command()
def up() -> None:
    """Boot all hosts; the remains of a lab that broke go first."""
    _able()
    lab.up()


@main.command()
def down() -> None:
    """Take away everything that the lab has started, whatever state it is in."""
    _root()
    lab.down()


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(*, as_json: bool) -> None:
    """Show the hosts, their load averages, and the WAN. Exit code 2 where the lab is not up."""
    _root()
    document = lab.status()
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(_lines(document)))
    sys.exit(0 if document["up"] else 2)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(host: str, command: Sequence[str]) -> None:
    """Open a shell in a host, as root; or run a command there."""
    _root()
    sys.exit(container.shell(host, command))


@main.command()
@click.argument("host")
def cut(host: str) -> None:
    """Let nothing reach a host any more, or a whole site (gateway, oslo, dublin, amsterdam): a black hole, no reset."""
    _root()
    wan.order(place.CONTROL, "cut", name=host)


@main.command()
@click.argument("host")
def heal(host: str) -> None:
    """Undo a cut."""
    _root()
    wan.order(place.CONTROL, "heal", name=host)


@main.command("round-trip")
@click.argument("site")
@click.argument("other")
@click.argument("milliseconds", type=click.FloatRange(0, 10_000))
def round_trip(site: str, other: str, milliseconds: float) -> None:
    """Set the round trip between two sites."""
    _root()
    wan.order(place.CONTROL, "round_trip", one=site, other=other, millis=milliseconds)


@main.command()
@click.argument("proofs", nargs=-1, type=click.Choice(PROOFS), metavar="[PROOF]...")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write what was measured there.")
def drill(proofs: Sequence[str], json_file: Path | None) -> None:
    """Prove the article's claims, each of them or those named: burst, dark, content, latency.

    In the lab that is up, or in one of its own that is taken down again. Prints a table; exit code 1 where a claim does not hold.
    """
    from tests.lab.drill import run

    _able()
    sys.exit(0 if run.drill(proofs, json_file) else 1)


def _able() -> None:
    lacking = machine.lacking()
    for line in lacking:
        click.echo(f"lab: this machine lacks {line}", err=True)
    if lacking:
        sys.exit(LACKING)


def _root() -> None:
    """The other verbs need less of the machine than `up`."""
    if not machine.is_root():
        click.echo(f"lab: this machine lacks {machine.NO_ROOT}", err=True)
        sys.exit(LACKING)


def _lines(document: dict[str, Any]) -> list[str]:
    if not document["hosts"]:
        return ["the lab is not up; script/lab up boots it"]
    lines = [f"{'HOST':<24} {'SITE':<10} {'ADDRESS':<14} {'CPUS':>4}  {'LOAD':>5}  STATE"]
    for host in document["hosts"]:
        state = "cut off" if host["cut"] else "up" if host["running"] else "down"
        load = "-" if host["load1"] is None else f"{host['load1']:.2f}"
        lines.append(f"{host['name']:<24} {host['site']:<10} {host['address']:<14} {host['cpus']:>4}  {load:>5}  {state}")
    lines.append("")
    lines += [f"{pair.replace('-', ' to '):<24} {millis:g} ms" for pair, millis in sorted(document["round_trips_ms"].items())]
    if not document["up"]:
        lines.append("\nnot whole: script/lab up clears the remains and starts again")
    return lines


def run() -> None:
    """Say in one line what an operator can do about, and nothing more."""
    try:
        main(prog_name="script/lab")
    except (container.NotUp, wan.Refused) as refused:
        click.echo(f"lab: {refused}", err=True)
        sys.exit(2)
    except (FileNotFoundError, ConnectionRefusedError):
        click.echo("lab: there is no WAN to ask; script/lab up boots the lab", err=True)
        sys.exit(2)
    except (AssertionError, place.Failed) as failed:
        click.echo(f"lab: {failed}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
