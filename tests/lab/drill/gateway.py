"""What the drill asks of the gateway: burstd's own verbs, on the gateway, and nothing behind its back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from tests.lab import container, place
from tests.lab.hosts import GATEWAY_HOST
from tests.waiting import wait_until

SETTINGS = "/etc/burstd/burstd.toml"


def burstd(*words: str, within: float = 60.0) -> str:
    """Run a verb there; what it printed."""
    return container.call(GATEWAY_HOST.name, "burstd", *words, within=within)


def status() -> dict[str, Any]:
    """`burstd status --json`; an empty document while the daemon does not answer."""
    with suppress(place.Failed, ValueError):
        document: dict[str, Any] = json.loads(burstd("status", "--json"))
        return document
    return {}


def instances(*phases: str) -> list[dict[str, Any]]:
    """Burstd's instances that are in one of these phases; all of them where none is named."""
    return [each for each in status().get("instances", []) if not phases or each["phase"] in phases]


def events(kind: str, since: float = 0.0) -> list[dict[str, Any]]:
    """Burstd's events of one kind, from a moment of the wall clock on, oldest first."""
    found = json.loads(burstd("events", "--json", "--limit", "500"))["events"]
    return [each for each in found if each["kind"] == kind and each["at"] >= since]


def steps(since: float = 0.0) -> dict[str, dict[str, float]]:
    """When each instance came into each phase, by its name and the phase."""
    reached: dict[str, dict[str, float]] = {}
    for event in events("instance", since):
        reached.setdefault(event["subject"], {}).setdefault(event["text"].partition(":")[0], event["at"])
    return reached


def load() -> float | None:
    """The cores' load average, as burstd has it: the mean of both."""
    value = status().get("load", {}).get("signal")
    return None if value is None else float(value)


def set_key(section: str, name: str, value: str) -> None:
    """Change one key of the settings there, and have burstd read them again."""
    text = container.call(GATEWAY_HOST.name, "cat", SETTINGS)
    head, mark, body = text.partition(f"[{section}]\n")
    lines, rest = body.partition("\n[")[0].splitlines(), body.partition("\n[")[1] + body.partition("\n[")[2]
    kept = [line for line in lines if not line.startswith(f"{name} =")]
    written = "\n".join([f"{name} = {value}", *kept])
    container.call(GATEWAY_HOST.name, "tee", SETTINGS, given=f"{head}{mark}{written}{rest}")
    container.call(GATEWAY_HOST.name, "systemctl", "reload", "burstd")


def empty(within: float = 180.0) -> None:
    """Wait until there is no instance."""
    wait_until(lambda: status() and not instances(), "the fleet is empty", within=within, every=2.0)
