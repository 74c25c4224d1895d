"""User-data that is a template: a file whose name ends in `.j2`, as with Ansible. Any other file is handed over as it is.

By the name and not by the content, because a shell script has `{#` and `{{` for purposes of its own. Rendered in Jinja's sandbox from
the settings alone, so the same settings always render the same text. Pure, but for Jinja itself, imported where there is a template.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Final

SUFFIX: Final = ".j2"

_CHANCE: Final = ("random", "lipsum")
"""What would render another text each time."""


class Unrenderable(Exception):
    """The template cannot be rendered; the message says in which line, and why, without anything that may be a secret."""


def render(template: str, variables: Mapping[str, object]) -> str:
    """The template's text for these variables; those that are None count as undefined.

    Raises:
        Unrenderable: it is no template, or it uses what there is not.
    """
    from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(  # cloud-init reads YAML or a shell script: escaping for HTML would spoil both
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        newline_sequence="\r\n" if "\r\n" in template else "\n",
    )
    for name in _CHANCE:
        environment.filters.pop(name, None)
        environment.globals.pop(name, None)
    try:
        return environment.from_string(template).render({name: value for name, value in variables.items() if value is not None})
    except TemplateSyntaxError as error:
        # Behind "got" stands what the file has there.
        raise Unrenderable(_told(error.lineno, str(error.message).partition(", got ")[0])) from None
    except Exception as error:  # noqa: BLE001 - an expression in a template can raise anything
        # Of other errors only the type is told: an int("…") quotes what it was given.
        said = str(error) if isinstance(error, TemplateError | TypeError) else type(error).__name__
        raise Unrenderable(_told(_line(error), said)) from None


def _line(error: Exception) -> int:
    """The line of the template, from the traceback, into which Jinja writes it."""
    lines = [each.lineno or 1 for each in traceback.extract_tb(error.__traceback__) if each.filename == "<template>"]
    return lines[-1] if lines else 1


def _told(line: int, said: str) -> str:
    return f"line {line}: {' '.join(said.split()).rstrip('.')}"
