"""The roster in one SQLite file of the state folder: what a method has returned from survives a kill at any later instant.

Every writing method is one transaction, on the disk (WAL, synchronous=FULL) before it returns. To be used by the thread that made
it; a lock keeps a second burstd out. A damaged file is set aside at the start, never mended and never deleted; and where a fleet was
lost no new one is started: `burstd adopt` alone begins a new file, under the old owner.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Final, TypeVar, cast
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from burstd.adapters.durable import hand_over, keep_names, lock, write_durably
from burstd.errors import AlreadyRunning, Misconfigured, Unreachable
from burstd.model.event import Event
from burstd.model.fleet import ENDED, Cooldowns, Instance, Orders, PoolState

T = TypeVar("T")

LADDER: Final = (
    """
    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE instance (serial INTEGER PRIMARY KEY, operation TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
    CREATE TABLE ended (serial INTEGER PRIMARY KEY, operation TEXT NOT NULL UNIQUE, at REAL NOT NULL);
    CREATE TABLE pool (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE event (serial INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL);
    """,
    "CREATE TABLE learned (policy TEXT PRIMARY KEY, text TEXT NOT NULL);",
)
"""The schema's steps: step N brings a file from user_version N to N + 1. A released step is never changed, only followed by another."""

ENDED_KEPT: Final = 10_000
"""Ended operations that are remembered, to know their late machines: 100 days at 100 launches a day, in a megabyte."""

EVENTS_KEPT: Final = 10_000
"""Events that are remembered: days of a busy fleet, in two megabytes."""

_ASIDE: Final = ".damaged-"
_MEND: Final = "run `burstd adopt` to take the fleet back from the clouds, or put the file back from a backup"

# Records are JSON: a field that a newer burstd has dropped is skipped, and one that it has added takes its default.
_INSTANCE: Final = TypeAdapter(Instance)
_ORDERS: Final = TypeAdapter(Orders)
_COOLDOWNS: Final = TypeAdapter(Cooldowns)
_POOL: Final = TypeAdapter(PoolState)


class _Damaged(Misconfigured):
    """What the file holds cannot be what was written."""


class SqliteRoster:
    """The `Roster` port on STATE_DIR/roster.db.

    Attributes:
        lost: the file is new, and the fleet that the owner file tells of is in none; only ever true while adopting.
        set_aside: where the damaged file is now; None where there was none.
    """

    def __init__(self, state_dir: Path, *, adopting: bool = False) -> None:
        """Take the folder, made where it is missing and closed to everybody else, and bring the file up to this version's schema.

        Args:
            state_dir: the folder.
            adopting: a lost or damaged file is no refusal, but a new one, which belongs to nobody until `adopt`.

        Raises:
            AlreadyRunning: another burstd holds the folder.
            Misconfigured: the folder cannot be written, or the file in it is damaged, lost, or from a newer burstd.
            Unreachable: the disk is full or failing.
        """
        self._path = state_dir / "roster.db"
        self._adopting = adopting
        self.lost = False
        self.set_aside: Path | None = None
        self._ended: dict[str, float] = {}
        with contextlib.ExitStack() as held:
            held.callback(os.close, _lock(state_dir))
            try:
                self._open(state_dir)
            except _Damaged as damage:
                aside = cast("Path | None", self.set_aside)  # mypy does not see that _open has set it
                if aside is None:
                    raise
                if not adopting:
                    raise Misconfigured(f"{self._path} was damaged and is set aside as {aside.name}; {_MEND}") from damage
                self._open(state_dir)
            held.callback(self._db.close)
            self._held = held.pop_all()

    def owner(self) -> str:
        """The id of this fleet's owner, made at the first start and kept for ever."""
        return self._owner

    def fleet(self) -> Sequence[Instance]:
        """Live records, oldest first."""
        with self._explained():
            rows = self._db.execute("SELECT record FROM instance ORDER BY serial").fetchall()
        return [self._parsed(_INSTANCE, record) for (record,) in rows]

    def ended(self) -> Mapping[str, float]:
        """Operations whose records have ended, and when; the newest `ENDED_KEPT` of them."""
        return self._ended

    def save(self, *instances: Instance) -> None:
        """Store all of them, or none. Of what has ended the operation alone is kept: parameters may hold secrets."""
        with self._transaction():
            for each in instances:
                if each.phase in ENDED:
                    self._db.execute("DELETE FROM instance WHERE operation = ?", (each.operation,))
                    self._db.execute("REPLACE INTO ended (operation, at) VALUES (?, ?)", (each.operation, each.since))
                else:
                    self._db.execute("DELETE FROM ended WHERE operation = ?", (each.operation,))
                    self._put(each)
            self._db.execute("DELETE FROM ended WHERE serial <= (SELECT max(serial) FROM ended) - ?", (ENDED_KEPT,))
        if any(each.phase in ENDED or each.operation in self._ended for each in instances):
            self._ended = self._read_ended()

    def orders(self) -> Orders:
        """What operators have ordered."""
        return self._fact("orders", _ORDERS, Orders())

    def save_orders(self, orders: Orders) -> None:
        """Store the orders."""
        self._save_fact("orders", _ORDERS.dump_json(orders).decode())

    def cooldowns(self) -> Cooldowns:
        """When the fleet last grew and shrank."""
        return self._fact("cooldowns", _COOLDOWNS, Cooldowns())

    def save_cooldowns(self, cooldowns: Cooldowns) -> None:
        """Store the cooldowns."""
        self._save_fact("cooldowns", _COOLDOWNS.dump_json(cooldowns).decode())

    def pools(self) -> Mapping[str, PoolState]:
        """How the pools have behaved, by name."""
        with self._explained():
            rows = self._db.execute("SELECT name, record FROM pool ORDER BY name").fetchall()
        return {name: self._parsed(_POOL, record) for name, record in rows}

    def save_pool(self, state: PoolState) -> None:
        """Store how one pool has behaved."""
        with self._transaction():
            self._db.execute("REPLACE INTO pool (name, record) VALUES (?, ?)", (state.pool, _POOL.dump_json(state).decode()))

    def learned(self) -> Mapping[str, str]:
        """What the policies have learned, as text by name. Strange text is the policy's to refuse: a fleet is not held up by it."""
        with self._explained():
            rows = self._db.execute("SELECT CAST(policy AS BLOB), CAST(text AS BLOB) FROM learned ORDER BY policy").fetchall()
        return {policy.decode(errors="replace"): text.decode(errors="replace") for policy, text in rows}

    def save_learned(self, policy: str, text: str) -> None:
        """Store what one policy has learned."""
        with self._transaction():
            self._db.execute("REPLACE INTO learned (policy, text) VALUES (?, ?)", (policy, text))

    def events(self, limit: int) -> Sequence[Event]:
        """The newest events, oldest of them first."""
        with self._explained():
            rows = self._db.execute("SELECT at, kind, subject, text FROM event ORDER BY serial DESC LIMIT ?", (limit,)).fetchall()
        return [Event(*row) for row in reversed(rows)]

    def add_events(self, events: Sequence[Event]) -> None:
        """Append to the history; the newest `EVENTS_KEPT` stay."""
        with self._transaction():
            self._append(events)

    def adopt(self, instances: Sequence[Instance], event: Event) -> None:
        """Take machines back that no record stands for, into a file that from now on belongs to the old owner: all of it, or nothing."""
        with self._transaction():
            self._db.execute("REPLACE INTO fact (name, value) VALUES ('owner', ?)", (self._owner,))
            for each in instances:
                self._put(each)
            self._append([event])
        self.lost = False

    def close(self) -> None:
        """Let go of the file and the folder."""
        self._held.close()

    def _put(self, instance: Instance) -> None:
        self._db.execute(
            "INSERT INTO instance (operation, record) VALUES (?, ?) ON CONFLICT (operation) DO UPDATE SET record = excluded.record",
            (instance.operation, _INSTANCE.dump_json(instance).decode()),
        )

    def _append(self, events: Sequence[Event]) -> None:
        rows = [(each.at, each.kind, each.subject, each.text) for each in events]
        self._db.executemany("INSERT INTO event (at, kind, subject, text) VALUES (?, ?, ?, ?)", rows)
        self._db.execute("DELETE FROM event WHERE serial <= (SELECT max(serial) FROM event) - ?", (EVENTS_KEPT,))

    def _open(self, state_dir: Path) -> None:
        with self._explained():
            self._path.touch(0o600)
            self._path.chmod(0o600)
            hand_over(self._path)  # SQLite gives the WAL and its index to whom the file belongs
            self._db = sqlite3.connect(self._path, isolation_level=None)
            try:
                self._set_up()
                self._owner = self._know_owner(state_dir)
                self._ended = self._read_ended()
                # Whatever cannot be read is found now, while nobody counts on it yet.
                self.fleet(), self.orders(), self.cooldowns(), self.pools(), self.learned()
            except BaseException as error:
                # Without the copy of the owner the folder would look like that of a first start.
                if _is_damage(error) and owner_of(state_dir) is not None:
                    self.set_aside = _set_aside(self._path)  # before the closing, which would remove the WAL
                self._db.close()
                raise

    def _set_up(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        [(health,)] = self._db.execute("PRAGMA integrity_check(1)").fetchall()
        if health != "ok":
            raise self._damaged()
        [(version,)] = self._db.execute("PRAGMA user_version").fetchall()
        if version > len(LADDER):
            raise Misconfigured(f"{self._path} has schema {version}, expected at most {len(LADDER)}; install the burstd that wrote it")
        for step in range(version, len(LADDER)):
            self._db.executescript(f"BEGIN IMMEDIATE; {LADDER[step]} PRAGMA user_version = {step + 1}; COMMIT;")

    def _know_owner(self, state_dir: Path) -> str:
        """The owner id. It is kept beside the file as well, so that the loss of the file cannot pass for a first start."""
        owner: str
        copied = owner_of(state_dir)
        if rows := self._db.execute("SELECT value FROM fact WHERE name = 'owner'").fetchall():
            [(owner,)] = rows
        elif self._adopting:
            if copied is None:
                raise Misconfigured(f"{state_dir}/owner is not there, so no fleet was lost here; `burstd run` starts a new one")
            self.lost = True
            return copied
        elif copied is not None:
            found = state_dir.glob(f"{self._path.name}{_ASIDE}*")
            aside = max((each.name for each in found if not each.name.endswith(("-wal", "-shm"))), default=None)
            damaged = f" (set aside as damaged: {aside})" if aside else ""
            raise Misconfigured(f"{self._path} is lost{damaged}, and with it the fleet of {state_dir}/owner; {_MEND}")
        else:
            owner = uuid4().hex
            self._save_fact("owner", owner)
        if copied != owner:
            write_durably(state_dir / "owner", f"{owner}\n")
        return owner

    def _read_ended(self) -> dict[str, float]:
        with self._explained():
            return dict(self._db.execute("SELECT operation, at FROM ended ORDER BY serial"))

    def _fact(self, name: str, kind: TypeAdapter[T], default: T) -> T:
        with self._explained():
            rows = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchall()
        return self._parsed(kind, rows[0][0]) if rows else default

    def _save_fact(self, name: str, value: str) -> None:
        with self._transaction():
            self._db.execute("REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))

    def _parsed(self, kind: TypeAdapter[T], record: str) -> T:
        try:
            return kind.validate_json(record)
        except ValidationError:
            raise self._damaged() from None  # the cause shows its input, which may hold secrets

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._explained(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """What the disk and SQLite raise, as errors named by what to do about them."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            if _is_damage(error):
                raise self._damaged() from error
            match _class(error):
                case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                    raise self._unwritable(self._path) from error
                case sqlite3.SQLITE_FULL:
                    raise Unreachable(f"{self._path} cannot grow, and nothing was stored; free some space on its disk") from error
                case _:
                    raise Unreachable(f"{self._path} cannot be read or written; look at its disk") from error
        except OSError as error:
            raise self._unwritable(error.filename or self._path) from error

    def _unwritable(self, path: Path | str) -> Misconfigured:
        return Misconfigured(f"{path} cannot be written; expected a file and folder that burstd's user may write")

    def _damaged(self) -> _Damaged:
        return _Damaged(f"{self._path} is damaged; restart burstd, which sets the file aside, or put it back from a backup")


def _is_damage(error: BaseException) -> bool:
    """Whether the file holds what nobody has written."""
    return isinstance(error, _Damaged) or _class(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _class(error: BaseException) -> int:
    """SQLite's class of the error, the low byte of its code; 0 where it has none."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def owner_of(state_dir: Path) -> str | None:
    """The owner id as the folder keeps it beside the roster; None where no fleet was ever started, or the file holds none. Takes no lock.

    Raises:
        Misconfigured: the file cannot be read.
    """
    copy = state_dir / "owner"
    try:
        found = re.fullmatch(r"([0-9a-f]{32})\n?", copy.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misconfigured(f"{copy} cannot be read, the system says: {error.strerror}; ask as burstd's user, or as root (sudo)") from error
    return found and found[1]


def _set_aside(path: Path) -> Path:
    """Give a damaged file a name that nothing has, its WAL and index with it; the new name."""
    stamp = f"{path}{_ASIDE}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    names = (Path(stamp + more) for more in chain([""], (f"-{number}" for number in count(2))))
    aside = next(each for each in names if not each.exists())
    for suffix in ("-wal", "-shm", ""):  # the file itself last: without it the others are not looked for
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    keep_names(path.parent)
    return aside


def _lock(state_dir: Path) -> int:
    """Make the folder and take its lock: a descriptor that holds it until it is closed, or the process ends in whatever way.

    Raises:
        AlreadyRunning: somebody has it.
        Misconfigured: the folder cannot be made or written.
    """
    try:
        state_dir.mkdir(0o700, parents=True, exist_ok=True)
        state_dir.chmod(0o700)
        taken = lock(state_dir / "lock")
    except OSError as error:
        raise Misconfigured(f"state folder {state_dir} cannot be used; expected a folder that burstd's user owns") from error
    if isinstance(taken, str):
        raise AlreadyRunning(f"state folder {state_dir} is held by pid {taken}; stop that burstd or name another folder")
    return taken
