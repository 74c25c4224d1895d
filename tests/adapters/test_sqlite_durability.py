"""What each method of the roster has returned from is there after a kill -9 of the very next instant, and asked to be on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

import burstd
from burstd.adapters.sqlite import SqliteRoster
from burstd.model.event import Event
from burstd.model.fleet import Cooldowns, Orders, Override, Pause, Phase, PoolState
from burstd.ports import Roster
from tests.house.checkout import ROOT
from tests.turns import NOW, instance

GONE: Final = replace(instance(2, Phase.GONE), since=NOW)
ORDERS: Final = Orders(Override(2, "anna", "the sale", NOW, NOW + 60), Pause.IN, frozenset({"burst-1"}))

WRITTEN: Final[dict[str, tuple[Callable[[SqliteRoster], object], Callable[[SqliteRoster], object], object]]] = {
    "owner": (lambda roster: roster.owner(), lambda roster: len(roster.owner()), 32),
    "save": (lambda roster: roster.save(instance(1, Phase.BOOTING), GONE), lambda roster: roster.fleet(), [instance(1, Phase.BOOTING)]),
    "ended": (lambda roster: roster.save(GONE), lambda roster: dict(roster.ended()), {GONE.operation: NOW}),
    "save_orders": (lambda roster: roster.save_orders(ORDERS), lambda roster: roster.orders(), ORDERS),
    "save_cooldowns": (lambda roster: roster.save_cooldowns(Cooldowns(NOW, NOW)), lambda roster: roster.cooldowns(), Cooldowns(NOW, NOW)),
    "save_pool": (
        lambda roster: roster.save_pool(PoolState("oslo", 2, NOW, "out of stock")),
        lambda roster: roster.pools(),
        {"oslo": PoolState("oslo", 2, NOW, "out of stock")},
    ),
    "save_learned": (
        lambda roster: roster.save_learned("weight", '{"trim": 1.0}'),
        lambda roster: dict(roster.learned()),
        {"weight": '{"trim": 1.0}'},
    ),
    "add_events": (
        lambda roster: roster.add_events([Event(NOW, "daemon", "", "started")]),
        lambda roster: roster.events(9),
        [Event(NOW, "daemon", "", "started")],
    ),
}
"""By method: what is written, what is read after the kill, and what must stand there."""

KILLED = """
import os, signal, sys
from pathlib import Path
from burstd.adapters.sqlite import SqliteRoster
from tests.adapters.test_sqlite_durability import WRITTEN

roster = SqliteRoster(Path(sys.argv[1]))
WRITTEN[sys.argv[2]][0](roster)
print(roster.owner(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("method", WRITTEN)
def test_what_a_method_has_returned_from_survives_a_kill_of_the_next_instant(tmp_path: Path, method: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(burstd.__file__).parents[1]), str(ROOT)])}
    line = [sys.executable, "-c", KILLED, str(tmp_path / "state"), method]
    ended = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    roster = SqliteRoster(tmp_path / "state")
    try:
        assert roster.owner() == ended.stdout.strip()
        _, read, expected = WRITTEN[method]
        assert read(roster) == expected
    finally:
        roster.close()


def test_every_method_that_writes_is_tried() -> None:
    assert {name for name in vars(Roster) if name.startswith(("save", "add"))} <= set(WRITTEN)


def test_every_write_is_asked_to_be_on_the_disk_before_it_returns(tmp_path: Path) -> None:
    roster = SqliteRoster(tmp_path / "state")
    try:
        assert roster._db.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
        assert roster._db.execute("PRAGMA synchronous").fetchall() == [(2,)]  # FULL: each commit waits for the disk
    finally:
        roster.close()
