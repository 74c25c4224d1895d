"""Carry a promotion out, step by step, by the sequence of `burstd.plan.promotion`: the same for `burstd db promote` and for the daemon.

It chooses nothing and repeats nothing blindly: after each step it looks again and asks what is next. Whatever kills it, the same order
given again goes on from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from burstd.doors import DatabaseDoors
from burstd.errors import AskOperator, Bug, BurstdError, Retry
from burstd.model.faults import Fault
from burstd.model.promotion import PromotionOrder, Stage
from burstd.model.replication import Server
from burstd.model.steps import Await, Do, Errand, Finished, Keep, Refuse, Step, Verb, Work
from burstd.plan.promotion import next_step, undo

PAUSE: Final = 0.25
"""Seconds between two looks while something is waited for."""

PATIENCE: Final = 60.0
"""Seconds without any progress after which a wait is given up; an hour's relay log takes as long as it takes, but it moves."""

HELD: Final = 3.0
"""Seconds that a promotion waits for the lock: a daemon's cycle holds it for the blink in which it mends the listener."""

OPTIONAL: Final = frozenset({Verb.FENCE_PRIMARY, Verb.RUN_FENCE})
"""What may fail: the sequence knows what that means."""

SAID: Final = {
    Verb.FENCE_LISTENER: "fence: the listener drops the primary and cuts its sessions",
    Verb.FENCE_PRIMARY: "fence: the primary is made read-only, and the connections to it are ended",
    Verb.RUN_FENCE: "fence: database.fence_command runs",
    Verb.START_APPLYING: "the replica starts to apply what it has received",
    Verb.STOP_RECEIVING: "the replica stops to receive",
    Verb.PROMOTE: "the replica forgets its source and takes writes",
    Verb.VERIFY: "a write to the new primary is read back",
    Verb.OPEN_LISTENER: "the listener gives connections to the new primary",
    Verb.LIFT_PRIMARY: "the primary takes writes again",
    Verb.REOPEN_LISTENER: "the listener gives connections to the primary again",
}

Tell = Callable[[Step, str], None]
"""Hears of each step before it is done, with words for people; an `Await` again and again."""


def carry_out(doors: DatabaseDoors, order: PromotionOrder, tell: Tell, *, pause: float = PAUSE, patience: float = PATIENCE) -> Finished:
    """Promote, or go on with what was begun.

    Args:
        doors: the database's.
        order: whose wish, and how far it may go.
        tell: hears of each step.
        pause: seconds between two looks while something is waited for.
        patience: seconds without progress after which a wait is given up.

    Raises:
        AskOperator: it must not go on; the line says the mend.
        Retry: something did not answer, or does not move; the same order goes on from here.
        GiveUp: a step was refused.
    """
    run = _Run(doors, tell, pause, patience)
    with doors.record.hold(HELD):
        while True:
            step = next_step(doors.view(fresh=True), order, doors.now(), run.done, run.failed)
            if (finished := run.take(step)) is not None:
                return finished


def take_back(doors: DatabaseDoors, tell: Tell, *, pause: float = PAUSE, patience: float = PATIENCE) -> Finished:
    """Take a promotion back that has not come to the replica; raises as `carry_out`."""
    run = _Run(doors, tell, pause, patience)
    with doors.record.hold(HELD):
        while True:
            if (finished := run.take(undo(doors.view(fresh=True)))) is not None:
                return finished


