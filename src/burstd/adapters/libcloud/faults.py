"""What an exception out of libcloud means: did the call certainly have no effect, who must act, and what may be said of it.

The rule is to judge by type, code and the text before the first colon. What nobody knows is never taken for "nothing happened".
Measured, not guessed: a connection reset before or after the execution raises the very same `requests.ConnectionError`; EC2 says
"out of stock" with status 500 and throttles with 503; a junk Retry-After raises ValueError.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from burstd.adapters.libcloud.pool import CloudPool
from burstd.model.faults import Fault, FaultKind

NO_CAPACITY: Final = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacityOnHost",
        "InsufficientAddressCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InstanceLimitExceeded",
        "VcpuLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "ResourceLimitExceeded",
        # Azure
        "AllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "QuotaExceeded",
        "SkuNotAvailable",
        "ZonalAllocationFailed",
        # Google
        "QUOTA_EXCEEDED",
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
        "quotaExceeded",
    }
)
THROTTLED: Final = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "RequestThrottled",
        "SlowDown",
        "TooManyRequests",
        "rateLimitExceeded",
        "userRateLimitExceeded",
    }
)
DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "Blocked",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "PendingVerification",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
    }
)

LONGEST_WAIT: Final = 3600.0
"""Seconds of patience a cloud may ask for; beyond it, its figure is more likely wrong than meant."""

SHOWN: Final = 200
"""Characters of a cloud's own words that are repeated."""

# Arguments that say where, not who: to hide them would only make a message worse.
HARMLESS: Final = frozenset(
    {
        "api_version",
        "auth_type",
        "credential_file",
        "datacenter",
        "ex_domain_name",
        "ex_force_auth_url",
        "ex_force_auth_version",
        "ex_force_microversion",
        "ex_force_service_region",
        "ex_tenant_domain_id",
        "ex_tenant_name",
        "location",
        "network",
        "project",
        "region",
        "signature_version",
        "state_dir",
    }
)

_SECRET: Final = re.compile(r"pass|secret|token", re.IGNORECASE)
"""In the name of a raw argument of the create: most of those say what is bought, and belong into a message about it."""


_NO_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})")
"""What Python says where a proxy has refused to CONNECT: nothing of the request itself is sent before."""

