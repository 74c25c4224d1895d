"""What HAProxy's `show` commands answer, parsed: pure, by field and column name, since both differ from version to version.

What is not understood is `Garbled`, never a guess and never a zero.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from burstd.errors import Garbled
from burstd.model.gateway import ServerRow, ServerStatus

PASSED = frozenset({"L4OK", "L6OK", "L7OK"})
"""`check_status` after a check that succeeded. L7OKC (404 with disable-on-404) is not among them: that server wants no new traffic."""

BACKEND_ROW = "1"
SERVER_ROW = "2"

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
    """

    version: Version
    process: tuple[int, float]
    stopping: bool


@dataclass(frozen=True, slots=True)
class Stat:
    """What `show stat` says of one backend; the fields are those of `GatewayView`."""

    servers: tuple[ServerRow, ...]
    requests: int
    queued: int
    balance: str


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
        return Info((major, minor, patch), process, stopping=fields["Stopping"] != "0")
    except KeyError as error:
        raise Garbled(f"`show info` has no field {error}") from error
    except ValueError as error:
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


def parse_stat(text: str, backend: str) -> Stat | None:
    """Parse the answer to `show stat` for one backend; None where it holds no row of that backend.

    Raises:
        Garbled: a column is missing, a number is none, a row is torn, a status is unknown.
    """
    servers = []
    total = None
    for row in _rows(text):
        if row["pxname"] != backend:
            continue
        if row["type"] == SERVER_ROW:
            servers.append(_server(row))
        elif row["type"] == BACKEND_ROW:
            total = row
    if total is None:
        return None
    return Stat(tuple(servers), requests=_requests(total), queued=_number(total, "qcur"), balance=total["algo"])


class _Row(dict[str, str]):
    """One CSV row by column name."""

    def __missing__(self, column: str) -> str:
        raise Garbled(f"`show stat` has no column {column}")


def _rows(text: str) -> list[_Row]:
    header, _, body = text.partition("\n")
    if not header.startswith("# "):
        raise Garbled("`show stat` answers something else")
    columns = header.removeprefix("# ").split(",")
    try:
        rows = list(csv.reader(io.StringIO(body, newline=""), strict=True))
    except csv.Error as error:
        raise Garbled("`show stat` is no CSV") from error
    if any(row and len(row) != len(columns) for row in rows):
        raise Garbled("`show stat` has a torn row")
    return [_Row(zip(columns, row, strict=True)) for row in rows if row]


def _server(row: _Row) -> ServerRow:
    return ServerRow(
        name=row["svname"],
        address=row["addr"],
        status=_status(row),
        passing=row["check_status"].removeprefix("* ") in PASSED,  # "* ": a check is running, the word is the last one's
        weight=_number(row, "uweight"),
        backup=_number(row, "bck") > 0,
        sessions=_number(row, "scur"),
        queued=_number(row, "qcur"),
        requests=_requests(row),
        maxconn=_number(row, "slim", empty=0) or None,
        errors=_number(row, "econ", empty=0) + _number(row, "eresp", empty=0),
    )


def _status(row: _Row) -> ServerStatus:
    """The status without what it carries in passing: "UP 1/3", "DRAIN (agent)", "MAINT (via other/server)"."""
    text = row["status"]
    try:
        return ServerStatus(text if text == ServerStatus.NO_CHECK else text.partition(" ")[0])
    except ValueError as error:
        raise Garbled(f"`show stat` has an unknown status: {text[:40]!r}") from error


def _requests(row: Mapping[str, str]) -> int:
    """Requests where the mode counts them, else sessions."""
    return _number(row, "req_tot" if row["mode"] == "http" else "stot")


def _number(row: Mapping[str, str], column: str, *, empty: int | None = None) -> int:
    text = row[column]
    if not text and empty is not None:
        return empty
    if not re.fullmatch(r"\d{1,20}", text, re.ASCII):
        raise Garbled(f"`show stat` has no number in column {column}: {text[:40]!r}")
    return int(text)
