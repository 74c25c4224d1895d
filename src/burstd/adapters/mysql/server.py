"""One server over PyMySQL: connections with deadlines, and its errors as ours. The only module that imports the library.

A message of ours names the key and the mend and repeats nothing that the server has said, but for its error's number: what it says may
hold an account's name, and never helps as much.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pymysql
from pymysql.cursors import DictCursor

from burstd.adapters.mysql.reading import Answers, dialect_of, server_view, version_of
from burstd.adapters.mysql.words import CLIENTS, SHOW_SEMI_SYNC, WORDS, Words
from burstd.errors import BadCredentials, BurstdError, Garbled, Misconfigured, Rejected, Throttled, Unreachable
from burstd.model.gtid import Dialect
from burstd.model.replication import Server, ServerView

_AWAY: Final = frozenset({2002, 2003, 2006, 2013, 2014, 2055, 1053, 1080})
"""Errors of the client and the server's farewell: nobody answers, or stopped to in the middle."""
_STRANGER: Final = frozenset({1044, 1045, 1698, 3118, 1251, 4151})
_FORBIDDEN: Final = frozenset({1142, 1227, 1370, 3879})
_FULL: Final = frozenset({1040, 1203, 1226})
_NO_TLS: Final = 2026
_GONE: Final = frozenset({1094})
"""A connection that is to be ended has ended by itself."""


@dataclass(frozen=True, slots=True)
class Login:
    """How burstd comes in.

    Attributes:
        password: reads it from its file, anew for each connection: a new one in the old file counts at once.
        ca_file: who may have signed the servers' certificates; None: no TLS.
    """

    user: str
    password: Callable[[], str] = field(repr=False)
    ca_file: Path | None = None


class Connection:
    """An open connection; what goes wrong on it is raised as ours."""

    def __init__(self, connection: pymysql.Connection[DictCursor], name: str) -> None:
        self._connection = connection
        self._name = name
        self.version: str = connection.get_server_info()  # type: ignore[no-untyped-call]  # the stubs have not annotated it
        self.dialect: Dialect = dialect_of(self.version)
        self.words: Words = WORDS[self.dialect]
        if version_of(self.version) < self.words.oldest:
            oldest = ".".join(map(str, self.words.oldest))
            raise Misconfigured(f"{name}: expected {self.dialect} {oldest} or later, found {self.version}; upgrade it")

    def rows(self, statement: str, *values: object) -> Sequence[dict[str, Any]]:
        """Run a statement; its rows."""
        with _explained(self._name), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def run(self, *statements: str) -> None:
        """Run statements in order."""
        for each in statements:
            self.rows(each)

    def view(self, at: float) -> ServerView:
        """What the server tells of itself."""
        (itself,) = self.rows(self.words.show_self)
        replication = self.rows(self.words.show_replication)
        if len(replication) > 1:
            raise Misconfigured(f"{self._name}: expected one replication channel, found {len(replication)}; burstd knows one primary")
        settings, status = ({row["Variable_name"].lower(): row["Value"] for row in self.rows(each)} for each in SHOW_SEMI_SYNC)
        return server_view(at, self.version, Answers(itself, replication[0] if replication else None, settings, status))

    def end_clients(self, user: str) -> None:
        """End everybody's connections, but ours and the replicas'."""
        for row in self.rows(CLIENTS, user):
            with suppress(Rejected):  # it has ended by itself
                self.rows(f"KILL CONNECTION {int(next(iter(row.values())))}")

    def has_semi_sync(self) -> bool:
        """It knows the variable that makes commits wait."""
        return bool(self.rows(f"SHOW GLOBAL VARIABLES LIKE '{self.words.semi_sync}'"))

    def close(self) -> None:
        """Hang up."""
        with suppress(Exception):  # it is over either way
            self._connection.close()


class Host:
    """Where one of the two servers is."""

    def __init__(self, part: Server, address: str, port: int, login: Login) -> None:
        self.part = part
        self.address = address
        self.login = login
        self._port = port

    @property
    def name(self) -> str:
        """As an operator finds it in the settings."""
        return f"database.{self.part} {self.address}"

    def connect(self, seconds: float) -> Connection:
        """A new connection; each of its exchanges may take that long.

        Raises:
            Unreachable: nobody answers.
            AskOperator: it does not let us in, or is too old.
        """
        password = self.login.password()
        ca_file = self.login.ca_file
        try:
            context = None if ca_file is None else ssl.create_default_context(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"database.ca_file {ca_file}: expected a readable file of certificates; mend it") from error
        if context is not None:
            context.check_hostname = False  # servers are named by address, and their certificates by name: who signed them is what counts
        with _explained(self.name, self.login.user):
            made: pymysql.Connection[DictCursor] = pymysql.connect(
                host=self.address,
                port=self._port,
                user=self.login.user,
                password=password,
                cursorclass=DictCursor,
                autocommit=True,
                connect_timeout=seconds,  # it goes to socket.settimeout, which takes fractions
                read_timeout=seconds,
                write_timeout=seconds,
                ssl=context,
            )
        try:
            return Connection(made, self.name)
        except BurstdError:
            made.close()
            raise

    @contextmanager
    def connected(self, seconds: float) -> Iterator[Connection]:
        """A connection for one step."""
        connection = self.connect(seconds)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def _explained(name: str, user: str = "") -> Iterator[None]:
    try:
        yield
    except BurstdError:
        raise
    except pymysql.err.MySQLError as error:
        if isinstance(getattr(error, "original_exception", None), ssl.SSLError):
            raise Misconfigured(f"{name}: database.ca_file has not signed its certificate; name who has, or give it another") from error
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        raise _ours(name, user, code, str(error.args[1]) if len(error.args) > 1 else "") from error
    except (OSError, EOFError) as error:
        raise Unreachable("it broke the connection off") from error
    except RuntimeError as error:  # the library, where a login of MySQL's needs a package that burstd does without
        raise Misconfigured(f"{name}: its login needs TLS; set database.ca_file, or give the user another authentication plugin") from error
    except Exception as error:  # the library parses what it is sent, and raises whatever it stumbles over
        raise Garbled("it does not answer as MariaDB or MySQL does") from error


def _ours(name: str, user: str, code: int, said: str) -> BurstdError:  # noqa: PLR0911 - one for each kind of refusal
    if code in _AWAY:
        return Unreachable("it does not answer" if "timed out" not in said else "it gave no answer in time")
    if code in _STRANGER:
        return BadCredentials(
            f"{name}: user {user} is refused (error {code}); mend database.user or database.password_file, or create the user"
        )
    if code == _NO_TLS:
        return Misconfigured(f"{name}: expected a server that speaks TLS (error {code}); set it up there, or leave database.ca_file out")
    if code in _FORBIDDEN:
        privilege = re.search(r"the (.+?) privilege", said)
        lacks = privilege[1] if privilege else "a privilege"
        return Misconfigured(f"{name}: database.user lacks {lacks} (error {code}); `burstd check` prints the GRANT statements")
    if code in _FULL:
        return Throttled(f"it takes no more connections (error {code})")
    if code in _GONE:
        return Rejected("that connection has ended")
    if not code:
        return Garbled("it does not answer as MariaDB or MySQL does")
    return Rejected(f"error {code}: {' '.join(said.split())[:200]}")
