"""What has happened, kept for `burstd events` and `burstd explain`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        at: seconds on the daemon's timeline, which reads as wall time.
        kind: "cycle", "instance", "order", "fault", "daemon", "database", "budget".
        subject: what it is about: an instance's name, a peer, an operator; empty for the whole.
        text: one sentence.
    """

    at: float
    kind: str
    subject: str
    text: str
