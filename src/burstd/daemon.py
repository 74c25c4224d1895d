"""The daemon: one cycle every poll interval, signals, reloads, and what systemd, operators and Prometheus see of it.

It decides nothing and waits for no slow call. Whatever ends it, by order, by a bug or by force, the fleet stays as it is: the next start
takes it over from the roster.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol
from uuid import uuid4

import burstd
from burstd import logs, notify
from burstd.control.desk import KEPT, Desk, Pending
from burstd.control.server import ControlServer
from burstd.cycle import Cycle
from burstd.errors import Bug, BurstdError, InvalidSettings
from burstd.metrics import Metrics
from burstd.model.event import Event
from burstd.model.faults import Fault, FaultKind
from burstd.model.policy import Policy
from burstd.model.turn import Turn
from burstd.ports import Ports

if TYPE_CHECKING:
    from burstd.settings import Settings

STOPPED: Final = 0
BROKEN: Final = 1
"""Exit codes: stopped by order; broken, which systemd answers with a restart."""

PATIENCE: Final = 5
"""Cycles in a row that a bug may end: fewer, and one odd answer of a peer costs a restart; more, and nothing is steered for minutes."""

Show = Callable[[Turn, Policy], None]


def _quiet(_turn: Turn, _policy: Policy) -> None:
    """Show nothing: the log, the API and the metrics have it."""


class Doors(Protocol):
    """One daemon's ports and the settings that connect them; `burstd.wiring.Wiring` is the real one.

    Attributes:
        settings: in force.
        ports: as these settings connect them.
    """

    settings: Settings
    ports: Ports

    def rewire(self, settings: Settings) -> None:
        """Put these settings in force, all or nothing.

        Raises:
            BurstdError: the old ones stay in force.
        """
        ...

    def renew(self, pools: Collection[str]) -> Sequence[str]:
        """Connect those of these pools anew whose secrets have changed since they were read; their names."""
        ...

    def alive(self) -> bool:
        """False once a worker thread has died."""
        ...

    def settle(self) -> None:
        """Wait until every pool is listed and no cloud call is in flight, each ended by its own deadline."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Schedule:
    """When the next cycle is due: on a grid of the monotonic clock, so that long cycles and early ones never make it drift."""

    def __init__(self, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now, with a cycle every `interval` seconds."""
        self.interval = interval
        self._clock = clock
        self._start = clock()

    def left(self) -> float:
        """Seconds until the next cycle is due; what was missed is not made up for."""
        return self.interval - (self._clock() - self._start) % self.interval


class Daemon:
    """The loop, between a start and an end."""

    def __init__(self, doors: Doors, load: Callable[[], Settings], *, dry_run: bool = False, show: Show = _quiet) -> None:
        """Get ready; nothing is read, served or done yet.

        Args:
            doors: connected; the caller closes them.
            load: reads the settings anew, for a reload.
            dry_run: plan, and do nothing.
            show: called with every finished cycle and its policy.
        """
        self._doors = doors
        self._load = load
        self._show = show
        self._dry_run = dry_run
        roster = doors.ports.roster
        self._owner = roster.owner()
        self._cycle = Cycle(doors.ports, doors.settings.policy(self._owner), _new_operation, dry_run=dry_run)
        self._desk = Desk(roster.events(KEPT))
        self._metrics = Metrics()
        self._turn_log = logs.TurnLog()
        self._schedule = Schedule(doors.settings.fleet.poll_interval)
        self._failed = 0
        self._reload_asked = False
        self._owes_ready = True
        self._news: list[Event] = []
        how = "plans and does nothing (dry run)" if dry_run else f"takes over a fleet of {len(roster.fleet())}"
        self._tell(f"burstd {burstd.__version__} has started and {how}")
        self._reopen("its settings have been read anew")
        watchdog = notify.watchdog()
        if watchdog is not None and watchdog < 2 * self._schedule.interval:
            limit = f"WatchdogSec={watchdog:g}, fleet.poll_interval = {self._schedule.interval:g} s"
            self._tell(f"systemd ends this daemon between two cycles ({limit}); raise WatchdogSec to a few poll intervals", bad=True)

    def stop(self) -> None:
        """End after the running cycle. Safe in a signal handler."""
        self._desk.stop()

    def reload(self) -> None:
        """Read the settings anew before the next cycle, which starts at once. Safe in a signal handler."""
        self._reload_asked = True
        self._desk.wake()

    def watch_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reloads; for the main thread alone."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.stop())
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.reload())

    def run(self) -> int:
        """Serve and turn until told to stop; the exit code.

        Raises:
            AskOperator: it cannot listen where the settings say.
        """
        server = self._server()
        server.start()
        try:
            while not self._desk.stopping:
                self._between_turns()
                self._turn()
                if broken := self._broken(server):
                    logs.logger().critical(f"{broken}: exiting, so that a new start takes the fleet over")
                    return BROKEN
                self._desk.wait(self._schedule.left())
            logs.logger().info("stopping; the fleet stays as it is")
            return STOPPED
        finally:
            notify.stopping()
            server.stop()

    def _server(self) -> ControlServer:
        settings = self._doors.settings
        return ControlServer(
            self._desk,
            self._metrics.render,
            socket=settings.control.socket,
            mode=settings.control.mode_bits,
            group=settings.control.group,
            listen=settings.metrics.address,
            stale_cycle=settings.fleet.stale_cycle,
        )

    def _broken(self, server: ControlServer) -> str:
        """Why the daemon cannot go on; empty while it can."""
        if not self._doors.alive():
            return "a cloud's worker thread has died"
        if not server.alive:
            return "the control server's thread has died"
        return f"{self._failed} cycles in a row broke off" if self._failed >= PATIENCE else ""

    def _between_turns(self) -> None:
        for pending in self._desk.take():
            self._carry_out(pending)
        if self._reload_asked:
            self._reload_asked = False
            self._reload()

    def _carry_out(self, pending: Pending) -> None:
        try:
            told = self._cycle.order(pending.order)
        except BurstdError as error:
            pending.refuse(error)
        except Exception:  # noqa: BLE001 - whoever ordered waits for an answer, and the loop must go on
            logs.logger().exception("an order broke off")
            pending.refuse(Bug("the daemon could not carry the order out; its log says why"))
        else:
            logs.logger().info(told, ordered_by=pending.order.owner)
            self._news.append(Event(self._doors.ports.clock.now(), "order", pending.order.owner, told))
            pending.answer(told)

    def _turn(self) -> None:
        try:
            turn = self._cycle.turn()
            turn = replace(turn, events=(*self._news, *turn.events))
            self._news.clear()
            self._metrics.record(turn, self._cycle.policy)
            self._desk.publish(turn, self._cycle.policy)
            self._turn_log.record(turn)
            self._show(turn, self._cycle.policy)
        except Exception as error:  # noqa: BLE001 - the traffic goes on as HAProxy has it, and the next cycle sees the world anew
            self._failed += 1
            self._metrics.cycle_failed()
            logs.logger().error(f"the cycle broke off: {error}", in_a_row=self._failed, exc_info=_is_bug(error))
            return
        self._failed = 0
        self._renew(turn)
        if self._owes_ready:
            notify.ready()
            self._owes_ready = False
        notify.alive(turn.sentence)

    def _renew(self, turn: Turn) -> None:
        """Follow secrets that were rotated while their pool was refused: no reload is needed."""
        refused = {
            each.pool for each in turn.snapshot.cloud.listings if isinstance(each.nodes, Fault) and each.nodes.kind is FaultKind.DENIED
        }
        stopped = {name for name, state in turn.after.pools.items() if state.stopped}
        for name in self._doors.renew(refused | stopped):
            self._tell(f"pool {name} is connected anew: its secret files have changed since it was refused")
            self._reopen("its secrets have changed", name)

    def _reopen(self, why: str, pool: str | None = None) -> None:
        """Try pools again, or this one, that were stopped for what somebody has to mend, and may have mended."""
        roster = self._doors.ports.roster
        with suppress(BurstdError):  # what is wrong with the roster is the next cycle's to say
            for name, state in roster.pools().items():
                if state.stopped and pool in {None, name} and not self._dry_run:
                    roster.save_pool(replace(state, stopped=False, barred_until=0.0))
                    self._tell(f"pool {name} was stopped and is tried again, since {why}; it had failed with: {state.reason}")

    def _reload(self) -> None:
        """Read and rewire; systemd hears READY from the next finished cycle, which proves the settings that are then in force."""
        notify.reloading()
        self._owes_ready = True
        try:
            self._doors.rewire(self._load())
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new settings must not stop the loop under the old ones
            if _is_bug(error):
                logs.logger().exception("the reload broke off")
            problems = error.problems if isinstance(error, InvalidSettings) else (str(error),)
            self._metrics.reload(failed=True)
            self._tell(f"reload refused, the old settings stay in force: {'; '.join(problems)}", bad=True)
            return
        settings = self._doors.settings
        logs.configure(settings.log.level, settings.log.format)
        self._cycle.ports, self._cycle.policy = self._doors.ports, settings.policy(self._owner)
        self._schedule = Schedule(settings.fleet.poll_interval)
        self._metrics.reload(failed=False)
        self._tell("settings reloaded, in force from this cycle on")
        self._reopen("its settings have been read anew")

    def _tell(self, text: str, *, bad: bool = False) -> None:
        """Say what the daemon itself has done: in the log, in `burstd events`, and in the roster."""
        logs.logger().log(logging.ERROR if bad else logging.INFO, text)
        event = Event(self._doors.ports.clock.now(), "daemon", "", text)
        self._news.append(event)
        if not self._dry_run:
            with suppress(BurstdError):  # the log has it; what is wrong with the roster is the next cycle's to say
                self._doors.ports.roster.add_events([event])


def run(load: Callable[[], Settings], connect: Callable[[Settings], Doors], *, dry_run: bool = False, show: Show = _quiet) -> int:
    """Run the daemon in the main thread until a signal ends it; the exit code.

    Raises:
        BurstdError: it could not start: the settings, the state folder, an address to listen on.
    """
    settings = load()
    logs.configure(settings.log.level, settings.log.format)
    doors = connect(settings)
    try:
        daemon = Daemon(doors, load, dry_run=dry_run, show=show)
        daemon.watch_signals()
        return daemon.run()
    finally:
        doors.close()


def once(load: Callable[[], Settings], connect: Callable[[Settings], Doors], *, dry_run: bool = False, show: Show = _quiet) -> int:
    """Run one cycle, and wait until its cloud calls have ended; the exit code: 1 where anything failed.

    Raises:
        BurstdError: it could not start, or the roster failed.
    """
    settings = load()
    logs.configure(settings.log.level, settings.log.format)
    doors = connect(settings)
    try:
        policy = settings.policy(doors.ports.roster.owner())
        cycle = Cycle(doors.ports, policy, _new_operation, dry_run=dry_run, single=True)
        doors.settle()  # a daemon's first cycles see no listing yet; one cycle alone would see none at all
        turn = cycle.turn()
        show(turn, policy)
        faults = turn.faults
        if turn.plan.effects and not dry_run:
            doors.settle()
            # A second cycle that may start nothing records what has come of the calls.
            cycle.policy = replace(policy, fleet=replace(policy.fleet, max_step=0))
            faults = (*faults, *cycle.turn().faults)
        return BROKEN if faults else STOPPED
    finally:
        doors.close()


def _is_bug(error: Exception) -> bool:
    """Its traceback is worth reading: burstd has not foreseen it."""
    return isinstance(error, Bug) or not isinstance(error, BurstdError)


def _new_operation() -> str:
    return uuid4().hex
