"""Loading: the file, the environment over it, and every problem of the two at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from burstd.errors import InvalidSettings
from burstd.settings.pairs import impossible_pairs
from burstd.settings.places import KeyPath, example_of, locate
from burstd.settings.problems import Problem, Written, wrong_value
from burstd.settings.sections import Settings
from burstd.settings.sources import FILE_VARIABLE, overlaid, read_environment, read_file

DEFAULT_FILE: Final = Path("/etc/burstd/burstd.toml")
"""Read where nobody names a file; the only one that may be missing, so that an environment alone can hold the settings."""


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of the file at `path`, else of the one that BURSTD_CONFIG names, else of `DEFAULT_FILE`, with `BURSTD_*` over it.

    Reads these and the files of `user_data`, and nothing else; no secret file and no peer.

    Raises:
        InvalidSettings: with every problem found, a line each.
    """
    file = settings_file(path, environ)
    environment = read_environment(environ)
    if file is None and not environment.values:
        absent = f"{DEFAULT_FILE}: expected a settings file; write it, or name another one with --config or {FILE_VARIABLE}"
        raise InvalidSettings([*environment.problems, absent])
    values = overlaid(read_file(file) if file else {}, environment.values)
    folder = file.absolute().parent if file else Path.cwd()
    return judged(Written(values, environment.variables), folder, environment.problems)


def judged(written: Written, folder: Path, problems: Sequence[str] = ()) -> Settings:
    """What was written, as settings; relative paths in it count from the folder.

    Raises:
        InvalidSettings: with the lines of every problem: those that are known already, then key by key, then in pairs.
    """
    settings, faults = _validated(written.values, folder)
    wrong = [path for fault in faults for path in fault.paths]
    # With a stand-in for every wrong value the pairs of right values can be looked at in the same go.
    whole = settings or _validated(_mended(written.values, wrong), folder)[0]
    pairs = impossible_pairs(whole) if whole else ()
    lines = [*problems, *map(written.line, [*faults, *(pair for pair in pairs if not pair.blames(wrong))])]
    if lines or settings is None:
        raise InvalidSettings(lines)
    return settings


def settings_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that counts; None where none was named and the default one is not there."""
    if path is not None:
        return path
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    with suppress(PermissionError):  # it is there, then, and reading it says what is wrong
        return DEFAULT_FILE if DEFAULT_FILE.exists() else None
    return DEFAULT_FILE


def _validated(values: Mapping[str, Any], folder: Path) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(values, context={"folder": folder}), []
    except ValidationError as error:
        return None, [wrong_value(each["loc"], each.get("ctx", {}).get("error")) for each in error.errors(include_url=False)]


def _mended(values: Mapping[str, Any], wrong: Iterable[KeyPath]) -> dict[str, Any]:
    """The values with every wrong one replaced by its default or its example, and every unknown key taken out."""
    mended = deepcopy(dict(values))
    for place in map(locate, wrong):
        *above, last = place.path
        table: Any = mended
        for part in above:
            table = table[part]
        stand_in = example_of(place)
        if stand_in is None:
            table.pop(last, None)
        else:
            table[last] = stand_in
    return mended
