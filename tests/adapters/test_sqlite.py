from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import burstd
from burstd.adapters import sqlite
from burstd.adapters.sqlite import SqliteRoster, owner_of
from burstd.errors import AlreadyRunning, AskOperator, Misconfigured, Unreachable
from burstd.model.event import Event
from burstd.model.fleet import DrillOrder, Orders, Phase
from tests.house.checkout import ROOT
from tests.turns import NOW, instance
from tests.waiting import wait_until

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from burstd.adapters.sqlite import SqliteRoster
from burstd.model.event import Event
from burstd.model.fleet import Phase
from tests.turns import instance

roster = SqliteRoster(Path(sys.argv[1]))
number = 2 * len(roster.fleet()) + 1
while True:
    roster.save(instance(number, Phase.INTENDED), instance(number + 1, Phase.INTENDED))
    roster.add_events([Event(float(number), "instance", "", "intended")])
    roster.save(instance(number, Phase.REQUESTED))
    roster.save(instance(number + 1, Phase.GONE))
    print(number, flush=True)
    number += 2
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def roster(state: Path) -> Iterator[SqliteRoster]:
    opened = SqliteRoster(state)
    yield opened
    opened.close()


def filled(state: Path) -> Path:
    """The file of a roster with something in it, closed."""
    roster = SqliteRoster(state)
    roster.save(*(instance(number, Phase.IN_SERVICE) for number in range(1, 200)))
    roster.close()
    return state / "roster.db"


def refused(state: Path) -> str:
    """The one line with which the folder is refused."""
    with pytest.raises(AskOperator) as caught:
        SqliteRoster(state).close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_kill_in_the_middle_of_writing_leaves_everything_that_was_returned_from(state: Path, lines: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(burstd.__file__).parents[1]), str(ROOT)])}
    for _ in range(2):  # the second writer goes on in what the first has left
        with subprocess.Popen([sys.executable, "-c", WRITER, str(state)], stdout=subprocess.PIPE, text=True, env=environment) as writer:
            assert writer.stdout is not None
            done = [int(writer.stdout.readline()) for _ in range(lines)]
            writer.kill()
            done += [int(line) for line in writer.stdout]
        roster = SqliteRoster(state)
        phases = {each.operation: each.phase for each in roster.fleet()}
        seen = {event.at for event in roster.events(10_000)}
        for number in done:
            assert phases[instance(number, Phase.INTENDED).operation] is Phase.REQUESTED
            assert instance(number + 1, Phase.GONE).operation in roster.ended()
            assert number in seen
        pairs = [number for number in range(1, done[-1] + 4, 2) if instance(number, Phase.INTENDED).operation in phases]
        for number in pairs:  # both of a pair, or none
            second = instance(number + 1, Phase.GONE).operation
            assert second in phases or second in roster.ended()
        roster.close()


def test_a_second_burstd_is_kept_out_and_told_who_holds_the_folder(roster: SqliteRoster, state: Path) -> None:
    with pytest.raises(AlreadyRunning) as caught:
        SqliteRoster(state)
    assert str(caught.value) == f"state folder {state} is held by pid {os.getpid()}; stop that burstd or name another folder"
    roster.save(instance(1, Phase.INTENDED))


def test_a_folder_that_was_let_go_can_be_taken_again(state: Path) -> None:
    SqliteRoster(state).close()
    SqliteRoster(state).close()


def test_a_refused_folder_is_not_held(state: Path) -> None:
    filled(state).write_bytes(b"")
    assert "lost" in refused(state)
    assert "lost" in refused(state)


def test_nobody_else_can_read_the_folder_and_the_file(roster: SqliteRoster, state: Path) -> None:
    roster.save(instance(1, Phase.INTENDED))
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == dict.fromkeys(
        ["lock", "owner", "roster.db", "roster.db-shm", "roster.db-wal"], 0o600
    )


def test_a_folder_that_was_open_to_others_is_closed(state: Path) -> None:
    filled(state).chmod(0o644)
    state.chmod(0o755)
    SqliteRoster(state).close()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (state, state / "roster.db")] == [0o700, 0o600]


def damage(path: Path, place: int = 4096 * 3 + 8) -> bytes:
    """Overwrite a part of the file; what is in it now."""
    content = bytearray(path.read_bytes())
    content[place : place + 1500 if place >= 0 else None] = b"\xa5" * 1500
    path.write_bytes(content)
    return path.read_bytes()


def aside(state: Path) -> list[Path]:
    """The files that were set aside."""
    return sorted(each for each in state.glob("roster.db.damaged-*") if each.suffix.endswith("Z"))


