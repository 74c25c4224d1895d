"""The doors of the database keep their contract, over a real pair behind a real HAProxy and over the fakes in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from burstd.adapters.memory import MemoryDatabase, MemoryListener, MemoryRecord
from burstd.adapters.promotion_file import PromotionFile
from burstd.doors import Database, Listener, PromotionRecord
from burstd.errors import AlreadyRunning, BurstdError
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import ServerStatus
from burstd.model.gtid import Dialect
from burstd.model.promotion import Fence, Loss, Promotion, Sighting, Stage
from burstd.model.replication import SemiSyncView, Server, ServerView, ThreadState
from tests.database_site import DatabaseSite, database_site
from tests.waiting import wait_until


@dataclass
class Doors:
    """Both doors of one implementation, and what a test does to the world behind them."""

    database: Database
    listener: Listener
    commit: Callable[[], object]
    kill_primary: Callable[[], object]
    reload: Callable[[], object]

    def view(self, server: Server) -> ServerView:
        reading = self.database.look()[server is Server.REPLICA]
        assert isinstance(reading, ServerView), reading
        return reading


def in_memory() -> Doors:
    database, listener = MemoryDatabase(time.time), MemoryListener()
    return Doors(database, listener, database.commit, lambda: database.dead.add(Server.PRIMARY), listener.reload)


def real(site: DatabaseSite) -> Doors:
    numbers = iter(range(1, 1000))
    return Doors(
        site.pair.servers(),
        site.listener(),
        lambda: site.pair.primary.sql(f"INSERT INTO app.t VALUES ({next(numbers)})"),  # noqa: S608 - numbers of our own
        site.pair.primary.stop,
        site.haproxy.reload,
    )


@pytest.fixture(params=["memory", "mariadb"])
def doors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Doors]:
    if request.param == "memory":
        yield in_memory()
        return
    with database_site(tmp_path) as site:
        made = real(site)
        yield made
        made.database.close()


def refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except BurstdError:
        return True
    return False


def test_a_promotion_step_by_step_each_done_twice(doors: Doors) -> None:
    database, listener = doors.database, doors.listener
    assert database.observe()[0] is None or isinstance(database.observe()[0], ServerView)
    assert listener.read().serving == (Server.PRIMARY,)
    doors.commit()
    wait_until(lambda: not doors.view(Server.PRIMARY).executed.ahead(doors.view(Server.REPLICA).executed), "the replica is level")
    replication = doors.view(Server.REPLICA).replication
    assert replication is not None
    assert replication.in_order
    for _ in range(2):
        listener.fence(Server.PRIMARY)
        assert listener.read().fenced
    for _ in range(2):
        database.fence_primary()
        assert not doors.view(Server.PRIMARY).writable
    for _ in range(2):
        database.start_applying()
        database.stop_receiving()
    replication = doors.view(Server.REPLICA).replication
    assert replication is not None
    assert (replication.io.state, replication.sql.state) == (ThreadState.STOPPED, ThreadState.RUNNING)
    assert doors.view(Server.REPLICA).applied
    for _ in range(2):
        database.promote()
        assert (doors.view(Server.REPLICA).replication, doors.view(Server.REPLICA).restricted) == (None, False)
    before = doors.view(Server.REPLICA).executed
    database.verify()
    assert doors.view(Server.REPLICA).executed.ahead(before) > 0
    for _ in range(2):
        listener.open(Server.REPLICA)
        wait_until(lambda: listener.read().serving == (Server.REPLICA,), "the replica serves")
    assert refused(database.start_applying)


def test_a_promotion_is_taken_back(doors: Doors) -> None:
    doors.listener.fence(Server.PRIMARY)
    doors.database.fence_primary()
    assert refused(doors.commit) or not doors.view(Server.PRIMARY).writable
    for _ in range(2):
        doors.database.lift_primary()
        doors.listener.open(Server.PRIMARY)
    wait_until(lambda: doors.listener.read().serving == (Server.PRIMARY,), "the primary serves again")
    doors.commit()


def test_a_write_to_a_server_that_is_read_only_is_no_proof(doors: Doors) -> None:
    assert refused(doors.database.verify)


def test_a_dead_primary_is_a_fault_and_the_replica_is_still_seen(doors: Doors) -> None:
    doors.kill_primary()
    primary, replica = doors.database.look()
    assert isinstance(primary, Fault)
    assert primary.kind is FaultKind.UNREACHABLE
    assert isinstance(replica, ServerView)
    assert refused(doors.database.fence_primary)
    wait_until(lambda: _silent(doors.database), "the newest reading says so too")
    doors.database.stop_receiving()
    assert doors.view(Server.REPLICA).applied


def _silent(database: Database) -> bool:
    reading = database.observe()[0]
    return isinstance(reading, Fault) and reading.kind is FaultKind.UNREACHABLE


def test_a_listener_forgets_at_a_reload(doors: Doors) -> None:
    doors.listener.fence(Server.PRIMARY)
    doors.listener.open(Server.REPLICA)
    doors.reload()
    wait_until(lambda: doors.listener.read().serving == (Server.PRIMARY,), "all is as in the file")
    assert doors.listener.read().replica.status is ServerStatus.MAINT


@pytest.fixture(params=["memory", "file"])
def record(request: pytest.FixtureRequest, tmp_path: Path) -> PromotionRecord:
    return MemoryRecord() if request.param == "memory" else PromotionFile(tmp_path / "state")


LOSS = Loss(3, 1.5, 2, acknowledged=True, reason="because", kept="0-1-5", missed="0-1-8")
BEGUN = Promotion("10.0.0.5", "10.1.0.5", Stage.FENCING, 1.5, "anna")
SEEN = Sighting("10.0.0.5", 2.5, Dialect.MARIADB, "0-1-8", received="0-1-5", semi_sync=SemiSyncView(timeout=10.0), lag=1.0)


def test_a_record_keeps_what_it_was_told_last(record: PromotionRecord) -> None:
    assert record.promotion() is None
    record.keep(BEGUN)
    assert record.promotion() == BEGUN
    further = replace(BEGUN, stage=Stage.PROMOTED, fence=Fence.COMMAND, loss=LOSS)
    record.keep(further)
    assert record.promotion() == further
    for _ in range(2):
        record.keep(None)
        assert record.promotion() is None


def test_a_record_remembers_what_was_seen(record: PromotionRecord) -> None:
    assert record.sighting() is None
    with record.hold():  # which makes the folder, as every start of the daemon does
        pass
    record.see(SEEN)
    record.see(replace(SEEN, at=3.5))
    assert record.sighting() == replace(SEEN, at=3.5)


def test_one_alone_promotes(record: PromotionRecord) -> None:
    with record.hold():
        with pytest.raises(AlreadyRunning), record.hold():
            pass
        with pytest.raises(AlreadyRunning), record.hold(0.1):
            pass
    with record.hold():
        pass
