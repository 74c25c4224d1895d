"""`burstd adopt`: take the fleet back from the clouds after the roster was lost."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from burstd.cli.options import config_option, examples, json_option, settings_of

if TYPE_CHECKING:
    from burstd.model.cloud import Node
    from burstd.wiring.adoption import Takeover


@click.command(
    epilog=examples(
        "burstd adopt                     shows what it would take over, and asks",
        "burstd adopt --yes               for scripts",
        "burstd adopt --json              only shows it",
    )
)
@config_option
@click.option("--yes", is_flag=True, help="Take over without asking.")
@json_option
def adopt(config: str, *, yes: bool, as_json: bool) -> int:
    """Take the fleet back from the clouds after the roster was lost.

    For a stopped daemon whose roster is lost or damaged. Lists every pool's machines that carry this fleet's owner tag, shows what it would
    take over, and asks. Then it writes a new roster under the old owner; the next `burstd run` goes on with these machines, those that
    HAProxy lists already without a break. No machine is created, changed or destroyed. If a pool cannot be listed, nothing is written.

    Without a terminal it needs --yes, and exits with 2 where it only showed.
    """
    from burstd.wiring.adoption import Takeover

    with closing(Takeover(settings_of(config))) as takeover:
        if not as_json:
            _show(takeover)
        needed = takeover.lost or bool(takeover.adoption.instances)
        ask = not as_json and _on_terminal()
        agreed = needed and (yes or (ask and click.confirm(_question(takeover), err=True)))
        told = takeover.take_over() if agreed else "nothing is taken over"
        if as_json:
            click.echo(json.dumps({**_document(takeover), "adopted": agreed, "sentence": told}, indent=2))
        else:
            click.echo(told)
        if needed and not agreed and not ask:
            click.echo("burstd: nobody could be asked; look at what would be taken over, then say `burstd adopt --yes`", err=True)
            return 2
        return 0


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _question(takeover: Takeover) -> str:
    count = len(takeover.adoption.instances)
    machines = f"take {'this machine' if count == 1 else f'these {count} machines'} over"
    if not takeover.lost:
        return machines.capitalize()
    return f"{machines}, in a new roster".capitalize() if count else "Begin a new, empty roster under the old owner"


def _show(takeover: Takeover) -> None:
    from burstd.cli.summary import Cell, Table
    from burstd.cli.text import table_lines

    if takeover.set_aside:
        click.echo(f"roster.db was damaged and is set aside as {takeover.set_aside}")
    rows = [
        [Cell(each) for each in (*_described(node).values(), remark)]
        for nodes, remark in ((takeover.adoption.nodes, ""), (takeover.adoption.doubles, "second of its operation: will be destroyed"))
        for node in nodes
    ]
    if rows:
        click.echo("\n".join(table_lines(Table(("NAME", "ID", "POOL", "STATE", "ADDRESS", "OPERATION", ""), rows))))
    else:
        click.echo(f"no pool lists a machine of owner {takeover.owner} that is without a record")


def _document(takeover: Takeover) -> dict[str, object]:
    return {
        "owner": takeover.owner,
        "lost": takeover.lost,
        "set_aside": takeover.set_aside or None,
        "machines": [_described(each) for each in takeover.adoption.nodes],
        "doubles": [_described(each) for each in takeover.adoption.doubles],
    }


def _described(node: Node) -> dict[str, str]:
    """A machine for people and for JSON, in the order of the table's columns."""
    return {
        "name": node.name,
        "id": node.id,
        "pool": node.pool,
        "state": node.state.value,
        "address": node.addresses[0] if node.addresses else "",
        "operation": node.operation or "",
    }
