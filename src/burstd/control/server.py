"""Serves the API: one thread, one event loop, a unix socket for operators and, if wanted, a TCP address for scrapers.

The sockets are made here and not by uvicorn, which would let every user of the machine write to the unix one. It takes no signal,
and tells the daemon of trouble while binding by raising in the daemon's own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import logging
import os
import socket as sockets
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from burstd.control.api import Api
from burstd.control.desk import Desk
from burstd.errors import AlreadyRunning, AskOperator

if TYPE_CHECKING:
    from starlette.applications import Starlette

_LOG: Final = logging.getLogger(__name__)

_CALLERS: Final = 64
"""Connections at once on each address; more are answered 503. A handful of operators and scrapers need a tenth of it."""

_BACKLOG: Final = 64

_PATIENCE: Final = 10.0
"""Seconds for the thread to end: it refuses the orders that wait for the loop, and gives answers under way 2 s."""

_OTHERS_MAY_WRITE: Final = 0o002


class ControlServer:
    """The API of one daemon, from `start` to `stop`.

    Attributes:
        address: host and port that the TCP listener really has (port 0 picks a free one); None where there is none.
    """

    def __init__(  # noqa: PLR0913 - two addresses, with all that an operator can set about them
        self,
        desk: Desk,
        metrics: Callable[[], bytes],
        *,
        socket: Path,
        mode: int,
        group: str | None,
        listen: tuple[str, int] | None,
        stale_cycle: float,
    ) -> None:
        """Prepare to serve.

        Args:
            desk: where finished cycles are, and where orders go.
            metrics: makes the page for Prometheus; called on the server's thread.
            socket: path of the unix socket.
            mode: its permission bits; writing by others is refused.
            group: its group; None: the daemon's own.
            listen: host and port for /metrics, /healthz and /readyz alone; None: no TCP.
            stale_cycle: /healthz answers 503 when the last finished cycle is older, seconds.
        """
        self.address: tuple[str, int] | None = None
        self._desk = desk
        self._api = Api(desk, metrics, stale_cycle)
        self._socket = socket
        self._mode = mode
        self._group = group
        self._listen = listen
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None
        self._made: os.stat_result | None = None

    @property
    def alive(self) -> bool:
        """It is serving; False before `start`, after `stop`, and where its thread has died."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Bind, and serve on a thread of its own; from its return on, whoever calls is answered.

        Raises:
            AskOperator: an address is in use or cannot be had, a folder is missing, a group unknown; one line with the mend.
        """
        doors = [(self._bind_unix(), self._api.for_operators())]
        try:
            if self._listen is not None:
                tcp = _bind_tcp(*self._listen)
                self.address = tcp.getsockname()[:2]
                doors.append((tcp, self._api.for_scrapers()))
        except AskOperator:
            doors[0][0].close()
            self._remove_socket()
            raise
        self._servers = [_server(application) for _, application in doors]
        self._thread = threading.Thread(target=self._run, args=([door for door, _ in doors],), name="control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse the orders that wait, answer what is being asked, and take the socket away. Does nothing the second time."""
        self._desk.close()
        for server in self._servers:
            server.should_exit = True
        if self._thread is not None:
            self._thread.join(_PATIENCE)
            self._thread = None
        self._remove_socket()

    def _run(self, doors: list[sockets.socket]) -> None:
        try:
            asyncio.run(self._serve(doors))
        except Exception:  # noqa: BLE001 - whatever ends the thread, its last words are in the log, and `alive` tells the daemon
            _LOG.exception("the control server has stopped: no verb, no scrape and no probe is answered any more")
        finally:
            for door in doors:  # nobody shall wait for an answer that cannot come
                door.close()

    async def _serve(self, doors: list[sockets.socket]) -> None:
        await asyncio.gather(*(server.serve([door]) for server, door in zip(self._servers, doors, strict=True)))

    def _bind_unix(self) -> sockets.socket:
        path, key = self._socket, f"control.socket: {self._socket}"
        if self._mode & _OTHERS_MAY_WRITE:
            raise AskOperator(f"control.mode: {self._mode:04o}: would let every user order instances; expected such as 0660")
        gid = -1 if self._group is None else _gid(self._group)
        _clear_stale(path, key)
        door = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        try:
            door.bind(os.fspath(path))
            self._made = path.lstat()
            # Nobody can connect before it listens, so there is no moment at which the wrong ones could.
            os.chown(path, -1, gid)
            path.chmod(self._mode)
            door.listen(_BACKLOG)
        except OSError as error:
            door.close()
            why = self._why_not(key, error)
            self._remove_socket()
            raise AskOperator(why) from error
        return door

    def _why_not(self, key: str, error: OSError) -> str:
        if self._made is not None:
            return f"control.group: {self._group}: burstd's user cannot give the socket to it; make that user a member of the group"
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return f"{key}: its folder is missing; create it, or let systemd do so (RuntimeDirectory=burstd)"
        if isinstance(error, PermissionError):
            return f"{key}: burstd's user may not create it there; give that user the folder, or name another"
        return f"{key}: cannot be created, the system says: {error.strerror or error}; name another path"

    def _remove_socket(self) -> None:
        """Take away the socket that this server made, and no other: a successor may have put its own there."""
        with contextlib.suppress(OSError):
            if self._made is not None and os.path.samestat(self._made, self._socket.lstat()):
                self._socket.unlink()
        self._made = None


def _clear_stale(path: Path, key: str) -> None:
    """Remove a socket that a killed daemon has left; whatever else is there stays, and is an error."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise AskOperator(f"{key}: expected nothing or a socket there, found another kind of file; move it away or name another path")
    except OSError:
        return  # not there, or not to be seen: binding will tell
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(os.fspath(path))
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):  # binding will tell
                path.unlink()
        except OSError as error:
            raise AlreadyRunning(
                f"{key}: another daemon may be at it ({error.strerror or error}); stop that one or name another path"
            ) from error
        else:
            raise AlreadyRunning(f"{key}: another daemon answers there; stop that one or name another path")


def _gid(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise AskOperator(f"control.group: {group}: no such group on this machine; create it (groupadd) or name another") from error


def _bind_tcp(host: str, port: int) -> sockets.socket:
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    key = f"metrics.listen: {f'[{host}]' if ':' in host else host}:{port}"
    try:
        return sockets.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        said = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise AskOperator(f"{key}: cannot listen there, the system says: {said}; stop what has it, or name another HOST:PORT") from error


def _server(application: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CALLERS,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
