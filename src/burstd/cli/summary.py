"""What is worth seeing of a status document, as words and tones: the same for plain text (`burstd.cli.text`) and the live view.

Pure: a document in, nothing else. What peers have said is shown without its control characters.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from burstd.durations import format_duration
from burstd.model.cost import money

Document = dict[str, Any]
Tone = Literal["", "good", "warn", "bad", "dim"]

STALE_AFTER: Final = 6
"""Poll intervals without a finished cycle after which the status is shown as old: one hung peer costs at most one or two."""

UNKNOWN: Final = "-"

_AN_HOUR: Final = 3600
_PHASES: Final[dict[str, Tone]] = {"in_service": "good", "standby": "good", "unknown": "bad", "draining": "dim", "destroying": "dim"}
_STATUSES: Final[dict[str, Tone]] = {"UP": "good", "DOWN": "bad", "DRAIN": "dim", "MAINT": "dim", "NOLB": "bad"}


DRILL_STEPS: Final = {
    "create": "create: the cloud has made the machine",
    "boot": "boot: it runs and has an address",
    "sync": "sync and gate: it serves what the core serves",
    "join": "join: HAProxy's check passes, at weight 0",
    "leave": "leave: HAProxy no longer lists it",
    "destroy": "destroy: the cloud no longer has it",
}
"""What each step of a drill ends with."""


class Cell(NamedTuple):
    """A piece of text, and how it is meant."""

    text: str
    tone: Tone = ""


class Table(NamedTuple):
    """Rows under headers; the columns named in `numbers` are aligned to the right."""

    headers: tuple[str, ...]
    rows: list[list[Cell]]
    numbers: frozenset[str] = frozenset(
        {"LOAD", "AGE", "CPUS", "WEIGHT", "REQ/S", "SESSIONS", "FOR", "LEFT", "OURS", "LISTED", "BOOT", "PRICE"}
    )


class Summary(NamedTuple):
    """A status in the order in which it is read at three in the morning: what is done and why, the figures, what is wrong, the rest."""

    sentence: str
    facts: list[tuple[str, Cell]]
    troubles: list[str]
    tables: list[Table]


def summarize(status: Document) -> Summary:
    """The summary of a status document."""
    status = clean(status)
    troubles = [f"{each['peer']}: {each['text']}" for each in status["faults"]]
    troubles += [f"burstd broke its rule {each['invariant']}, please report it: {each['text']}" for each in status["violations"]]
    tables = [_cores(status), _instances(status), _pools(status)]
    return Summary(
        status["sentence"],
        _facts(status),
        list(dict.fromkeys(troubles)),
        [table for table in tables if table.rows],
    )


def clean(document: Document) -> Document:
    """The document without what could move a terminal's cursor."""
    return {key: _printable(value) for key, value in document.items()}


def _printable(value: object) -> object:
    match value:
        case str():
            return value if value.isprintable() else "".join(each if each.isprintable() else "?" for each in value)
        case dict():
            return clean(value)
        case list():
            return [_printable(each) for each in value]
        case _:
            return value


def span(seconds: float | None) -> str:
    """A length of time for people: seconds up to an hour, minutes from there on."""
    if seconds is None:
        return UNKNOWN
    unit = 60 if abs(seconds) >= _AN_HOUR else 1
    return f"{'-' if seconds < 0 else ''}{format_duration(float(round(abs(seconds) / unit) * unit))}"


def words(phase: str) -> str:
    """A phase as people write it."""
    return phase.replace("_", " ")


def override(status: Document) -> str:
    """The override in force, in words; empty where there is none."""
    order = status["override"]
    if order is None:
        return ""
    end = "until `burstd scale --auto`" if order["until"] is None else f"for another {span(order['seconds_left'])}"
    return f"{order['owner']} ordered {order['count']} {end}" + (f": {order['reason']}" if order["reason"] else "")


def pause(status: Document) -> str:
    """The pause in force, in words; empty where there is none."""
    what = {"in": "scale-in is", "out": "scale-out is", "both": "scale-out and scale-in are"}.get(status["pause"])
    return f"{what} paused until `burstd resume`" if what else ""


def load(status: Document) -> Cell:
    """The signal beside its thresholds."""
    signal = status["load"]
    thresholds = f"one more above {signal['scale_out_above']:g}, one less below {signal['scale_in_below']:g}"
    if signal["signal"] is None:
        return Cell(f"unknown ({thresholds})", "bad")
    per = f"{signal['aggregate']} of {len(status['cores'])} core servers" + (", per CPU" if signal["per_cpu"] else "")
    return Cell(f"{signal['signal']:.2f}, {per} ({thresholds})", _level(signal["signal"], status))


