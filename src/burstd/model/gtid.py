"""Global transaction ids: which transactions a server has, and how many another one lacks. Pure arithmetic on what servers tell.

MariaDB tells the last transaction of each domain and server ("0-1-523"), and a domain's numbers run on over all of its servers, so what
is missing is counted by domain. MySQL tells intervals of each server's uuid ("uuid:1-5:7"), with tags since 8.3 ("uuid:tag:1-5").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from burstd.errors import Garbled

Intervals = tuple[tuple[int, int], ...]
"""Numbers from and to, both included, in rising order, with a gap between two of them."""

_MARIADB: Final = re.compile(r"(\d{1,10})-(\d{1,10})-(\d{1,20})", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_TAG: Final = re.compile(r"[a-z_][a-z0-9_]{0,31}", re.ASCII)
_INTERVAL: Final = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?", re.ASCII)


class Dialect(StrEnum):
    """Which of the two a server speaks; they part in words, in privileges and in how they number transactions."""

    MARIADB = "mariadb"
    MYSQL = "mysql"


@dataclass(frozen=True, slots=True)
class Gtids:
    """The transactions that a server has.

    Attributes:
        streams: numbers by where they come from: "DOMAIN-SERVER" in MariaDB, "UUID" or "UUID:TAG" in MySQL.
    """

    dialect: Dialect
    streams: Mapping[str, Intervals] = field(default_factory=dict)

    @classmethod
    def parse(cls, dialect: Dialect, *texts: str) -> Gtids:
        """The union of what is told in these texts; an empty one tells nothing.

        Raises:
            Garbled: a text is not of the dialect's form.
        """
        found: dict[str, list[tuple[int, int]]] = {}
        read = _mariadb if dialect is Dialect.MARIADB else _mysql
        for text in texts:
            for stream, interval in read("".join(text.split()).lower()):
                found.setdefault(stream, []).append(interval)
        return cls(dialect, {stream: _merged(found[stream]) for stream in sorted(found)})

    def __bool__(self) -> bool:
        """Something is known."""
        return bool(self.streams)

    def __str__(self) -> str:
        """As the server writes it."""
        if self.dialect is Dialect.MARIADB:
            return ",".join(f"{stream}-{intervals[-1][1]}" for stream, intervals in self.streams.items())
        return ",".join(f"{stream}:{':'.join(map(_written, intervals))}" for stream, intervals in self.streams.items())

    def __or__(self, other: Gtids) -> Gtids:
        """What either has."""
        both = {
            stream: _merged([*self.streams.get(stream, ()), *other.streams.get(stream, ())])
            for stream in sorted({*self.streams, *other.streams})
        }
        return Gtids(self.dialect, both)

    def beyond(self, other: Gtids) -> Gtids:
        """What this one has and the other has not, stream by stream: where it is not empty, this one cannot follow the other."""
        left = {stream: _without(intervals, other.streams.get(stream, ())) for stream, intervals in self.streams.items()}
        return Gtids(self.dialect, {stream: intervals for stream, intervals in left.items() if intervals})

    def ahead(self, other: Gtids) -> int:
        """By how many transactions this one is ahead of one that follows it."""
        if self.dialect is Dialect.MYSQL:
            return self.beyond(other).count
        mine, theirs = self._domains(), other._domains()
        return sum(max(0, last - theirs.get(domain, 0)) for domain, last in mine.items())

    @property
    def count(self) -> int:
        """How many numbers there are, each stream by itself."""
        return sum(last - first + 1 for intervals in self.streams.values() for first, last in intervals)

    @property
    def position(self) -> str:
        """For people: where it stands, in MariaDB the last transaction of each domain."""
        if self.dialect is Dialect.MYSQL:
            return str(self)
        domains = self._domains()
        stands = (each for each, intervals in self.streams.items() if intervals[-1][1] == domains[each.partition("-")[0]])
        return ",".join(f"{each}-{domains[each.partition('-')[0]]}" for each in stands)

    def _domains(self) -> dict[str, int]:
        """Of MariaDB's: the last number of each domain."""
        domains: dict[str, int] = {}
        for stream, intervals in self.streams.items():
            domain = stream.partition("-")[0]
            domains[domain] = max(domains.get(domain, 0), intervals[-1][1])
        return domains


def _mariadb(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for each in filter(None, text.split(",")):
        parts = _MARIADB.fullmatch(each)
        if parts is None:
            raise Garbled(f"no GTID of MariaDB's form: {each[:60]!r}")
        if int(parts[3]):
            yield f"{int(parts[1])}-{int(parts[2])}", (1, int(parts[3]))


def _mysql(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for each in filter(None, text.split(",")):
        uuid, *parts = each.split(":")
        if not _UUID.fullmatch(uuid) or not parts:
            raise Garbled(f"no GTID set of MySQL's form: {each[:60]!r}")
        stream = uuid
        for part in parts:
            bounds = _INTERVAL.fullmatch(part)
            if bounds is not None:
                first, last = int(bounds[1]), int(bounds[2] or bounds[1])
                if not 1 <= first <= last:
                    raise Garbled(f"no interval of transactions: {part[:60]!r}")
                yield stream, (first, last)
            elif _TAG.fullmatch(part):
                stream = f"{uuid}:{part}"
            else:
                raise Garbled(f"no interval of transactions: {part[:60]!r}")


def _written(interval: tuple[int, int]) -> str:
    first, last = interval
    return str(first) if first == last else f"{first}-{last}"


def _merged(intervals: Iterable[tuple[int, int]]) -> Intervals:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _without(intervals: Intervals, taken: Intervals) -> Intervals:
    left: list[tuple[int, int]] = []
    for begin, last in intervals:
        first = begin
        for start, end in taken:
            if end < first or start > last:
                continue
            if start > first:
                left.append((first, start - 1))
            first = end + 1
        if first <= last:
            left.append((first, last))
    return tuple(left)
