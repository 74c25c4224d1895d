"""How long one instance took from its create into service."""

from __future__ import annotations

from typing import NamedTuple


class Boot(NamedTuple):
    """One boot; the times are seconds since the create was sent.

    Attributes:
        at: when it was ready, seconds on the daemon's timeline.
        running: until the machine ran and had an address.
        synced: until the gate let it pass.
        ready: until HAProxy's check passed: in service, standing by, or the end of a drill's way up.
    """

    at: float
    running: float
    synced: float
    ready: float