_CODE: Final = re.compile(r"(?:Client\.|Server\.)?([A-Za-z][A-Za-z0-9._-]*)")
_QUERY: Final = re.compile(r"\?[^\s'\"<>]*")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/=_%-]{40,}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an exception means.

    Attributes:
        nothing_done: the call certainly had no effect.
        retry_after: seconds of patience the cloud asked for; None where it did not.
    """

    kind: FaultKind
    text: str
    nothing_done: bool = False
    retry_after: float | None = None

    def fault(self, pool: CloudPool) -> Fault:
        """The verdict as a fault of the pool."""
        return Fault(pool.peer, self.kind, self.text)


@dataclass(frozen=True, slots=True)
class Reply:
    """An API's answer that it did not do as it was asked, out of whichever exception a driver makes of it.

    Attributes:
        status: HTTP's; 0 where there was none.
        words: the API's own, with its code before the first colon where it has one.
        retry_after: as it came, by attribute or header; None for none.
    """

    status: int
    words: str
    retry_after: object = None


def http_reply(error: Exception) -> Reply | None:
    """The answer in libcloud's own exception for them, which most drivers raise."""
    from libcloud.common.exceptions import BaseHTTPError

    if not isinstance(error, BaseHTTPError):
        return None
    status = error.code if isinstance(error.code, int) else 0
    asked = getattr(error, "retry_after", None) or (error.headers or {}).get("retry-after")
    return Reply(status, "" if error.message is None else str(error.message), asked)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one cloud says what went wrong.

    Attributes:
        reply: its answer out of an exception; None where the exception is no answer.
        gone: the codes by which it says that the machine asked about is not there; "HTTP 404" where the status is all there is, and
            the driver has seen to it that the answer is the API's own: a bare 404 may come from anything in between.
        full: words, in small letters, by which it says that there is no room, in the account or in the place.
        taken: codes or such words by which it says that there is a machine of that name already. Names are made once, so that
            machine is this very create's, sent before.
        sessions: a 401 to a call means that the session has ended; wrong credentials are told at the login.
    """

    reply: Callable[[Exception], Reply | None] = http_reply
    gone: frozenset[str] = frozenset()
    full: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    sessions: bool = False


PLAIN: Final = Dialect()
"""Nothing but what most clouds share."""


class Redactor:
    """Takes out of a text what nobody may read: credentials, user-data, queries of URLs, and whatever looks like a blob of either."""

    def __init__(self, pool: CloudPool, user_data: str | None = None) -> None:
        hidden = set(_strings({key: value for key, value in pool.args.items() if key not in HARMLESS}))
        hidden |= {pool.proxy, unquote(pool.proxy), *_login(pool.proxy)} if pool.proxy else set()
        hidden |= set(_strings({key: value for key, value in pool.create.items() if _SECRET.search(key)}))
        if user_data:
            hidden |= {user_data, base64.b64encode(user_data.encode()).decode(), *(line.strip() for line in user_data.splitlines())}
        hidden |= {quote(each, safe="") for each in hidden} | {quote_plus(each) for each in hidden}
        # Very short ones would blot out half of every sentence and give nothing away.
        self._hidden = sorted((each for each in hidden if len(each) >= 4), key=len, reverse=True)  # noqa: PLR2004 - as said

    def __call__(self, text: object) -> str:
        """The text in one line, without what is hidden, cut to a readable length."""
        shown = str(text)
        for each in self._hidden:
            shown = shown.replace(each, "[hidden]")
        shown = " ".join(_BLOB.sub("[hidden]", _QUERY.sub("?[hidden]", shown)).split())
        return shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"


def judge(error: Exception, sent: int | None, redact: Redactor, dialect: Dialect = PLAIN, *, one: bool = False) -> Verdict:
    """What this exception of a call means.

    Args:
        error: what the driver raised.
        sent: requests that the call had begun; None where not even the driver could be made. From the second one on nothing is
            certain: some drivers ask about their create for minutes, and a failure of that question says nothing about the create.
        redact: for the cloud's own words, where they are repeated at all.
        dialect: how this cloud says what went wrong.
        one: the call was about one machine that there was, so that it may be gone.
    """
    # Where not even the driver could be made, a login has failed, and no session has ended.
    heard = replace(dialect, gone=dialect.gone if one else frozenset(), sessions=dialect.sessions and sent is not None)
    verdict = _judge(error, sent or 0, redact, heard)
    return replace(verdict, nothing_done=sent is None or (verdict.nothing_done and sent <= 1))


def _judge(error: Exception, sent: int, redact: Redactor, dialect: Dialect) -> Verdict:  # noqa: PLR0911 - a table, a line for each type
    from libcloud.common.types import InvalidCredsError, MalformedResponseError
    from libcloud.compute.types import KeyPairDoesNotExistError
    from requests import RequestException

    if (reply := dialect.reply(error)) is not None:
        return _judge_reply(reply, redact, dialect)
    match error:
        case InvalidCredsError():
            return Verdict(FaultKind.DENIED, f"the cloud does not accept the credentials{_bracketed(error.value)}", nothing_done=True)
        case KeyPairDoesNotExistError():
            return Verdict(FaultKind.REJECTED, "the cloud knows no such key pair", nothing_done=True)
        case MalformedResponseError():  # its text is the whole body
            return Verdict(FaultKind.GARBLED, "an answer that is not the cloud's protocol")
        case RequestException():
            return _judge_transport(error)
        case OSError():
            never = any(isinstance(each, ConnectionRefusedError) or type(each).__name__ == "gaierror" for each in _causes(error))
            return Verdict(FaultKind.UNREACHABLE, f"no answer ({type(error).__name__})", nothing_done=never)
        case ValueError() | TypeError() | AttributeError() | LookupError() if sent == 0:
            return Verdict(FaultKind.REJECTED, f"the driver refuses the call: {redact(error)}", nothing_done=True)
        case ValueError() | TypeError() | AttributeError() | LookupError() | SyntaxError():  # XML that does not parse is a SyntaxError
            return Verdict(FaultKind.GARBLED, f"an answer that the driver cannot read ({type(error).__name__})")
        case _ if type(error).__name__ == "IdempotentParamError":
            # Under this token the cloud has already made a machine, only from other parameters: the opposite of nothing.
            return Verdict(FaultKind.UNKNOWN, "the token was used before, with other parameters")
    return Verdict(FaultKind.UNKNOWN, f"an error that nobody knows ({type(error).__name__})")


def _judge_reply(reply: Reply, redact: Redactor, dialect: Dialect) -> Verdict:  # noqa: PLR0911 - a table, a line for each case
    """An answer of the API itself, with an HTTP status and, if it was readable, a code before the first colon."""
    status, words = reply.status, reply.words
    said = words.lower()
    found = _CODE.fullmatch(words.partition(":")[0].strip())
    code = found[1] if found else ""
    # A 4xx without a readable word comes from something in between: it says nothing about the call. 408 says that time ran out.
    refused = 400 <= status < 500 and status != 408 and bool(words.strip())  # noqa: PLR2004 - HTTP's own numbers
    text = redact(words) if words.strip() else f"HTTP {status}"
    if any(each == code or each in said for each in dialect.taken):
        return Verdict(FaultKind.UNKNOWN, f"a machine of this name is there already, made by an earlier call: {text}")
    if code in NO_CAPACITY or any(each in said for each in dialect.full) or (status == 403 and "quota" in said):  # noqa: PLR2004 - HTTP's
        return Verdict(FaultKind.NO_CAPACITY, text, nothing_done=True)
    if code in THROTTLED or status in {413, 429}:
        return Verdict(FaultKind.THROTTLED, text, nothing_done=True, retry_after=_patience(reply.retry_after))
    if status == 401 and dialect.sessions:  # noqa: PLR2004 - HTTP's own number
        return Verdict(FaultKind.UNREACHABLE, "the session has ended; the next call logs in again", nothing_done=True)
    if code in DENIED or status in {401, 403}:
        return Verdict(FaultKind.DENIED, f"the cloud does not let us{_bracketed(words)}", nothing_done=refused)
    if code in dialect.gone or f"HTTP {status}" in dialect.gone:
        return Verdict(FaultKind.MISSING, text, nothing_done=True)
    if refused:
        return Verdict(FaultKind.REJECTED, text, nothing_done=True)
    return Verdict(FaultKind.UNREACHABLE, f"the cloud failed: {text}")


def _judge_transport(error: Exception) -> Verdict:  # noqa: PLR0911 - a table, a line for each case
    """Trouble on the way. Its text holds the URL, and with EC2 the user-data in it: it is never repeated."""
    import ssl

    from requests import exceptions as web
    from urllib3 import exceptions as wire

    causes = list(_causes(error))

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(each, kinds) for each in causes)

    if isinstance(error, web.InvalidURL | web.InvalidSchema | web.MissingSchema):
        return Verdict(FaultKind.MISCONFIGURED, "the API's address is not a URL", nothing_done=True)
    if among(ssl.SSLCertVerificationError):
        return Verdict(FaultKind.MISCONFIGURED, "the API's certificate is not trusted", nothing_done=True)
    if among(wire.NewConnectionError, wire.ConnectTimeoutError):
        refused = "connection refused" if among(ConnectionRefusedError) else "no connection"
        by_proxy = " by the proxy" if refused == "connection refused" else " to the proxy"
        return Verdict(FaultKind.UNREACHABLE, refused + by_proxy * isinstance(error, web.ProxyError), nothing_done=True)
    # A ProxyError alone proves nothing: one is raised as well where the proxy took the request and closed without an answer.
    if (
        status := next((found[1] for each in causes if type(each) is OSError and (found := _NO_TUNNEL.match(str(each)))), None)
    ) is not None:
        if status == "407":
            return Verdict(FaultKind.DENIED, "the proxy does not accept the login (HTTP 407)", nothing_done=True)
        return Verdict(FaultKind.UNREACHABLE, f"the proxy does not connect us (HTTP {status})", nothing_done=True)
    if isinstance(error, web.Timeout):
        return Verdict(FaultKind.UNREACHABLE, "no answer in time")
    if isinstance(error, web.ConnectionError):
        return Verdict(FaultKind.UNREACHABLE, "the connection was closed without an answer")
    return Verdict(FaultKind.GARBLED, f"an answer that broke off or cannot be read ({type(error).__name__})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it wraps: requests and urllib3 put the reason into `args`, `reason` or `original_error`.

    What merely was being handled at the time (`__context__`) is not among them: an earlier attempt that never got through says nothing
    about a later one that did.
    """
    ahead, seen = [error], set[int]()
    while ahead:
        each = ahead.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (*each.args, getattr(each, "reason", None), getattr(each, "original_error", None), each.__cause__)
        ahead += [one for one in inner if isinstance(one, BaseException)]


def _patience(asked: object) -> float | None:
    """Seconds asked for; None for none, and for what is no such number."""
    try:
        seconds = float(str(asked))
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT) if math.isfinite(seconds) and seconds > 0 else None


def _bracketed(words: object) -> str:
    """The code before the first colon, if it is one: what follows may quote the request."""
    found = _CODE.fullmatch(str(words).partition(":")[0].strip())
    return f" ({found[1]})" if found else ""


def _login(proxy: str) -> set[str]:
    """What of the proxy's URL is a secret of its own, as it is written and as it is meant."""
    url = urlsplit(proxy)
    return {each for part in (url.username, url.password) if part for each in (part, unquote(part))}


def _strings(value: object) -> Iterable[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for each in value.values():
                yield from _strings(each)
        case Sequence():
            for each in value:
                yield from _strings(each)
