"""`burstd completion`: the script that teaches a shell the verbs and options."""

from __future__ import annotations

import json

import click

from burstd.cli.options import examples, json_option


@click.command(
    epilog=examples(
        "burstd completion bash > /etc/bash_completion.d/burstd",
        "burstd completion zsh > /usr/local/share/zsh/site-functions/_burstd",
        "burstd completion fish > ~/.config/fish/completions/burstd.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def completion(ctx: click.Context, *, shell: str, as_json: bool) -> None:
    """Print the completion script for your shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}", ctx)
    script = kind(ctx.find_root().command, {}, "burstd", "_BURSTD_COMPLETE").source()
    click.echo(json.dumps({"shell": shell, "script": script}) if as_json else script)
