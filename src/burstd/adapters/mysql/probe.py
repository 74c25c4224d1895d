"""What `burstd check` asks of a server: does it let us in, and may we do what a promotion takes? Nothing is changed."""

from __future__ import annotations

from burstd.adapters.mysql.server import Host
from burstd.adapters.mysql.words import create_user, missing_privileges
from burstd.errors import BadCredentials
from burstd.model.gtid import Dialect
from burstd.model.replication import Server, ServerView


def probe(host: Host, now: float, seconds: float) -> tuple[ServerView | None, tuple[str, ...]]:
    """The server, None where it may not even be looked at, and every problem that an operator must mend, a line each.

    Raises:
        Retry: it is down or does not answer.
        AskOperator: it does not let us in, or is not fit; the message is the line.
    """
    try:
        with host.connected(seconds) as server:
            grants = [str(next(iter(row.values()))) for row in server.rows("SHOW GRANTS")]
            lacking = missing_privileges(server.dialect, grants)
            if lacking:  # without them not even a look may be had
                return None, (_grant(host, server.dialect, lacking),)
            return server.view(now), ()
    except BadCredentials as error:
        statements = " ".join(create_user(Dialect.MARIADB, host.login.user))
        raise BadCredentials(f"{error}: {statements}") from error


def _grant(host: Host, dialect: Dialect, lacking: tuple[str, ...]) -> str:
    on = "" if host.part is Server.PRIMARY else " (on the primary, from where it replicates)"
    statements = " ".join(create_user(dialect, host.login.user)[1:])
    return f"{host.name}: database.user {host.login.user} lacks {'; '.join(lacking)}; run{on}: {statements}"
