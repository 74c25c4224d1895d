"""The `Listener` port: the two static servers of one TCP listener, and nothing else in HAProxy.

That burstd changes servers that stand in haproxy.cfg is an exception to the rule that static servers are never touched, and is meant:
to fence the database's primary is what the operator has ordered. So this door knows the two names and takes no other, while the fleet's
`Gateway` goes on refusing whatever is not an instance of its own.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from burstd.adapters.haproxy.answers import parse_backends, parse_info, parse_stat
from burstd.adapters.haproxy.commands import NAME, first_line
from burstd.adapters.haproxy.problems import Problems
from burstd.adapters.haproxy.runtime import Conversation, converse
from burstd.errors import Misconfigured, Rejected, Unreachable
from burstd.model.database import ListenerView
from burstd.model.gateway import AdminState, ServerRow
from burstd.model.replication import Server


class HAProxyListener:
    """One listener of one HAProxy."""

    def __init__(self, socket: Path, name: str, addresses: tuple[str, str], deadline: float = 2.0) -> None:
        """Nothing is connected yet.

        Args:
            socket: the runtime socket, of level admin.
            name: the listener's.
            addresses: of the primary and of the replica; a line with another one belongs to a haproxy.cfg of other settings.
            deadline: wall-clock seconds for one exchange, whole.

        Raises:
            Misconfigured: HAProxy can have no listener of such a name.
        """
        if not NAME.fullmatch(name):
            raise Misconfigured(f"database.listener {name!r}: HAProxy can have no such name; name the listener of the database")
        self._socket = socket
        self._name = name
        self._addresses = dict(zip(Server, addresses, strict=True))
        self._deadline = deadline

    def read(self) -> ListenerView:
        """Both lines, as the port has it."""
        with converse(self._socket, self._deadline) as talk:
            return self._read(talk)

    def fence(self, server: Server) -> None:
        """No new connection, and none that is left, as the port has it."""
        self._set(server, AdminState.MAINT, f"shutdown sessions server {self._name}/{server}")

    def open(self, server: Server) -> None:
        """Connections as far as the health check allows, as the port has it."""
        self._set(server, AdminState.READY)

    def _set(self, server: Server, state: AdminState, *more: str) -> None:
        """On one connection, and so in one process: first that the lines are those of the settings, then the change."""
        with converse(self._socket, self._deadline) as talk:
            self._read(talk)
            for answer in talk.ask(f"set server {self._name}/{server} state {state}", *more):
                if "permission denied" in answer.lower():
                    raise Misconfigured(Problems(self._socket).low_level())
                if answer:
                    raise Rejected(f"HAProxy says to its {self._name}/{server}: {first_line(answer)}")

    def _read(self, talk: Conversation) -> ListenerView:
        info, names, table = talk.ask("show info", "show backend", f"show stat {self._name} 6 -1")
        if parse_info(info).stopping:
            raise Unreachable(f"HAProxy at {self._socket} is being reloaded")
        view = parse_stat(table, self._name) if self._name in parse_backends(names) else None
        if view is None:
            raise Misconfigured(
                f"database.listener {self._name}: HAProxy has no such listener; `burstd render haproxy` writes it, or name another"
            )
        rows = {each: self._line(each, view.server(each.value)) for each in Server}
        return ListenerView(rows[Server.PRIMARY], rows[Server.REPLICA])

    def _line(self, server: Server, row: ServerRow | None) -> ServerRow:
        wanted = self._addresses[server]
        if row is None:
            raise Misconfigured(
                f"database.listener {self._name}: expected a server named {server} in it; `burstd render haproxy` shows both lines"
            )
        host = row.address.rpartition(":")[0].strip("[]")
        if not host:
            raise Misconfigured(Problems(self._socket).low_level())
        if ip_address(host) != ip_address(wanted):
            raise Misconfigured(
                f"database.{server} {wanted}: HAProxy has its server {self._name}/{server} at {host}; reload HAProxy or "
                "burstd, whichever has not taken up the new settings yet"
            )
        return row
