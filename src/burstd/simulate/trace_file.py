"""A trace from a CSV file: a head line that says what the values are, then two columns. Each mistake is told by its line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from burstd.errors import AskOperator
from burstd.simulate.trace import Kind, Trace

TIME = "t_seconds"
_FEWEST = 2
_LATEST = 1e11
"""Seconds since the epoch, in the year 5138: what is later was written in milliseconds."""
_SHOWN = 40
"""Characters of a wrong value that are shown."""


def read_trace(path: Path) -> Trace:
    """The trace in the file; its name is the file's.

    Raises:
        AskOperator: the file cannot be read, or a line of it is wrong: its number, its value, what was expected and the mend.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return parse_trace(path.stem, str(path), file)
    except OSError as error:
        raise AskOperator(f"{path}: expected a CSV file, the system says: {error.strerror}; check the name and the rights") from error
    except UnicodeDecodeError as error:
        raise AskOperator(f"{path}: expected text in UTF-8, found other bytes; save it as CSV") from error


def parse_trace(name: str, place: str, lines: Iterator[str]) -> Trace:
    """The trace in these lines; `place` is what messages call them.

    Raises:
        AskOperator: a line is wrong.
    """
    rows = csv.reader(lines)
    kind = _kind(place, next(rows, []))
    seconds: list[float] = []
    values: list[float] = []
    for row in rows:
        where = f"{place}, line {rows.line_num}"
        if not row or not "".join(row).strip():
            continue
        if len(row) != len((TIME, kind)):
            raise AskOperator(f"{where}: expected two columns ({TIME},{kind}), found {len(row)}; mend or remove the line")
        at, value = (_number(where, column, text) for column, text in zip((TIME, kind), row, strict=True))
        if seconds and at <= seconds[-1]:
            raise AskOperator(f"{where}: {TIME} = {at:g}: expected a time after {seconds[-1]:g}; sort the file by time, each time once")
        if at > _LATEST:
            raise AskOperator(f"{where}: {TIME} = {at:g}: expected seconds, and these look like milliseconds; divide the column by 1000")
        if value < 0:
            raise AskOperator(f"{where}: {kind} = {value:g}: expected 0 or more; mend or remove the line")
        seconds.append(at)
        values.append(value)
    if len(seconds) < _FEWEST:
        raise AskOperator(f"{place}: expected at least {_FEWEST} lines of values, found {len(seconds)}; record for longer")
    return Trace(name, tuple(seconds), tuple(values), kind)


def _kind(place: str, head: list[str]) -> Kind:
    names = [each.strip() for each in head]
    for kind in Kind:
        if names == [TIME, kind]:
            return kind
    found = ",".join(names)[:_SHOWN] or "nothing"
    raise AskOperator(f"{place}, line 1: {found}: expected {' or '.join(f'{TIME},{kind}' for kind in Kind)}; write that as the first line")


def _number(where: str, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise AskOperator(f"{where}: {column} = {text.strip()[:_SHOWN]}: expected a number; mend or remove the line")
    return number
