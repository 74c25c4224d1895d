"""`burstd check`: the settings and every peer, before the daemon counts on them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from burstd.cli.options import config_option, examples, json_option, settings_of
from burstd.errors import InvalidSettings

if TYPE_CHECKING:
    from burstd.wiring.checks import Finding

_STYLES: dict[str, dict[str, Any]] = {"ok": {"fg": "green"}, "warning": {"fg": "yellow"}, "fail": {"fg": "red", "bold": True}}


@click.command(
    epilog=examples("burstd check", "sudo -u burstd burstd check     as the user that will run it", "burstd check --json | jq .exit_code")
)
@config_option
@json_option
def check(config: str, *, as_json: bool) -> int:
    """Check the settings and every peer, before the daemon counts on them.

    Looks at the settings, the state folder, HAProxy's socket, level, backend and configuration, every exporter, every pool, the mirror's
    program on the core server, and where the daemon listens. It changes nothing and may run beside the daemon. Everything is looked at, and
    every line that is not ok says the mend. The exit code is 2 where somebody must mend something, 1 where a peer is merely down, 0
    otherwise.
    """
    findings = []
    for finding in _findings(config):
        findings.append(finding)
        if not as_json:
            click.echo(f"{click.style(finding.level.value.ljust(8), **_STYLES[finding.level.value])}{finding.text}")
    code = max((each.exit_code for each in findings), default=0)
    if as_json:
        told = [{"level": each.level.value, "part": each.part, "text": each.text, "exit_code": each.exit_code} for each in findings]
        click.echo(json.dumps({"findings": told, "exit_code": code}, indent=2))
    return code


def _findings(config: str) -> Iterator[Finding]:
    from burstd.wiring.checks import Finding, Level, checks

    try:
        settings = settings_of(config)
    except InvalidSettings as error:
        yield from (Finding(Level.FAIL, "settings", problem) for problem in error.problems)
        return
    yield Finding(Level.OK, "settings", f"the settings of {config} can be used")
    for what, look in checks(settings):
        with _progress(what):
            found = list(look())
        yield from found


def _progress(what: str) -> AbstractContextManager[object]:
    """Say what is waited for, where a person watches."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"asking {what}")
