"""The database's part of Oslo going dark: writers by the listener, a promotion, and what it lost against what it said."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.lab import place, provision, wan
from tests.lab.drill import gateway
from tests.lab.drill.report import Report
from tests.lab.drill.writers import Writes
from tests.lab.hosts import CORE_1, REPLICA, Host
from tests.waiting import wait_until

PROOF: Final = "dark"


def rows(host: Host) -> set[int]:
    """The ids that a server has."""
    return {int(line) for line in provision.sql(host, "SELECT id FROM shop.orders").split()}


def wait_for_writes(writes: Writes, more: int = 20) -> None:
    """So many more are acknowledged."""
    begun = len(writes.acknowledged)
    wait_until(lambda: len(writes.acknowledged) >= begun + more, "writes are acknowledged", within=90, every=0.2)


def promote() -> dict[str, Any]:
    """`burstd db promote`, to its end; what it says was lost."""
    answer: dict[str, Any] = json.loads(gateway.burstd("db", "promote", "--yes", "--json", within=120))
    return dict(answer["loss"])


def ask() -> dict[str, Any]:
    """`burstd db status`."""
    document: dict[str, Any] = json.loads(gateway.burstd("db", "status", "--json"))
    return document


def leave_the_replica_behind(writes: Writes) -> None:
    """The replica hears nothing while writes go on; then burstd sees how far the primary has come without it."""
    provision.sql(CORE_1, "SET GLOBAL rpl_semi_sync_master_enabled = OFF")
    wan.order(place.CONTROL, "cut", name=REPLICA.name)
    wait_for_writes(writes, 100)


def seen_by_burstd() -> None:
    """The daemon has seen all that the primary has, which has no writers any more."""
    position = provision.sql(CORE_1, "SELECT @@gtid_binlog_pos").strip()
    wait_until(
        lambda: (gateway.status().get("database") or {}).get("primary", {}).get("gtid") == position,
        "burstd has seen it",
        within=60,
        every=1.0,
    )


def tell(report: Report, how: str, acknowledged: set[int], said: dict[str, Any], *, semi_sync: bool) -> None:
    """Was the number right?"""
    lost = acknowledged - rows(REPLICA)
    told = f"{len(lost)} of {len(acknowledged)} acknowledged writes lost; burstd said {said['known']} known and {said['guessed']} guessed"
    if semi_sync:
        ok = not lost and not (said["acknowledged"] and (said["known"] or said["guessed"]))
        report.note(PROOF, f"{how}db promote loses nothing under semi-sync", told, ok=ok)
    else:
        # None lost would prove nothing: the replica was left behind on purpose.
        ok = bool(lost) and len(lost) == said["known"]
        report.note(PROOF, f"{how}under async, db promote says how many are lost, and is right", told, ok=ok)


def tell_of_the_return(report: Report, how: str, later: Writes) -> None:
    """The old primary is back, under clients who go on writing: who serves, and does it get any of their writes?"""
    fenced = wait_until(lambda: (found := ask())["primary"]["read_only"] and found, "the old primary is read-only", within=90, every=2.0)
    wait_for_writes(later)
    verdict = json.loads(gateway.burstd("db", "rejoin", "--json"))
    serving, written = fenced["serving"], rows(CORE_1) & set(later.acknowledged)
    comes_back = "can follow" if verdict["follows"] else "must be filled anew"
    told = f"the listener serves {', '.join(serving)}; the old primary is read-only, has {len(written)} newer writes, and {comes_back}"
    report.note(PROOF, f"{how}Oslo returns: no split brain", told, ok=serving == ["replica"] and not written)
