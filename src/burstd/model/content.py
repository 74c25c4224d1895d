"""The mirror of the core's content: who it pushes to, which tokens it has written, and what an instance that serves one of them has.

Pure. A token's meaning is its place in the history: whoever serves one has everything that was there before it was written, once the
first run to it was over. Times are the gateway's own; no two machines' clocks are ever compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from burstd.model.faults import Fault

MIRROR_PEER = "mirror"
"""The mirror as a fault names it: one label in /metrics."""

PRIVATE_PLACE: Final = "@burstd:host-key-private@"
PUBLIC_PLACE: Final = "@burstd:host-key-public@"
"""What stands in a rendered template until an instance is launched: each gets a key of its own."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """An instance's ssh host key, made at its launch.

    Attributes:
        private: in OpenSSH's own format, several lines; it goes into the create's user-data, and nowhere else.
        public: as in known_hosts, without a comment.
    """

    private: str = field(repr=False)
    public: str

    def put_into(self, document: str | None) -> str | None:
        """The document with this key in its places, as the content of a double-quoted string of YAML."""
        if document is None:
            return None
        private = self.private.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return document.replace(PRIVATE_PLACE, private).replace(PUBLIC_PLACE, self.public)


@dataclass(frozen=True, slots=True, order=True)
class MirrorTarget:
    """One instance to push to: an IP address, and the only host key that is accepted there."""

    address: str
    host_key: str


@dataclass(frozen=True, slots=True)
class TargetState:
    """What the core says of one target.

    Attributes:
        unit: systemd's word for its unit: "active", "failed", "inactive" …
        synced: the first run since the unit's start is over.
        delays: changes that wait to be sent; None where nobody knows.
        error: the last line of trouble; empty where there is none.
    """

    address: str
    unit: str
    synced: bool
    delays: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """One token that the core has written.

    Attributes:
        at: when the exchange began in which it was written: what it does not prove may have been missing since then.
        synced: targets whose first run was over before it was written.
    """

    text: str
    at: float
    synced: frozenset[MirrorTarget] = frozenset()


@dataclass(frozen=True, slots=True)
class MirrorView:
    """What is known of the mirror.

    Attributes:
        told: the list that it was last told; None: none yet, by this process.
        tokens: those of the last while, oldest first.
        states: by address, of the newest answer.
        files: how many there are, the token left out; None: no answer yet.
        held: why nothing is pushed until somebody has looked; empty: it is not held.
        answered_at: when the newest answer came; None: none yet.
        steady_since: since when it has answered without a gap and was not held; None: it does not.
        fault: why the newest exchange failed; None: it did not.
    """

    told: tuple[MirrorTarget, ...] | None = None
    tokens: tuple[Token, ...] = ()
    states: Mapping[str, TargetState] = field(default_factory=dict)
    files: int | None = None
    held: str = ""
    answered_at: float | None = None
    steady_since: float | None = None
    fault: Fault | None = None

    @property
    def flows(self) -> bool:
        """New tokens come."""
        return self.fault is None and not self.held and self.steady_since is not None

    def complete(self, served: str, target: MirrorTarget | None) -> bool:
        """Whoever serves that token has all of the content, of then or later: a first run to that target was over before it was written."""
        return self._proven(served, target) >= 0

    def missed_since(self, served: str, target: MirrorTarget | None) -> float | None:
        """Since when something may be missing from what serves that token; None where it proves the newest, or there is none at all.

        A token that is not known is older than all that are: at least since the oldest of these.
        """
        later = self.tokens[self._proven(served, target) + 1 :]
        return later[0].at if later else None

    def lag(self, served: str, target: MirrorTarget | None, now: float) -> float:
        """Seconds by which what serves that token may be behind the core; 0 where it proves the newest."""
        since = self.missed_since(served, target)
        return 0.0 if since is None else max(0.0, now - since)

    def _proven(self, served: str, target: MirrorTarget | None) -> int:
        """The place of the newest token that serving this one proves; -1: none.

        A token that was written while a first run was under way may have come with that run, before other files: it proves what the last
        one before that run did.
        """
        place = next((number for number, each in enumerate(self.tokens) if each.text == served), -1)
        return next((number for number in range(place, -1, -1) if target in self.tokens[number].synced), -1)

    def overdue(self, since: float, now: float) -> float:
        """Seconds since then in which the mirror has answered: while it does not nobody can catch up."""
        return 0.0 if self.steady_since is None else now - max(since, self.steady_since)

    def answered(self, answer: MirrorAnswer, asked: tuple[MirrorTarget, ...], at: float, patience: float, horizon: float) -> MirrorView:
        """The view after one more answer.

        Args:
            answer: what the core said.
            asked: the list that it was asked to keep.
            at: when the exchange began.
            patience: seconds between two answers beyond which there was a gap.
            horizon: seconds for which tokens are kept, and the last two for ever.
        """
        tokens = self.tokens
        if answer.token is not None:
            synced = frozenset(each for each in asked if (state := answer.states.get(each.address)) and state.synced)
            tokens = (*tokens, Token(answer.token, at, synced))
            tokens = (*(each for each in tokens[:-2] if each.at >= at - horizon), *tokens[-2:])
        gap = self.answered_at is None or at - self.answered_at > patience or self.steady_since is None
        since = None if answer.held else at if gap else self.steady_since
        return replace(
            self, tokens=tokens, states=answer.states, files=answer.files, held=answer.held, answered_at=at, steady_since=since, fault=None
        )

    def failed(self, fault: Fault) -> MirrorView:
        """The view after an exchange that came to nothing: what was known before stays known."""
        return replace(self, fault=fault)


@dataclass(frozen=True, slots=True)
class MirrorAnswer:
    """One answer of the core.

    Attributes:
        token: the token that was written last of all; None: none, because the mirror is held.
        states: by address.
        files: under the content's folder.
        held: why; empty: it is not.
    """

    token: str | None
    states: Mapping[str, TargetState]
    files: int
    held: str = ""
