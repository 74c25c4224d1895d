"""The options that verbs share, and the decorators that add them.

They are taken before and after the verb alike: `burstd --socket S status` and `burstd status --socket S` are the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from burstd.cli.client import Client
from burstd.errors import AskOperator

if TYPE_CHECKING:
    from burstd.settings import Settings

DEFAULT_CONFIG: Final = "/etc/burstd/burstd.toml"
"""As burstd.settings has it; repeated, because importing the settings takes longer than a whole verb may."""

DEFAULT_SOCKET: Final = "/run/burstd/control.sock"
"""As burstd.settings has it, for the same reason."""

Function = Callable[..., int | None]


def _from_root(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """What was said after the verb, else what was said before it (or by the variable)."""
    return value or ctx.find_root().params.get(param.name or "")


def _config_or_default(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    return _from_root(ctx, param, value) or DEFAULT_CONFIG


json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

config_option: Final = click.option(
    "--config", metavar="FILE", callback=_config_or_default, help=f"Settings file.  [env: BURSTD_CONFIG; default: {DEFAULT_CONFIG}]"
)
"""Gives the verb `config`: the path of the settings file."""

named_config_option: Final = click.option(
    "--config", metavar="FILE", callback=_from_root, help="Settings file; without one the defaults count.  [env: BURSTD_CONFIG]"
)
"""Gives the verb `config`: the path of the settings file, None where nobody named one, be there one at the default place or not."""

socket_option: Final = click.option(
    "--socket", metavar="PATH", callback=_from_root, help="The daemon's control socket.  [default: control.socket]"
)


def asks_daemon(function: Function) -> Function:
    """Give the verb a `client` of the running daemon, and `as_json`."""

    @click.option("--config", metavar="FILE", callback=_from_root, help="Settings file, read for control.socket alone.")
    @socket_option
    @json_option
    @wraps(function)
    def verb(*args: Any, config: str | None, socket: str | None, **others: Any) -> int | None:
        return function(*args, client=Client(socket or _configured_socket(config)), **others)

    return verb


def settings_of(config: str) -> Settings:
    """The settings of that file with the environment over it; the default file may be missing, where the environment says it all.

    They hold secrets: from here on this process leaves no core dump.

    Raises:
        InvalidSettings: with every problem found, a line each.
    """
    import resource
    from pathlib import Path

    from burstd.settings import load

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    return load(None if config == DEFAULT_CONFIG else Path(config), os.environ)


def tell(sentence: str, *, as_json: bool) -> None:
    """Print the sentence with which the daemon has answered an order."""
    click.echo(json.dumps({"sentence": sentence}) if as_json else sentence)


def examples(*lines: str) -> str:
    """The examples at the end of a verb's help, kept as they are."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def _configured_socket(config: str | None) -> str:
    """`control.socket` of the settings file; a file that nobody named need not be there, nor be readable by who only asks."""
    path = config or DEFAULT_CONFIG
    if config is None and not os.access(path, os.R_OK):
        return DEFAULT_SOCKET
    import tomllib

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - importing pathlib takes longer than reading the file
            control = tomllib.load(file).get("control", {})
    except OSError as error:
        said = f"expected a readable settings file, the system says: {error.strerror}"
        raise AskOperator(f"--config {path}: {said}; let your user read it, or name the socket with --socket") from error
    except ValueError as error:
        raise AskOperator(f"--config {path}: expected TOML, found: {error}; `burstd check` says more") from error
    socket = control.get("socket", DEFAULT_SOCKET) if isinstance(control, dict) else DEFAULT_SOCKET
    # A relative path counts from the folder of the settings file, as burstd.settings has it.
    return os.path.join(os.path.dirname(path), str(socket))  # noqa: PTH118, PTH120 - no pathlib, as above
