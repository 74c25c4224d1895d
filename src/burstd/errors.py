"""The tree of exceptions, each named by what the caller does about it.

    BurstdError
    ├── Retry                  nothing is known to have happened; the next cycle tries again
    │   ├── Unreachable        no answer: refused, timed out, closed
    │   ├── Garbled            an answer that is not the peer's protocol
    │   └── Throttled          the peer asked for patience; carries `retry_after` seconds
    ├── GiveUp                 repeating this very call cannot help
    │   ├── NotFound           the thing is not there (for a removal: success)
    │   ├── NoCapacity         out of stock or over quota: another pool may help
    │   └── Rejected           the peer refused the parameters
    ├── OutcomeUnknown         the call may have happened; it counts as if it had until proven otherwise
    ├── AskOperator            somebody must change something; `str()` is the one line that says what
    │   ├── InvalidSettings    carries every problem found, one line each
    │   ├── BadCredentials     the peer does not know us
    │   ├── Misconfigured      the peer is not set up for burstd
    │   ├── AlreadyRunning     another burstd holds this state folder
    │   └── NoDaemon           a verb needs the daemon and none answers
    └── Bug                    burstd broke its own rule; the cycle stops, traffic goes on
        └── IllegalTransition  a phase that the lifecycle table does not allow

A message never repeats its cause (`raise … from` keeps that) and never carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence


class BurstdError(Exception):
    """Everything that burstd raises on purpose."""


class Retry(BurstdError):
    """Nothing is known to have happened; the next cycle tries again."""


class Unreachable(Retry):
    """The peer gave no answer: refused, timed out, closed the connection."""


class Garbled(Retry):
    """The peer answered with something that is not its protocol."""


class Throttled(Retry):
    """The peer asked for patience.

    `retry_after` is in seconds; None where the peer named no time.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GiveUp(BurstdError):
    """Repeating this very call cannot help."""


class NotFound(GiveUp):
    """The thing named is not there; for a removal this is success."""


class NoCapacity(GiveUp):
    """Out of stock, or over quota: another pool may help."""


class Rejected(GiveUp):
    """The peer refused the parameters of the call."""


class OutcomeUnknown(BurstdError):
    """The call may have happened; it counts as if it had until proven otherwise."""


class AskOperator(BurstdError):
    """Somebody must change something; the message is one line: key, value, what was expected, the mend."""


class InvalidSettings(AskOperator):
    """The settings cannot be used; `problems` holds every one found, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class BadCredentials(AskOperator):
    """The peer does not know us; the message names the key to mend and never the secret."""


class Misconfigured(AskOperator):
    """The peer is not set up for burstd; the message says how to mend it."""


class AlreadyRunning(AskOperator):
    """Another burstd holds this state folder."""


class NoDaemon(AskOperator):
    """A verb needs the daemon and none answers on the control socket."""


class Bug(BurstdError):
    """burstd broke its own rule: never expected, never hidden."""


class IllegalTransition(Bug):
    """A phase change that the lifecycle's table does not allow."""
