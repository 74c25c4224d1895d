"""The daemon's documents as plain lines, aligned, with colour where the terminal takes it. Pure; printing is the verbs'."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

from burstd.cli.summary import (
    UNKNOWN,
    Cell,
    Document,
    Table,
    Tone,
    allowance,
    clean,
    mirror,
    override,
    pause,
    span,
    spending,
    summarize,
    words,
)

_STYLES: Final[dict[Tone, dict[str, Any]]] = {
    "good": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "dim": {"dim": True},
}


def status_lines(status: Document) -> Iterator[str]:
    """The status: sentence, figures, troubles, tables."""
    summary = summarize(status)
    yield click.style(summary.sentence, bold=True)
    yield ""
    width = max(len(label) for label, _ in summary.facts)
    for label, cell in summary.facts:
        yield f"{click.style(label.ljust(width), dim=True)}  {_styled(cell)}"
    yield from _list("wrong", (_styled(Cell(each, "bad")) for each in summary.troubles))
    for table in summary.tables:
        yield ""
        yield from table_lines(table)
    if status.get("database"):
        yield ""
        yield from database_lines({**status["database"], "quiet": True})


def table_lines(table: Table) -> Iterator[str]:
    """The table's headers and rows in aligned columns."""
    grid = [[Cell(each, "dim") for each in table.headers], *table.rows]
    widths = [max(len(row[column].text) for row in grid) for column in range(len(table.headers))]
    for row in grid:
        cells = []
        for cell, width, header in zip(row, widths, table.headers, strict=True):
            gap = " " * (width - len(cell.text))
            cells.append(gap + _styled(cell) if header in table.numbers else _styled(cell) + gap)
        yield "  ".join(cells).rstrip()


def explain_lines(document: Document) -> Iterator[str]:
    """Why: one section for each question."""
    document = clean(document)
    number, weight, scale_in = document["number"], document["weight"], document["scale_in"]
    yield click.style(document["sentence"], bold=True)
    wishes = [f"{each['source']} wishes {each['count']} ({each['direction']}): {each['reason']}" for each in number["proposals"]]
    title = f"Why {number['desired']} instances ({number['current']} now, {number['min']} to {number['max']} allowed)"
    yield from _list(title, [*number["reasons"], *wishes])
    wanted = "as it is" if weight["wanted"] is None else weight["wanted"]
    yield from _list("How requests are routed" if weight["mode"] == "spillover" else f"Why weight {wanted}", _weight_reasons(weight))
    yield from _list("Orders in force", filter(None, (override(document), pause(document))))
    yield from _list("What is waited for", document["waiting"])
    yield from _list("Instances", map(_instance, document["instances"]))
    blockers = scale_in["blocked_by"]
    yield from _list("What keeps an instance from going" if blockers else "Nothing keeps an instance from going", blockers, always=True)
    yield from _list("Cooldowns", (f"{words(name)}: {span(left)} left" for name, left in document["cooldowns"].items() if left > 0))
    if document.get("database"):
        yield from _list(
            "Why the replica is promoted" if document["database"]["promotes"] else "Why nobody promotes the replica without an order",
            [document["database"]["reason"]],
        )
    barred = (
        f"{each['name']} for {span(each['barred_seconds'])}{', or until the settings are read anew' * each['stopped']}: {each['reason']}"
        for each in document["pools"]
        if each["barred_seconds"]
    )
    yield from _list("Pools left alone", barred)
    money = (spending(document).text, allowance(document).text)
    yield from _list("What it costs", (part for text in money for part in text.split("; ") if part))
    if document["content"]["enabled"]:
        yield from _list("The content", [mirror(document).text])
    yield from _list("What is wrong", (f"{each['peer']}: {each['text']}" for each in document["faults"]))
    yield from _list(
        "Rules that burstd broke, please report them", (f"{each['invariant']}: {each['text']}" for each in document["violations"])
    )


def plan_lines(plan: Document) -> Iterator[str]:
    """The plan, one action a line with what came of it."""
    plan = clean(plan)
    tones: dict[str, Tone] = {"done": "good", "failed": "bad", "skipped": "warn", "planned": ""}
    yield click.style(plan["sentence"], bold=True)
    yield from _list(
        f"Plan of cycle {plan['cycle']}",
        (
            f"{_styled(Cell(each['outcome'].ljust(7), tones[each['outcome']]))}  {each['text']}"
            + (f" ({each['fault']['text']})" if each["fault"] else "")
            for each in plan["actions"]
        ),
    )
    yield from _list("What is waited for", plan["waiting"])
    yield from _list(
        "Taken out, because it would have broken a rule", (f"{each['invariant']}: {each['text']}" for each in plan["violations"])
    )