@pytest.mark.parametrize("place", [0, 4096 * 3 + 8, -2000])
def test_a_damaged_file_is_set_aside_and_the_start_refused_with_the_mend(state: Path, place: int) -> None:
    path = filled(state)
    before = damage(path, place)
    line = refused(state)
    (kept,) = aside(state)
    assert line.startswith(f"{path} was damaged and is set aside as {kept.name}; run `burstd adopt`")
    assert kept.read_bytes() == before
    again = refused(state)
    assert again.startswith(
        f"{path} is lost (set aside as damaged: {kept.name}), and with it the fleet of {state}/owner; run `burstd adopt`"
    )


def test_a_damaged_file_goes_with_its_wal_and_takes_nothings_place(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(state)
    whole = path.read_bytes()
    monkeypatch.setattr("burstd.adapters.sqlite.time.strftime", lambda *_: "20261122T000000Z")
    wals = []
    for _ in (1, 2):
        path.write_bytes(whole)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("DELETE FROM pool")
            db.execute("INSERT INTO event (at, kind, subject, text) VALUES (0, '', '', '')")
            db.commit()
            stopped = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}  # as a kill leaves them
        assert stopped["-wal"]
        wals.append(stopped["-wal"])
        for name, content in stopped.items():
            Path(f"{path}{name}").write_bytes(content)
        damage(path)
        assert "set aside" in refused(state)
        path.unlink(missing_ok=True)
    for name, wal in zip(("20261122T000000Z", "20261122T000000Z-2"), wals, strict=True):
        kept = path.with_name(f"roster.db.damaged-{name}")
        assert kept.read_bytes()[: 4096 * 3] == whole[: 4096 * 3]
        assert Path(f"{kept}-wal").read_bytes() == wal


def test_a_damaged_file_stays_where_it_is_while_nothing_else_knows_the_owner(state: Path) -> None:
    path = filled(state)
    damage(path)
    (state / "owner").unlink()
    assert refused(state) == f"{path} is damaged; restart burstd, which sets the file aside, or put it back from a backup"
    assert (path.exists(), aside(state)) == (True, [])


