"""The `Gateway` port on a real HAProxy: one consistent reading, and edits that reach the very process that was read.

Only servers that `is_ours` knows are ever edited; static servers and other people's are read. HAProxy's configuration is never
written, HAProxy is never reloaded, its counters are never cleared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_fixed

from burstd.adapters.haproxy.answers import OLDEST, SAFE_REMOVAL, Info, parse_backends, parse_info, parse_stat
from burstd.adapters.haproxy.commands import NAME, PEER, Commands, clash, refusal, steps
from burstd.adapters.haproxy.probe import probe
from burstd.adapters.haproxy.problems import Problems
from burstd.adapters.haproxy.runtime import Conversation, converse
from burstd.errors import Bug, Misconfigured, Retry, Unreachable
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import AddServer, BackendView, GatewayEdit, GatewayView, RemoveServer, ServerRow

READ_ATTEMPTS = 3
READ_PAUSE = 0.05
"""Seconds between two attempts: a reload hands the socket over in about that."""

REMOVAL_PATIENCE = 500
"""Milliseconds that all removals of one exchange together may wait in HAProxy (3.0 and later); the next cycle tries again."""

ADDS_AT_ONCE = 25
ADDS_AT_MOST = 200
ADDS_PAUSE = 29.0
BUSY_FROM = 200.0
A_FEW = 5
"""`add server` stops all of HAProxy's threads, for longer the more servers there are: on 2.6 growing from 1,000 to 5,000 took nine
tenths of the traffic away. So where more than `BUSY_FROM` requests/s come in meanwhile, a batch of `ADDS_AT_ONCE` is followed by a pause
of `ADDS_PAUSE` times as long: a thirtieth of HAProxy's time is ours. While none come in, each batch is twice the last, up to
`ADDS_AT_MOST`, which takes some 20 ms: whoever comes then waits no longer than that. Fewer requests lose nothing by a moment's wait, nor do
the first `A_FEW`, since a single one within a batch of 2 ms is no rate; and a fleet that grows by up to a batch never sees a pause.
(HAProxy's own Idle_pct is that of one thread.)"""


class HAProxyGateway:
    """The fleet's backends in one HAProxy, by its runtime socket."""

    def __init__(
        self,
        socket: Path,
        *backends: str,
        is_ours: Callable[[str], bool],
        deadline: float = 2.0,
        retries: int = 3,
        check_interval: float = 1.0,
    ) -> None:
        """Talk to HAProxy at `socket` about its backends; nothing is connected yet.

        Args:
            socket: the runtime socket, of level admin.
            backends: names of the backends that are read, the main one first.
            is_ours: whether a server of that name belongs to this fleet.
            deadline: wall-clock seconds for one exchange, whole.
            retries: the backend's `retries` in HAProxy's configuration.
            check_interval: seconds between two health checks of a server that burstd adds.

        Raises:
            Misconfigured: HAProxy can have no backend of such a name.
        """
        for backend in backends:
            if not NAME.fullmatch(backend):
                raise Misconfigured(Problems(socket, repr(backend)).no_backend())
        self._backends = tuple(dict.fromkeys(backends))
        self._problems = Problems(socket)
        self._commands = Commands(self._problems, check_interval)
        self._is_ours = is_ours
        self._deadline = deadline
        # On 2.x a request may still be on its way back to a server in MAINT while HAProxy tries again, a second apart, `retries`
        # times: deleting the server then can crash it (2.6.12). One second more is for the clock's grain.
        self._grace = retries + 2.0

    def probe(
        self, expected: Sequence[str] = (), config_file: Path | None = None, joined: Collection[str] | None = None
    ) -> tuple[str, ...]:
        """Every problem of socket, backends and configuration, a line each with its mend; nothing is changed.

        Args:
            expected: names of static servers (the cores) that the main backend must have.
            joined: the backends that must take servers at run time; None: all.
            config_file: HAProxy's configuration, to see that `option redispatch` is in force on 2.x; None: not looked at.

        Raises:
            Retry: HAProxy is down or does not answer.
        """
        asked = {name: tuple(expected) if name == self._backends[0] else () for name in self._backends}
        return probe(self._commands, self._deadline, asked, config_file, self._backends if joined is None else joined)

    def read(self) -> GatewayView:
        """One consistent reading, as the port has it. A reload in the middle of it is waited out within the deadline."""
        ends = time.monotonic() + self._deadline
        attempts = Retrying(
            retry=retry_if_exception_type(Retry),
            stop=stop_after_attempt(READ_ATTEMPTS) | stop_after_delay(self._deadline),
            wait=wait_fixed(READ_PAUSE),
            reraise=True,
        )
        return attempts(lambda: self._read(ends - time.monotonic()))

    def apply(self, edits: Sequence[GatewayEdit], process: tuple[int, float]) -> Sequence[Fault | None]:
        """Carry the edits out in order, as the port has it.

        Raises:
            Bug: an edit names a server that is not ours; nothing was sent.
        """
        strangers = [edit.name for edit in edits if not self._is_ours(edit.name)]
        if strangers:
            raise Bug(f"an edit of a server that is not ours: {', '.join(strangers)}")
        refusals = [refusal(edit) for edit in edits]
        sound = [edit for edit, refused in zip(edits, refusals, strict=True) if refused is None]
        if not sound:
            return refusals
        faults: list[Fault | None] = []
        with converse(self._problems.socket, self._deadline) as talk:
            info = self._recognise(talk, process)
            for adding, run in groupby(sound, key=lambda edit: isinstance(edit, AddServer)):
                batch = list(run)
                faults += self._add(talk, batch, process) if adding else self._change(talk, batch, info)
            self._recognise(talk, process)
        verdicts = iter(faults)
        return [next(verdicts) if refused is None else refused for refused in refusals]

    def _read(self, seconds: float) -> GatewayView:
        with converse(self._problems.socket, seconds) as talk:
            before = parse_info(talk.ask("show info")[0])
            if before.version < OLDEST:
                raise Misconfigured(self._problems.too_old(before.version))
            present = parse_backends(talk.ask("show backend")[0])
            for backend in self._backends:
                if backend not in present:
                    raise Misconfigured(self._problems.of(backend).no_backend())
            views = self._views(talk, self._backends)
            version = self._recognise(talk, before.process).version
        return GatewayView(
            version=version,
            pid=before.process[0],
            started=before.process[1],
            backends=tuple(views),
            removal_grace=0.0 if version >= SAFE_REMOVAL else self._grace,
            idle=before.idle,
            connections=before.connections,
            most_connections=before.most_connections,
        )

    def _recognise(self, talk: Conversation, process: tuple[int, float]) -> Info:
        """See that `process` answers, and that it is not the old one of a reload; what it says of itself.

        Raises:
            Unreachable: it is another one, or on its way out.
        """
        info = parse_info(talk.ask("show info")[0])
        if info.process != process or info.stopping:
            raise Unreachable(f"HAProxy at {self._problems.socket} was reloaded or restarted meanwhile")
        return info

    def _views(self, talk: Conversation, backends: Sequence[str]) -> list[BackendView]:
        views = []
        for backend, table in zip(backends, talk.ask(*(f"show stat {backend} 6 -1" for backend in backends)), strict=True):
            view = parse_stat(table, backend)
            if view is None:
                raise Misconfigured(self._problems.of(backend).hidden_backend())
            views.append(view)
        return views

    def _change(self, talk: Conversation, edits: Iterable[GatewayEdit], info: Info) -> list[Fault | None]:
        """Carry out edits of one command each; where HAProxy can wait until a server is removable, let it."""
        singles = [edit for edit in edits if not isinstance(edit, AddServer)]
        removals = sum(isinstance(edit, RemoveServer) for edit in singles)
        lines = []
        for edit in singles:
            if isinstance(edit, RemoveServer) and info.version >= SAFE_REMOVAL:
                lines.append(f"wait {max(1, REMOVAL_PATIENCE // removals)}ms srv-removable {edit.backend}/{edit.name}")
            lines.append(self._commands.line(edit))
        answers = talk.ask(*lines)
        verdicts = [answer for line, answer in zip(lines, answers, strict=True) if not line.startswith("wait ")]
        return [self._commands.judge(edit, verdict) for edit, verdict in zip(singles, verdicts, strict=True)]

    def _add(self, talk: Conversation, edits: Iterable[GatewayEdit], process: tuple[int, float]) -> list[Fault | None]:
        """Add servers in batches, with pauses for the traffic where there is some; what then finds no time is left over."""
        adds = [edit for edit in edits if isinstance(edit, AddServer)]
        unique = list(dict.fromkeys(adds))
        views = self._views(talk, list(dict.fromkeys(edit.backend for edit in adds)))
        present = {(view.name, row.name): row for view in views for row in view.servers}
        verdicts: dict[AddServer, Fault | None] = {}
        pace = _Pace()
        start, size = 0, ADDS_AT_ONCE
        while start < len(unique):
            if len(unique) > ADDS_AT_ONCE:
                pause = pace.pause(self._recognise(talk, process).served)
                if pause > talk.remaining - self._deadline / 2:
                    break
                time.sleep(pause)
                size = ADDS_AT_ONCE if pause or not start else min(2 * size, ADDS_AT_MOST)
            batch = unique[start : start + size]
            verdicts |= zip(batch, self._add_batch(talk, batch, present), strict=True)
            start += len(batch)
        return [verdicts.get(edit, Fault(PEER, FaultKind.THROTTLED, f"{edit.name}: left for the next cycle")) for edit in adds]

    def _add_batch(
        self, talk: Conversation, adds: Sequence[AddServer], present: Mapping[tuple[str, str], ServerRow]
    ) -> Iterator[Fault | None]:
        """Add servers, each with all that belongs to it at once: should this exchange break off, HAProxy still gets the whole."""
        scripts = [steps(edit, present.get((edit.backend, edit.name))) for edit in adds]
        answers = iter(talk.ask(*(self._commands.line(step) for script in scripts for step in script)))
        for edit, script in zip(adds, scripts, strict=True):
            faults = [self._commands.judge(step, next(answers)) for step in script]
            yield clash(edit, present.get((edit.backend, edit.name))) or next(filter(None, faults), None)


class _Pace:
    """How long to wait between two batches: told how many requests HAProxy has served, before the first and after each of them."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._resumed = 0.0

    def pause(self, served: int) -> float:
        """Seconds to wait before the next batch."""
        now = time.monotonic()
        before, since = self._first or (served, now)
        busy = served - before > A_FEW + BUSY_FROM * (now - since)
        pause = (now - self._resumed) * ADDS_PAUSE if busy else 0.0
        self._first, self._resumed = (before, since), now + pause
        return pause
