"""Where a key stands: paths through the sections' models, what is known of the key there, and how its values are written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import EnumType
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args, get_origin

from burstd.durations import format_duration
from burstd.settings.section import Section
from burstd.settings.sections import Settings
from burstd.settings.values import Kind

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

KeyPath = tuple[str | int, ...]
"""Names of sections and keys, and positions in lists from 0: ("pool", 0, "port")."""

PREFIX: Final = "BURSTD_"
NESTED: Final = "__"

_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What JSON leaves as it is and a terminal takes for a command or a new line, or cannot write at all."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the models know of a path.

    Attributes:
        path: as far as the models know it: what is below a key (a name in a table of tags) is cut off.
        table: the model whose key it is.
        field: the key; None: the model has none of that name.
    """

    path: KeyPath
    table: type[Section]
    field: FieldInfo | None


def locate(path: KeyPath) -> Place:
    """What the models know of a path that has at least one name."""
    table: type[Section] = Settings
    below: type[Section] | None = Settings
    field: FieldInfo | None = None
    at_list = False
    for depth, part in enumerate(path, start=1):
        if at_list:
            at_list = False
            if isinstance(part, int):
                continue
            return Place(path[:depth], table, None)
        if below is None:
            return Place(path[: depth - 1], table, field)
        table, field = below, below.model_fields.get(str(part))
        if field is None:
            return Place(path[:depth], table, None)
        below, at_list = table_of(field), is_list(field)
    return Place(path, table, field)


def table_of(field: FieldInfo) -> type[Section] | None:
    """The model of a section or of a list of tables; None for a plain key."""
    inner = get_args(field.annotation)[0] if is_list(field) else field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, Section) else None


def is_list(field: FieldInfo) -> bool:
    """The key holds a list of tables."""
    return get_origin(field.annotation) is tuple


def kind(field: FieldInfo) -> Kind:
    """What the key's value must be, its bounds included."""
    known = [each for each in field.metadata if isinstance(each, Kind)]
    if known:
        return Kind(known[-1].expected + _bounds(field), known[-1].unit, known[-1].secret)
    if table_of(field):
        return Kind("a table")
    if field.annotation is bool:
        return Kind("true or false")
    if get_origin(field.annotation) is Literal:
        choices = list[object](get_args(field.annotation))
    else:
        choices = list(field.annotation.__members__.values()) if isinstance(field.annotation, EnumType) else []
    return Kind("one of " + ", ".join(toml(each) for each in choices))


def every_key(table: type[Section] = Settings, above: KeyPath = ()) -> Iterator[tuple[KeyPath, FieldInfo]]:
    """Every section, and every key in it, with the first element standing for all of a list; in the order of the models."""
    for name, field in table.model_fields.items():
        yield (*above, name), field
        below = table_of(field)
        if below:
            yield from every_key(below, (*above, name, 0) if is_list(field) else (*above, name))


def suggestion(path: KeyPath) -> KeyPath | None:
    """The known key that somebody who wrote this unknown path may have meant: one beside it, else one elsewhere."""
    *above, name = path
    table = locate(path).table.model_fields
    beside = [each for each in table if each.startswith(str(name))] or get_close_matches(str(name), table, n=1, cutoff=0.7)
    if beside:
        return (*above, beside[0])
    known = {dotted(each): each for each, _ in every_key()}
    same = [each for each in known.values() if each[-1] == name]
    if len(same) == 1:
        return same[0]
    close = get_close_matches(dotted(path), known, n=1, cutoff=0.75)
    return known[close[0]] if close else None


def dotted(path: KeyPath) -> str:
    """The path as the file's reader names it, on one line: pool[0].port."""
    return re.sub(r"\.\[", "[", ".".join(f"[{each}]" if isinstance(each, int) else bare(each) for each in path))


def variable(path: KeyPath) -> str:
    """The environment variable that sets it: BURSTD_POOL__0__PORT."""
    return PREFIX + NESTED.join(str(each).upper() for each in path)


def default(field: FieldInfo) -> str:
    """The default as the file would have it; empty where there is none, or where it is to have no value at all."""
    return "" if field.is_required() or field.default is None else spelled(field.default, field)


def example(field: FieldInfo) -> str:
    """A value that an operator could write: the key's example, else its default."""
    proposed = field.examples[0] if field.examples else None
    return spelled(field.default if proposed is None else proposed, field)


def example_of(place: Place) -> object:
    """A right value for a key or for one table of a list; None where leaving it out is right."""
    if place.field is None or not (place.field.is_required() or isinstance(place.path[-1], int)):
        return None
    below = table_of(place.field)
    if below is None:
        return place.field.examples and place.field.examples[0]
    return {name: example_of(Place((name,), below, field)) for name, field in below.model_fields.items() if field.is_required()}


def spelled(value: object, field: FieldInfo) -> str:
    """A value of this key as the file would have it."""
    return toml(format_duration(value) if kind(field).unit == "seconds" and isinstance(value, float) else value)


def toml(value: object) -> str:
    """A value in TOML's words, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}" if value.is_integer() else repr(value)
    if isinstance(value, str | Path):
        return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(str(value), ensure_ascii=False))
    if isinstance(value, Mapping):
        pairs = [f"{bare(name)} = {toml(each)}" for name, each in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return str(value)


def _bounds(field: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [f"{word} {getattr(each, name):g}" for name, word in words.items() for each in field.metadata if hasattr(each, name)]
    return f", {' and '.join(found)}" if found else ""


def bare(name: str) -> str:
    """A name as it is where it has nothing strange in it, else as a text."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else toml(name)
