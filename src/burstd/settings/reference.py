"""The documentation of every key, made from the models: the example file, and the tables of docs/configuration.md.

Pure; `script/configuration-docs` writes what it answers, and a test proves that nothing is left to write.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Final

from burstd.durations import EXPECTED as A_DURATION
from burstd.settings.places import default, every_key, example, is_list, kind, spelled, table_of
from burstd.settings.section import Section
from burstd.settings.sections import Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_HEADER: Final = """\
# burstd's settings: every key there is, with its unit and its default. docs/configuration.md says more.
#
# A line that starts with # and a key shows the default or, where there is none, an example: take the # away to set it. Lines without
# it hold what only you can know; put your own there. `burstd check` says whether it is all right. A duration is a number of seconds
# or a text such as "90s", "5m", "2h" or "1h30m". BURSTD_FLEET__MAX=6 in the environment counts over `max` in [fleet], and so on.
"""

_BLOCK: Final = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def example_file() -> str:
    """config/burstd.toml, whole."""
    return "\n".join([_HEADER, *(_section(name, field) for name, field in Settings.model_fields.items())])


def with_tables(markdown: str) -> str:
    """The page with its blocks between `<!-- keys of SECTION -->` and `<!-- end of keys -->` made anew."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{_table(match[2])}\n{match[3]}", markdown)


def _section(name: str, field: FieldInfo) -> str:
    below = _model(field)
    # A whole table that few need stands behind "# ", its keys too: live, it would be an order.
    whole = "# " if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("optional") else ""
    lines = [f"# {cleandoc(below.__doc__ or '')}", f"{whole}[[{name}]]" if is_list(field) else f"[{name}]"]
    for key, each in below.model_fields.items():
        live = each.is_required() or (isinstance(each.json_schema_extra, dict) and each.json_schema_extra["shown"])
        value = example(each) if live or each.default is None else spelled(each.default, each)
        lines += ["", f"# {each.description} ({_figures(each)})", f"{whole or ('' if live else '#')}{key} = {value}"]
    return "\n".join([*lines, ""])


def _figures(field: FieldInfo) -> str:
    unit = kind(field).unit
    return (f"{unit}, " if unit else "") + ("required" if field.is_required() else f"default {default(field) or 'none'}")


def _table(section: str) -> str:
    field = Settings.model_fields[section]
    below = _model(field)
    rows = [
        f"| `{'[].'.join(str(part) for part in path if part != 0)}` | {each.description} | {_values(each)} | {kind(each).unit or '-'} "
        f"| {'required' if each.is_required() else f'`{default(each)}`' if default(each) else 'none'} |"
        for path, each in every_key(below)
    ]
    head = ["| key | meaning | value | unit | default |", "|---|---|---|---|---|"]
    return "\n".join([cleandoc(below.__doc__ or ""), "", *head, *rows, ""])


def _values(field: FieldInfo) -> str:
    return kind(field).expected.replace(A_DURATION, "a duration").replace("|", "\\|")


def _model(field: FieldInfo) -> type[Section]:
    below = table_of(field)
    if below is None:
        raise TypeError(f"{field} is no section")
    return below
