"""The scenario: how many users there are at each moment. Pure; times are seconds since its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the scenario.

    Attributes:
        name: one word or two for people.
        seconds: how long it takes.
        users: how many there are at its end; on the way there the number moves in a straight line.
    """

    name: str
    seconds: float
    users: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """Users over time. After the last stretch its number of users stays.

    Attributes:
        think_seconds: mean time from an answer to the same user's next request, exponentially distributed.
    """

    stretches: tuple[Stretch, ...]
    think_seconds: float = 0.2

    @property
    def seconds(self) -> float:
        """How long all stretches take."""
        return sum(each.seconds for each in self.stretches)

    @property
    def most(self) -> int:
        """The highest number of users."""
        return max(each.users for each in self.stretches)

    def starts(self) -> tuple[tuple[float, Stretch], ...]:
        """Every stretch and when it begins."""
        began = 0.0
        found = []
        for each in self.stretches:
            found.append((began, each))
            began += each.seconds
        return tuple(found)

    def stretch_at(self, at: float) -> Stretch:
        """The stretch of that moment; before the start the first one, after the end the last."""
        return next((each for began, each in reversed(self.starts()) if at >= began), self.stretches[0])

    def users_at(self, at: float) -> float:
        """Users at that moment; a fraction means that the next one is about to come."""
        before = self.stretches[0].users
        for began, each in self.starts():
            if at < began + each.seconds:
                return before + (each.users - before) * max(0.0, at - began) / each.seconds
            before = each.users
        return before


FULL: Final = Scenario(
    (
        Stretch("quiet", 10, 8),
        Stretch("rise", 8, 44),
        Stretch("plateau", 70, 44),
        Stretch("fall", 5, 8),
        Stretch("quiet again", 30, 8),
    )
)
"""The demo's own.

Two core servers with two workers each, 40 ms a request, answer 100 requests/s at the very most. 44 users who think for 200 ms would like
180: alone the cores' run queues grow to 12. More users would bury the cores before help can be there, fewer would hardly fill them. The
plateau is long against the load average's one minute, or its damping alone would hide the difference.
"""
