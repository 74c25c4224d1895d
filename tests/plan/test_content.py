"""Single cases of the content's gate; the whole of it plays in tests/stories/test_content.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from burstd.model.content import MirrorTarget, MirrorView, TargetState, Token
from burstd.model.faults import Fault, FaultKind
from burstd.model.fleet import Phase
from burstd.model.policy import ContentPolicy
from tests.given import member, phases, planned, policy, world
from tests.turns import NOW

KEY = "ssh-ed25519 AAAA"
UNDER = replace(policy(), content=ContentPolicy(max_drift=60.0))
WAITING = member(1, Phase.SYNCING, host_key=KEY)
TARGET = MirrorTarget(WAITING.address or "", KEY)
VIEW = MirrorView(
    told=(TARGET,),
    tokens=(Token("old", NOW - 100), Token("first", NOW - 90, frozenset({TARGET})), Token("newest", NOW - 1, frozenset({TARGET}))),
    states={TARGET.address: TargetState(TARGET.address, "active", synced=True)},
    files=100,
    answered_at=NOW - 1,
    steady_since=NOW - 1000,
)


def gate(served: str | Fault, **changed: Any) -> str:
    """What the instance waits for; empty where it goes on."""
    snapshot = world(fleet=[WAITING], mirror=replace(VIEW, **changed), checks={WAITING.operation: None}, tokens={WAITING.operation: served})
    made = planned(snapshot, under=UNDER)
    if phases(made).get(WAITING.name) is Phase.JOINING:
        return ""
    return next(each for each in made.waiting if WAITING.name in each)


def test_the_newest_token_lets_it_go_on() -> None:
    assert gate("newest") == ""


def test_whole_content_that_is_too_old_waits_until_it_has_caught_up() -> None:
    assert gate("first", tokens=(*VIEW.tokens[:2], Token("next", NOW - 80), VIEW.tokens[2])).endswith(
        "its content is 80 s behind the core's"
    )
    assert gate("first") == ""


@pytest.mark.parametrize(
    ("served", "changed", "told"),
    [
        ("newest", {"tokens": ()}, "its content token is older than the end of the first run to it"),
        ("old", {}, "its content token is older than the end of the first run to it"),
        (Fault("x", FaultKind.MISSING, "answered 404"), {}, "its content token cannot be read: answered 404"),
        ("old", {"states": {}}, "the core has not been told of it yet"),
        ("old", {"held": "30 of 40 files are gone"}, "the mirror is held: 30 of 40 files are gone"),
        ("old", {"fault": Fault("mirror", FaultKind.DENIED, "no entry")}, "the mirror does not answer: no entry"),
        (
            "old",
            {"states": {TARGET.address: TargetState(TARGET.address, "failed", synced=False, error="No route")}},
            "the core's first run to it is not over (unit failed): No route",
        ),
    ],
)
def test_what_is_missing_is_said_by_name(served: str | Fault, changed: dict[str, Any], told: str) -> None:
    assert gate(served, **changed).endswith(told)


def test_an_instance_whose_token_was_not_asked_for_in_this_cycle_is_left_alone() -> None:
    serving = member(1, Phase.IN_SERVICE, host_key=KEY)
    assert planned(world(fleet=[serving], mirror=VIEW), under=UNDER).actions == ()
