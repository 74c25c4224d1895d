"""What is wanted because of the hour: a floor under the fleet while a window is open, and from its schedule's lead before that on.

Above the floor it is content with less, down to the floor: the load decides how many more there are, and nothing here keeps them.
"""

from __future__ import annotations

from burstd.model.decision import Direction, Proposal
from burstd.model.snapshot import Snapshot

SOURCE = "schedule"


def keep_windows(snapshot: Snapshot, current: int) -> Proposal | None:
    """The wish of the window with the highest minimum; None where none is open or opens soon."""
    if not snapshot.windows:
        return None
    window = max(snapshot.windows, key=lambda each: (each.minimum, each.closes_at))
    ahead = window.opens_at - snapshot.now
    when = f": it opens in {ahead:.0f} s" if ahead > 0 else f" for another {window.closes_at - snapshot.now:.0f} s"
    # Below the floor out, at it hold; above it in, so that of several wishes to shrink none may go below the floor.
    direction = Direction((window.minimum > current) - (window.minimum < current))
    return Proposal(SOURCE, direction, window.minimum, f'schedule "{window.name}" wants {window.minimum}{when}')