def test_a_file_cut_in_half_is_refused(state: Path) -> None:
    path = filled(state)
    os.truncate(path, path.stat().st_size // 2)
    assert "was damaged" in refused(state)


@pytest.mark.parametrize("loss", ["removed", "emptied"])
def test_a_lost_file_does_not_pass_for_a_first_start(state: Path, loss: str) -> None:
    path = filled(state)
    path.unlink() if loss == "removed" else path.write_bytes(b"")
    assert refused(state).startswith(f"{path} is lost, and with it the fleet of {state}/owner; run `burstd adopt`")
    (state / "owner").unlink()
    SqliteRoster(state).close()


@pytest.mark.parametrize("loss", ["removed", "emptied", "damaged"])
def test_adopting_begins_a_new_file_under_the_old_owner(state: Path, loss: str) -> None:
    path = filled(state)
    owner = owner_of(state)
    path.unlink() if loss == "removed" else path.write_bytes(b"") if loss == "emptied" else damage(path)
    adopting = SqliteRoster(state, adopting=True)
    assert (adopting.lost, adopting.owner(), list(adopting.fleet())) == (True, owner, [])
    assert [adopting.set_aside] == (aside(state) if loss == "damaged" else [None])
    adopting.adopt([instance(1, Phase.BOOTING)], Event(NOW, "daemon", "", "adopted"))
    assert not adopting.lost
    adopting.close()
    roster = SqliteRoster(state)
    assert (roster.owner(), list(roster.fleet())) == (owner, [instance(1, Phase.BOOTING)])
    assert [each.text for each in roster.events(9)] == ["adopted"]
    roster.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_in_the_folder_of_the_daemons_user_belongs_to_that_user(state: Path) -> None:
    state.mkdir()
    os.chown(state, 65534, 65534)
    roster = SqliteRoster(state)
    roster.adopt([instance(1, Phase.BOOTING)], Event(NOW, "daemon", "", "adopted"))
    assert {each.name: (each.stat().st_uid, each.stat().st_gid) for each in state.iterdir()} == dict.fromkeys(
        ["lock", "owner", "roster.db", "roster.db-shm", "roster.db-wal"], (65534, 65534)
    )
    roster.close()


def test_adopting_that_is_broken_off_leaves_the_loss_as_it_was(state: Path) -> None:
    filled(state).unlink()
    SqliteRoster(state, adopting=True).close()
    assert "is lost" in refused(state)


def test_adopting_beside_a_good_file_adds_to_it(state: Path) -> None:
    filled(state)
    adopting = SqliteRoster(state, adopting=True)
    assert (adopting.lost, adopting.set_aside, len(adopting.fleet())) == (False, None, 199)
    adopting.adopt([instance(500, Phase.BOOTING)], Event(NOW, "daemon", "", "adopted"))
    assert len(adopting.fleet()) == 200
    adopting.close()


def test_where_no_fleet_ever_was_there_is_nothing_to_adopt(state: Path) -> None:
    with pytest.raises(Misconfigured, match="no fleet was lost here; `burstd run` starts a new one"):
        SqliteRoster(state, adopting=True)
    assert owner_of(state) is None
    SqliteRoster(state).close()


@pytest.mark.parametrize("content", [b"", b"half", b"\xff\xfe"])
def test_a_garbled_copy_of_the_owner_is_written_anew(state: Path, content: bytes) -> None:
    filled(state)
    owner = owner_of(state)
    (state / "owner").write_bytes(content)
    assert owner_of(state) is None
    SqliteRoster(state).close()
    assert (owner_of(state), stat.S_IMODE((state / "owner").stat().st_mode)) == (owner, 0o600)


def test_a_copy_of_the_owner_that_cannot_be_read_is_told(state: Path) -> None:
    (state / "owner").mkdir(parents=True)
    with pytest.raises(Misconfigured, match=f"{state}/owner cannot be read, the system says: Is a directory"):
        owner_of(state)


def test_a_record_that_cannot_be_read_is_damage_and_shows_no_secret(state: Path) -> None:
    path = filled(state)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE instance SET record = replace(record, 'in_service', 'no such phase')")
    db.close()
    with pytest.raises(Misconfigured, match="was damaged") as caught:
        SqliteRoster(state)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_file_of_a_newer_burstd_is_refused_and_left_alone(state: Path) -> None:
    path = filled(state)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert refused(state) == f"{path} has schema 99, expected at most {len(sqlite.LADDER)}; install the burstd that wrote it"


def test_an_older_file_climbs_the_ladder_and_keeps_its_records(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(state)
    monkeypatch.setattr(sqlite, "LADDER", (*sqlite.LADDER, "CREATE TABLE later (a TEXT);", "INSERT INTO later VALUES ('b');"))
    for _ in range(2):
        roster = SqliteRoster(state)
        assert len(roster.fleet()) == 199
        assert roster._db.execute("SELECT a FROM later").fetchall() == [("b",)]
        assert roster._db.execute("PRAGMA user_version").fetchall() == [(len(sqlite.LADDER),)]
        roster.close()


def test_a_file_of_the_first_schema_is_brought_up_to_this_one_and_keeps_its_fleet(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "LADDER", sqlite.LADDER[:1])
        with contextlib.suppress(Unreachable):  # today's burstd asks the old file for what was not in it
            SqliteRoster(state)
    path = state / "roster.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        assert db.execute("PRAGMA user_version").fetchall() == [(1,)]
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'learned'").fetchall() == [(0,)]
        record = sqlite._INSTANCE.dump_json(instance(1, Phase.IN_SERVICE)).decode()
        db.execute("INSERT INTO instance (operation, record) VALUES (?, ?)", (instance(1, Phase.IN_SERVICE).operation, record))
    for expected in ({}, {"weight": "{}"}):
        roster = SqliteRoster(state)
        assert (list(roster.fleet()), dict(roster.learned())) == ([instance(1, Phase.IN_SERVICE)], expected)
        roster.save_learned("weight", "{}")
        roster.close()


@pytest.mark.parametrize("strange", [b"\xff\x00{", 7, 0.5, ""])
def test_strange_text_of_a_policy_holds_no_fleet_up(state: Path, strange: object) -> None:
    path = filled(state)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO learned (policy, text) VALUES ('weight', ?)", (strange,))
    roster = SqliteRoster(state)
    assert isinstance(roster.learned()["weight"], str)
    assert len(roster.fleet()) == 199
    roster.close()


def test_a_step_of_the_ladder_that_fails_leaves_the_file_as_it_was(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(state)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "LADDER", (*sqlite.LADDER, "CREATE TABLE later (a TEXT); INSERT INTO nowhere VALUES (1);"))
        with pytest.raises(Unreachable):
            SqliteRoster(state)
    roster = SqliteRoster(state)
    assert roster._db.execute("SELECT name FROM sqlite_master WHERE name = 'later'").fetchall() == []
    assert len(roster.fleet()) == 199
    roster.close()


def test_a_record_of_another_version_is_read_with_what_it_has(state: Path) -> None:
    path = filled(state)
    with sqlite3.connect(path) as db:
        db.execute("""UPDATE instance SET record = json_set(json_remove(record, '$.attempts', '$.down_since'), '$.colour', 'red')""")
    db.close()
    roster = SqliteRoster(state)
    assert list(roster.fleet()) == [instance(number, Phase.IN_SERVICE) for number in range(1, 200)]
    roster.close()


def test_a_full_disk_is_told_and_nothing_is_stored_by_halves(roster: SqliteRoster, state: Path) -> None:
    roster.save(instance(1, Phase.INTENDED))
    [(pages,)] = roster._db.execute("PRAGMA page_count").fetchall()
    roster._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unreachable) as caught:
        roster.save(*(replace(instance(number, Phase.INTENDED), reason="x" * 4096) for number in range(2, 9)))
    assert str(caught.value) == f"{state}/roster.db cannot grow, and nothing was stored; free some space on its disk"
    assert list(roster.fleet()) == [instance(1, Phase.INTENDED)]
    roster._db.execute("PRAGMA max_page_count = 100000")
    roster.save(instance(1, Phase.REQUESTED))
    assert [each.phase for each in roster.fleet()] == [Phase.REQUESTED]


def test_a_file_that_cannot_be_written_is_told_with_the_mend(roster: SqliteRoster, state: Path) -> None:
    roster._db.execute("PRAGMA query_only = ON")
    with pytest.raises(Misconfigured) as caught:
        roster.save(instance(1, Phase.INTENDED))
    assert str(caught.value) == f"{state}/roster.db cannot be written; expected a file and folder that burstd's user may write"


def test_a_folder_that_cannot_be_made_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = tmp_path / "file" / "state"
    assert refused(state) == f"state folder {state} cannot be used; expected a folder that burstd's user owns"


def test_something_else_in_the_place_of_the_file_is_told(state: Path) -> None:
    (state / "roster.db").mkdir(parents=True)
    assert f"{state}/roster.db cannot be written" in refused(state)


def test_the_history_is_bounded_and_the_oldest_go(roster: SqliteRoster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "EVENTS_KEPT", 5)
    for start in range(0, 20, 4):
        roster.add_events([Event(NOW + at, "cycle", "", "nothing to do") for at in range(start, start + 4)])
    assert [event.at - NOW for event in roster.events(100)] == [15, 16, 17, 18, 19]


def test_ended_operations_are_bounded_and_the_oldest_go(roster: SqliteRoster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "ENDED_KEPT", 3)
    for number in range(1, 8):
        roster.save(instance(number, Phase.GONE))
    assert list(roster.ended()) == [instance(number, Phase.GONE).operation for number in (5, 6, 7)]


def test_what_has_ended_keeps_no_parameters(roster: SqliteRoster) -> None:
    roster.save(instance(1, Phase.BOOTING))
    roster.save(instance(1, Phase.GONE))
    assert "hunter2" not in "\n".join(roster._db.iterdump())


def test_a_backup_taken_meanwhile_is_whole_and_disturbs_nobody(roster: SqliteRoster, state: Path, tmp_path: Path) -> None:
    roster.save(instance(1, Phase.BOOTING))
    source, copy = sqlite3.connect(state / "roster.db"), sqlite3.connect(tmp_path / "copy.db")
    source.backup(copy)
    roster.save(instance(2, Phase.BOOTING))
    assert copy.execute("SELECT count(*) FROM instance").fetchall() == [(1,)]
    source.close()
    copy.close()
    assert wait_until(lambda: len(roster.fleet()) == 2, "both are there")


def test_records_and_orders_from_before_there_were_drills_are_read_as_they_were(state: Path) -> None:
    roster = SqliteRoster(state)
    roster.save(instance(1, Phase.BOOTING))
    roster.save_orders(Orders(drains=frozenset({"burst-1"})))
    roster.close()
    with sqlite3.connect(state / "roster.db") as file:
        file.execute("UPDATE instance SET record = json_remove(record, '$.drill', '$.entered')")
        file.execute("UPDATE fact SET value = json_remove(value, '$.drill') WHERE name = 'orders'")
    again = SqliteRoster(state)
    assert list(again.fleet()) == [instance(1, Phase.BOOTING)]
    assert again.orders() == Orders(drains=frozenset({"burst-1"}))
    again.close()


def test_a_drill_its_order_and_the_times_of_its_phases_survive_a_restart(state: Path) -> None:
    drill = replace(instance(1, Phase.BOOTING), drill=True, entered=((Phase.REQUESTED, 1.5), (Phase.BOOTING, 2.5)))
    orders = Orders(drill=DrillOrder(3.0, "anna", "dublin"))
    roster = SqliteRoster(state)
    roster.save(drill)
    roster.save_orders(orders)
    roster.close()
    again = SqliteRoster(state)
    assert (list(again.fleet()), again.orders()) == ([drill], orders)
    again.close()