def traffic(status: Document) -> Cell:
    """The requests, and who serves them."""
    gateway = status["gateway"]
    if gateway["fault"]:
        return Cell("unknown: HAProxy cannot be read", "bad")
    rates = [each for each in (gateway["core_rate"], gateway["burst_rate"]) if each is not None]
    parts = [f"{sum(rates):.1f} requests/s" if rates else "no rate known yet"]
    spills = gateway["mode"] == "spillover"
    if gateway["burst_share"] is not None:
        parts.append(f"{gateway['burst_share']:.0%} {'spilt over ' if spills else ''}to burst servers")
    weights = {each["name"]: each["burst_weight"] for each in gateway["backends"] if each["burst_weight"] is not None}
    if len(weights) > 1 and not spills:
        parts.append(f"weight {', '.join(f'{weight} in {name}' for name, weight in weights.items())}")
    elif gateway["burst_weight"] is not None and not spills:
        parts.append(f"weight {gateway['burst_weight']} each")
    if gateway["queued"]:
        parts.append(f"{gateway['queued']} queued")
    return Cell(", ".join(parts), "warn" if gateway["queued"] else "")


def mirror(status: Document) -> Cell:
    """The mirror of the content."""
    content = status["content"]
    if not content["enabled"]:
        return Cell("no content is mirrored (content.core)", "dim")
    if content["held"]:
        return Cell(f"held: {content['held']}; look at the content, then `burstd content release`", "bad")
    if content["answer_age_seconds"] is None:
        return Cell("the core has not answered yet", "warn")
    behind = f", the first run to {content['behind']} is not over" if content["behind"] else ""
    text = f"{content['files']} files pushed to {content['targets']}{behind}; the core answered {span(content['answer_age_seconds'])} ago"
    return Cell(text, "bad" if content["fault"] else "warn" if behind else "")


def spending(document: Document) -> Cell:
    """What the instances cost; empty where they have cost nothing yet."""
    cost = document["cost"]
    parts = [
        f"{money(each['per_hour'])} {each['currency']} an hour, {money(each['today'])} today, {money(each['month'])} this month"
        for each in cost["currencies"]
    ]
    if cost["unpriced"]:
        parts.append(f"unknown in {', '.join(cost['unpriced'])} (set price and currency)")
    return Cell("; ".join(parts))


def allowance(document: Document) -> Cell:
    """What is left of the budget, and what it means; empty where there is none."""
    purse = document["budget"]
    if purse is None:
        return Cell("")
    parts = []
    for name, when in (("day", "today"), ("month", "this month")):
        limits = [f"{purse[name][level]:g} ({level})" for level in ("soft", "hard") if purse[name][level] is not None]
        if limits:
            parts.append(f"{money(purse[name]['spent'])} of {' and '.join(limits)} {purse['currency']} {when}")
    if purse["used_up"]:
        parts.append("nothing is created")
    elif purse["soft"]:
        parts.append("scale-in waits a minute at most")
    return Cell("; ".join(parts), "bad" if purse["used_up"] else "warn" if purse["soft"] else "")


def _facts(status: Document) -> list[tuple[str, Cell]]:
    age, now = status.get("age_seconds", 0.0), status["current"]
    counts = ", ".join(
        f"{status[key]} {words(key)}" for key in ("in_service", "standby", "on_the_way", "leaving") if status[key] or key == "in_service"
    )
    facts = [
        (
            "instances",
            Cell(
                f"{status['desired']} wanted, {counts}; {status['min']} to {status['max']} allowed",
                "" if now == status["desired"] else "warn",
            ),
        ),
        ("load", load(status)),
        ("traffic", traffic(status)),
        (
            "cycle",
            Cell(
                f"{status['cycle']}, {span(age)} ago, took {status['cycle_seconds'] * 1000:.0f} ms",
                "bad" if age > STALE_AFTER * status["poll_interval"] else "dim",
            ),
        ),
    ]
    facts += [(label, cell) for label, cell in (("cost", spending(status)), ("budget", allowance(status))) if cell.text]
    if status["content"]["enabled"]:
        facts.append(("content", mirror(status)))
    ordered = [("override", override(status)), ("pause", pause(status)), ("draining", ", ".join(status["drains"]))]
    facts += [(label, Cell(text, "warn")) for label, text in ordered if text]
    return facts + ([("drill", _drill(status))] if status["drill"] else [])


