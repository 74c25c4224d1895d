"""The verbs of `burstd`, one module each, imported only when it is run: `burstd --help` and `burstd --version` must feel instant.

A verb's module holds a click command of the verb's own name (`burstd.cli.status.status`); `burstd.cli.group.VERBS` lists it. It
never imports at its top what takes long: rich, requests, pydantic, starlette and the like are imported where they are used.

Exit codes: 0 done, 1 a peer is down or says to try again, 2 something in the input or the settings must be mended, 130 interrupted.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit."""
    from burstd.cli.group import burstd

    burstd(prog_name="burstd")
