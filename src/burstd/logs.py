"""The daemon's log: JSON lines for the journal, colours on a terminal, libraries' warnings in the same stream.

It says each thing once: a cycle's sentence when it says something new, an action when it is done, a fault when it comes, changes and ends.
It never shows a secret: values under keys that look like one are blanked, and so are the query strings in what libraries say
(an EC2 create carries its user-data there).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TextIO

import structlog

from burstd.model.cloud import CreateCall, DestroyCall
from burstd.model.faults import FaultKind
from burstd.model.plans import Action, CallCloud, EditGateway, kind
from burstd.model.turn import Turn

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

NAME: Final = "burstd"

_SECRET: Final = re.compile(r"(?i)secret|passw|token|credential|authoriz|cookie|(api|access|private|ssh)_?key|^key$|user_?data|customdata")
_QUERY: Final = re.compile(r"\?[^\s'\"]*=[^\s'\"]*")
_FIGURES: Final = re.compile(r"\d+(\.\d+)?")


def configure(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Send everything to `stream` (standard error where None).

    Args:
        level: "debug", "info", "warning" or "error", for burstd itself; libraries speak from warning on.
        form: "json", "console", or "auto": console where the stream is a terminal.
        stream: where to; read at the call, so that a test may capture it.
    """
    out = sys.stderr if stream is None else stream
    pretty = form == "console" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
        redact,
        structlog.processors.format_exc_info,  # plain tracebacks: pretty ones print the local variables, and every secret among them
        cut_queries,
        order,
    ]
    last = (
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(NAME).setLevel(level.upper())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a reload may change the level
    )


def logger() -> structlog.stdlib.BoundLogger:
    """The daemon's own logger."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(NAME)
    return bound


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blank the values of all keys that look secret, at any depth."""
    return {key: _redacted(key, value) for key, value in event.items()}


def cut_queries(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Cut the query strings from what libraries and tracebacks say: clouds take user-data and signatures there."""
    return {**event, **{key: _QUERY.sub("?…", str(event[key])) for key in ("event", "exception") if key in event}}


def order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put first what a person looks for first."""
    return {**{key: event[key] for key in ("timestamp", "level", "event") if key in event}, **event}


def _redacted(key: str, value: object) -> object:
    if _SECRET.search(key):
        return "***"
    if isinstance(value, Mapping):
        return {name: _redacted(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", inner) for inner in value]
    return value


class TurnLog:
    """Writes finished cycles to the log, and remembers what it has said, so that it need not say it again.

    "The same" is the same but for its figures: a load that moves from 1.23 to 1.24 is not news. What is not news is there at level debug.
    """

    def __init__(self) -> None:
        self._said = ""
        self._faults: dict[tuple[str, FaultKind], str] = {}
        self._unread: set[tuple[str, FaultKind]] = set()

    def record(self, turn: Turn) -> None:
        """Write one cycle."""
        log = logger()
        self._record_faults(log, turn)
        news = _shape(turn.sentence)
        decision = turn.decision
        log.log(
            logging.DEBUG if news == self._said else logging.INFO,
            turn.sentence,
            cycle=turn.number,
            current=decision.current,
            desired=decision.count,
            load=decision.signal,
            seconds=round(turn.seconds, 4),
        )
        self._said = news
        for event in turn.events:
            if event.kind in {
                "instance",
                "database",
            }:  # the sentence and the faults are said already, and the daemon says its own things itself
                log.info(event.text, subject=event.subject)
            elif event.kind == "budget":
                log.warning(event.text)
        for done in turn.report.done:
            if done.fault is None and (name := _subject(done.action)):
                log.info("started" if isinstance(done.action, CallCloud) else "done", action=kind(done.action), name=name)
        for broken in turn.plan.violations:
            log.error(broken.text, invariant=broken.invariant)

    def _record_faults(self, log: structlog.stdlib.BoundLogger, turn: Turn) -> None:
        faults = {(each.peer, each.kind): each.text for each in turn.faults}
        for (peer, sort), text in faults.items():
            if _shape(self._faults.get((peer, sort), "")) != _shape(text):
                log.warning(text, peer=peer, fault=sort.value)
        for peer, sort in sorted(self._unread - faults.keys()):
            log.info("answers as it should again", peer=peer, fault=sort.value)
        self._faults = faults
        self._unread = {(each.peer, each.kind) for each in turn.blind_spots}


def _subject(action: Action) -> str:
    """Whom an action with an effect outside concerns; empty for what is only recorded."""
    match action:
        case CallCloud(CreateCall(request=request)):
            return request.name
        case CallCloud(DestroyCall(node_id=node)):
            return node
        case EditGateway(edit):
            return edit.name
        case _:
            return ""


def _shape(text: str) -> str:
    return _FIGURES.sub("#", text)