def _drill(status: Document) -> Cell:
    """The drill that runs, or how the last one ended."""
    drill = status["drill"]
    who = f"{drill['instance']} in {drill['pool']}" if drill["instance"] else f"ordered by {drill['owner']}"
    if drill["outcome"] == "running":
        step = f", {drill['steps'][-1]['name']} for {span(drill['steps'][-1]['seconds'])}" if drill["steps"] else ""
        return Cell(f"{who} runs for {span(drill['seconds'])}{step}", "warn")
    ago = f"{span(status['at'] - drill['ended_at'])} ago"
    times = ", ".join(f"{each['name']} {span(each['seconds'])}" for each in drill["steps"])
    match drill["outcome"]:
        case "done":
            return Cell(f"done {ago} in {span(drill['seconds'])}: {times}", "good")
        case "taken":
            return Cell(f"ended early {ago}: {who} was taken into service", "warn")
        case _:
            return Cell(f"failed {ago}: {drill['failure']}", "bad")


def _level(value: float, status: Document) -> Tone:
    if value > status["load"]["scale_out_above"]:
        return "bad"
    return "good" if value < status["load"]["scale_in_below"] else ""


def _number(value: float | None, form: str = "") -> Cell:
    return Cell(UNKNOWN, "dim") if value is None else Cell(format(value, form))


def _server(each: Document) -> list[Cell]:
    """STATUS, WEIGHT, REQ/S, SESSIONS."""
    status = each["status"]
    text = UNKNOWN if status is None else status + (" (backup)" if each["backup"] else "") + (" by hand" if each.get("by_hand") else "")
    return [
        Cell(text, _STATUSES.get(status or "", "dim")),
        _number(each["weight"]),
        _number(each["requests_per_second"], ".1f"),
        _number(each["sessions"]),
    ]


def _cores(status: Document) -> Table:
    rows = []
    for each in status["cores"]:
        load1 = each["load1"]
        per_cpu = status["load"]["per_cpu"] and each["cpus"]
        tone: Tone = "bad" if load1 is None else _level(load1 / each["cpus"] if per_cpu else load1, status)
        known = [
            Cell(each["name"]),
            Cell(UNKNOWN if load1 is None else f"{load1:.2f}", tone),
            Cell(span(each["age_seconds"]), "dim"),
            _number(each["cpus"]),
        ]
        rows.append([*known, *_server(each)])
    return Table(("CORE", "LOAD", "AGE", "CPUS", "STATUS", "WEIGHT", "REQ/S", "SESSIONS"), rows)


def _instances(status: Document) -> Table:
    rows = []
    for each in status["instances"]:
        left = each["deadline_seconds"]
        known = [
            Cell(each["name"]),
            Cell(each["pool"]),
            Cell(words(each["phase"]) + " (drill)" * each["drill"], _PHASES.get(each["phase"], "warn")),
            Cell(span(each["seconds"])),
            Cell(span(left), "bad" if left is not None and left < 0 else "dim"),
            Cell(each["address"] or UNKNOWN, "" if each["address"] else "dim"),
        ]
        rows.append([*known, *_server(each)])
    return Table(("INSTANCE", "POOL", "PHASE", "FOR", "LEFT", "ADDRESS", "STATUS", "WEIGHT", "REQ/S", "SESSIONS"), rows)


def _pools(status: Document) -> Table:
    rows = []
    for each in status["pools"]:
        if each["fault"]:
            state = Cell(each["fault"]["text"], "bad")
        elif each["barred_seconds"] is not None:
            left = f"for {span(each['barred_seconds'])}: {each['reason']}"
            state = Cell(f"stopped {left}", "bad") if each["stopped"] else Cell(f"barred {left}", "warn")
        elif each["listing_age_seconds"] is None:
            state = Cell("not listed yet", "dim")
        else:
            state = Cell("ready", "good")
        rows.append(
            [
                Cell(each["name"]),
                _number(each["instances"]),
                _number(each["nodes"]),
                Cell(span(each["listing_age_seconds"]), "dim"),
                Cell(span(each["boot_ready"]), "dim"),
                Cell(UNKNOWN, "dim") if each["price"] is None else Cell(f"{each['price']:g} {each['currency']}/h"),
                state,
            ]
        )
    return Table(("POOL", "OURS", "LISTED", "AGE", "BOOT", "PRICE", "STATE"), rows)
