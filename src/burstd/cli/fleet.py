"""`burstd fleet`: what the clouds have, ours and not ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from burstd.cli.client import Client
from burstd.cli.options import config_option, examples, json_option, settings_of, socket_option
from burstd.errors import BurstdError

if TYPE_CHECKING:
    from burstd.wiring.inventory import Inventory, Machine


@click.command(
    epilog=examples("burstd fleet", "burstd fleet --json | jq '.machines[] | select(.whose == \"orphan\")'"),
)
@config_option
@socket_option
@json_option
def fleet(config: str, socket: str | None, *, as_json: bool) -> int:
    """Show what the clouds have: ours, orphans, strangers with a like name.

    Asks every pool itself and changes nothing, with or without a daemon. An orphan carries this fleet's tags and has no record; only a
    running daemon knows its records. Strangers are shown where somebody might take them for ours: by a name like ours, or by the tags of
    another burstd; they are never touched. Where a pool cannot be listed the others are still shown, and the exit code is 1.
    """
    from burstd.wiring.inventory import take_inventory

    settings = settings_of(config)
    client = Client(socket or str(settings.control.socket))

    def instances() -> list[dict[str, Any]] | None:
        try:
            return list(client.get("/v1/status")["instances"])
        except BurstdError:
            return None

    inventory = take_inventory(settings, instances)
    click.echo(json.dumps(_document(inventory), indent=2) if as_json else "\n".join(_lines(inventory)))
    for fault in inventory.faults:
        click.echo(f"burstd: {fault}; its machines are not shown", err=True)
    return 1 if inventory.faults else 0


def _document(inventory: Inventory) -> dict[str, object]:
    return {
        "owner": inventory.owner,
        "recorded": inventory.recorded,
        "machines": [_described(each) for each in inventory.machines],
        "faults": [{"peer": each.peer, "kind": str(each.kind), "text": each.text} for each in inventory.faults],
    }


def _described(machine: Machine) -> dict[str, str | None]:
    """A machine for people and for JSON, in the order of the table's columns."""
    node = machine.node
    return {
        "whose": machine.whose.value,
        "name": node.name,
        "id": node.id,
        "pool": node.pool,
        "state": node.state.value,
        "address": node.addresses[0] if node.addresses else None,
        "phase": machine.phase,
        "operation": node.operation,
        "remark": machine.remark,
    }


def _lines(inventory: Inventory) -> list[str]:
    from burstd.cli.summary import UNKNOWN, Cell, Table, Tone, clean
    from burstd.cli.text import table_lines

    tones: dict[str, Tone] = {"ours": "", "orphan": "bad", "stranger": "dim"}
    documents = [clean(_described(each)) for each in inventory.machines]
    rows = [
        [Cell(each["whose"], tones[each["whose"]]), *(Cell(UNKNOWN if value is None else value) for value in list(each.values())[1:])]
        for each in documents
    ]
    headers = ("WHOSE", "NAME", "ID", "POOL", "STATE", "ADDRESS", "PHASE", "OPERATION", "")
    lines = list(table_lines(Table(headers, rows))) if rows else ["no pool lists a machine of this fleet, or one like it"]
    if not inventory.recorded:
        lines.append("no daemon answers: which of ours have a record is not known")
    return lines
