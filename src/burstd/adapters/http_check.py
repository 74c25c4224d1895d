"""The check path of each instance over HTTP: the gate before it joins. 200 opens it; the body is not read and means nothing here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from burstd.adapters.http_fetch import Fetcher
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance
from burstd.model.policy import PoolPolicy


class HttpContent:
    """The `Content` port: GET http://ADDRESS:PORT/check_path."""

    def __init__(self, deadline: float) -> None:
        """Each answer's status within `deadline` seconds."""
        self._fetcher: Fetcher[None] = Fetcher(deadline, "its web server", lambda _name, _body: None, limit=0)

    def check(self, instances: Sequence[tuple[Instance, PoolPolicy]]) -> Mapping[str, Fault | None]:
        """Ask all side by side; by operation, None where it answered 200, else what is wrong. Never raises."""
        answers = self._fetcher.fetch(
            {
                each.name: f"http://{_host(each.address)}:{pool.port}/{pool.check_path.removeprefix('/')}"
                for each, pool in instances
                if each.address is not None
            }
        )
        return {
            each.operation: Fault(each.name, FaultKind.MISSING, "has no address yet") if each.address is None else answers[each.name]
            for each, _ in instances
        }

    def close(self) -> None:
        """Give the threads and connections back."""
        self._fetcher.close()


def _host(address: str) -> str:
    """The address as a URL has it: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address