def database_lines(database: Document) -> Iterator[str]:
    """The database: both servers, what is between them, and what is wrong, but where the status has said that already (`quiet`)."""
    database = clean(database)
    servers = [(part, database[part]) for part in ("primary", "replica")]
    yield from table_lines(
        Table(("DATABASE", "ADDRESS", "VERSION", "WRITES", "GTID", "LISTENER", "SESSIONS"), [_database(*each) for each in servers])
    )
    for part, server in servers:
        replication = server["replication"]
        if replication:
            threads = ", ".join(
                f"{name} {replication[name]['state']}"
                + (f" (error {replication[name]['error']}: {replication[name]['text']})" if replication[name]["error"] else "")
                for name in ("receiving", "applying")
            )
            behind = "unknown" if replication["lag_seconds"] is None else f"{replication['lag_seconds']:g} s"
            count = "" if database["lag_transactions"] is None or part == "primary" else f", {database['lag_transactions']} transactions"
            yield f"{part}: replicates from {replication['source']}, {threads}, behind {behind}{count}"
        if server["semi_sync"] not in {None, "off"}:
            yield f"{part}: semi-sync {server['semi_sync']}, timeout {server['semi_sync_timeout']:g} s"
    promotion = database["promotion"]
    if promotion:
        yield f"promotion: {promotion['replica']} in place of {promotion['primary']}, {promotion['stage']}, ordered by {promotion['by']}"
        yield from loss_lines(promotion["loss"])
    if database["work"]:
        yield f"now: {database['work']}"
    if not database.get("quiet"):
        faults = (database["primary"]["fault"], database["replica"]["fault"], database["listener_fault"], database["fault"])
        yield from _list("wrong", (_styled(Cell(f"{each['peer']}: {each['text']}", "bad")) for each in faults if each))


def loss_lines(loss: Document | None) -> Iterator[str]:
    """What a promotion may have lost."""
    if loss is None:
        return
    if loss["known"] is None:
        lost = "an unknown number of transactions may be lost"
    elif not loss["known"] and not (loss["guessed"] and loss["acknowledged"]):
        lost = "nothing is lost"
    else:
        more = f", and some {loss['guessed']} that it may have taken after it was last seen" if loss["guessed"] else ""
        told = "" if loss["acknowledged"] else ", none of them acknowledged to a client"
        lost = f"{loss['known']} transactions are lost ({loss['missed']} was seen at the old primary){more}{told}"
    yield f"{lost}; all up to {loss['kept'] or 'nothing'} is kept"
    yield f"why: {loss['reason']}"


def event_line(event: Document) -> str:
    """One event: local time, kind, what it is about, what happened."""
    event = clean(event)
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["at"]))
    about = f"{event['subject']}: " if event["subject"] else ""
    return f"{click.style(at, dim=True)}  {event['kind']:8}  {about}{event['text']}"


def _weight_reasons(weight: Document) -> Iterator[str]:
    yield f"{weight['mode']}: {weight['reason']}"
    if weight["core_capacity"] is not None:
        yield f"one core server carries {weight['core_capacity']:.1f} requests/s at its target load"
    if weight["core_rate"] is not None and weight["burst_rate"] is not None:
        share = "" if weight["burst_share"] is None else f" ({weight['burst_share']:.0%})"
        yield f"{weight['core_rate']:.1f} requests/s to core servers, {weight['burst_rate']:.1f} to burst servers{share}"


def _instance(each: Document) -> str:
    left = each["deadline_seconds"]
    end = "" if left is None else f", {span(left)} left" if left >= 0 else f", {span(-left)} too long"
    paid = f" (paid until {time.strftime('%H:%M', time.localtime(each['paid_until']))})" if each["paid_until"] else ""
    return f"{each['name']} in {each['pool']}: {words(each['phase'])} for {span(each['seconds'])}{end}: {each['reason']}{paid}"


def _list(title: str, lines: Iterable[str], *, always: bool = False) -> Iterator[str]:
    """A title and its lines, indented; nothing where there are none, unless the title alone says something."""
    for number, line in enumerate(lines):
        if not number:
            yield from ("", title)
        yield f"  {line}"
        always = False
    if always:
        yield from ("", title)


def _styled(cell: Cell) -> str:
    style = _STYLES.get(cell.tone)
    return click.style(cell.text, **style) if style else cell.text


def _database(part: str, server: Document) -> list[Cell]:
    known = server["version"] is not None
    writes = "read-only" if server["read_only"] else "takes writes"
    return [
        Cell(part),
        Cell(server["address"]),
        Cell(f"{server['dialect']} {server['version']}") if known else Cell(UNKNOWN, "dim"),
        Cell(writes, "" if server["read_only"] else "good") if known else Cell(UNKNOWN, "dim"),
        Cell(server["gtid"] or UNKNOWN),
        Cell(server["listener"] or UNKNOWN, _DATABASE_STATES.get(server["listener"] or "", "dim")),
        Cell(UNKNOWN if server["sessions"] is None else str(server["sessions"])),
    ]


_DATABASE_STATES: Final[dict[str, Tone]] = {"UP": "good", "no check": "good", "DOWN": "bad"}
