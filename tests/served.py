"""A control server with a loop behind it that carries orders out for real: everything of a daemon but the world it looks at."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from burstd.cli.client import _Connection
from burstd.control.desk import Desk
from burstd.control.server import ControlServer
from burstd.decide.orders import carry_out
from burstd.errors import AskOperator
from burstd.model.event import Event
from burstd.model.orders import Order, ReleaseMirror
from burstd.model.turn import Turn
from tests.turns import NOW, POLICY, rich_turn

PAGE = b"# HELP burstd_info x\n"


class Served:
    """One desk, its server, and the loop that answers."""

    def __init__(self, desk: Desk, server: ControlServer, socket: Path, turn: Turn) -> None:
        self.desk = desk
        self.server = server
        self.socket = socket
        self.turn = turn
        self.orders: list[Order] = []

    def ask(self, method: str, path: str, body: object = None, *, tcp: bool = False) -> tuple[int, Any]:
        """Status and parsed answer; a body that is bytes goes as it is. Over TCP where said, else over the unix socket."""
        status, _, content = self.raw(method, path, body, tcp=tcp)
        return status, json.loads(content)

    def raw(self, method: str, path: str, body: object = None, *, tcp: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and bytes of an answer."""
        connection = (
            HTTPConnection(*self.server.address or ("", 0), timeout=10) if tcp else _Connection(str(self.socket), time.monotonic() + 10)
        )
        try:
            connection.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def loop(self) -> None:
        """Answer until the desk stops, as the daemon does: order, then a cycle that shows it."""
        while not self.desk.stopping:
            for pending in self.desk.take():
                self.orders.append(pending.order)
                snapshot = self.turn.snapshot
                try:
                    if isinstance(pending.order, ReleaseMirror):
                        orders, told = snapshot.orders, "the mirror is told to go on"
                    else:
                        orders, told = carry_out(pending.order, snapshot.orders, POLICY.fleet, snapshot.fleet, NOW)
                except AskOperator as error:
                    pending.refuse(error)
                else:
                    event = Event(NOW + len(self.orders), "order", pending.order.owner, told)
                    self.turn = replace(self.turn, snapshot=replace(snapshot, orders=orders), events=(event,), number=self.turn.number + 1)
                    self.desk.publish(self.turn, POLICY)
                    pending.answer(told)
            self.desk.wait(5.0)


@contextmanager
def served(
    folder: Path, *, turn: Turn | None = None, history: Sequence[Event] = (), tcp: bool = False, answering: bool = True
) -> Iterator[Served]:
    """Serve that turn (the rich one where none is given) on a socket in the folder, with a loop that answers orders, or hangs."""
    desk, socket = Desk(history), folder / "control.sock"
    turn = rich_turn() if turn is None else turn
    listen = ("127.0.0.1", 0) if tcp else None
    server = ControlServer(desk, lambda: PAGE, socket=socket, mode=0o660, group=None, listen=listen, stale_cycle=30.0)
    server.start()
    desk.publish(turn, POLICY)
    daemon = Served(desk, server, socket, turn)
    loop = threading.Thread(target=daemon.loop)
    if answering:
        loop.start()
    try:
        yield daemon
    finally:
        desk.stop()
        if answering:
            loop.join()
        server.stop()
