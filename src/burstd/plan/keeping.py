"""Keeping what serves as HAProxy should have it: each cycle its truth is compared with what is wanted, and mended.

Compared are address, port, weight, backup flag, connection limit, checks and state of every line. A reload or restart of HAProxy
forgets dynamic servers; they come back the way they came. What cannot be changed in a line is mended by leaving and joining again, one
instance at a time. An instance that HAProxy has long called DOWN leaves and is replaced. What somebody has drained or put into
maintenance by hand is left as it is until they give it back: it is said, and never fought.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from burstd.model.fleet import SERVING, Instance
from burstd.model.gateway import (
    AddServer,
    AdminState,
    EnableHealth,
    GatewayView,
    Line,
    ServerRow,
    ServerStatus,
    SetMaxconn,
    SetState,
    SetWeight,
)
from burstd.plan.draft import Draft
from burstd.plan.lines import retire, wanted_lines

_HELD: Final = {
    None: "is no longer held out of rotation",
    AdminState.DRAIN: "is drained by somebody's hand",
    AdminState.MAINT: "is in maintenance by somebody's hand",
}


def keep(draft: Draft, view: GatewayView) -> None:
    """Bring the lines of all that serve to where they should be."""
    process = (view.pid, view.started)
    serving = draft.phase(*SERVING)
    free = [each for each in serving if each.by_hand is None]
    moving = {each.name for each in free if each.up_in != process and draft.policy.pool(each.pool)}
    keeper = _Keeper(draft, view, process, moving, alone=len(free) == 1)
    for instance in serving:
        keeper.keep(instance)


def prepare(draft: Draft, line: AddServer, row: ServerRow | None) -> None:
    """Mend what an interrupted join has left: a line missing, without checks, or still in maintenance."""
    if row is None:
        draft.edit(line)
    elif row.status is ServerStatus.NO_CHECK:
        draft.edit(EnableHealth(line.backend, line.name))
    elif row.status is ServerStatus.MAINT:
        draft.edit(EnableHealth(line.backend, line.name))
        draft.edit(SetState(line.backend, line.name, AdminState.DRAIN))


class _Keeper:
    """One cycle's comparison.

    Attributes:
        process: (pid, start) of the HAProxy that was read.
        moving: names of those whose lines are not all up in it yet.
        alone: one instance serves, and no other.
    """

    def __init__(self, draft: Draft, view: GatewayView, process: tuple[int, float], moving: set[str], *, alone: bool) -> None:
        self.draft = draft
        self.view = view
        self.process = process
        self.moving = moving
        self.alone = alone

    def keep(self, instance: Instance) -> None:
        draft, view = self.draft, self.view
        wanted = wanted_lines(draft, instance)
        seen = view.lines_of(instance.name)
        rows = [(line, view.line(line.backend, line.name)) for line in wanted]
        if self._held(instance, [row for _, row in rows if row is not None]):
            _watch_health(draft, draft.fleet[instance.operation], seen)
            return
        wrong = [(Line(line.backend, row), why) for line, row in rows if row is not None and (why := _unlike(line, row))]
        misplaced = [line for line, _ in wrong]
        healthy = any(line.row.passing and line.row.status is ServerStatus.UP for line in seen if line not in misplaced)
        for line, row in rows:
            if row is None or Line(line.backend, row) not in misplaced:
                self._mend(instance, line, row, healthy=healthy)
        leaving = [self._replace(instance, each, why) for each, why in wrong]
        places = {(line.backend, line.name) for line in wanted}
        surplus = [each for each in seen if wanted and (each.backend, each.row.name) not in places]
        up = all(row is not None and row.passing and row.status is ServerStatus.UP for _, row in rows)
        # Make before break: what is too much goes when all that is wanted stands.
        if up and not wrong:
            for each in surplus:
                retire(draft, instance, each, view)
        record = draft.fleet[instance.operation]
        if not surplus and not wrong and record.maint_at is not None:
            record = draft.change(record, maint_at=None)
        if up and rows and not surplus and not any(leaving) and record.up_in != self.process:
            record = draft.change(record, up_in=self.process)
        _watch_health(draft, record, seen)

    def _held(self, instance: Instance, rows: Sequence[ServerRow]) -> bool:
        """Whether somebody holds the instance out of rotation: said once when it begins and ends, and in every cycle between."""
        held = _hand(instance, {row.status for row in rows}) if instance.up_in == self.process else None
        if held is not instance.by_hand:
            self.draft.change(instance, by_hand=held)
            self.draft.note(f"{instance.name} {_HELD[held]}")
        if held is not None:
            self.draft.waiting.append(f"{instance.name} {_HELD[held]}")
        return held is not None

    def _mend(self, instance: Instance, line: AddServer, row: ServerRow | None, *, healthy: bool) -> None:
        """Bring one line to where it should be.

        Args:
            instance: whose it is.
            line: as it should be.
            row: as it is.
            healthy: another line of the same instance shows that it serves: no need to wait for this one's first check.
        """
        draft = self.draft
        if row is None and instance.up_in == self.process:
            draft.change(draft.fleet[instance.operation], up_in=None)
        if row is None or row.status in {ServerStatus.NO_CHECK, ServerStatus.MAINT}:
            prepare(draft, line, row)
            if row is None and healthy:
                draft.edit(SetState(line.backend, line.name, AdminState.READY))
            return
        weight = draft.decision.weights.get(line.backend)
        if weight is not None and row.weight != weight:
            draft.edit(SetWeight(line.backend, line.name, weight))
        if row.maxconn != line.maxconn:
            draft.edit(SetMaxconn(line.backend, line.name, line.maxconn))
        if row.status is ServerStatus.DRAIN and row.passing:
            draft.edit(SetState(line.backend, line.name, AdminState.READY))

    def _replace(self, instance: Instance, line: Line, why: str) -> bool:
        """Let a line that cannot be mended leave, to join again; one that takes traffic waits until no other is on its way back."""
        draft, name = self.draft, line.row.name
        other = next((each for each in self.moving if each != instance.name), None)
        if line.row.status is ServerStatus.UP and other is not None:
            draft.waiting.append(f"{name} {why}, and leaves and joins again when {other} is up")
            return False
        draft.waiting.append(f"{name} {why}: it leaves and joins again" + (", though nothing else bursts" if self.alone else ""))
        self.moving.add(instance.name)
        retire(draft, instance, line, self.view)
        return True


def _hand(instance: Instance, states: Iterable[ServerStatus]) -> AdminState | None:
    """How lines that have all been up come to be in these states; a check that fails meanwhile gives nothing back."""
    if ServerStatus.MAINT in states:
        return AdminState.MAINT
    if ServerStatus.DRAIN in states:
        return AdminState.DRAIN
    return instance.by_hand if ServerStatus.DOWN in states else None


def _unlike(line: AddServer, row: ServerRow) -> str:
    """What is wrong with a line that HAProxy cannot change; an address that the socket's level hides is not known to be wrong."""
    if row.address and not line.is_at(row.address):
        return f"is at {row.address} in HAProxy and not at {line.address} port {line.port}"
    if row.backup != line.backup:
        return f"is {'' if row.backup else 'not '}listed as backup"
    return ""


def _watch_health(draft: Draft, instance: Instance, lines: Sequence[Line]) -> None:
    if not lines:
        return
    down = any(line.row.status is ServerStatus.DOWN for line in lines)
    if down and instance.down_since is None:
        draft.change(instance, down_since=draft.now)
    elif not down and instance.down_since is not None:
        draft.change(instance, down_since=None)
    elif down and instance.down_since is not None and draft.now - instance.down_since > draft.policy.fleet.unhealthy_after:
        draft.expel(instance, f"HAProxy has called it DOWN for {draft.now - instance.down_since:.0f} s")
