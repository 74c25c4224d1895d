"""What is told at the end, and, with --keep, how to look at what runs. Text and tables alone; printing is the caller's."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.table import Table

from burstd.demo.figures import Figures
from burstd.demo.layout import CORE_LIMIT, Layout
from burstd.model.policy import Mode


def table(figures: Figures) -> Table:
    """Both sides' figures next to each other."""
    own, other = figures.sides["with"], figures.sides["without"]
    grid = Table(box=box.SIMPLE_HEAD, header_style="bold")
    grid.add_column(f"the same traffic for {figures.seconds:.0f} s")
    grid.add_column("with burstd", justify="right")
    grid.add_column("without", justify="right")
    grid.add_row("requests answered", f"{own.requests:,}", f"{other.requests:,}")
    grid.add_row("errors", str(own.errors), str(other.errors))
    grid.add_row("peak load of the core servers", f"{own.peak_load:.2f}", f"{other.peak_load:.2f}")
    grid.add_row("mean load", f"{own.mean_load:.2f}", f"{other.mean_load:.2f}")
    grid.add_row(f"seconds above {figures.threshold:g}", f"{own.seconds_above_threshold:.0f}", f"{other.seconds_above_threshold:.0f}")
    grid.add_row("half of the answers within", f"{own.median_ms:.0f} ms", f"{other.median_ms:.0f} ms")
    grid.add_row("95 of 100 answers within", f"{own.p95_ms:.0f} ms", f"{other.p95_ms:.0f} ms")
    return grid


def sentence(figures: Figures) -> str:
    """The instances in one sentence."""
    reaction = figures.reaction_seconds
    first = "" if reaction is None else f"; the first one answered {reaction:.1f} s after {figures.crossing}"
    return f"{figures.launched} instances rented, {figures.destroyed} given back, {figures.orphans} left over{first}."


def what_differs(mode: Mode) -> str:
    """How the two sides differ, in one sentence."""
    if mode is Mode.SPILLOVER:
        return (
            f"with spillover: the side with burstd gives each core server {CORE_LIMIT} requests at once, and what it has no room for "
            f"goes to the instances; the side without has no limit"
        )
    return "by weight: the sides differ by burstd alone"


def how_to_look(layout: Layout) -> Iterator[str]:
    """The commands for another shell, with this site's paths."""
    burstd = f"{_this_command()} --config {layout.settings}"
    yield "In another shell:"
    for verb, meaning in (
        ("status", "what is the case"),
        ("status --watch", "the same, live"),
        ("status --json", "the same for programs"),
        ("explain", "why this many instances" + (", why this weight" if layout.mode is Mode.WEIGHTED else "")),
        ("events", "what has happened"),
        ("plan", "what the last cycle planned, and what came of it"),
        ("scale --to 2", "order two instances"),
        ("scale --auto", "let the policies decide again"),
        ("pause", "stop scaling"),
        ("resume", "and let it go on"),
    ):
        yield f"  {f'{burstd} {verb}':<{len(burstd) + 16}}# {meaning}"
    page = f"  curl -s http://{layout.metrics}/metrics"
    yield page
    yield f"{page} | promtool check metrics"
    host, port = layout.sides["with"].gateway
    yield f"  curl -i http://{host}:{port}/    # one request; X-Served-By says who answered"
    yield f"Everything, logs included, lies in {layout.folder} until the end. Ctrl-C ends it and clears it all away."


def _this_command() -> str:
    """How the shell of whoever reads it starts this very burstd."""
    script = Path(sys.argv[0]).absolute()
    if script.name != "burstd":
        return f"{sys.executable} -m burstd"
    return "burstd" if shutil.which("burstd") == str(script) else str(script)
