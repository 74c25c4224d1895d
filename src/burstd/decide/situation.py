"""What a policy looks at beside the signal, and the window that keeps it from giving back what it wanted a moment ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from burstd.decide.fullness import Fullness


@dataclass(frozen=True, slots=True)
class Situation:
    """What a policy looks at beside the signal.

    Attributes:
        in_service: instances that serve.
        on_the_way: instances bought or being bought that do not serve yet.
        last_join: when an instance last went into service; None: never.
        core_rate: requests/s to the cores; None while unknown.
        burst_rate: requests/s to the burst servers; None while unknown.
        fullness: what HAProxy shows of it.
    """

    in_service: int
    on_the_way: int
    last_join: float | None
    core_rate: float | None
    burst_rate: float | None
    fullness: Fullness = field(default_factory=Fullness)

    @property
    def has_room(self) -> bool:
        """Instances stand in overflow backends and carry what spills over: another one would get nothing."""
        return self.fullness.spills and self.in_service > 0 and self.fullness.carried_by(self.in_service)

    @property
    def current(self) -> int:
        """Capacity in service and in flight."""
        return self.in_service + self.on_the_way


def window(proposals: Sequence[tuple[float, int]], now: float, wish: int, length: float) -> tuple[tuple[float, int], ...]:
    """The window as falling maxima: a wish hides every earlier one that was not higher, so it stays as short as it can."""
    kept = [(at, count) for at, count in proposals if at >= now - length and count > wish]
    return (*kept, (now, wish))
