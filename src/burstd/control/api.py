"""The HTTP applications: the operators' on the control socket, and the read-only one for Prometheus and probes.

Reading answers from the last finished cycle and never waits for the loop; an order waits for it on a thread of its own, so that a
slow loop never keeps anybody from reading. Every error is {"error": "one line"}: 400 where the caller must mend something, 503 where
trying again may help.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from burstd.control import bodies, documents
from burstd.control.desk import KEPT, Desk, unheard
from burstd.control.documents import Document
from burstd.errors import AskOperator, GiveUp, OutcomeUnknown, Retry
from burstd.model.fleet import Pause
from burstd.model.orders import Order, ScaleAuto, SetPause
from burstd.model.policy import Policy
from burstd.model.turn import Turn

if TYPE_CHECKING:
    from starlette.requests import Request

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format, the version that every scraper reads."""

_RETRY_AFTER: Final = {"Retry-After": "5"}
_EVENTS: Final = 50
"""Events in an answer where nobody says how many: a screenful."""


class Api:
    """The endpoints of one daemon."""

    def __init__(self, desk: Desk, metrics: Callable[[], bytes], stale_cycle: float) -> None:
        self._desk = desk
        self._metrics = metrics
        self._stale_cycle = stale_cycle

    def for_operators(self) -> Starlette:
        """Everything."""
        reading = [Route(f"/v1/{make.__name__}", self._document(make)) for make in (documents.status, documents.explain, documents.plan)]
        posting = [Route(f"/v1/{name}", self._order(make), methods=["POST"]) for name, make in bodies.ORDERS.items()]
        deleting = [
            Route("/v1/scale", self._take_back(ScaleAuto), methods=["DELETE"]),
            Route("/v1/pause", self._take_back(lambda owner: SetPause(Pause.NONE, owner)), methods=["DELETE"]),
        ]
        return _application([*reading, Route("/v1/events", self._events), *posting, *deleting, *self._probes()])

    def for_scrapers(self) -> Starlette:
        """What changes nothing and tells no names: for an address that everybody on the machine can reach."""
        return _application(self._probes())

    def _probes(self) -> list[Route]:
        return [Route("/metrics", self._scrape), Route("/healthz", self._healthz), Route("/readyz", self._readyz)]

    def _document(self, make: Callable[[Turn, Policy], Document]) -> Callable[[Request], Any]:
        async def read(request: Request) -> Response:
            _query(request)
            latest = self._desk.latest
            if latest is None:
                raise Retry("no cycle has finished yet: try again in a few seconds")
            return JSONResponse(make(*latest) | {"age_seconds": round(self._desk.age, 3)})

        return read

    async def _events(self, request: Request) -> Response:
        limit = _query(request, "limit").get("limit", str(_EVENTS))
        if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(KEPT)) and 1 <= int(limit) <= KEPT):
            raise AskOperator(f"limit: {limit[:20]!r}: expected a whole number from 1 to {KEPT}")
        return JSONResponse(documents.events(self._desk.events(int(limit))))

    def _order(self, make: Callable[[bytes], Order]) -> Callable[[Request], Any]:
        async def give(request: Request) -> Response:
            _query(request)
            return await self._submit(make(await _body(request)))

        return give

    def _take_back(self, make: Callable[[str], Order]) -> Callable[[Request], Any]:
        async def give(request: Request) -> Response:
            return await self._submit(make(bodies.owner(_query(request, "owner").get("owner"))))

        return give

    async def _submit(self, order: Order) -> Response:
        return JSONResponse({"sentence": await run_in_threadpool(self._desk.submit, order)})

    async def _scrape(self, _: Request) -> Response:
        return Response(self._metrics(), media_type=METRICS_TYPE)

    async def _healthz(self, _: Request) -> Response:
        age, limit = self._desk.age, self._stale_cycle
        answer: Document = {"status": "ok", "age_seconds": round(age, 3), "stale_after_seconds": limit}
        if age <= limit:
            return JSONResponse(answer)
        what = "no cycle has ever finished" if self._desk.latest is None else "the last cycle is too old"
        answer |= {"status": "stale", "error": f"{what}: {math.floor(age)} s, more than fleet.stale_cycle = {limit:g} s"}
        return JSONResponse(answer, status_code=503)

    async def _readyz(self, _: Request) -> Response:
        if self._desk.ready:
            return JSONResponse({"status": "ready"})
        latest = self._desk.latest
        reason = "no cycle has finished yet" if latest is None else unheard(latest[0])
        return JSONResponse({"status": "not ready", "error": reason}, status_code=503)


def _application(routes: list[Route]) -> Starlette:
    handlers = {AskOperator: _mend, GiveUp: _mend, Retry: _again, OutcomeUnknown: _again, HTTPException: _no_such, Exception: _broken}
    return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]  # starlette wants handlers of any exception


def _query(request: Request, *known: str) -> dict[str, str]:
    query = dict(request.query_params)
    if unknown := sorted(set(query) - set(known)):
        raise AskOperator(f"?{unknown[0][:20]!r}: unknown parameter; expected {', '.join(known) or 'none'}")
    return query


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > bodies.LARGEST:
            raise AskOperator(f"body: expected at most {bodies.LARGEST} bytes")
    return body


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": " ".join(text.split())}, status_code=status, headers=headers)


async def _mend(_: Request, error: AskOperator | GiveUp) -> Response:
    return _error(400, str(error))


async def _again(_: Request, error: Retry | OutcomeUnknown) -> Response:
    return _error(503, str(error), _RETRY_AFTER)


async def _no_such(request: Request, error: HTTPException) -> Response:
    text = {404: "no such path", 405: f"not with {request.method}"}.get(error.status_code, error.detail)
    return _error(error.status_code, f"{request.url.path[:80]!r}: {text}", dict(error.headers or {}))


async def _broken(_: Request, __: Exception) -> Response:
    return _error(500, "burstd has a bug, and the traffic goes on: its log has the traceback")
