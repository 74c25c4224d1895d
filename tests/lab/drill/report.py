"""What a drill has found: claims, what was measured of each, and whether it holds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.lab.place import say


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of the table."""

    proof: str
    claim: str
    measured: str
    ok: bool


@dataclass(slots=True)
class Report:
    """All claims so far, in order."""

    claims: list[Claim] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def note(self, proof: str, claim: str, measured: str, *, ok: bool) -> None:
        """One more claim; said at once, too."""
        self.claims.append(Claim(proof, claim, measured, ok))
        say(f"{'ok    ' if ok else 'FAILED'} {proof}: {claim}: {measured}")

    @property
    def ok(self) -> bool:
        """Every claim holds, and there is one."""
        return bool(self.claims) and all(each.ok for each in self.claims)

    def document(self) -> dict[str, Any]:
        """For a program."""
        return {"ok": self.ok, "at": time.time(), "seconds": self.seconds, "claims": [asdict(each) for each in self.claims]}
