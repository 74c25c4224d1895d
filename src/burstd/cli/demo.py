"""`burstd demo`: a real HAProxy bursts under real traffic, on this machine, in two minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from burstd.cli.client import Client
from burstd.cli.options import examples
from burstd.errors import AskOperator

if TYPE_CHECKING:
    from burstd.demo.figures import Figures
    from burstd.demo.show import Show

PICTURE: Final = "burstd-demo.svg"


@click.command(
    epilog=examples(
        "burstd demo                          watch it; the picture is burstd-demo.svg",
        "burstd demo --json out.json          and the figures as JSON",
        "burstd demo --mode spillover         what the core has no room for goes to the instances, request by request",
        "burstd demo --keep                   leave it running, to play with the other verbs",
    )
)
@click.option("--json", "json_file", metavar="FILE", help="Write the figures there.")
@click.option("--picture", "picture_file", metavar="FILE", default=PICTURE, show_default=True, help="Draw it there: .svg, .png or .pdf.")
@click.option(
    "--mode",
    type=click.Choice(["weighted", "spillover"]),
    default="weighted",
    show_default=True,
    help="How traffic comes to the instances: by weight, or what the core has no room for.",
)
@click.option("--keep", is_flag=True, help="Leave it running until Ctrl-C, and print how to look at it.")
def demo(json_file: str | None, picture_file: str, mode: str, *, keep: bool) -> int:
    """Watch a real HAProxy burst on this machine, in two minutes.

    Two equal sites get the same users, one with burstd beside its HAProxy, one without. Everything runs on loopback addresses and in a
    scratch folder, needs no root, and is gone at the end. Exit code 1 where the run did not show what it should; the lines say what.
    """
    picture, document = Path(picture_file), Path(json_file) if json_file else None
    _check_files(picture, document)
    from rich.console import Console

    from burstd.demo.interruption import Interrupted, Interruption
    from burstd.demo.screen import LiveScreen, PlainScreen
    from burstd.demo.show import Show
    from burstd.model.policy import Mode

    console = Console()
    screen = LiveScreen(console) if console.is_terminal else PlainScreen(click.echo)
    figures: Figures | None = None
    with Interruption() as interruption:
        try:
            with Show(lambda path: Client(path).get, screen, interruption, keep=keep, mode=Mode(mode)) as show:
                figures = show.play()
                _tell(figures, document)
                _draw(show, figures, picture)
                if keep:
                    click.echo("It goes on as it is; Ctrl-C ends it.")
                    show.stay()
        except Interrupted as signal:
            if figures is None:
                click.echo("burstd: demo: interrupted, and everything cleared away", err=True)
                return 128 + signal.number
    missed = list(figures.missed())
    for line in missed:
        click.echo(f"burstd: demo: {line}", err=True)
    return 1 if missed else 0


def _check_files(picture: Path, document: Path | None) -> None:
    """Find out now what would otherwise come to light after two minutes."""
    from burstd.canvas import check_file

    check_file(picture, "--picture", PICTURE)
    if document and not document.absolute().parent.is_dir():
        raise AskOperator(f"--json {document}: expected a folder that exists, found none; make it first (mkdir -p {document.parent})")


def _draw(show: Show, figures: Figures, path: Path) -> None:
    from burstd.demo.picture import draw

    try:
        draw(show.timeline, show.scenario, figures, path)
    except ImportError:
        click.echo('no picture: matplotlib is not installed; pip install "burstd[plot]" brings it')
    else:
        click.echo(f"picture: {path}")


def _tell(figures: Figures, document: Path | None) -> None:
    from rich.console import Console

    from burstd.demo.report import sentence, table

    Console().print(table(figures))
    click.echo(sentence(figures))
    if document:
        document.write_text(json.dumps(figures.document(), indent=2) + "\n", encoding="utf-8")
        click.echo(f"figures: {document}")
