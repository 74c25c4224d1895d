"""What HAProxy's operator must change for burstd to work, a line for each: the key, its value, what is wrong, the mend. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ADMIN_SOCKET = "stats socket /run/haproxy/admin.sock mode 660 group haproxy level admin"


@dataclass(frozen=True, slots=True)
class Problems:
    """The lines about one runtime socket and one backend."""

    socket: Path
    backend: str = ""

    def of(self, backend: str) -> Problems:
        """The lines about another backend of the same HAProxy."""
        return Problems(self.socket, backend)

    def absent(self) -> str:
        """There is nothing at the socket's path."""
        return f"haproxy.socket {self.socket}: no such file; start HAProxy with `{ADMIN_SOCKET}` in its global section, or name its socket"

    def no_socket(self) -> str:
        """There is something else at the socket's path."""
        return f"haproxy.socket {self.socket}: not a socket; name the path of HAProxy's `stats socket`"

    def forbidden(self) -> str:
        """The file's permissions keep us out."""
        return f"haproxy.socket {self.socket}: not allowed to connect; write `mode 660 group haproxy` on its line and join that group"

    def low_level(self) -> str:
        """The socket reads, and changes nothing."""
        return f"haproxy.socket {self.socket}: its level may not add servers; write `level admin` on its line and reload HAProxy"

    def too_old(self, version: tuple[int, int, int]) -> str:
        """Its dynamic servers are not there, or an experiment."""
        return f"haproxy.socket {self.socket}: HAProxy {'.'.join(map(str, version))} is too old; install 2.6 or later"

    def no_backend(self) -> str:
        """HAProxy does not know the backend."""
        return f"haproxy.backend {self.backend}: HAProxy has no such backend; name one of its backends, or define it and reload HAProxy"

    def hidden_backend(self) -> str:
        """A frontend of that name comes first wherever HAProxy looks a name up."""
        return f"haproxy.backend {self.backend}: a frontend has the same name and hides it; rename one of them and reload HAProxy"

    def static_balance(self) -> str:
        """Servers cannot be added to a static algorithm."""
        return f"haproxy.backend {self.backend}: its balance is static; write `balance roundrobin` (or leastconn, first) and reload HAProxy"

    def no_dynamic_servers(self, answer: str) -> str:
        """HAProxy refuses dynamic servers in words that we do not know."""
        return f"haproxy.backend {self.backend}: HAProxy takes no servers at run time ({answer}); mend what it names and reload HAProxy"

    def no_core(self, server: str) -> str:
        """A core server of the settings is not in the backend."""
        return f"core server {server}: not in HAProxy's backend {self.backend}; add its line there and reload HAProxy, or mend the name"

    def unreadable(self, config_file: Path, reason: str) -> str:
        """The configuration file cannot be read."""
        return f"haproxy.config_file {config_file}: {reason}; name a readable file or leave the key out"

    def elsewhere(self, config_file: Path) -> str:
        """The configuration file does not define the backend."""
        return f"haproxy.config_file {config_file}: no `backend {self.backend}` in it; name the file that defines it"

    def no_redispatch(self, config_file: Path) -> str:
        """Without it, deleting a server can crash HAProxy 2.x."""
        return f"haproxy.config_file {config_file}: backend {self.backend} lacks `option redispatch`; write it there and reload HAProxy"

    def unlimited(self, servers: Sequence[str]) -> str:
        """Requests queue for servers with a connection limit while ours, without one, get none of them (or all)."""
        return (
            f"haproxy.maxconn: not set, while {', '.join(servers)} in backend {self.backend} has a maxconn, so burst servers starve while "
            f"requests queue; set it (for a backend of haproxy.further its own maxconn does)"
        )

    def short_timeout(self, config_file: Path, seconds: float, deadline: float) -> str:
        """HAProxy hangs up before an exchange may have ended."""
        return (
            f"haproxy.config_file {config_file}: `stats timeout` is {seconds:g} s, less than haproxy.deadline ({deadline:g} s), so HAProxy "
            f"may hang up amid an exchange; write `stats timeout {max(10.0, 2 * deadline):.0f}s` in its global section and reload HAProxy"
        )
