"""What went wrong while reading a peer, as a value: a fault is a field of the snapshot, never a crash and never a zero."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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

    def __str__(self) -> str:
        """One line: who, and what."""
        return f"{self.peer}: {self.text}"
