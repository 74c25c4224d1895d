"""From the settings to the doors of the database: for the daemon, and for the verbs that go to the servers without one."""

from __future__ import annotations

from collections.abc import Callable

from burstd.adapters.fence_command import ProcessFence
from burstd.adapters.haproxy.listener import HAProxyListener
from burstd.adapters.mysql import Host, Login, MysqlDatabase
from burstd.adapters.promotion_file import PromotionFile
from burstd.doors import DatabaseDoors
from burstd.errors import InvalidSettings
from burstd.model.replication import Server
from burstd.settings import Settings


def database_of(settings: Settings, now: Callable[[], float]) -> DatabaseDoors | None:
    """The doors; None where no database is watched. Nothing is connected, and no secret is read yet.

    Args:
        settings: in force.
        now: the daemon's timeline, read on several threads.

    Raises:
        AskOperator: the two are one server, or HAProxy can have no listener of that name.
    """
    database, haproxy = settings.database, settings.haproxy
    primary, replica = hosts_of(settings)
    if primary is None or replica is None:
        return None
    addresses = (primary.address, replica.address)
    if primary.address == replica.address:
        raise InvalidSettings([f"database.replica = {replica.address}: expected another server than the primary; name its address"])
    return DatabaseDoors(
        addresses,
        now,
        MysqlDatabase(primary, replica, now, interval=database.interval, deadline=database.deadline),
        HAProxyListener(haproxy.socket, database.listener, addresses, haproxy.deadline),
        PromotionFile(settings.fleet.state_dir),
        ProcessFence(database.fence_command) if database.fence_command else None,
    )


def hosts_of(settings: Settings) -> tuple[Host | None, Host | None]:
    """Both servers, as far as the settings name them."""
    database = settings.database
    login = Login(database.user, password_of(settings), database.ca_file)
    named = {Server.PRIMARY: database.primary, Server.REPLICA: database.replica}
    primary, replica = (Host(part, address, database.port, login) if address else None for part, address in named.items())
    return primary, replica


def password_of(settings: Settings) -> Callable[[], str]:
    """What reads the password from its file, each time anew; handle the answer as a secret.

    The reader raises InvalidSettings where the file cannot be read.
    """
    file = settings.database.password_file

    def read() -> str:
        if file is None:
            return ""
        try:
            return file.get_secret_value().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            # Neither the path nor the cause is told: a secret that was pasted in place of its path would show.
            said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InvalidSettings(
                [f"database.password_file: expected a file that can be read, {said}; mend the path or the mode"]
            ) from None

    return read
