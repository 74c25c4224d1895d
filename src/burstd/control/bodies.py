"""From a request's body to an order, strictly: an unknown key, a wrong type or a number out of bounds is refused in one line.

Pure; whether an order can be followed (bounds, names) is for the loop to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NoReturn

from burstd.durations import LONGEST
from burstd.errors import AskOperator
from burstd.model.fleet import Pause
from burstd.model.orders import DrainInstance, Order, ReleaseMirror, ScaleTo, SetPause, StartDrill

LARGEST: Final = 8192
"""Bytes of a body: the longest texts in every key fill a quarter of it."""

ANONYMOUS: Final = "api"
"""The owner of an order that names none: somebody who may write to the socket, by other means than burstd's own verbs."""

_LONGEST_TEXT: Final = 200
_SHOWN: Final = 60
_MOST: Final = 1_000_000
"""A count beyond this is a slip of the hand; fleet.max says what is really allowed."""

Fields = dict[str, Any]


def scale(body: bytes) -> Order:
    """{"count": 3, "owner": "anna", "reason": "the sale", "seconds": 7200}, all but the count optional."""
    fields = _fields(body, "count", "owner", "reason", "seconds")
    count = fields.get("count")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _MOST:
        _refuse(fields, "count", "a whole number of instances, 0 or more")
    seconds = fields.get("seconds")
    if seconds is not None and (not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST):
        _refuse(fields, "seconds", f"a number above 0 and up to {LONGEST:.0f} (366 days), or null for no end")
    return ScaleTo(count, owner(fields.get("owner")), _text(fields, "reason"), None if seconds is None else float(seconds))


def pause(body: bytes) -> Order:
    """{"direction": "in", "owner": "anna", "reason": "a migration"}; the direction is in, out or both."""
    fields = _fields(body, "direction", "owner", "reason")
    directions = {str(each): each for each in Pause if each is not Pause.NONE}
    direction = fields.get("direction")
    if not isinstance(direction, str) or direction not in directions:
        _refuse(fields, "direction", '"in", "out" or "both"')
    return SetPause(directions[direction], owner(fields.get("owner")), _text(fields, "reason"))


def drain(body: bytes) -> Order:
    """{"name": "burst-0a1b-…", "owner": "anna", "reason": "noisy neighbour"}, all but the name optional."""
    fields = _fields(body, "name", "owner", "reason")
    if not (name := _text(fields, "name")):
        _refuse(fields, "name", "an instance's name, as `burstd status` lists it")
    return DrainInstance(name, owner(fields.get("owner")), _text(fields, "reason"))


def drill(body: bytes) -> Order:
    """{"pool": "dublin", "owner": "anna"}, both optional: without a pool, the first one that is not barred."""
    fields = _fields(body, "pool", "owner")
    return StartDrill(owner(fields.get("owner")), _text(fields, "pool") or None)


def release(body: bytes) -> Order:
    """{"owner": "anna", "reason": "the old pictures were meant to go"}, both optional."""
    fields = _fields(body, "owner", "reason")
    return ReleaseMirror(owner(fields.get("owner")), _text(fields, "reason"))


ORDERS: Final[dict[str, Callable[[bytes], Order]]] = {
    "scale": scale,
    "pause": pause,
    "drain": drain,
    "drill": drill,
    "content/release": release,
}
"""What can be posted, by the last part of its path."""


def owner(value: object) -> str:
    """Who gives the order, as said; `ANONYMOUS` where nobody is named."""
    return _text({"owner": value}, "owner") or ANONYMOUS


def _fields(body: bytes, *known: str) -> Fields:
    try:
        fields = json.loads(body, parse_constant=_no_constant, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise AskOperator("body: expected one JSON object, with each key once and no NaN or Infinity") from error
    if not isinstance(fields, dict):
        raise AskOperator("body: expected one JSON object, with each key once and no NaN or Infinity")
    for key in fields:
        if key not in known:
            raise AskOperator(f"{_shown(key)}: unknown key; expected {', '.join(known)}")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _once_each(pairs: list[tuple[str, Any]]) -> Fields:
    if len(fields := dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return fields


def _text(fields: Fields, key: str) -> str:
    text = fields.get(key)
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not text.isprintable():
        _refuse(fields, key, f"a text on one line, of at most {_LONGEST_TEXT} printable characters")
    return text.strip()


def _refuse(fields: Fields, key: str, expected: str) -> NoReturn:
    raise AskOperator(f"{key}: {_shown(fields[key])}: expected {expected}" if key in fields else f"{key}: missing; expected {expected}")


def _shown(value: object) -> str:
    """The value as JSON has it, short, and safe to print on a terminal."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
