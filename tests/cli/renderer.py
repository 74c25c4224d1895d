"""`burstd render` as a function, on one settings file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner, Result

from burstd.cli.group import burstd

Render = Callable[..., Result]


def renderer(what: str, settings: Path) -> Render:
    """Runs `burstd render WHAT` with these settings and whatever words it is given."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(burstd, ["render", what, "--config", str(settings), *words], prog_name="burstd")

    return run
