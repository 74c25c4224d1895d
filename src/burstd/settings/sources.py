"""Where settings come from: the TOML file, and the environment over it. What they say is not judged here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_origin

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from burstd.errors import InvalidSettings
from burstd.settings.places import NESTED, PREFIX, KeyPath, locate
from burstd.settings.problems import unknown_variable
from burstd.settings.sections import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

FILE_VARIABLE: Final = "BURSTD_CONFIG"
"""Names the settings file; the one variable with our prefix that is no setting."""


def read_file(path: Path) -> dict[str, Any]:
    """The file's tables.

    Raises:
        InvalidSettings: it cannot be read, is not UTF-8 or not TOML; one line that says where.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidSettings([f"{path}: expected a readable file, the system says: {error.strerror}; {_mend(error)}"]) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        where = _position(content[: error.start].decode("utf-8"))
        raise InvalidSettings([f"{path}: expected UTF-8, found byte 0x{content[error.start]:02x} {where}; save it as UTF-8"]) from error
    try:
        return tomllib.loads(text)
    except ValueError as error:
        said = str(error).replace("at end of document", _position(text))
        raise InvalidSettings([f"{path}: expected TOML, found: {said}; mend that line, https://toml.io has the rules"]) from error


def _position(before: str) -> str:
    last = before.rpartition("\n")[2]
    return f"at line {before.count(chr(10)) + 1}, column {len(last) + 1}"


def _mend(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "let the user that runs burstd read it"
    return f"name the settings file with --config or {FILE_VARIABLE}"


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says.

    Attributes:
        values: nested tables; lists are tables by position, or lists where they were given as JSON.
        variables: which variable has set which path.
        problems: a line for each variable with our prefix that is no setting.
    """

    values: dict[str, Any]
    variables: dict[KeyPath, str]
    problems: list[str]


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Every `BURSTD_*` but the one that names the file."""
    variables, problems = {}, []
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        parts = name[len(PREFIX) :].lower().split(NESTED)
        path: KeyPath = tuple(int(part) if part.isdecimal() else part for part in parts)
        place = locate(path)
        if place.field is None or isinstance(path[-1], int) or (path != place.path and get_origin(place.field.annotation) is not dict):
            problems.append(unknown_variable(name, path))
        else:
            variables[path] = name
    for path, name in variables.items():
        whole = next((variables[path[:length]] for length in range(1, len(path)) if path[:length] in variables), None)
        if whole:
            problems.append(f"{name}: expected {whole} to hold the whole alone, as JSON; unset one of the two")
    values = _Source({name.lower(): environ[name] for name in variables.values()})()
    return Environment(values, variables, problems)


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, merged key by key, lists by position; where both have a value, the one above counts."""
    return {**below, **{name: _merged(below.get(name), value) for name, value in above.items()}}


def _merged(below: object, above: object) -> object:
    if not isinstance(above, Mapping):
        return above
    if isinstance(below, list) or (below is None and above and all(name.isdecimal() for name in above)):
        known = dict(enumerate(below or []))
        merged = known | {int(name): _merged(known.get(int(name)), value) for name, value in above.items() if name.isdecimal()}
        # With a gap it stays a table, which the models refuse where they want a list.
        return [merged[number] for number in range(len(merged))] if max(merged, default=-1) < len(merged) else above
    return overlaid(below if isinstance(below, Mapping) else {}, above)


class _Variables(BaseSettings, Settings):
    """The same sections, as pydantic-settings wants them for reading an environment; never instantiated."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=NESTED)


class _Source(EnvSettingsSource):
    """`BURSTD_SECTION__KEY` and JSON, into nested tables; what is not JSON stays as it is, for the models to refuse."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(_Variables)
        self.env_vars = environ

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - as pydantic-settings has it
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value
