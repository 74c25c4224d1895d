"""What HAProxy's `show` commands answer, parsed: pure, by field and column name, since both differ from version to version.

What is not understood is `Garbled`, never a guess and never a zero.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from burstd.errors import Garbled
from burstd.model.gateway import BackendView, ServerRow, ServerStatus

PASSED = frozenset({"L4OK", "L6OK", "L7OK"})
"""`check_status` after a check that succeeded. L7OKC (404 with disable-on-404) is not among them: that server wants no new traffic."""

BACKEND_ROW = "1"
SERVER_ROW = "2"

LONGEST_NUMBER = 20
"""Digits of HAProxy's greatest counter, 2^64 - 1."""

Version = tuple[int, int, int]

OLDEST: Version = (2, 6, 0)
"""The first version whose dynamic servers work without an experimental mode."""

SAFE_REMOVAL: Version = (3, 0, 0)
"""The first version that refuses the removals which can crash earlier ones, and that can wait until a server is removable."""


@dataclass(frozen=True, slots=True)
class Info:
    """What `show info` says of the process that answers.

    Attributes:
        version: (major, minor, patch).
        process: (pid, start in seconds since the epoch); names one process for ever, since either alone may come again.
        stopping: it is the old process of a reload and must not be read or edited any more.
        served: requests and connections since its start.
        idle: the part of its time in which the thread that answers had nothing to do, 0..1; None where it does not say.
        connections: clients' connections now.
        most_connections: so many of them it takes; None where it does not say.
    """

    version: Version
    process: tuple[int, float]
    stopping: bool
    served: int = 0
    idle: float | None = None
    connections: int = 0
    most_connections: int | None = None


def parse_info(text: str) -> Info:
    """Parse the answer to `show info`.

    Raises:
        Garbled: a field is missing or is not what it should be.
    """
    fields = {key: value.strip() for key, colon, value in (line.partition(":") for line in text.split("\n")) if colon}
    try:
        version = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", fields["Version"], re.ASCII)
        if version is None:
            raise Garbled(f"`show info` names no version: {fields['Version'][:40]!r}")
        major, minor, patch = (int(part or 0) for part in version.groups())
        process = int(fields["Pid"]), float(int(fields["Start_time_sec"]))
        served = int(fields.get("CumReq", 0)) + int(fields.get("CumConns", 0))
        return Info(
            (major, minor, patch),
            process,
            stopping=fields["Stopping"] != "0",
            served=served,
            idle=int(fields["Idle_pct"]) / 100 if "Idle_pct" in fields else None,
            connections=int(fields.get("CurrConns", 0)),
            most_connections=int(fields.get("Maxconn", 0)) or None,
        )
    except KeyError as error:
        raise Garbled(f"`show info` has no field {error}") from error
    except (ValueError, OverflowError) as error:
        raise Garbled("`show info` has a field that is no number") from error


def parse_backends(text: str) -> frozenset[str]:
    """Parse the answer to `show backend`: the names.

    Raises:
        Garbled: it is not that list.
    """
    header, *names = text.split("\n")
    if header.strip() != "# name":
        raise Garbled("`show backend` answers something else")
    return frozenset(name.strip() for name in names if name.strip())


def parse_stat(text: str, backend: str) -> BackendView | None:
    """Parse the answer to `show stat` for one backend; None where it holds no row of that backend.

    Raises:
        Garbled: a column is missing, a number is none, a row is torn, a status is unknown.
    """
    servers = []
    total = None
    for row in _rows(text):
        if row.pxname != backend:
            continue
        if row.type == SERVER_ROW:
            servers.append(_server(row))
        elif row.type == BACKEND_ROW:
            total = row
    if total is None:
        return None
    return BackendView(backend, tuple(servers), requests=_requests(total), queued=_number("qcur", total.qcur), balance=total.algo)


class _Row(NamedTuple):
    """The columns of interest, by HAProxy's names for them (management guide, 9.1)."""

    pxname: str
    svname: str
    type: str
    status: str
    check_status: str
    addr: str
    mode: str
    algo: str
    uweight: str
    bck: str
    scur: str
    qcur: str
    slim: str
    stot: str
    req_tot: str
    econ: str
    eresp: str
    hrsp_5xx: str
    throttle: str


def _rows(text: str) -> list[_Row]:
    header, _, body = text.partition("\n")
    if not header.startswith("# "):
        raise Garbled("`show stat` answers something else")
    columns = header.removeprefix("# ").split(",")
    try:
        places = [columns.index(name) for name in _Row._fields]
    except ValueError as error:
        raise Garbled("`show stat` lacks a column that every version has had") from error
    pick, deepest = itemgetter(*places), max(places) + 1
    if '"' in body:
        try:
            rows = [row for row in csv.reader(io.StringIO(body, newline=""), strict=True) if row]
        except csv.Error as error:
            raise Garbled("`show stat` is no CSV") from error
        torn = any(len(row) != len(columns) for row in rows)
    else:  # as nearly always: nothing is quoted, and half of the columns need not be parted
        lines = [line for line in body.split("\n") if line]
        torn = any(line.count(",") != len(columns) - 1 for line in lines)
        rows = [] if torn else [line.split(",", deepest) for line in lines]
    if torn:
        raise Garbled("`show stat` has a torn row")
    return [_Row._make(pick(row)) for row in rows]


def _server(row: _Row) -> ServerRow:
    return ServerRow(
        name=row.svname,
        address=row.addr,
        status=_status(row.status),
        passing=row.check_status.removeprefix("* ") in PASSED,  # "* ": a check is running, the word is the last one's
        weight=_number("uweight", row.uweight),
        backup=_number("bck", row.bck) > 0,
        sessions=_number("scur", row.scur),
        queued=_number("qcur", row.qcur),
        requests=_requests(row),
        maxconn=_number("slim", row.slim or "0") or None,
        errors=_number("econ", row.econ or "0") + _number("eresp", row.eresp or "0"),
        refusals=_number("hrsp_5xx", row.hrsp_5xx or "0"),
        throttle=_number("throttle", row.throttle) if row.throttle else None,
    )


def _status(text: str) -> ServerStatus:
    """The status without what it carries in passing: "UP 1/3", "DRAIN (agent)", "MAINT (via other/server)"."""
    try:
        return ServerStatus(text if text == ServerStatus.NO_CHECK else text.partition(" ")[0])
    except ValueError as error:
        raise Garbled(f"`show stat` has an unknown status: {text[:40]!r}") from error


def _requests(row: _Row) -> int:
    """Requests where the mode counts them, else sessions."""
    return _number("req_tot", row.req_tot) if row.mode == "http" else _number("stot", row.stot)


def _number(column: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise Garbled(f"`show stat` has no number in column {column}: {text[:40]!r}")
    return int(text)
