"""The edits in HAProxy's words, and what its answers to them mean: pure.

HAProxy has no error codes, so answers are told apart by their text; success is a fixed sentence for `add` and `del`, and silence
for everything else. Whatever is neither is a fault: an unknown answer is never a success.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, assert_never

from burstd.adapters.haproxy.problems import Problems
from burstd.errors import Misconfigured
from burstd.model.faults import Fault, FaultKind
from burstd.model.gateway import (
    AddServer,
    AdminState,
    CutSessions,
    EnableHealth,
    GatewayEdit,
    RemoveServer,
    ServerRow,
    ServerStatus,
    SetMaxconn,
    SetState,
    SetWeight,
)

PEER = "haproxy"

NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
"""The characters that HAProxy takes in a name. Space, newline and ";" would end the command, "/" and "#" would name another thing."""

_DONE: Final[dict[type[GatewayEdit], frozenset[str]]] = {
    AddServer: frozenset({"New server registered."}),
    RemoveServer: frozenset({"Server deleted.", "No such server."}),
    CutSessions: frozenset({"", "No such server."}),
}
_SILENCE: Final = frozenset({""})
"""What HAProxy says where an edit is done: nothing, but for these."""

HEAVIEST = 256
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Commands:
    """The edits' wording.

    Attributes:
        problems: what to tell an operator.
        check_interval: seconds between two health checks of a server that burstd adds.
    """

    problems: Problems
    check_interval: float

    def line(self, edit: GatewayEdit) -> str:
        """The command of an edit; of an `AddServer` the first of its `steps`."""
        server = f"{edit.backend}/{edit.name}"
        match edit:
            case AddServer():
                line = f"add server {server} {self._parameters(edit)}"
            case SetState(state=state):
                line = f"set server {server} state {state}"
            case SetWeight(weight=weight):
                line = f"set server {server} weight {weight}"
            case SetMaxconn(maxconn=maxconn):
                line = f"set maxconn server {server} {maxconn or 0}"
            case EnableHealth():
                line = f"enable health {server}"
            case CutSessions():
                line = f"shutdown sessions server {server}"
            case RemoveServer():
                line = f"del server {server}"
            case _:
                assert_never(edit)
        return line

    def _parameters(self, edit: AddServer) -> str:
        """Every one there is to say: a dynamic server inherits nothing from `default-server`.

        Checks run five times as often while the state is changing. `observe` takes a server that refuses connections out
        between two checks.
        """
        words = [f"{_endpoint(edit)} weight {edit.weight}"]
        if edit.maxconn is not None:
            words.append(f"maxconn {edit.maxconn}")
        words.append(f"check inter {self.check_interval * 1000:.0f}ms fastinter {self.check_interval * 200:.0f}ms rise 2 fall 3")
        words.append("observe layer4 error-limit 3 on-error mark-down")
        if edit.backup:
            words.append("backup")
        return " ".join(words)

    def judge(self, edit: GatewayEdit, answer: str) -> Fault | None:
        """What the answer to an edit means: None where the edit is done.

        Raises:
            Misconfigured: the socket's level or the backend allows no such edit at all.
        """
        last = answer.rpartition("\n")[2]  # warnings may come before the verdict
        if last in _DONE.get(type(edit), _SILENCE):
            return None
        problem = self.unfit(answer, edit.backend)
        if problem is not None:
            raise Misconfigured(problem)
        return _fault(edit.name, answer)

    def unfit(self, answer: str, backend: str) -> str | None:
        """The one line for an operator where an answer says that the socket or the backend is not set up for burstd; else None."""
        problems = self.problems.of(backend)
        if answer.startswith("Permission denied"):
            return problems.low_level()
        if answer.startswith("No such backend"):
            return problems.no_backend()
        if answer.startswith("Backend must use a dynamic load balancing"):
            return problems.static_balance()
        return None


def refusal(edit: GatewayEdit) -> Fault | None:
    """Why this edit must not be sent to any HAProxy: it could say something else than it means. None where it is sound."""
    wrong = None
    if not NAME.fullmatch(edit.backend):
        wrong = f"backend name {edit.backend[:80]!r} has a character that HAProxy does not take"
    elif not NAME.fullmatch(edit.name):
        wrong = f"server name {edit.name[:80]!r} has a character that HAProxy does not take"
    elif isinstance(edit, AddServer | SetWeight) and not 0 <= edit.weight <= HEAVIEST:
        wrong = f"weight {edit.weight} of {edit.name} is not within 0..{HEAVIEST}"
    elif isinstance(edit, AddServer) and not 0 < edit.port <= HIGHEST_PORT:
        wrong = f"port {edit.port} of {edit.name} is not within 1..{HIGHEST_PORT}"
    elif isinstance(edit, AddServer | SetMaxconn) and edit.maxconn is not None and edit.maxconn < 1:
        wrong = f"maxconn {edit.maxconn} of {edit.name} is not at least 1"
    elif isinstance(edit, AddServer):
        try:
            _endpoint(edit)
        except ValueError:  # HAProxy would take a host name and never resolve it
            wrong = f"address {edit.address[:80]!r} of {edit.name} is not an IP address"
    return None if wrong is None else Fault(PEER, FaultKind.REJECTED, wrong)


def clash(edit: AddServer, row: ServerRow | None) -> Fault | None:
    """The fault of an add whose name is taken by a server at another address."""
    if row is None or edit.is_at(row.address):
        return None
    return Fault(PEER, FaultKind.REJECTED, f"{edit.name}: is there already, at {row.address or 'an address that is hidden'}")


def steps(edit: AddServer, row: ServerRow | None) -> tuple[GatewayEdit, ...]:
    """What adds a server, given the row that it has already, if it has one.

    Added, its checks are turned on and it is put in DRAIN: otherwise traffic would come before the first check. A row in MAINT is
    what an add that broke off has left behind, and gets the rest; any other row is left as it is.
    """
    rest = (EnableHealth(edit.backend, edit.name), SetState(edit.backend, edit.name, AdminState.DRAIN))
    if row is None:
        return edit, *rest
    return rest if row.status is ServerStatus.MAINT and clash(edit, row) is None else ()


def first_line(answer: str) -> str:
    """The first line of an answer, shortened, for a message to people."""
    return answer.partition("\n")[0][:160]


def _fault(name: str, answer: str) -> Fault:
    if answer == "No such server.":
        kind = FaultKind.MISSING
    elif "still has connections" in answer:
        kind = FaultKind.THROTTLED  # time alone mends it
    else:
        kind = FaultKind.REJECTED
    return Fault(PEER, kind, f"{name}: {first_line(answer) or 'HAProxy said nothing'}")


@lru_cache(maxsize=8192)  # asked twice for each add, and parsing is half of what its wording costs
def _endpoint(edit: AddServer) -> str:
    if "%" in edit.address:  # a zone may hold any character
        raise ValueError(edit.address)
    address = ip_address(edit.address)
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    return f"{host}:{edit.port}"
