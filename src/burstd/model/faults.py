"""What went wrong while reading a peer, as a value: a fault is a field of the snapshot, never a crash and never a zero."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from burstd import errors

GATEWAY_PEER = "haproxy"
"""HAProxy as a fault names it, whoever met it: one label in /metrics."""


class FaultKind(StrEnum):
    """Why there is no usable answer; also the label of the failure counters in /metrics."""

    UNREACHABLE = "unreachable"
    """No answer in time: refused, timed out, closed."""
    GARBLED = "garbled"
    """An answer that is not the peer's protocol."""
    MISSING = "missing"
    """A well-formed answer without the thing asked for."""
    ABSURD = "absurd"
    """A number that cannot be true: NaN, infinite, negative, beyond any machine."""
    TOO_LARGE = "too_large"
    """More bytes than the answer can honestly need."""
    MISCONFIGURED = "misconfigured"
    """The peer works but is not set up for burstd; an operator must mend it."""
    DENIED = "denied"
    """The peer does not know us, or does not let us."""
    THROTTLED = "throttled"
    """The peer asked for patience."""
    NO_CAPACITY = "no_capacity"
    """Out of stock, or over quota."""
    REJECTED = "rejected"
    """The peer refused the parameters."""
    UNKNOWN = "unknown"
    """The call may have happened."""


_KINDS: tuple[tuple[type[errors.BurstdError], FaultKind], ...] = (
    (errors.Unreachable, FaultKind.UNREACHABLE),
    (errors.Garbled, FaultKind.GARBLED),
    (errors.Throttled, FaultKind.THROTTLED),
    (errors.NotFound, FaultKind.MISSING),
    (errors.NoCapacity, FaultKind.NO_CAPACITY),
    (errors.GiveUp, FaultKind.REJECTED),
    (errors.BadCredentials, FaultKind.DENIED),
    (errors.AskOperator, FaultKind.MISCONFIGURED),
    (errors.Retry, FaultKind.UNREACHABLE),
)
"""Most special first: the first class that fits names the kind."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One failed reading or call.

    Attributes:
        peer: who failed, as an operator names it ("core-oslo-01", "haproxy", "pool dublin").
        kind: what the caller can do about it.
        text: one line for people, without secrets and without the peer's name.
    """

    peer: str
    kind: FaultKind
    text: str

    @classmethod
    def of(cls, peer: str, error: errors.BurstdError) -> Fault:
        """The fault that an adapter's exception stands for."""
        kind = next((kind for type_, kind in _KINDS if isinstance(error, type_)), FaultKind.UNKNOWN)
        return cls(peer, kind, str(error))

    def __str__(self) -> str:
        """One line: who, and what."""
        return f"{self.peer}: {self.text}"
