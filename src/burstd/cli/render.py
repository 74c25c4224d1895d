"""`burstd render`: the configuration files of the neighbours, made from the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from burstd.cli.options import config_option, examples, json_option, settings_of
from burstd.errors import AskOperator

if TYPE_CHECKING:
    from burstd.model.policy import Mode
    from burstd.settings import Settings

MODES: Final = ("weighted", "spillover")
"""As burstd.model.policy has them; repeated, so that the help needs no import."""


@click.command(
    epilog=examples(
        "burstd render haproxy                                   look at it",
        "burstd render haproxy --output haproxy.cfg              and write it",
        "burstd render haproxy --mode spillover --output haproxy.cfg --force",
    )
)
@click.argument("what", type=click.Choice(["haproxy"]), metavar="haproxy")
@click.option("--mode", type=click.Choice(MODES), help="How traffic comes to the instances.  [default: haproxy.mode]")
@click.option("--output", metavar="FILE", help="Write it there instead of to standard output.")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@config_option
@json_option
def render(what: str, mode: str | None, output: str | None, config: str, *, force: bool, as_json: bool) -> None:  # noqa: ARG001, PLR0913 - options
    """Print a neighbour's configuration file, made from the settings.

    `haproxy` makes a whole haproxy.cfg for HAProxy 2.6 and later: the core servers of [[core]], the backends of [haproxy], and the rest of
    [render]. In weighted mode burst servers join the core's backend and weights share the requests. In spillover mode they join an
    overflow backend, to which HAProxy itself sends what the core has no room for; each core server then needs its maxconn. What the
    settings lack is said, a line for each key.

    Nothing is installed and nothing is reloaded; what to do next is said on standard error.
    """
    from burstd.model.policy import Mode
    from burstd.render.haproxy import render as rendered
    from burstd.settings.rendering import haproxy_config

    settings = settings_of(config)
    chosen = Mode(mode or settings.haproxy.mode)
    text = rendered(haproxy_config(settings, chosen))
    if output is not None:
        _write(Path(output), text, force=force)
    steps = _next_steps(settings, chosen, config, output)
    if as_json:
        click.echo(json.dumps({"mode": str(chosen), "file": output, "text": text, "next": steps}, indent=2))
        return
    click.echo(text, nl=False) if output is None else click.echo(f"{output}: written, {chosen} mode")
    for step in steps:
        click.echo(f"next: {step}", err=True)


def _write(file: Path, text: str, *, force: bool) -> None:
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise AskOperator(f"--output {file}: expected no such file, it exists; name another one, or say --force to write over it") from None
    except OSError as error:
        raise AskOperator(f"--output {file}: expected a file that can be written, the system says: {error.strerror}") from error


def _next_steps(settings: Settings, mode: Mode, config: str, output: str | None) -> list[str]:
    """What an operator does with the file, in order."""
    file = output or "haproxy.cfg"
    steps = [] if output else [f"burstd render haproxy --mode {mode} --output {file}"]
    steps.append(f"haproxy -c -f {file}")
    steps.append(f"install -m 644 {file} /etc/haproxy/haproxy.cfg && systemctl reload haproxy")
    if mode != settings.haproxy.mode:
        steps.append(
            f'set mode = "{mode}" under [haproxy] in {config}, and restart burstd: the instances must join where HAProxy expects them'
        )
    steps.append("burstd check")
    return steps
