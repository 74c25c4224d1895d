"""What is wrong with the settings, as data, and the one line in which each problem is told.

A line never shows a secret: not the value of a secret table, of an unknown key (a misplaced secret, perhaps) or of a whole section,
and not the password in a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from burstd.settings.places import (
    PREFIX,
    KeyPath,
    Place,
    bare,
    default,
    dotted,
    every_key,
    example,
    is_list,
    kind,
    locate,
    suggestion,
    table_of,
    toml,
    variable,
)
from burstd.settings.values import Refused

LONGEST_VALUE: Final = 60
"""Characters of a value that are shown: enough to recognise it, and the line stays one line."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that must be mended.

    Attributes:
        paths: the keys that are to blame, together.
        expected: what would be right.
        mend: what to do about it.
    """

    paths: tuple[KeyPath, ...]
    expected: str
    mend: str

    def blames(self, others: Iterable[KeyPath]) -> bool:
        """One of its keys is, holds, or is held by one of the others."""
        return any(mine[: len(other)] == other[: len(mine)] for mine in self.paths for other in others)


@dataclass(frozen=True, slots=True)
class Written:
    """The settings as they were written, not yet judged.

    Attributes:
        values: the file's tables with the environment over them.
        variables: which environment variable has set which path.
    """

    values: dict[str, Any]
    variables: Mapping[KeyPath, str] = field(default_factory=dict)

    def line(self, problem: Problem) -> str:
        """The problem in one line: key, value, what was expected, the mend."""
        return f"{' and '.join(map(self._named, problem.paths))}: expected {problem.expected}; {problem.mend}"

    def _named(self, path: KeyPath) -> str:
        place = locate(path)
        source = next((name for length in range(len(path), 0, -1) if (name := self.variables.get(path[:length]))), None)
        return f"{dotted(path)}{self._shown(path, place)}{f' (from {source})' if source else ''}"

    def _shown(self, path: KeyPath, place: Place) -> str:
        if place.field is None or table_of(place.field):
            return ""
        value: Any = self.values
        try:
            for part in path:
                value = value[part]
        except (KeyError, IndexError, TypeError):
            if place.field.is_required():
                return " is missing"
            return f" = {default(place.field)} (the default)" if default(place.field) and not kind(place.field).secret else ""
        return "" if kind(place.field).secret else f" = {_shortened(value)}"


def wrong_value(path: KeyPath, reason: object = None) -> Problem:
    """A value that the models refuse, or a key that they do not have; `reason` is the validator's own error, if it had one."""
    place = locate(path)
    if place.field is None:
        return _unknown_key(place)
    expected = kind(place.field).expected
    if isinstance(reason, Refused):
        expected += f" ({reason})"
    name = place.path[-1] if isinstance(place.path[-1], str) else place.path[-2]
    if not any(isinstance(part, str) for part in place.path[1:]):  # a section, or one of its tables
        mend = f"write it as [[{name}]]" if is_list(place.field) else f"write it as [{name}]"
    else:
        mend = f"write for example {name} = {example(place.field)}"
    return Problem((path if kind(place.field).secret else place.path,), expected, mend)


def unknown_variable(name: str, path: KeyPath) -> str:
    """The line for an environment variable with our prefix that is no setting."""
    # Without a __ there is no section in it yet: BURSTD_FLEET_MAX.
    known = {variable(each).removeprefix(PREFIX): each for each, _ in every_key()}
    close = get_close_matches(name.upper().removeprefix(PREFIX), known, n=1, cutoff=0.8) if len(path) == 1 else ()
    meant = known[close[0]] if close else suggestion(path)
    mend = f"did you mean {variable(meant)}?" if meant else "unset it, or see docs/configuration.md"
    return f"{bare(name)}: expected the name of a setting; {mend}"


def _unknown_key(place: Place) -> Problem:
    meant = suggestion(place.path)
    if meant:
        return Problem((place.path,), "a known key", f"did you mean {dotted(meant)}?")
    known = ", ".join(place.table.model_fields)
    return Problem((place.path,), f"a known key, one of {known}", "take it out, or see docs/configuration.md")


def _shortened(value: object) -> str:
    text = re.sub(r"//[^/@\s\"]*@", "//***@", toml(value))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
