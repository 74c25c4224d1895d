"""The instances over HTTP: the check path of each, the gate before it joins, and the content token that it serves.

Of the check path 200 opens the gate; the body is not read and means nothing. A token is a short word; anything else is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from burstd.adapters.http_fetch import Fetcher
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Instance
from burstd.model.policy import PoolPolicy

_TOKEN: Final = re.compile(rb"[A-Za-z0-9._-]{1,100}")
_LIMIT: Final = 256
"""Bytes of a token's page: a web server that shows its front page for whatever is asked is known by what it sends."""


class HttpContent:
    """The `Content` port: GET http://ADDRESS:PORT/check_path, and the same for the token."""

    def __init__(self, deadline: float) -> None:
        """Each answer within `deadline` seconds."""
        self._fetcher: Fetcher[None] = Fetcher(deadline, "its web server", lambda _name, _body: None, limit=0)
        self._tokens: Fetcher[str] = Fetcher(deadline, "its web server", _token, limit=_LIMIT, fresh=True)

    def check(self, instances: Sequence[tuple[Instance, PoolPolicy]]) -> Mapping[str, Fault | None]:
        """Ask all side by side; by operation, None where it answered 200, else what is wrong. Never raises."""
        answers = self._fetcher.fetch({each.name: url for each, pool in instances if (url := _url(each, pool, pool.check_path))})
        return {each.operation: _addressless(each) if each.address is None else answers[each.name] for each, _ in instances}

    def tokens(self, instances: Sequence[tuple[Instance, PoolPolicy]], path: str) -> Mapping[str, str | Fault]:
        """Read all side by side; by operation, the token that it serves, else what is wrong. Never raises."""
        answers = self._tokens.fetch({each.name: url for each, pool in instances if (url := _url(each, pool, path))})
        return {each.operation: _addressless(each) if each.address is None else answers[each.name] for each, _ in instances}

    def close(self) -> None:
        """Give the threads and connections back."""
        self._fetcher.close()
        self._tokens.close()


def _addressless(instance: Instance) -> Fault:
    return Fault(instance.name, FaultKind.MISSING, "has no address yet")


def _url(instance: Instance, pool: PoolPolicy, path: str) -> str | None:
    """Where to ask, IPv6 in brackets; None for an instance without an address."""
    if instance.address is None:
        return None
    host = f"[{instance.address}]" if ":" in instance.address else instance.address
    return f"http://{host}:{pool.port}/{path.removeprefix('/')}"


def _token(name: str, body: bytes) -> str | Fault:
    word = body.strip()
    if not _TOKEN.fullmatch(word):
        return Fault(
            name, FaultKind.GARBLED, "what it serves as the content token is none; is content.token_path a file for its web server?"
        )
    return word.decode("ascii")
