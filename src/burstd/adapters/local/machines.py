"""The `local` cloud's memory: one JSON file for every machine in the state folder, replaced atomically; it outlives the daemon.

A terminated machine stays on record for a minute, as EC2 keeps it for about an hour: listed as terminated, its client token still
taken, its address not given to another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from burstd.adapters.local import process

REMEMBERED: Final = 60.0
"""Seconds that a terminated machine stays on record; longer than any cycle, shorter than a test's patience."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine's record.

    Attributes:
        token: the client token of its create; empty where there was none.
        created_at: wall clock, seconds since the epoch; the state outlives the process, so no other clock will do.
        ready_at: when its boot is over, same clock.
        terminated_at: when it was destroyed; None while it is not.
    """

    id: str
    name: str
    size: str
    image: str
    tags: dict[str, str]
    token: str
    address: str
    created_at: float
    ready_at: float
    terminated_at: float | None = None


class Machines:
    """The records of one state folder. Reading needs no lock; every change is made under `changing()`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records = folder / "machines"

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Alone among all threads and processes; forgets what is old.

        Raises:
            OSError: the folder cannot be written.
        """
        self._records.mkdir(mode=0o700, parents=True, exist_ok=True)
        with process.locked(self._folder / "lock"):
            self._forget()
            yield

    def all(self) -> list[Machine]:
        """Every machine on record, oldest first; terminated ones for a minute.

        Raises:
            ValueError: a record is damaged; a machine must not vanish because of it.
        """
        found = [machine for path in self._records.glob("*.json") if (machine := _read(path)) is not None]
        return sorted((each for each in found if not _forgotten(each)), key=lambda each: (each.created_at, each.id))

    def save(self, machine: Machine) -> None:
        """Store one machine; a kill at any instant leaves the old record or the new one."""
        path = self._records / f"{machine.id}.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(machine)), encoding="utf-8")
        draft.replace(path)

    def drop(self, machine: Machine) -> None:
        """Take a machine off the record that never ran."""
        (self._records / f"{machine.id}.json").unlink(missing_ok=True)

    def lock(self, machine: Machine) -> Path:
        """Its proof of life."""
        return self._records / f"{machine.id}.lock"

    def log(self, machine: Machine) -> Path:
        """Where its process complains."""
        return self._records / f"{machine.id}.log"

    def _forget(self) -> None:
        """Remove the files of machines that are long terminated, and what a kill in the middle of a create has left."""
        kept = {machine.id for machine in self.all()}
        for path in self._records.iterdir():
            if path.stem not in kept:
                path.unlink(missing_ok=True)


def account_secret(folder: Path) -> str | None:
    """The secret that callers must know, from the folder's account.json; None where there is no such file, and everybody is let in.

    Raises:
        ValueError: the file is no account.
    """
    try:
        account = json.loads((folder / "account.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    try:
        return str(account["secret"])
    except (TypeError, KeyError) as error:
        raise ValueError(f'{folder}/account.json must be {{"secret": "…"}}') from error


def _read(path: Path) -> Machine | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:  # forgotten between the listing and now
        return None
    try:
        return Machine(**json.loads(text))
    except TypeError as error:
        raise ValueError(f"{path} is damaged") from error


def _forgotten(machine: Machine) -> bool:
    return machine.terminated_at is not None and time.time() - machine.terminated_at > REMEMBERED
