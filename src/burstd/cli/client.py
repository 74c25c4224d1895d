"""Talks to the daemon's API over its unix socket: HTTP, JSON, one request a connection, each with one deadline for all of it.

It never retries: a verb says what happened, and who typed it decides.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import stat
import time
from collections.abc import Mapping
from typing import Any, Final

from burstd.errors import AskOperator, BurstdError, Garbled, NoDaemon, Retry, Unreachable

DEADLINE: Final = 15.0
"""Seconds for a whole exchange: more than the 10 s that the daemon gives its loop to carry an order out."""

_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of an answer: a thousand instances fill one megabyte."""

Document = dict[str, Any]


class Client:
    """The daemon behind one socket.

    Attributes:
        path: the socket's path.
    """

    def __init__(self, path: str, *, deadline: float = DEADLINE) -> None:
        self.path = path
        self._deadline = deadline

    def get(self, path: str) -> Document:
        """The document at that path.

        Raises:
            NoDaemon: nobody answers on the socket.
            AskOperator: the daemon says what to mend.
            Retry: the daemon says to try again, or answered late or not in its protocol.
        """
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, object]) -> str:
        """Give an order; the daemon's sentence. Raises as `get` does."""
        return str(self._ask("POST", path, body).get("sentence", ""))

    def delete(self, path: str) -> str:
        """Take an order back; the daemon's sentence. Raises as `get` does."""
        return str(self._ask("DELETE", path, None).get("sentence", ""))

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> Document:
        connection = _Connection(self.path, time.monotonic() + self._deadline)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"Accept": "application/json"})
            answer = connection.getresponse()
            status, content = answer.status, answer.read(_LARGEST)
            document = json.loads(content)
        except TimeoutError as error:
            raise Unreachable(f"{self.path}: the daemon took the call and gave no answer within {self._deadline:g} s") from error
        except ConnectionError as error:
            raise Unreachable(f"{self.path}: the daemon closed the connection before its answer; is it stopping?") from error
        except (http.client.HTTPException, ValueError) as error:
            raise Garbled(f"{self.path}: something answers there that is not burstd; name the daemon's socket with --socket") from error
        finally:
            connection.close()
        if not isinstance(document, dict):
            raise Garbled(f"{self.path}: something answers there that is not burstd; name the daemon's socket with --socket")
        if status != http.client.OK:
            raise _refusal(status, document)
        return document


def _refusal(status: int, document: Document) -> BurstdError:
    text = str(document.get("error", f"the daemon answered {status}"))
    again = status == http.client.CONFLICT or status >= http.client.INTERNAL_SERVER_ERROR
    return Retry(text) if again else AskOperator(text)


class _Socket(socket.socket):
    """A socket whose reads share one deadline, however slowly the bytes come."""

    end: float

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.end))
        return super().recv_into(*args, **kwargs)


def _left(end: float) -> float:
    """Seconds until `end`; never 0, which would mean "do not wait at all" to a socket and raise something else."""
    return max(0.001, end - time.monotonic())


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, until `end` (monotonic seconds)."""

    def __init__(self, path: str, end: float) -> None:
        super().__init__("burstd")
        self._path = path
        self._end = end

    def connect(self) -> None:
        """Reach the daemon.

        Raises:
            NoDaemon: with the mend for whatever stands in the way.
            Retry: too many are talking to it.
        """
        connection = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.end = self._end
        connection.settimeout(_left(self._end))
        try:
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise
            if error.errno == errno.EAGAIN:
                raise Retry(f"{self._path}: the daemon has more callers than it takes at once; try again") from error
            raise NoDaemon(f"{self._path}: {_mend(self._path, error)}") from error
        self.sock = connection


def _mend(path: str, error: OSError) -> str:
    """Why nobody can be reached there, and what to do about it."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no burstd daemon has its control socket there; start it (systemctl start burstd), or name the socket with --socket"
    if isinstance(error, PermissionError):
        return f"you may not talk to the daemon; {_who_may(path)}, or ask as root (sudo)"
    if isinstance(error, ConnectionRefusedError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):  # noqa: PTH116 - importing pathlib takes longer than the whole call
            return "expected a socket, found another kind of file; name the daemon's control socket with --socket"
        return "no burstd daemon answers on the socket that one has left there; start it (systemctl start burstd)"
    return f"the daemon cannot be reached there, the system says: {error.strerror or error}; name its socket with --socket"


def _who_may(path: str) -> str:
    import grp

    try:
        group = grp.getgrgid(os.stat(path).st_gid).gr_name  # noqa: PTH116 - no pathlib, as above
    except (OSError, KeyError):
        return "join the group of the socket and of its folder (control.group)"
    return f"join the group {group} (usermod --append --groups {group} YOU)"