class _Run:
    """One run of steps: what it has done, what has failed in it, and how long it waits.

    Attributes:
        done: what this run has done.
        failed: what has failed in it and need not succeed.
    """

    def __init__(self, doors: DatabaseDoors, tell: Tell, pause: float, patience: float) -> None:
        self.done: set[Verb] = set()
        self.failed: set[Verb] = set()
        self._doors = doors
        self._tell = tell
        self._pause = pause
        self._patience = patience
        self._last: Step | None = None
        self._since = time.monotonic()

    def take(self, step: Step) -> Finished | None:
        """Take one step; the end where it is one."""
        self._wait(step)
        match step:
            case Do(verb):
                self._tell(step, SAID[verb])
                self._do(step, verb)
            case Keep(promotion):
                self._doors.record.keep(promotion)
                self._tell(step, "the promotion is taken back" if promotion is None else f"on record: {_STAGES[promotion.stage]}")
            case Await(what, left):
                self._tell(step, f"{what}{'' if left is None else f': {left} transactions left'}")
            case Refuse(reason, passing):
                raise (Retry if passing else AskOperator)(reason)
            case Finished():
                return step
        return None

    def _do(self, step: Step, verb: Verb) -> None:
        try:
            do(self._doors, verb)
        except BurstdError as error:
            if verb not in OPTIONAL:
                raise
            self.failed.add(verb)
            self._tell(step, f"that has failed: {error}")
        else:
            self.done.add(verb)

    def _wait(self, step: Step) -> None:
        """Sleep where it waits, or comes again; give up where nothing has moved for too long."""
        again = step == self._last
        if not again:
            self._last, self._since = step, time.monotonic()
        elif time.monotonic() - self._since > self._patience:
            what = step.what if isinstance(step, Await) else SAID[step.verb] if isinstance(step, Do) else "a step"
            raise Retry(f"{what}: nothing has moved for {self._patience:g} s; mend what holds it, and give the order again")
        if again or isinstance(step, Await):
            time.sleep(self._pause)


_STAGES: Final = {
    Stage.FENCING: "the primary is being fenced",
    Stage.PROMOTING: "the replica has all that it had received, and is being promoted",
    Stage.PROMOTED: "the replica is promoted",
}


def do(doors: DatabaseDoors, verb: Verb) -> None:
    """Do one thing, whoever has chosen it.

    Raises:
        BurstdError: as the door says.
    """
    servers, listener = doors.servers, doors.listener
    deeds: dict[Verb, Callable[[], None]] = {
        Verb.FENCE_LISTENER: lambda: listener.fence(Server.PRIMARY),
        Verb.FENCE_PRIMARY: servers.fence_primary,
        Verb.RUN_FENCE: lambda: _run_fence(doors),
        Verb.START_APPLYING: servers.start_applying,
        Verb.STOP_RECEIVING: servers.stop_receiving,
        Verb.PROMOTE: servers.promote,
        Verb.VERIFY: servers.verify,
        Verb.OPEN_LISTENER: lambda: listener.open(Server.REPLICA),
        Verb.LIFT_PRIMARY: servers.lift_primary,
        Verb.REOPEN_LISTENER: lambda: listener.open(Server.PRIMARY),
    }
    deeds[verb]()


def _run_fence(doors: DatabaseDoors) -> None:
    if doors.fence is None:
        raise Bug("a fence command is to run, and the settings name none")
    doors.fence.run()


class BackgroundPromoter:
    """The `Promoter` of a daemon: one thread for one piece of work, while the loop goes on."""

    def __init__(self, doors: DatabaseDoors, tell: Callable[[str], None]) -> None:
        """Nothing is begun. `tell` hears, on the worker's thread, what a person would be told."""
        self._doors = doors
        self._tell = tell
        self._lock = threading.Lock()
        self._work = ""
        self._trouble: Fault | None = None

    def submit(self, work: Work) -> None:
        """Begin, as the port has it."""
        with self._lock:
            if self._work:
                return
            self._work = _WORK[work] if isinstance(work, Errand) else "the replica is being promoted"
        threading.Thread(target=self._run, args=(work,), name="promotion", daemon=True).start()

    def work(self) -> tuple[str, Fault | None]:
        """What it is doing, as the port has it."""
        with self._lock:
            return self._work, self._trouble

    def _run(self, work: Work) -> None:
        trouble: Fault | None = None
        try:
            match work:
                case Errand.RESTRICT:
                    do(self._doors, Verb.FENCE_PRIMARY)
                case Errand.TAKE_BACK:
                    self._tell(take_back(self._doors, self._hear).sentence)
                case PromotionOrder():
                    self._tell(carry_out(self._doors, work, self._hear).sentence)
        except BurstdError as error:
            trouble = Fault.of("database promotion", error)
        except Exception as error:  # noqa: BLE001 - the worker must report whatever it died of, or the loop would wait for ever
            trouble = Fault.of("database promotion", Bug(f"it broke off: {type(error).__name__}: {error}"))
        with self._lock:
            self._work, self._trouble = "", trouble

    def _hear(self, step: Step, words: str) -> None:
        if not isinstance(step, Await):
            self._tell(words)


_WORK: Final = {
    Errand.RESTRICT: "the old primary is being made read-only",
    Errand.TAKE_BACK: "a promotion is being taken back",
}
